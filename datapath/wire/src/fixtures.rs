//! Values and bytes that the tests of several protocols start from.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::checksum::Sum;
use crate::icmp::Quote;
use crate::ip::{Ecn, Header, Protocol, TrafficClass};
use crate::seq::SeqNum;
use crate::tuple::{Endpoint, Tuple};

/// The start of a segment from port 40,000 to port 80 with SEG.SEQ 0x01020304.
pub(crate) const TCP_START: [u8; 8] = [0x9C, 0x40, 0, 80, 1, 2, 3, 4];

/// What an error message says that quotes a packet of `header` and [`TCP_START`].
pub(crate) fn quote(header: &Header) -> Quote {
    let local = Endpoint::new(header.source, 40_000);
    let remote = Endpoint::new(header.destination, 80);
    Quote {
        tuple: Tuple { local, remote },
        seq: SeqNum::new(0x0102_0304),
    }
}

pub(crate) fn header_v4() -> Header {
    Header {
        source: Ipv4Addr::new(192, 0, 2, 1).into(),
        destination: Ipv4Addr::new(198, 51, 100, 2).into(),
        protocol: Protocol::TCP,
        traffic_class: TrafficClass::new(10, Ecn::Ect0),
        hop_limit: 64,
    }
}

pub(crate) fn header_v6() -> Header {
    Header {
        source: Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1).into(),
        destination: Ipv6Addr::new(0x2001, 0xDB8, 0, 1, 0, 0, 0, 2).into(),
        ..header_v4()
    }
}

pub(crate) fn header_icmpv6() -> Header {
    Header {
        protocol: Protocol::ICMPV6,
        ..header_v6()
    }
}

/// Sets the checksum of an ICMPv6 message anew, as in a packet with [`header_icmpv6`].
pub(crate) fn sealed_icmpv6(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[2..4].fill(0);
    let pseudo_header = header_icmpv6().pseudo_header(bytes.len());
    let checksum = pseudo_header.then(Sum::of(&bytes)).checksum();
    bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The packet of `header` and `payload`.
pub(crate) fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; header.emitted_len()];
    assert_eq!(header.emit(&mut bytes, payload.len()), Some(bytes.len()));
    bytes.extend(payload);
    bytes
}

/// Calls `parse` with every prefix of `bytes`, and with every byte replaced by telling values.
/// Nothing is expected but that it returns.
pub(crate) fn hammer<T>(bytes: &[u8], parse: impl Fn(&[u8]) -> T) {
    for end in 0..=bytes.len() {
        parse(&bytes[..end]);
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 7, 0x3F, 0x40, 0x7F, 0x80, 0xFE, 0xFF] {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            parse(&changed);
            // A length of two bytes at its extremes.
            if let Some(next) = changed.get_mut(at + 1) {
                *next = value;
                parse(&changed);
            }
        }
    }
}
