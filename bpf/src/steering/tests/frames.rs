//! Frames for the program, put together from the inside out. Checksums are 0: it reads none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
pub(super) const ICMPV6: u8 = 58;
pub(super) const DESTINATION_OPTIONS: u8 = 60;

pub(super) const PEER4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
pub(super) const PEER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9));

/// An IP packet, or whatever else follows an Ethernet header.
#[derive(Clone)]
pub(super) struct Packet {
    pub(super) ethertype: u16,
    pub(super) bytes: Vec<u8>,
}

impl Packet {
    /// In an Ethernet frame.
    pub(super) fn frame(&self) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend(self.ethertype.to_be_bytes());
        frame.extend(&self.bytes);
        frame
    }

    /// Behind a tag with this EtherType: 0x8100 is 802.1Q.
    pub(super) fn tagged(&self, tag: u16) -> Self {
        let mut bytes = vec![0, 5];
        bytes.extend(self.ethertype.to_be_bytes());
        bytes.extend(&self.bytes);
        Self {
            ethertype: tag,
            bytes,
        }
    }

    /// With these IPv4 options, a multiple of 4 bytes.
    pub(super) fn options(mut self, options: &[u8]) -> Self {
        self.bytes[0] += (options.len() / 4) as u8;
        self.bytes.splice(20..20, options.iter().copied());
        self
    }

    /// As an IPv4 fragment that starts at `offset`, in units of 8 bytes.
    pub(super) fn fragment(mut self, offset: u16, more: bool) -> Self {
        let place = offset | if more { 0x2000 } else { 0 };
        self.bytes[6..8].copy_from_slice(&place.to_be_bytes());
        self
    }

    /// With one byte changed.
    pub(super) fn with(mut self, at: usize, byte: u8) -> Self {
        self.bytes[at] = byte;
        self
    }
}

/// A packet between two addresses of one family.
pub(super) fn between(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Packet {
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0];
            header.extend((20 + payload.len() as u16).to_be_bytes());
            header.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend((payload.len() as u16).to_be_bytes());
            header.extend([protocol, 64]);
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        _ => panic!("{from} and {to} are of two families"),
    };
    bytes.extend(payload);
    Packet {
        ethertype: if to.is_ipv4() { 0x0800 } else { 0x86dd },
        bytes,
    }
}

/// A packet from the peer.
pub(super) fn ip(to: IpAddr, protocol: u8, payload: &[u8]) -> Packet {
    between(
        if to.is_ipv4() { PEER4 } else { PEER6 },
        to,
        protocol,
        payload,
    )
}

/// A TCP header without options.
pub(super) fn segment(source: u16, destination: u16) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(source.to_be_bytes());
    header.extend(destination.to_be_bytes());
    header.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0]);
    header
}

/// A packet from the peer with a TCP segment to this port.
pub(super) fn tcp(to: IpAddr, port: u16) -> Packet {
    ip(to, TCP, &segment(33000, port))
}

/// An IPv6 extension header of `8 * (length + 1)` bytes before `payload`, which is a `next`.
pub(super) fn extension(next: u8, length: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 8 * (usize::from(length) + 1)];
    header[0] = next;
    header[1] = length;
    header.extend(payload);
    header
}

/// An IPv6 fragment header; `offset` is in units of 8 bytes.
pub(super) fn fragment_header(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend((offset << 3 | u16::from(more)).to_be_bytes());
    header.extend([0, 0, 0, 7]);
    header.extend(payload);
    header
}

/// An ICMP or ICMPv6 message from the peer; the family decides which.
pub(super) fn icmp(to: IpAddr, kind: u8, body: &[u8]) -> Packet {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    message.extend(body);
    ip(to, if to.is_ipv4() { ICMP } else { ICMPV6 }, &message)
}

/// A neighbor solicitation (135) or advertisement (136) about `target`.
pub(super) fn ndp(kind: u8, to: IpAddr, target: Ipv6Addr) -> Packet {
    icmp(to, kind, &target.octets())
}

/// What we sent from this address and port, as an ICMP error quotes it: headers and 8 bytes.
pub(super) fn quote(from: IpAddr, port: u16) -> Vec<u8> {
    let peer = if from.is_ipv4() { PEER4 } else { PEER6 };
    between(from, peer, TCP, &segment(port, 443)[..8]).bytes
}

/// An ARP packet; operation 1 is a request, 2 a reply.
pub(super) fn arp(operation: u8, target: Ipv4Addr) -> Packet {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, operation];
    bytes.extend([2, 2, 2, 2, 2, 2, 10, 0, 0, 9]);
    bytes.extend([0; 6]);
    bytes.extend(target.octets());
    Packet {
        ethertype: 0x0806,
        bytes,
    }
}
