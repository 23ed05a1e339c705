//! What a script says of the packet around a segment: `[ce, dscp 10, from 192.0.2.9]`.

use std::net::IpAddr;

use wirepath_wire::ip::{self, Ecn, TrafficClass};

use super::parse::{ParseError, Words};

/// Most bytes of IPv4 options.
const MOST_OPTIONS: usize = 40;

const EXPECTED: &str = "of a packet ect0, ect1, ce, noecn, dscp N, ttl N, to ADDRESS, and of the \
    peer's from ADDRESS, badsum, fragment or ipoptions with hex digits";

/// What is written; what is not is as usual in what the peer sends, and not compared in what the
/// host sends, but for the address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Envelope {
    pub(super) ecn: Option<Ecn>,
    pub(super) dscp: Option<u8>,
    pub(super) hop_limit: Option<u8>,
    pub(super) from: Option<IpAddr>,
    pub(super) to: Option<IpAddr>,
    /// The checksum of the segment is wrong.
    pub(super) bad_checksum: bool,
    /// It is the first fragment of a packet.
    pub(super) fragment: bool,
    /// IPv4 options, in whole words.
    pub(super) options: Vec<u8>,
}

impl Envelope {
    /// What stands between brackets, if anything.
    pub(super) fn parse(words: &mut Words<'_>) -> Result<Self, ParseError> {
        let read = |text: &str| {
            let mut envelope = Self::default();
            for item in text.split(',').map(str::trim) {
                let taken = envelope.take(item);
                taken.ok_or_else(|| format!("{EXPECTED} ({item} is none)"))?;
            }
            Ok(envelope)
        };
        Ok(words.enclosed(['[', ']'], read)?.unwrap_or_default())
    }

    fn take(&mut self, item: &str) -> Option<()> {
        let (name, value) = item.split_once(' ').unwrap_or((item, ""));
        let value = value.trim();
        match (name, value) {
            ("ect0", "") => self.ecn = Some(Ecn::Ect0),
            ("ect1", "") => self.ecn = Some(Ecn::Ect1),
            ("ce", "") => self.ecn = Some(Ecn::Ce),
            ("noecn", "") => self.ecn = Some(Ecn::NotEct),
            ("badsum", "") => self.bad_checksum = true,
            ("fragment", "") => self.fragment = true,
            ("dscp", _) => self.dscp = Some(value.parse().ok().filter(|dscp| *dscp < 64)?),
            ("ttl", _) => self.hop_limit = Some(value.parse().ok()?),
            ("from", _) => self.from = Some(value.parse().ok()?),
            ("to", _) => self.to = Some(value.parse().ok()?),
            ("ipoptions", _) => self.options = options(value)?,
            _ => return None,
        }
        Some(())
    }

    /// Whether it says what only a peer can send.
    pub(super) fn is_of_peer(&self) -> bool {
        let odd = self.bad_checksum || self.fragment || !self.options.is_empty();
        odd || self.from.is_some()
    }

    /// `usual`, and what is said otherwise.
    pub(super) fn around(&self, usual: ip::Header) -> ip::Header {
        let class = usual.traffic_class;
        ip::Header {
            source: self.from.unwrap_or(usual.source),
            destination: self.to.unwrap_or(usual.destination),
            traffic_class: TrafficClass::new(
                self.dscp.unwrap_or(class.dscp()),
                self.ecn.unwrap_or(class.ecn()),
            ),
            hop_limit: self.hop_limit.unwrap_or(usual.hop_limit),
            ..usual
        }
    }

    /// The first thing in which a packet of the host differs from what is said.
    pub(super) fn difference(&self, packet: &ip::Header, peer: IpAddr) -> Option<&'static str> {
        let class = packet.traffic_class;
        let checks = [
            (self.ecn.is_none_or(|ecn| class.ecn() == ecn), "ECN field"),
            (self.dscp.is_none_or(|dscp| class.dscp() == dscp), "DSCP"),
            (
                self.hop_limit.is_none_or(|ttl| packet.hop_limit == ttl),
                "TTL",
            ),
            (packet.destination == self.to.unwrap_or(peer), "address"),
        ];
        let wrong = checks.into_iter().find(|(holds, _)| !holds);
        wrong.map(|(_, what)| what)
    }
}

/// What is unusual of a packet, as a script has it; empty where nothing is.
pub(super) fn told(packet: &ip::Header, usual: &ip::Header) -> String {
    let class = packet.traffic_class;
    let mut items: Vec<String> = Vec::new();
    match class.ecn() {
        Ecn::NotEct => {}
        Ecn::Ect0 => items.push("ect0".to_owned()),
        Ecn::Ect1 => items.push("ect1".to_owned()),
        Ecn::Ce => items.push("ce".to_owned()),
    }
    let odd = [
        (class.dscp() != 0, format!("dscp {}", class.dscp())),
        (
            packet.hop_limit != usual.hop_limit,
            format!("ttl {}", packet.hop_limit),
        ),
        (
            packet.source != usual.source,
            format!("from {}", packet.source),
        ),
        (
            packet.destination != usual.destination,
            format!("to {}", packet.destination),
        ),
    ];
    items.extend(
        odd.into_iter()
            .filter(|(odd, _)| *odd)
            .map(|(_, item)| item),
    );
    if items.is_empty() {
        String::new()
    } else {
        format!("[{}] ", items.join(", "))
    }
}

/// Bytes written in hex digits, filled up with EOL.
fn options(digits: &str) -> Option<Vec<u8>> {
    let mut bytes = super::options::hex(digits)?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    (1..=MOST_OPTIONS).contains(&bytes.len()).then_some(bytes)
}
