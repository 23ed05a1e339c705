//! Packets of a script: those that the peer sends, made from nothing, and those of the host, read.

use std::fmt::Write;
use std::net::IpAddr;

use wirepath_wire::checksum::Sum;
use wirepath_wire::icmp::{self, Cause};
use wirepath_wire::icmpv6;
use wirepath_wire::ip::{self, Protocol, TrafficClass};
use wirepath_wire::tcp::{self, ChecksumPolicy, Flags};

use super::envelope::{self, Envelope};
use super::flags::letters;
use super::options::{Clocks, decode};

/// Ports of the host and of the peer.
pub(super) const HOST_PORT: u16 = 8_080;
pub(super) const PEER_PORT: u16 = 5_000;
/// Bytes of a TCP header without options.
const HEADER_LEN: usize = 20;
/// Where its checksum stands.
const CHECKSUM_AT: usize = 16;
/// Bytes of an IPv4 header without options.
const IPV4_HEADER_LEN: usize = 20;

/// A segment as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) packet: ip::Header,
    pub(super) flags: Flags,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) win: u16,
    pub(super) urg: u16,
    pub(super) options: Vec<u8>,
    pub(super) text: Vec<u8>,
}

/// What the numbers of a segment count from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) clocks: Clocks,
}

/// The byte at `at` of the text of either side, counted from 0.
pub(super) fn byte_at(at: u64) -> u8 {
    (at * 7 % 251) as u8
}

impl Wire {
    /// The packet that brings it to the host, with what is odd about it.
    pub(super) fn packet_of_peer(&self, odd: &Envelope) -> Vec<u8> {
        let mut segment = self.segment((PEER_PORT, HOST_PORT));
        if odd.bad_checksum {
            segment[CHECKSUM_AT] ^= 1;
        }
        let mut packet = in_ip(&self.packet, &segment);
        if self.packet.source.is_ipv4() {
            add_oddities(&mut packet, odd);
        }
        packet
    }

    fn segment(&self, (source, destination): (u16, u16)) -> Vec<u8> {
        let header_len = HEADER_LEN + self.options.len();
        let mut segment = Vec::with_capacity(header_len + self.text.len());
        segment.extend(source.to_be_bytes());
        segment.extend(destination.to_be_bytes());
        segment.extend(self.seq.to_be_bytes());
        segment.extend(self.ack.to_be_bytes());
        segment.extend([(header_len << 2) as u8, self.flags.bits()]);
        segment.extend(self.win.to_be_bytes());
        segment.extend([0, 0]);
        segment.extend(self.urg.to_be_bytes());
        segment.extend(&self.options);
        let pseudo = self.packet.pseudo_header(segment.len() + self.text.len());
        let filled = tcp::fill_checksum(&mut segment, pseudo, Sum::of(&self.text));
        debug_assert!(filled.is_some(), "a header is there");
        segment.extend(&self.text);
        segment
    }

    /// The ICMP error of the peer about this segment of the host.
    pub(super) fn report(&self, cause: Cause) -> Vec<u8> {
        let quoted = in_ip(&self.packet, &self.segment((HOST_PORT, PEER_PORT)));
        let (source, destination) = (self.packet.destination, self.packet.source);
        let protocol = if source.is_ipv6() {
            Protocol::ICMPV6
        } else {
            Protocol::ICMP
        };
        let header = ip::Header {
            protocol,
            ..usual(source, destination)
        };
        let mut message = vec![0; 576];
        let emitted = if source.is_ipv6() {
            icmpv6::emit_report(&mut message, &header, cause, &quoted)
        } else {
            icmp::emit_report(&mut message, cause, &quoted)
        };
        message.truncate(emitted.unwrap_or_default());
        in_ip(&header, &message)
    }

    /// The segment in a packet of the host; `None` where it is no TCP, or its
    /// checksum is wrong.
    pub(super) fn of_host(packet: &[u8]) -> Option<Self> {
        let parsed = ip::parse(packet).ok()?;
        tcp::parse(&parsed, ChecksumPolicy::Whole).ok()?;
        let bytes = parsed.payload;
        let word = |at: usize| {
            bytes
                .get(at..at + 4)?
                .try_into()
                .map(u32::from_be_bytes)
                .ok()
        };
        let half = |at: usize| {
            bytes
                .get(at..at + 2)?
                .try_into()
                .map(u16::from_be_bytes)
                .ok()
        };
        let header_len = usize::from(bytes.get(12)? >> 4) * 4;
        Some(Self {
            packet: parsed.header,
            flags: Flags::from_bits_retain(*bytes.get(13)?),
            seq: word(4)?,
            ack: word(8)?,
            win: half(14)?,
            urg: half(18)?,
            options: bytes.get(HEADER_LEN..header_len)?.to_vec(),
            text: bytes.get(header_len..)?.to_vec(),
        })
    }

    /// As a line of a script.
    pub(super) fn told(&self, bases: Bases, usual: &ip::Header) -> String {
        let mut line = envelope::told(&self.packet, usual);
        line.push_str(&letters(self.flags));
        let first = i64::from(self.seq.wrapping_sub(bases.seq).cast_signed());
        let len = self.text.len();
        let mut written = write!(line, " {first}:{}({len})", first + len as i64);
        if self.flags.contains(Flags::ACK) {
            let ack = self.ack.wrapping_sub(bases.ack).cast_signed();
            written = written.and_then(|()| write!(line, " ack {ack}"));
        }
        written = written.and_then(|()| write!(line, " win {}", self.win));
        if self.flags.contains(Flags::URG) {
            written = written.and_then(|()| write!(line, " urg {}", self.urg));
        }
        if !self.options.is_empty() {
            let options = decode(&self.options, bases.clocks);
            written = written.and_then(|()| write!(line, " <{options}>"));
        }
        debug_assert!(written.is_ok(), "a String takes all");
        line
    }
}

/// The header of a packet that nothing is said of.
pub(super) fn usual(source: IpAddr, destination: IpAddr) -> ip::Header {
    ip::Header {
        source,
        destination,
        protocol: Protocol::TCP,
        traffic_class: TrafficClass(0),
        hop_limit: 64,
    }
}

/// Gives an IPv4 packet options, or makes it a fragment.
fn add_oddities(packet: &mut Vec<u8>, odd: &Envelope) {
    const FRAGMENT_AT: usize = 6;
    const MORE_FRAGMENTS: u8 = 0x20;
    const SUM: std::ops::Range<usize> = 10..12;
    let header_len = IPV4_HEADER_LEN + odd.options.len();
    packet.splice(
        IPV4_HEADER_LEN..IPV4_HEADER_LEN,
        odd.options.iter().copied(),
    );
    packet[0] = 0x40 | (header_len / 4) as u8;
    let total = (packet.len() as u16).to_be_bytes();
    packet[2..4].copy_from_slice(&total);
    if odd.fragment {
        packet[FRAGMENT_AT] = MORE_FRAGMENTS;
    }
    packet[SUM].fill(0);
    let sum = Sum::of(&packet[..header_len]).checksum();
    packet[SUM].copy_from_slice(&sum.to_be_bytes());
}

fn in_ip(header: &ip::Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; header.emitted_len()];
    let emitted = header.emit(&mut packet, payload.len());
    debug_assert!(emitted.is_some(), "there is room");
    packet.extend_from_slice(payload);
    packet
}
