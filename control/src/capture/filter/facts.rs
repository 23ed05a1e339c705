//! What a filter can ask of a frame. Read leniently: a capture also shows what makes no sense.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wirepath_stack::tap::Direction;
use wirepath_wire::ethernet::EtherType;
use wirepath_wire::ip::Protocol;

/// Where the EtherType is in an Ethernet header, and in a VLAN tag that follows one.
const ETHER_TYPE: usize = 12;
const TAGGED_ETHER_TYPE: usize = 16;
const TCP_FLAGS: usize = 13;

/// A frame as filters see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) direction: Direction,
    pub(super) len: usize,
    pub(super) vlan: Option<u16>,
    pub(super) ether_type: Option<EtherType>,
    /// Source and destination.
    pub(super) addresses: Option<[IpAddr; 2]>,
    pub(super) protocol: Option<Protocol>,
    /// Source and destination.
    pub(super) ports: Option<[u16; 2]>,
    pub(super) tcp_flags: Option<u8>,
}

impl Facts {
    pub(super) fn of(direction: Direction, frame: &[u8]) -> Self {
        let mut facts = Self {
            direction,
            len: frame.len(),
            vlan: None,
            ether_type: ether_type(frame, ETHER_TYPE),
            addresses: None,
            protocol: None,
            ports: None,
            tcp_flags: None,
        };
        let mut packet_at = ETHER_TYPE + 2;
        if facts.ether_type == Some(EtherType::VLAN) {
            facts.vlan = word(frame, packet_at).map(|tag| tag & 0xFFF);
            facts.ether_type = ether_type(frame, TAGGED_ETHER_TYPE);
            packet_at = TAGGED_ETHER_TYPE + 2;
        }
        let packet = frame.get(packet_at..).unwrap_or_default();
        match facts.ether_type {
            Some(EtherType::IPV4) => facts.read_ipv4(packet),
            Some(EtherType::IPV6) => facts.read_ipv6(packet),
            Some(EtherType::ARP) => facts.addresses = pair(|at| ipv4(packet, [14, 24][at])),
            _ => {}
        }
        facts
    }

    fn read_ipv4(&mut self, packet: &[u8]) {
        self.addresses = pair(|at| ipv4(packet, [12, 16][at]));
        self.protocol = packet.get(9).map(|&number| Protocol(number));
        let is_first = word(packet, 6).is_some_and(|fragment| fragment & 0x1FFF == 0);
        let header = packet
            .first()
            .map_or(0, |first| usize::from(first & 0xF) * 4);
        if is_first {
            self.read_transport(packet.get(header..).unwrap_or_default());
        }
    }

    fn read_ipv6(&mut self, packet: &[u8]) {
        self.addresses = pair(|at| ipv6(packet, [8, 24][at]));
        self.protocol = packet.get(6).map(|&number| Protocol(number));
        self.read_transport(packet.get(40..).unwrap_or_default());
    }

    fn read_transport(&mut self, transport: &[u8]) {
        let is_tcp = self.protocol == Some(Protocol::TCP);
        if is_tcp || self.protocol == Some(Protocol::UDP) {
            self.ports = word(transport, 0)
                .zip(word(transport, 2))
                .map(<[u16; 2]>::from);
        }
        if is_tcp {
            self.tcp_flags = transport.get(TCP_FLAGS).copied();
        }
    }
}

fn ether_type(frame: &[u8], at: usize) -> Option<EtherType> {
    word(frame, at).map(EtherType)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

fn ipv4(packet: &[u8], at: usize) -> Option<IpAddr> {
    let bytes: [u8; 4] = *packet.get(at..)?.first_chunk()?;
    Some(Ipv4Addr::from(bytes).into())
}

fn ipv6(packet: &[u8], at: usize) -> Option<IpAddr> {
    let bytes: [u8; 16] = *packet.get(at..)?.first_chunk()?;
    Some(Ipv6Addr::from(bytes).into())
}

fn pair(of: impl Fn(usize) -> Option<IpAddr>) -> Option<[IpAddr; 2]> {
    of(0).zip(of(1)).map(<[IpAddr; 2]>::from)
}
