use proptest::prelude::*;

use super::{Message, emit_echo_reply, emit_echo_request, emit_report, parse};
use crate::Error;
use crate::fixtures::{
    TCP_START, hammer, header_icmpv6, header_v4, header_v6, packet, quote, sealed_icmpv6,
};
use crate::icmp::{Cause, Echo, HEADER_LEN, Report, Unreachable};
use crate::ip::{Header, Packet, Protocol};

fn parse_bytes(payload: &[u8]) -> Result<Message<'_>, Error> {
    parse(&Packet {
        header: header_icmpv6(),
        payload,
    })
}

fn report(cause: Cause, quoted: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN + quoted.len()];
    let len = emit_report(&mut bytes, &header_icmpv6(), cause, quoted).unwrap();
    bytes.truncate(len);
    bytes
}

#[test]
fn every_cause_names_the_segment() {
    let quoted = packet(&header_v6(), &TCP_START);
    for cause in [
        Cause::Unreachable(Unreachable::Network),
        Cause::Unreachable(Unreachable::Host),
        Cause::Unreachable(Unreachable::Port),
        Cause::Unreachable(Unreachable::Prohibited),
        Cause::PacketTooBig { mtu: 1280 },
        Cause::PacketTooBig { mtu: u32::MAX },
        Cause::TimeExceeded,
        Cause::ParameterProblem,
    ] {
        let bytes = report(cause, &quoted);
        let expected = Report {
            cause,
            quote: quote(&header_v6()),
        };
        assert_eq!(parse_bytes(&bytes), Ok(Message::Report(expected)));
    }
}

#[test]
fn causes_of_ipv4_alone_are_not_emitted() {
    let mut buffer = [0; 100];
    for cause in [
        Cause::SourceQuench,
        Cause::Unreachable(Unreachable::Protocol),
        Cause::Unreachable(Unreachable::SourceRoute),
        Cause::Unreachable(Unreachable::Other),
    ] {
        assert_eq!(emit_report(&mut buffer, &header_icmpv6(), cause, &[]), None);
    }
}

#[test]
fn codes_of_unreachable_destinations() {
    let mut bytes = report(Cause::TimeExceeded, &packet(&header_v6(), &TCP_START));
    bytes[0] = 1;
    for (code, expected) in [
        (2, Unreachable::Network),
        (5, Unreachable::Prohibited),
        (6, Unreachable::Prohibited),
        (7, Unreachable::Other),
    ] {
        bytes[1] = code;
        bytes = sealed_icmpv6(bytes);
        let Ok(Message::Report(report)) = parse_bytes(&bytes) else {
            panic!("not a report")
        };
        assert_eq!(report.cause, Cause::Unreachable(expected), "{code}");
    }
}

#[test]
fn quotes_that_are_not_the_start_of_a_segment() {
    let cases = [
        packet(
            &Header {
                protocol: Protocol::UDP,
                ..header_v6()
            },
            &TCP_START,
        ),
        packet(
            &Header {
                protocol: Protocol(44),
                ..header_v6()
            },
            &TCP_START,
        ),
        packet(&header_v6(), &TCP_START[..7]),
        packet(&header_v4(), &TCP_START),
        vec![],
    ];
    for quoted in cases {
        let bytes = report(Cause::TimeExceeded, &quoted);
        assert_eq!(parse_bytes(&bytes), Err(Error::IcmpQuote), "{quoted:?}");
    }
}

#[test]
fn a_long_packet_is_quoted_in_part() {
    let quoted = packet(&header_v6(), &[TCP_START.to_vec(), vec![0; 1400]].concat());
    let bytes = report(Cause::PacketTooBig { mtu: 1300 }, &quoted);
    assert_eq!(bytes.len(), 1240);
    assert!(parse_bytes(&bytes).is_ok());
}

#[test]
fn bad_messages_have_their_own_errors() {
    assert_eq!(parse_bytes(&[128, 0, 0, 0, 0, 0, 0]), Err(Error::IcmpShort));
    assert_eq!(
        parse_bytes(&[128, 0, 0, 0, 0, 0, 0, 0]),
        Err(Error::IcmpChecksum)
    );
    let redirect = sealed_icmpv6(vec![137, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(parse_bytes(&redirect), Err(Error::IcmpType));
}

#[test]
fn no_input_panics() {
    let bytes = report(Cause::TimeExceeded, &packet(&header_v6(), &TCP_START));
    hammer(&bytes, |changed| {
        let _ = parse_bytes(changed);
        (changed.len() >= HEADER_LEN).then(|| parse_bytes(&sealed_icmpv6(changed.to_vec())).is_ok())
    });
}

proptest! {
    #[test]
    fn parse_inverts_emit(identifier: u16, sequence: u16, data: Vec<u8>) {
        let echo = Echo { identifier, sequence, data: &data };
        let header = header_icmpv6();
        let mut bytes = vec![0; HEADER_LEN + data.len()];
        prop_assert_eq!(emit_echo_request(&mut bytes, &header, &echo), Some(bytes.len()));
        prop_assert_eq!(parse_bytes(&bytes), Ok(Message::EchoRequest(echo)));
        prop_assert_eq!(emit_echo_reply(&mut bytes, &header, &echo), Some(bytes.len()));
        prop_assert_eq!(parse_bytes(&bytes), Ok(Message::EchoReply(echo)));
    }
}
