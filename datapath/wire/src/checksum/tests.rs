use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{Sum, copy_and_sum, pseudo_header, update};
use crate::ip::Protocol;

/// RFC 1071 1, word by word.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

#[test]
fn the_example_of_rfc_1071_3() {
    let bytes = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7];
    assert_eq!(Sum::of(&bytes).value(), 0xDDF2);
    assert_eq!(Sum::of(&bytes).checksum(), !0xDDF2);
}

#[test]
fn every_length_up_to_a_few_blocks() {
    let bytes: Vec<u8> = (0..200u8)
        .map(|byte| byte.wrapping_mul(151).wrapping_add(7))
        .collect();
    for end in 0..=bytes.len() {
        assert_eq!(
            Sum::of(&bytes[..end]).value(),
            naive(&bytes[..end]),
            "{end} bytes"
        );
    }
}

#[test]
fn all_ones_keep_their_carries() {
    let bytes = [0xFF; 65_536];
    assert!(Sum::of(&bytes).is_valid());
    assert_eq!(Sum::EMPTY.value(), 0);
}

#[test]
fn pseudo_headers_equal_those_written_out() {
    let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 77));
    let mut bytes = [source.octets(), destination.octets()].concat();
    bytes.extend([0, 6, 0x12, 0x34]);
    let sum = pseudo_header(source.into(), destination.into(), Protocol::TCP, 0x1234);
    assert_eq!(sum.value(), naive(&bytes));

    let source: Ipv6Addr = "2001:db8::1:ffff".parse().unwrap();
    let destination: Ipv6Addr = "fe80::abcd:ef01".parse().unwrap();
    let mut bytes = [source.octets(), destination.octets()].concat();
    bytes.extend([0, 1, 0xFF, 0x34, 0, 0, 0, 58]);
    let sum = pseudo_header(
        source.into(),
        destination.into(),
        Protocol::ICMPV6,
        0x1_FF34,
    );
    assert_eq!(sum.value(), naive(&bytes));
}

#[test]
fn a_copy_needs_room() {
    let mut short = [7; 3];
    assert_eq!(copy_and_sum(&mut short, &[1; 4]), None);
    assert_eq!(short, [7; 3]);
}

proptest! {
    #[test]
    fn equals_the_naive_sum(bytes: Vec<u8>) {
        prop_assert_eq!(Sum::of(&bytes).value(), naive(&bytes));
    }

    #[test]
    fn pieces_of_any_length_join(pieces: Vec<Vec<u8>>) {
        let whole = pieces.concat();
        let joined = pieces.iter().fold(Sum::EMPTY, |sum, piece| sum.then(Sum::of(piece)));
        prop_assert_eq!(joined, Sum::of(&whole));
    }

    #[test]
    fn copies_at_any_offset_join(pieces: Vec<Vec<u8>>) {
        let whole = pieces.concat();
        let mut copy = vec![0xAA; whole.len() + 5];
        let (mut sum, mut at) = (Sum::EMPTY, 0);
        for piece in &pieces {
            sum = sum.then(copy_and_sum(&mut copy[at..], piece).unwrap());
            at += piece.len();
        }
        prop_assert_eq!(sum, Sum::of(&whole));
        prop_assert_eq!(&copy[..at], &whole[..]);
        prop_assert_eq!(&copy[at..], &[0xAA; 5]);
    }

    #[test]
    fn an_update_equals_a_new_sum(
        mut bytes in prop::collection::vec(any::<u8>(), 40),
        word in 0usize..20,
        new: [u8; 2],
    ) {
        // An all-zero run has two sums; no header is one (RFC 1624 3).
        bytes[0] = 0x45;
        let field = Sum::of(&bytes).checksum();
        let at = word.max(1) * 2;
        let old = Sum::of(&bytes[at..at + 2]);
        bytes[at..at + 2].copy_from_slice(&new);
        prop_assert_eq!(update(field, old, Sum::of(&new)), Sum::of(&bytes).checksum());
    }

    #[test]
    fn pseudo_header_and_payload_verify(source: u32, destination: u32, payload: Vec<u8>) {
        let [source, destination] = [source, destination].map(|bits| IpAddr::V4(bits.into()));
        let length = payload.len() + 2;
        let pseudo = pseudo_header(source, destination, Protocol::TCP, length);
        let field = pseudo.then(Sum::of(&payload)).checksum();
        let all = pseudo.then(Sum::of_word(field)).then(Sum::of(&payload));
        prop_assert!(all.is_valid());
    }
}
