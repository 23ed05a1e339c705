use proptest::prelude::*;

use super::{
    ChecksumPolicy, ChecksumState, FastOpen, Flags, Header, MAX_OPTIONS_LEN, MIN_HEADER_LEN,
    Options, Ports, Received, SackBlock, SackBlocks, Timestamps, UnscaledWindow, UserTimeout,
    WindowScale, emit, fill_checksum, options, parse,
};
use crate::Error;
use crate::checksum::Sum;
use crate::fixtures::{hammer, header_v4, header_v6};
use crate::ip::{self, Packet};
use crate::seq::SeqNum;

const PORTS: Ports = Ports {
    source: 40_000,
    destination: 80,
};

fn sack(count: usize) -> SackBlocks {
    let mut blocks = SackBlocks::default();
    for place in 0..count {
        let left = SeqNum::new(1000) + 100 * u32::try_from(place).unwrap();
        blocks.push(SackBlock {
            left,
            right: left + 50,
        });
    }
    blocks
}

fn syn_options() -> Options {
    Options {
        mss: Some(1460),
        window_scale: Some(WindowScale::clamped(7)),
        sack_permitted: true,
        sack: SackBlocks::default(),
        timestamps: Some(Timestamps {
            value: 0x0102_0304,
            echo: 0x0506_0708,
        }),
        ..Options::default()
    }
}

fn header(options: Options) -> Header {
    Header {
        seq: SeqNum::new(0xFFFF_FFF0),
        ack: SeqNum::new(0x1234_5678),
        flags: Flags::ACK | Flags::PSH,
        window: UnscaledWindow(0xABCD),
        urgent: 9,
        options,
    }
}

/// A whole segment with its checksum.
fn bytes(ip: &ip::Header, header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xAA; header.emitted_len()];
    let len = bytes.len();
    assert_eq!(emit(&mut bytes, PORTS, header), Some(len));
    let pseudo_header = ip.pseudo_header(len + payload.len());
    fill_checksum(&mut bytes, pseudo_header, Sum::of(payload)).unwrap();
    bytes.extend(payload);
    bytes
}

/// Sets the checksum anew, as if the header had 20 bytes.
fn sealed(ip: &ip::Header, mut bytes: Vec<u8>) -> Vec<u8> {
    let pseudo_header = ip.pseudo_header(bytes.len());
    let (header, payload) = bytes.split_at_mut(MIN_HEADER_LEN);
    fill_checksum(header, pseudo_header, Sum::of(payload)).unwrap();
    bytes
}

fn parse_v4(payload: &[u8]) -> Result<Received<'_>, Error> {
    parse(
        &Packet {
            header: header_v4(),
            payload,
        },
        ChecksumPolicy::Whole,
    )
}

fn parse_options(bytes: &[u8]) -> (Options, bool) {
    options::parse(bytes)
}

#[test]
fn fields_stand_where_rfc_9293_3_1_puts_them() {
    let bytes = bytes(&header_v4(), &header(Options::default()), b"");
    let expected = [
        0x9C, 0x40, 0, 80, 0xFF, 0xFF, 0xFF, 0xF0, 0x12, 0x34, 0x56, 0x78, 0x50, 0x18, 0xAB, 0xCD,
    ];
    assert_eq!(bytes[..16], expected);
    assert_eq!(bytes[18..], [0, 9]);
}

/// `options` are emitted as `expected`, and parsed from there.
fn laid_out(options: Options, expected: &[u8]) {
    assert_eq!(options.emitted_len(), expected.len());
    let bytes = bytes(&header_v4(), &header(options), b"");
    assert_eq!(&bytes[MIN_HEADER_LEN..], expected);
    assert_eq!(parse_options(expected), (options, false));
}

#[test]
fn the_user_timeout_and_fast_open_follow_the_options_of_every_day() {
    let none = Options::default();
    let cases: [(Options, &[u8]); 3] = [
        (
            Options {
                user_timeout: Some(UserTimeout(0x8102)),
                ..none
            },
            &[28, 4, 0x81, 2],
        ),
        (
            Options {
                fast_open: Some(FastOpen::Request),
                ..none
            },
            &[1, 1, 34, 2],
        ),
        (
            Options {
                fast_open: Some(FastOpen::Cookie(*b"cookies!")),
                ..none
            },
            b"\x01\x01\x22\x0Acookies!",
        ),
    ];
    cases
        .iter()
        .for_each(|(options, expected)| laid_out(*options, expected));
}

#[test]
fn options_are_laid_out_as_linux_does() {
    let timestamps = Some(Timestamps { value: 1, echo: 2 });
    let none = Options::default();
    let cases: [(Options, &[u8]); 7] = [
        (none, &[]),
        (
            syn_options(),
            &[
                2, 4, 0x05, 0xB4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7,
            ],
        ),
        (
            Options {
                timestamps: None,
                ..syn_options()
            },
            &[2, 4, 0x05, 0xB4, 1, 1, 4, 2, 1, 3, 3, 7],
        ),
        (
            Options {
                mss: Some(536),
                ..none
            },
            &[2, 4, 2, 0x18],
        ),
        (
            Options { timestamps, ..none },
            &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
        ),
        (
            Options {
                sack: sack(1),
                ..none
            },
            &[1, 1, 5, 10, 0, 0, 3, 0xE8, 0, 0, 4, 0x1A],
        ),
        (
            Options {
                timestamps,
                sack: sack(1),
                ..none
            },
            &[
                1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 3, 0xE8, 0, 0, 4, 0x1A,
            ],
        ),
    ];
    cases
        .iter()
        .for_each(|(options, expected)| laid_out(*options, expected));
}

#[test]
fn sack_blocks_that_do_not_fit_are_left_out() {
    let timestamps = Some(Timestamps { value: 1, echo: 2 });
    let cases = [(None, 4, 36), (timestamps, 3, 40)];
    for (timestamps, blocks, len) in cases {
        let options = Options {
            timestamps,
            sack: sack(4),
            ..Options::default()
        };
        assert_eq!(options.emitted_len(), len);
        let bytes = bytes(&header_v4(), &header(options), b"");
        let received = parse_v4(&bytes).unwrap();
        assert_eq!(received.segment.header.options.sack, sack(blocks));
    }
    let full = Options {
        sack: sack(4),
        ..syn_options()
    };
    assert_eq!(full.emitted_len(), 20 + 4 + 2 * 8);
}

#[test]
fn options_need_no_alignment_and_unknown_ones_are_skipped() {
    let bytes = [
        1, 254, 5, 9, 9, 9, 3, 3, 15, 1, 1, 1, 30, 2, 4, 2, 2, 4, 5, 0xB4, 0, 2, 4, 0, 0,
    ];
    let expected = Options {
        mss: Some(1460),
        window_scale: Some(WindowScale::MAX),
        sack_permitted: true,
        ..Options::default()
    };
    assert_eq!(parse_options(&bytes), (expected, false));
}

#[test]
fn illegal_lengths_keep_the_options_before_them() {
    let before = [2, 4, 5, 0xB4];
    let known = Options {
        mss: Some(1460),
        ..Options::default()
    };
    let endings: [&[u8]; 8] = [
        &[8],
        &[8, 0, 4, 2],
        &[8, 1, 4, 2],
        &[8, 10, 0, 0],
        &[8, 255, 4, 2],
        &[254, 0],
        &[254, 1],
        &[5, 10, 1, 2, 3, 4, 5, 6, 7],
    ];
    for ending in endings {
        assert_eq!(
            parse_options(&[&before, ending].concat()),
            (known, true),
            "{ending:?}"
        );
    }
    // A length that its kind cannot have, but that leads to the next option.
    for option in [
        &[8, 9, 0, 0, 0, 0, 0, 0, 0][..],
        &[2, 3, 0],
        &[3, 2],
        &[4, 3, 0],
        &[5, 2],
        &[5, 9, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(
            parse_options(&[option, &before].concat()),
            (known, true),
            "{option:?}"
        );
    }
}

#[test]
fn bad_segments_have_their_own_errors() {
    let ip = header_v4();
    let good = bytes(&ip, &header(Options::default()), b"text");
    for len in 0..MIN_HEADER_LEN {
        assert_eq!(parse_v4(&good[..len]).unwrap_err(), Error::TcpShort);
    }
    for offset in [0, 1, 4, 7, 15] {
        let mut bytes = good.clone();
        bytes[12] = offset << 4;
        let error = parse_v4(&sealed(&ip, bytes)).unwrap_err();
        assert_eq!(error, Error::TcpDataOffset, "{offset}");
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        assert!(parse_v4(&bytes).is_err(), "{at}");
    }
    let elsewhere = Packet {
        header: header_v6(),
        payload: &good,
    };
    let error = parse(&elsewhere, ChecksumPolicy::PartialOk).unwrap_err();
    assert_eq!(error, Error::TcpChecksum);
}

#[test]
fn reserved_bits_are_ignored() {
    let ip = header_v4();
    let mut bytes = bytes(&ip, &header(Options::default()), b"text");
    bytes[12] |= 0x0F;
    let bytes = sealed(&ip, bytes);
    assert_eq!(parse_v4(&bytes).unwrap().segment.payload, b"text");
}

#[test]
fn a_partial_checksum_is_named_and_may_be_taken() {
    for ip in [header_v4(), header_v6()] {
        let mut bytes = bytes(&ip, &header(syn_options()), b"odd");
        let partial = ip.pseudo_header(bytes.len()).value();
        bytes[16..18].copy_from_slice(&partial.to_be_bytes());
        let packet = Packet {
            header: ip,
            payload: &bytes,
        };
        let refused = parse(&packet, ChecksumPolicy::Whole).unwrap_err();
        assert_eq!(refused, Error::TcpChecksumPartial);
        let taken = parse(&packet, ChecksumPolicy::PartialOk).unwrap();
        assert_eq!(taken.checksum, ChecksumState::Partial);
        assert_eq!(taken.segment.payload, b"odd");
    }
}

#[test]
fn short_buffers_are_left_alone() {
    let header = header(syn_options());
    for len in 0..header.emitted_len() {
        let mut buffer = vec![7; len];
        assert_eq!(emit(&mut buffer, PORTS, &header), None);
        assert_eq!(buffer, vec![7; len]);
    }
    assert_eq!(fill_checksum(&mut [0; 19], Sum::EMPTY, Sum::EMPTY), None);
}

#[test]
fn no_input_panics() {
    let ip = header_v4();
    let options = Options {
        sack: sack(3),
        ..syn_options()
    };
    hammer(&bytes(&ip, &header(options), b"text"), |changed| {
        let _ = parse_v4(changed);
        (changed.len() >= MIN_HEADER_LEN).then(|| parse_v4(&sealed(&ip, changed.to_vec())).is_ok())
    });
}

prop_compose! {
    fn any_options()(
        mss: Option<u16>,
        scale in prop::option::of(0u8..=14),
        sack_permitted: bool,
        blocks in prop::collection::vec(any::<(u32, u32)>(), 0..=4),
        timestamps: Option<(u32, u32)>,
        user_timeout: Option<u16>,
        fast_open: Option<Option<[u8; 8]>>,
    ) -> Options {
        let mut sack = SackBlocks::default();
        for (left, right) in blocks {
            sack.push(SackBlock { left: SeqNum::new(left), right: SeqNum::new(right) });
        }
        Options {
            mss,
            window_scale: scale.map(WindowScale::clamped),
            sack_permitted,
            sack,
            timestamps: timestamps.map(|(value, echo)| Timestamps { value, echo }),
            user_timeout: user_timeout.map(UserTimeout),
            fast_open: fast_open.map(|c| c.map_or(FastOpen::Request, FastOpen::Cookie)),
        }
    }
}

prop_compose! {
    fn any_header()(
        seq: u32,
        ack: u32,
        flags: u8,
        window: u16,
        urgent: u16,
        options in any_options(),
    ) -> Header {
        Header {
            seq: SeqNum::new(seq),
            ack: SeqNum::new(ack),
            flags: Flags::from_bits_retain(flags),
            window: UnscaledWindow(window),
            urgent,
            options,
        }
    }
}

/// `header` without the SACK blocks for which there was no room.
fn fitted(mut header: Header) -> Header {
    let lead = Options {
        sack: SackBlocks::default(),
        ..header.options
    }
    .emitted_len()
        + 4;
    let mut kept = SackBlocks::default();
    for block in header
        .options
        .sack
        .as_slice()
        .iter()
        .take((MAX_OPTIONS_LEN - lead) / 8)
    {
        kept.push(*block);
    }
    header.options.sack = kept;
    header
}

proptest! {
    #[test]
    fn parse_inverts_emit(header in any_header(), payload: Vec<u8>, v6: bool) {
        let ip = if v6 { header_v6() } else { header_v4() };
        let bytes = bytes(&ip, &header, &payload);
        let packet = Packet { header: ip, payload: &bytes };
        let received = parse(&packet, ChecksumPolicy::Whole).unwrap();
        prop_assert_eq!(received.ports, PORTS);
        prop_assert_eq!(received.segment.header, fitted(header));
        prop_assert_eq!(received.segment.payload, &payload[..]);
        prop_assert_eq!(received.checksum, ChecksumState::Whole);
        prop_assert!(!received.illegal_option);
    }

    #[test]
    fn any_options_are_survived(
        bytes in prop::collection::vec(prop_oneof![0u8..12, any::<u8>()], 0..=40),
    ) {
        let (options, _) = parse_options(&bytes);
        prop_assert!(options.emitted_len() <= MAX_OPTIONS_LEN);
        prop_assert_eq!(options.emitted_len() % 4, 0);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse_v4(&bytes);
    }
}

#[test]
fn a_user_timeout_counts_seconds_or_minutes() {
    let cases = [
        (0, 0),
        (1, 1),
        (32_767, 32_767),
        (32_768, 32_820),
        (u32::MAX, 1_966_020),
    ];
    for (seconds, said) in cases {
        assert_eq!(UserTimeout::from_seconds(seconds).seconds(), said);
    }
}

#[test]
fn a_cookie_of_another_length_asks_for_ours() {
    for option in [&[34, 2][..], &[34, 6, 1, 2, 3, 4], &[34, 4, 1, 2]] {
        let (options, illegal) = parse_options(option);
        assert_eq!(
            (options.fast_open, illegal),
            (Some(FastOpen::Request), false)
        );
    }
}
