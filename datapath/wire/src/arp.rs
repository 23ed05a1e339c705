//! ARP for IPv4 over Ethernet: RFC 826.

use std::net::Ipv4Addr;

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Error;
use crate::ethernet::{EtherType, MacAddr};

/// Bytes of an ARP packet.
pub const PACKET_LEN: usize = size_of::<Layout>();

const ETHERNET: u16 = 1;

/// What an ARP packet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Operation {
    /// Asks for the link-layer address of the target.
    Request = 1,
    /// Tells that of the sender.
    Reply = 2,
}

/// An ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// What it does.
    pub operation: Operation,
    /// Link-layer address of the sender.
    pub sender_mac: MacAddr,
    /// IPv4 address of the sender; unspecified in a probe (RFC 5227 2.1.1).
    pub sender: Ipv4Addr,
    /// Link-layer address of the target; no meaning in a request.
    pub target_mac: MacAddr,
    /// IPv4 address of the target.
    pub target: Ipv4Addr,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    hardware: U16,
    protocol: U16,
    hardware_len: u8,
    protocol_len: u8,
    operation: U16,
    sender_mac: [u8; 6],
    sender: [u8; 4],
    target_mac: [u8; 6],
    target: [u8; 4],
}

/// Reads the payload of a frame of [`EtherType::ARP`]; what follows is padding of the link.
///
/// # Errors
/// Those named `Arp...`.
pub fn parse(bytes: &[u8]) -> Result<Packet, Error> {
    let (layout, _) = Layout::ref_from_prefix(bytes).map_err(|_| Error::ArpShort)?;
    let kinds = (layout.hardware.get(), EtherType(layout.protocol.get()));
    let lengths = (layout.hardware_len, layout.protocol_len);
    if kinds != (ETHERNET, EtherType::IPV4) || lengths != (6, 4) {
        return Err(Error::ArpProtocol);
    }
    let operation = match layout.operation.get() {
        1 => Operation::Request,
        2 => Operation::Reply,
        _ => return Err(Error::ArpOperation),
    };
    Ok(Packet {
        operation,
        sender_mac: MacAddr(layout.sender_mac),
        sender: layout.sender.into(),
        target_mac: MacAddr(layout.target_mac),
        target: layout.target.into(),
    })
}

impl Packet {
    /// The request of a host for the link-layer address of `target`.
    #[must_use]
    pub const fn request(sender_mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        let target_mac = MacAddr([0; 6]);
        Self {
            operation: Operation::Request,
            sender_mac,
            sender,
            target_mac,
            target,
        }
    }

    /// The answer to this request: its target is at `mac`.
    #[must_use]
    pub const fn reply(&self, mac: MacAddr) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }

    /// Writes it to the front of `buffer`; bytes taken, or `None` where it is too short.
    #[must_use]
    pub fn emit(&self, buffer: &mut [u8]) -> Option<usize> {
        let layout = Layout {
            hardware: U16::new(ETHERNET),
            protocol: U16::new(EtherType::IPV4.0),
            hardware_len: 6,
            protocol_len: 4,
            operation: U16::new(self.operation as u16),
            sender_mac: self.sender_mac.0,
            sender: self.sender.octets(),
            target_mac: self.target_mac.0,
            target: self.target.octets(),
        };
        layout.write_to_prefix(buffer).ok()?;
        Some(PACKET_LEN)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::{Operation, PACKET_LEN, Packet, parse};
    use crate::Error;
    use crate::ethernet::MacAddr;
    use crate::fixtures::hammer;

    const ASKER: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OWNER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

    fn request() -> Packet {
        Packet::request(
            ASKER,
            Ipv4Addr::new(192, 0, 2, 1),
            Ipv4Addr::new(192, 0, 2, 2),
        )
    }

    fn bytes() -> [u8; PACKET_LEN] {
        let mut bytes = [0; PACKET_LEN];
        assert_eq!(request().emit(&mut bytes), Some(PACKET_LEN));
        bytes
    }

    #[test]
    fn bytes_are_those_of_rfc_826() {
        let expected = [
            0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2,
        ];
        assert_eq!(bytes(), expected);
    }

    #[test]
    fn a_reply_answers_its_request() {
        let reply = request().reply(OWNER);
        assert_eq!(reply.operation, Operation::Reply);
        assert_eq!((reply.sender_mac, reply.sender), (OWNER, request().target));
        assert_eq!((reply.target_mac, reply.target), (ASKER, request().sender));
    }

    #[test]
    fn bad_packets_have_their_own_errors() {
        for (at, error) in [
            (0, Error::ArpProtocol),
            (2, Error::ArpProtocol),
            (4, Error::ArpProtocol),
            (5, Error::ArpProtocol),
            (7, Error::ArpOperation),
        ] {
            for value in [0, 3, 0xFF] {
                let mut changed = bytes();
                changed[at] = value;
                let unchanged = changed == bytes();
                assert!(unchanged || parse(&changed) == Err(error), "{at} = {value}");
            }
        }
        for len in 0..PACKET_LEN {
            assert_eq!(parse(&bytes()[..len]), Err(Error::ArpShort));
            assert_eq!(request().emit(&mut vec![0; len]), None);
        }
        hammer(&bytes(), |changed| parse(changed).is_ok());
    }

    proptest! {
        #[test]
        fn parse_inverts_emit(macs: [[u8; 6]; 2], addresses: [[u8; 4]; 2], is_reply: bool) {
            let packet = Packet {
                operation: if is_reply { Operation::Reply } else { Operation::Request },
                sender_mac: MacAddr(macs[0]),
                sender: addresses[0].into(),
                target_mac: MacAddr(macs[1]),
                target: addresses[1].into(),
            };
            let mut bytes = [0xAA; 60];
            prop_assert_eq!(packet.emit(&mut bytes), Some(PACKET_LEN));
            prop_assert_eq!(parse(&bytes), Ok(packet));
        }
    }
}
