use proptest::prelude::*;

use super::{HEADER_LEN, MAX_EXTENSIONS, parse};
use crate::Error;
use crate::fixtures::{hammer, header_v6, packet};
use crate::ip::{Header, Protocol, TrafficClass};

const TEXT: &[u8] = b"payload";

/// A packet whose first next header is `next` and whose payload is `parts`, then the text.
fn with_extensions(next: u8, parts: &[&[u8]]) -> Vec<u8> {
    let payload = [parts.concat(), TEXT.to_vec()].concat();
    packet(
        &Header {
            protocol: Protocol(next),
            ..header_v6()
        },
        &payload,
    )
}

#[test]
fn emitted_bytes_are_those_of_rfc_8200() {
    let bytes = packet(&header_v6(), TEXT);
    assert_eq!(bytes[..8], [0x62, 0xA0, 0, 0, 0, 7, 6, 64]);
    assert_eq!(bytes[8..12], [0x20, 0x01, 0x0D, 0xB8]);
    assert_eq!(bytes[39], 2);
}

#[test]
fn link_padding_is_trimmed() {
    let mut bytes = packet(&header_v6(), TEXT);
    bytes.extend([0; 30]);
    assert_eq!(parse(&bytes).unwrap().payload, TEXT);
}

#[test]
fn extensions_are_skipped() {
    let padding: &[u8] = &[6, 0, 1, 4, 0, 0, 0, 0];
    let cases = [
        with_extensions(0, &[padding]),
        with_extensions(60, &[padding]),
        with_extensions(60, &[&[6, 0, 0, 0, 0, 0, 0, 0]]),
        // Router alert: unknown here, may be skipped.
        with_extensions(0, &[&[6, 0, 5, 2, 0, 0, 1, 0]]),
        with_extensions(43, &[&[6, 0, 4, 0, 9, 9, 9, 9]]),
        with_extensions(
            0,
            &[
                &[60, 0, 1, 4, 0, 0, 0, 0],
                &[43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                &[60, 0, 200, 0, 0, 0, 0, 0],
                padding,
            ],
        ),
    ];
    for bytes in cases {
        let packet = parse(&bytes).unwrap();
        assert_eq!((packet.header, packet.payload), (header_v6(), TEXT));
    }
}

#[test]
fn protocols_that_are_no_extensions_are_reported() {
    for protocol in [17, 58, 59, 51, 135] {
        let packet_bytes = with_extensions(protocol, &[]);
        assert_eq!(
            parse(&packet_bytes).unwrap().header.protocol,
            Protocol(protocol)
        );
    }
    // Hop-by-hop options in a later place.
    let bytes = with_extensions(60, &[&[0, 0, 1, 4, 0, 0, 0, 0]]);
    assert_eq!(parse(&bytes).unwrap().header.protocol, Protocol(0));
}

#[test]
fn bad_packets_have_their_own_errors() {
    let mut version = packet(&header_v6(), TEXT);
    version[0] = 0x45;
    let mut length = packet(&header_v6(), TEXT);
    length[4..6].copy_from_slice(&[0, 8]);
    let mut long = packet(&header_v6(), TEXT);
    long[4..6].copy_from_slice(&[0xFF, 0xFF]);
    let mut no_payload = with_extensions(0, &[]);
    no_payload[4..6].copy_from_slice(&[0, 0]);
    let chain = vec![&[60u8, 0, 1, 4, 0, 0, 0, 0][..]; MAX_EXTENSIONS + 1];
    let cases = [
        (vec![0x60; HEADER_LEN - 1], Error::Ipv6Short),
        (version, Error::IpVersion),
        (length, Error::Ipv6PayloadLength),
        (long, Error::Ipv6PayloadLength),
        (no_payload, Error::Ipv6ExtensionLength),
        (
            with_extensions(0, &[&[6, 1, 1, 4, 0, 0, 0, 0]]),
            Error::Ipv6ExtensionLength,
        ),
        (
            with_extensions(60, &[&[6, 255, 1, 4, 0, 0, 0, 0]]),
            Error::Ipv6ExtensionLength,
        ),
        (with_extensions(60, &chain), Error::Ipv6ExtensionCount),
        (
            with_extensions(60, &[&[6, 0, 1, 5, 0, 0, 0, 0]]),
            Error::Ipv6Option,
        ),
        (
            with_extensions(60, &[&[6, 0, 1, 3, 0, 0, 0, 1]]),
            Error::Ipv6Option,
        ),
        (
            with_extensions(0, &[&[6, 0, 0xC2, 4, 0, 1, 0, 0]]),
            Error::Ipv6Option,
        ),
        (
            with_extensions(60, &[&[6, 0, 0x40, 4, 0, 0, 0, 0]]),
            Error::Ipv6Option,
        ),
        (
            with_extensions(44, &[&[6, 0, 0, 0, 0, 0, 0, 1]]),
            Error::Ipv6Fragment,
        ),
        (
            with_extensions(43, &[&[6, 0, 0, 1, 0, 0, 0, 0]]),
            Error::Ipv6SourceRoute,
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(&bytes), Err(error), "{bytes:02x?}");
    }
}

#[test]
fn the_bound_itself_is_allowed() {
    let mut chain = vec![&[60u8, 0, 1, 4, 0, 0, 0, 0][..]; MAX_EXTENSIONS - 1];
    chain.push(&[6, 0, 1, 4, 0, 0, 0, 0]);
    assert_eq!(parse(&with_extensions(60, &chain)).unwrap().payload, TEXT);
}

#[test]
fn no_input_panics() {
    hammer(&packet(&header_v6(), TEXT), parse_ok);
    hammer(
        &with_extensions(0, &[&[43, 0, 5, 2, 0, 0, 1, 0], &[6, 0, 0, 0, 1, 2, 3, 4]]),
        parse_ok,
    );
}

fn parse_ok(bytes: &[u8]) -> bool {
    parse(bytes).is_ok()
}

#[test]
fn lengths_that_do_not_fit_are_not_emitted() {
    let mut buffer = [0; HEADER_LEN];
    assert_eq!(header_v6().emit(&mut buffer, 65_535), Some(HEADER_LEN));
    assert_eq!(header_v6().emit(&mut buffer, 65_536), None);
    assert_eq!(header_v6().emit(&mut buffer[1..], 0), None);
}

proptest! {
    #[test]
    fn parse_inverts_emit(
        addresses: [[u8; 16]; 2],
        protocol in any::<u8>().prop_filter("extension", |next| ![0, 43, 44, 60].contains(next)),
        class: u8,
        hop_limit: u8,
        payload: Vec<u8>,
    ) {
        let header = Header {
            source: addresses[0].into(),
            destination: addresses[1].into(),
            protocol: Protocol(protocol),
            traffic_class: TrafficClass(class),
            hop_limit,
        };
        let bytes = packet(&header, &payload);
        let parsed = parse(&bytes).unwrap();
        prop_assert_eq!((parsed.header, parsed.payload), (header, &payload[..]));
    }

    #[test]
    fn any_extensions_are_survived(next: u8, payload: Vec<u8>) {
        let header = Header { protocol: Protocol(next), ..header_v6() };
        let _ = parse(&packet(&header, &payload));
    }
}
