//! Frames to and from a host whose peer is played by hand.

use std::net::IpAddr;

use wirepath_wire::checksum::Sum;
use wirepath_wire::ethernet::{self, EtherType, MacAddr};
use wirepath_wire::icmp::Cause;
use wirepath_wire::ip::{self, Ecn, Protocol, TrafficClass};
use wirepath_wire::tcp::{self, ChecksumPolicy, Header};
use wirepath_wire::tuple::Tuple;
use wirepath_wire::{icmp, icmpv6};

/// The station of the host.
pub const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// The station of the peer.
pub const THEIRS: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// Bytes of a packet that an ICMP error quotes: so few that it gets through wherever a SYN does.
const QUOTED: usize = 128;

/// A segment that the host sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// To which station.
    pub station: MacAddr,
    /// Its packet.
    pub packet: ip::Header,
    /// Both ends, as the receiver sees them.
    pub tuple: Tuple,
    /// Its header.
    pub header: Header,
    /// Its text.
    pub text: Vec<u8>,
}

impl Sent {
    /// The segment in a frame; `None` where it is no TCP that is whole.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let frame = ethernet::parse(bytes).ok()?;
        let is_ip = matches!(frame.header.ether_type, EtherType::IPV4 | EtherType::IPV6);
        let packet = is_ip.then(|| ip::parse(frame.payload).ok()).flatten()?;
        let received = tcp::parse(&packet, ChecksumPolicy::Whole).ok()?;
        Some(Self {
            station: frame.header.destination,
            packet: packet.header,
            tuple: Tuple::of_received(&packet.header, received.ports),
            header: received.segment.header,
            text: received.segment.payload.to_vec(),
        })
    }
}

/// A segment from `tuple.remote` to `tuple.local`: its packet, and its bytes.
#[must_use]
pub fn segment(ecn: Ecn, tuple: &Tuple, header: &Header, text: &[u8]) -> (ip::Header, Vec<u8>) {
    let packet = ip::Header {
        source: tuple.remote.address,
        destination: tuple.local.address,
        protocol: Protocol::TCP,
        traffic_class: TrafficClass::new(0, ecn),
        hop_limit: 64,
    };
    let ports = tcp::Ports {
        source: tuple.remote.port,
        destination: tuple.local.port,
    };
    let mut segment = vec![0; header.emitted_len()];
    let emitted = tcp::emit(&mut segment, ports, header);
    let pseudo = packet.pseudo_header(segment.len() + text.len());
    let filled = tcp::fill_checksum(&mut segment, pseudo, Sum::of(text));
    debug_assert!(emitted.is_some() && filled.is_some(), "there is room");
    segment.extend_from_slice(text);
    (packet, segment)
}

/// What `from` says of a packet that did not get through, to who sent it: an ICMP error in a packet
/// of its own. `None` where its protocol cannot say so.
#[must_use]
pub fn report(from: IpAddr, cause: Cause, packet: &[u8]) -> Option<(ip::Header, Vec<u8>)> {
    let about = ip::parse(packet).ok()?;
    let header = ip::Header {
        source: from,
        destination: about.header.source,
        protocol: match from {
            IpAddr::V4(_) => Protocol::ICMP,
            IpAddr::V6(_) => Protocol::ICMPV6,
        },
        traffic_class: TrafficClass(0),
        hop_limit: 64,
    };
    let quoted = &packet[..packet.len().min(QUOTED)];
    let mut message = vec![0; 2 * QUOTED];
    let len = match from {
        IpAddr::V4(_) => icmp::emit_report(&mut message, cause, quoted),
        IpAddr::V6(_) => icmpv6::emit_report(&mut message, &header, cause, quoted),
    };
    message.truncate(len?);
    Some((header, message))
}

/// The frame that brings a packet to `station`.
#[must_use]
pub fn frame(station: MacAddr, packet: &ip::Header, payload: &[u8]) -> Vec<u8> {
    let outer = ethernet::Header {
        destination: station,
        source: THEIRS,
        ether_type: packet.ether_type(),
    };
    let mut bytes = vec![0; 14 + packet.emitted_len()];
    let emitted = outer.emit(&mut bytes);
    let packed = packet.emit(&mut bytes[14..], payload.len());
    debug_assert!(emitted.is_some() && packed.is_some(), "there is room");
    bytes.extend_from_slice(payload);
    bytes
}
