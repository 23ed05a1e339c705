use proptest::prelude::*;

use super::{HEADER_LEN, parse};
use crate::Error;
use crate::checksum::Sum;
use crate::fixtures::{hammer, header_v4, packet};
use crate::ip::{Header, Protocol, TrafficClass};

/// Sets the header checksum anew, over as many bytes as IHL says.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = usize::from(bytes[0] & 0x0F) * 4;
    bytes[10..12].fill(0);
    if let Some(header) = bytes.get(..len) {
        let checksum = Sum::of(header).checksum();
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

fn with_bytes(at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = packet(&header_v4(), b"payload");
    bytes[at..at + value.len()].copy_from_slice(value);
    sealed(bytes)
}

/// A packet with `options`, a multiple of four bytes.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = packet(&header_v4(), b"payload");
    bytes.splice(HEADER_LEN..HEADER_LEN, options.iter().copied());
    bytes[0] = 0x45 + u8::try_from(options.len() / 4).unwrap();
    let total = u16::try_from(bytes.len()).unwrap();
    bytes[2..4].copy_from_slice(&total.to_be_bytes());
    sealed(bytes)
}

#[test]
fn emitted_bytes_are_those_of_rfc_791() {
    let bytes = packet(&header_v4(), b"payload");
    let expected = [
        0x45, 0x2A, 0, 27, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2,
    ];
    assert_eq!(bytes[..HEADER_LEN], sealed(expected.to_vec()));
    assert!(Sum::of(&bytes[..HEADER_LEN]).is_valid());
}

#[test]
fn link_padding_is_trimmed() {
    let mut bytes = packet(&header_v4(), b"payload");
    bytes.extend([0; 30]);
    assert_eq!(parse(&bytes).unwrap().payload, b"payload");
}

#[test]
fn bad_headers_have_their_own_errors() {
    let cases = [
        (with_bytes(0, &[0x65]), Error::IpVersion),
        (with_bytes(0, &[0x44]), Error::Ipv4HeaderLength),
        (with_bytes(0, &[0x40]), Error::Ipv4HeaderLength),
        (with_bytes(0, &[0x4F]), Error::Ipv4HeaderLength),
        (with_bytes(2, &[0, 0]), Error::Ipv4HeaderLength),
        (with_bytes(2, &[0, 1]), Error::Ipv4HeaderLength),
        (with_bytes(2, &[0, 19]), Error::Ipv4HeaderLength),
        (with_bytes(2, &[0, 28]), Error::Ipv4TotalLength),
        (with_bytes(2, &[0xFF, 0xFF]), Error::Ipv4TotalLength),
        (with_bytes(6, &[0x20, 0]), Error::Ipv4Fragment),
        (with_bytes(6, &[0, 1]), Error::Ipv4Fragment),
        (with_bytes(6, &[0x3F, 0xFF]), Error::Ipv4Fragment),
        (
            with_options(&[131, 7, 4, 10, 0, 0, 1, 0]),
            Error::Ipv4SourceRoute,
        ),
        (
            with_options(&[1, 137, 7, 4, 10, 0, 0, 1]),
            Error::Ipv4SourceRoute,
        ),
        (with_options(&[7, 3, 4, 131]), Error::Ipv4SourceRoute),
        (vec![0x45; HEADER_LEN - 1], Error::Ipv4Short),
        (vec![], Error::Ipv4Short),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(&bytes), Err(error), "{bytes:02x?}");
    }
    let mut bytes = packet(&header_v4(), b"payload");
    bytes[12] ^= 1;
    assert_eq!(parse(&bytes), Err(Error::Ipv4Checksum));
}

#[test]
fn other_options_are_ignored() {
    let cases: [&[u8]; 7] = [
        &[1, 1, 1, 1],
        &[0, 131, 7, 4],
        &[148, 4, 0, 0],
        &[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // Lengths 0, 1 and past the header end the options.
        &[7, 0, 131, 3],
        &[7, 1, 131, 3],
        &[7, 255, 131, 3],
    ];
    for options in cases {
        let bytes = with_options(options);
        let packet = parse(&bytes).unwrap();
        assert_eq!(
            (packet.header, packet.payload),
            (header_v4(), &b"payload"[..]),
            "{options:?}"
        );
    }
}

#[test]
fn no_input_panics() {
    for bytes in [
        packet(&header_v4(), b"payload"),
        with_options(&[7, 7, 4, 0, 0, 0, 0, 0]),
    ] {
        hammer(&bytes, |changed| {
            let _ = parse(changed);
            let resealed = (changed.len() >= HEADER_LEN).then(|| sealed(changed.to_vec()));
            resealed.map(|bytes| parse(&bytes).is_ok())
        });
    }
}

#[test]
fn lengths_that_do_not_fit_are_not_emitted() {
    let mut buffer = [0; HEADER_LEN];
    assert_eq!(header_v4().emit(&mut buffer, 65_515), Some(HEADER_LEN));
    assert_eq!(header_v4().emit(&mut buffer, 65_516), None);
    assert_eq!(header_v4().emit(&mut buffer, usize::MAX), None);
    assert_eq!(header_v4().emit(&mut buffer[1..], 0), None);
}

proptest! {
    #[test]
    fn parse_inverts_emit(
        addresses: [[u8; 4]; 2],
        protocol: u8,
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
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        let _ = parse(&bytes);
    }
}
