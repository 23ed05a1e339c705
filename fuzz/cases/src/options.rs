//! TCP options: what is parsed and emitted again parses to the same.

use arbitrary::{Arbitrary, Unstructured};
use wirepath_wire::checksum::Sum;
use wirepath_wire::ip::{self, Packet, Protocol, TrafficClass};
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    self, ChecksumPolicy, FastOpen, Header, MAX_OPTIONS_LEN, MIN_HEADER_LEN, Options, Ports,
    SackBlock, Timestamps, UserTimeout, WindowScale,
};

const PORTS: Ports = Ports {
    source: 1,
    destination: 2,
};

/// Options of any values.
#[derive(Debug, Arbitrary)]
struct Values {
    mss: Option<u16>,
    window_scale: Option<u8>,
    sack_permitted: bool,
    timestamps: Option<(u32, u32)>,
    user_timeout: Option<u16>,
    fast_open: Option<Option<[u8; 8]>>,
    sack: Vec<(u32, u32)>,
}

/// Takes the bytes as options of a segment, and as the values of some.
pub fn check(data: &[u8]) {
    let raw = &data[..data.len().min(MAX_OPTIONS_LEN)];
    let options = parse(raw);
    let again = emit_and_parse(&options);
    assert_same(&again, &options);
    assert_eq!(emit_and_parse(&again), again);
    if let Ok(values) = Values::arbitrary(&mut Unstructured::new(data)) {
        let options = of_values(&values);
        assert_same(&emit_and_parse(&options), &options);
    }
}

/// All is the same, but that SACK blocks without room are left out, the last ones first.
pub(crate) fn assert_same(again: &Options, options: &Options) {
    let (kept, all) = (again.sack.as_slice(), options.sack.as_slice());
    assert!(all.starts_with(kept), "{kept:?} of {all:?}");
    let room = MAX_OPTIONS_LEN.saturating_sub(again.emitted_len());
    // Another block takes 8 bytes, the first 4 more.
    let next = if kept.is_empty() { 12 } else { 8 };
    assert!(kept.len() == all.len() || room < next, "{room} bytes left");
    let without_sack = |options: &Options| Options {
        sack: tcp::SackBlocks::default(),
        ..*options
    };
    assert_eq!(without_sack(again), without_sack(options));
}

fn of_values(values: &Values) -> Options {
    let mut options = Options {
        mss: values.mss,
        window_scale: values.window_scale.map(WindowScale::clamped),
        sack_permitted: values.sack_permitted,
        timestamps: values
            .timestamps
            .map(|(value, echo)| Timestamps { value, echo }),
        user_timeout: values.user_timeout.map(UserTimeout),
        fast_open: values
            .fast_open
            .map(|cookie| cookie.map_or(FastOpen::Request, FastOpen::Cookie)),
        ..Options::default()
    };
    for &(left, right) in values.sack.iter().take(5) {
        let (left, right) = (SeqNum::new(left), SeqNum::new(right));
        options.sack.push(SackBlock { left, right });
    }
    options
}

/// The options of a segment that has these bytes there; some may be illegal.
fn parse(raw: &[u8]) -> Options {
    let mut bytes = vec![0; MIN_HEADER_LEN + raw.len().next_multiple_of(4)];
    tcp::emit(&mut bytes, PORTS, &Header::default()).expect("room");
    bytes[MIN_HEADER_LEN..][..raw.len()].copy_from_slice(raw);
    bytes[12] = (bytes.len() << 2) as u8;
    parse_segment(bytes).0
}

fn emit_and_parse(options: &Options) -> Options {
    let header = Header {
        options: *options,
        ..Header::default()
    };
    let mut bytes = vec![0xEE; header.emitted_len()];
    assert!(bytes.len() <= MIN_HEADER_LEN + MAX_OPTIONS_LEN);
    let len = tcp::emit(&mut bytes, PORTS, &header);
    assert_eq!(len, Some(bytes.len()));
    let (again, illegal) = parse_segment(bytes);
    assert!(!illegal, "{options:?}");
    again
}

/// The options of a segment, and whether one was illegal.
fn parse_segment(mut bytes: Vec<u8>) -> (Options, bool) {
    let header = ip::Header {
        source: [192, 0, 2, 1].into(),
        destination: [192, 0, 2, 2].into(),
        protocol: Protocol::TCP,
        traffic_class: TrafficClass::default(),
        hop_limit: 64,
    };
    let pseudo_header = header.pseudo_header(bytes.len());
    tcp::fill_checksum(&mut bytes, pseudo_header, Sum::EMPTY).expect("a header");
    let payload = &bytes[..];
    let packet = Packet { header, payload };
    let received = tcp::parse(&packet, ChecksumPolicy::Whole).expect("a segment");
    (received.segment.header.options, received.illegal_option)
}
