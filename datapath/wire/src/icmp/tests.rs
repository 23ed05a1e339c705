use proptest::prelude::*;

use super::{
    Cause, Echo, HEADER_LEN, Message, Quote, Report, Unreachable, emit_echo_reply,
    emit_echo_request, emit_report, parse,
};
use crate::Error;
use crate::checksum::Sum;
use crate::fixtures::{TCP_START, hammer, header_v4, header_v6, packet, quote};
use crate::ip::{Header, Packet, Protocol};

const CAUSES: [Cause; 11] = [
    Cause::Unreachable(Unreachable::Network),
    Cause::Unreachable(Unreachable::Host),
    Cause::Unreachable(Unreachable::Protocol),
    Cause::Unreachable(Unreachable::Port),
    Cause::Unreachable(Unreachable::SourceRoute),
    Cause::Unreachable(Unreachable::Prohibited),
    Cause::Unreachable(Unreachable::Other),
    Cause::PacketTooBig { mtu: 1400 },
    Cause::TimeExceeded,
    Cause::ParameterProblem,
    Cause::SourceQuench,
];

fn parse_bytes(payload: &[u8]) -> Result<Message<'_>, Error> {
    parse(&Packet {
        header: Header {
            protocol: Protocol::ICMP,
            ..header_v4()
        },
        payload,
    })
}

fn report(cause: Cause, quoted: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN + quoted.len()];
    let len = emit_report(&mut bytes, cause, quoted).unwrap();
    bytes.truncate(len);
    bytes
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[2..4].fill(0);
    let checksum = Sum::of(&bytes).checksum();
    bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn an_echo_is_laid_out_as_rfc_792_says() {
    let echo = Echo {
        identifier: 0x0102,
        sequence: 0x0304,
        data: &[5, 6, 7],
    };
    let mut bytes = [0; 11];
    assert_eq!(emit_echo_request(&mut bytes, &echo), Some(11));
    assert_eq!(
        bytes.to_vec(),
        sealed(vec![8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7])
    );
    assert_eq!(emit_echo_reply(&mut bytes, &echo), Some(11));
    assert_eq!(
        bytes.to_vec(),
        sealed(vec![0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7])
    );
    assert_eq!(emit_echo_reply(&mut bytes[1..], &echo), None);
}

#[test]
fn every_cause_names_the_segment() {
    let quoted = packet(&header_v4(), &TCP_START);
    for cause in CAUSES {
        let bytes = report(cause, &quoted);
        let expected = Report {
            cause,
            quote: quote(&header_v4()),
        };
        assert_eq!(parse_bytes(&bytes), Ok(Message::Report(expected)));
    }
}

#[test]
fn a_router_of_before_rfc_1191_tells_no_mtu() {
    let quoted = packet(&header_v4(), &TCP_START);
    let bytes = report(Cause::PacketTooBig { mtu: 0 }, &quoted);
    let Ok(Message::Report(report)) = parse_bytes(&bytes) else {
        panic!("not a report")
    };
    assert_eq!(report.cause, Cause::PacketTooBig { mtu: 0 });
}

#[test]
fn codes_of_unreachable_destinations() {
    let quoted = packet(&header_v4(), &TCP_START);
    let mut bytes = report(Cause::Unreachable(Unreachable::Network), &quoted);
    let cases = [
        (6, Unreachable::Network),
        (7, Unreachable::Host),
        (10, Unreachable::Prohibited),
        (13, Unreachable::Prohibited),
        (15, Unreachable::Other),
        (255, Unreachable::Other),
    ];
    for (code, expected) in cases {
        bytes[1] = code;
        bytes = sealed(bytes);
        let Ok(Message::Report(report)) = parse_bytes(&bytes) else {
            panic!("not a report")
        };
        assert_eq!(report.cause, Cause::Unreachable(expected), "{code}");
    }
}

#[test]
fn quotes_that_are_not_the_start_of_a_segment() {
    let udp = packet(
        &Header {
            protocol: Protocol::UDP,
            ..header_v4()
        },
        &TCP_START,
    );
    let mut later_fragment = packet(&header_v4(), &TCP_START);
    later_fragment[7] = 1;
    let mut short_header = packet(&header_v4(), &TCP_START);
    short_header[0] = 0x44;
    let cases = [
        udp,
        later_fragment,
        short_header,
        packet(&header_v4(), &TCP_START[..7]),
        packet(&header_v6(), &TCP_START),
        vec![],
    ];
    for quoted in cases {
        let bytes = report(Cause::TimeExceeded, &quoted);
        assert_eq!(parse_bytes(&bytes), Err(Error::IcmpQuote), "{quoted:?}");
    }
}

#[test]
fn a_quote_with_options_and_a_stale_checksum_is_read() {
    let mut quoted = packet(&header_v4(), &TCP_START);
    quoted.splice(20..20, [1, 1, 1, 1]);
    quoted[0] = 0x46;
    quoted[8] = 1;
    let bytes = report(Cause::TimeExceeded, &quoted);
    let Ok(Message::Report(report)) = parse_bytes(&bytes) else {
        panic!("not a report")
    };
    assert_eq!(report.quote, quote(&header_v4()));
}

#[test]
fn a_long_packet_is_quoted_in_part() {
    let quoted = packet(&header_v4(), &[TCP_START.to_vec(), vec![0; 1400]].concat());
    let bytes = report(Cause::TimeExceeded, &quoted);
    assert_eq!(bytes.len(), 556);
    assert!(parse_bytes(&bytes).is_ok());
}

#[test]
fn bad_messages_have_their_own_errors() {
    assert_eq!(parse_bytes(&[8, 0, 0, 0, 0, 0, 0]), Err(Error::IcmpShort));
    assert_eq!(
        parse_bytes(&[8, 0, 0, 0, 0, 0, 0, 0]),
        Err(Error::IcmpChecksum)
    );
    assert_eq!(
        parse_bytes(&sealed(vec![5, 1, 0, 0, 0, 0, 0, 0])),
        Err(Error::IcmpType)
    );
}

#[test]
fn no_input_panics() {
    let bytes = report(Cause::TimeExceeded, &packet(&header_v4(), &TCP_START));
    hammer(&bytes, |changed| {
        let _ = parse_bytes(changed);
        (changed.len() >= HEADER_LEN).then(|| parse_bytes(&sealed(changed.to_vec())).is_ok())
    });
}

proptest! {
    #[test]
    fn parse_inverts_emit(identifier: u16, sequence: u16, data: Vec<u8>) {
        let echo = Echo { identifier, sequence, data: &data };
        let mut bytes = vec![0; HEADER_LEN + data.len()];
        prop_assert_eq!(emit_echo_request(&mut bytes, &echo), Some(bytes.len()));
        prop_assert_eq!(parse_bytes(&bytes), Ok(Message::EchoRequest(echo)));
        prop_assert_eq!(emit_echo_reply(&mut bytes, &echo), Some(bytes.len()));
        prop_assert_eq!(parse_bytes(&bytes), Ok(Message::EchoReply(echo)));
    }

    #[test]
    fn any_quote_is_survived(quoted: Vec<u8>) {
        let bytes = report(Cause::TimeExceeded, &quoted);
        if let Ok(Message::Report(Report { quote, .. })) = parse_bytes(&bytes) {
            let Quote { tuple, .. } = quote;
            prop_assert!(tuple.local.address.is_ipv4());
        }
    }
}
