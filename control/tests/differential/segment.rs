//! Segments to packets and back.

use std::net::{IpAddr, Ipv4Addr};

use wirepath_wire::checksum::Sum;
use wirepath_wire::ip::{self, Protocol, TrafficClass};
use wirepath_wire::tcp::{self, ChecksumPolicy, Header, Ports};

/// The address of the host that is probed.
pub(crate) const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);
/// The address that probes come from.
pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);

/// A segment of the victim.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) ports: Ports,
    pub(crate) header: Header,
    pub(crate) len: u32,
}

/// The packet that brings a segment of the peer to the victim.
pub(crate) fn packet(ports: Ports, header: &Header, text: &[u8]) -> Vec<u8> {
    let ip = ip::Header {
        source: IpAddr::V4(PEER),
        destination: IpAddr::V4(VICTIM),
        protocol: Protocol::TCP,
        traffic_class: TrafficClass(0),
        hop_limit: 64,
    };
    let (at, header_len) = (ip.emitted_len(), header.emitted_len());
    let len = header_len + text.len();
    let mut packet = vec![0; at + len];
    ip.emit(&mut packet, len).expect("there is room");
    packet[at + header_len..].copy_from_slice(text);
    let segment = &mut packet[at..at + header_len];
    tcp::emit(segment, ports, header).expect("there is room");
    tcp::fill_checksum(segment, ip.pseudo_header(len), Sum::of(text)).expect("there is a header");
    packet
}

/// The segment in a packet; `None` where it is of another protocol.
pub(crate) fn parse(packet: &[u8]) -> Option<Segment> {
    let packet = ip::parse(packet).ok()?;
    if packet.header.protocol != Protocol::TCP {
        return None;
    }
    let received = tcp::parse(&packet, ChecksumPolicy::Whole).expect("a segment is well formed");
    Some(Segment {
        ports: received.ports,
        header: received.segment.header,
        len: received.segment.len(),
    })
}
