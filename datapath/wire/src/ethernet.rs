//! Ethernet II frames, without preamble and frame check sequence.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Error;

/// Bytes of an Ethernet header.
pub const HEADER_LEN: usize = size_of::<Layout>();

/// A 48-bit link-layer address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Every station on the link.
    pub const BROADCAST: Self = Self([0xFF; 6]);

    /// Whether it names a group of stations, the broadcast included.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 1
    }

    /// The group address that carries an IPv6 multicast `address`: RFC 2464 7.
    #[must_use]
    pub const fn of_ipv6_multicast(address: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = address.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not six hexadecimal bytes joined by colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a link-layer address: expected six bytes like 02:00:00:00:00:01")]
pub struct NotAMacAddr;

impl FromStr for MacAddr {
    type Err = NotAMacAddr;

    fn from_str(text: &str) -> Result<Self, NotAMacAddr> {
        let mut address = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut address {
            let part = parts.next().ok_or(NotAMacAddr)?;
            // The parser of integers would take a sign.
            if part.len() != 2 || part.starts_with('+') {
                return Err(NotAMacAddr);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| NotAMacAddr)?;
        }
        match parts.next() {
            None => Ok(Self(address)),
            Some(_) => Err(NotAMacAddr),
        }
    }
}

/// What the payload of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// An 802.1Q tag follows.
    pub const VLAN: Self = Self(0x8100);
    /// IPv6.
    pub const IPV6: Self = Self(0x86DD);
}

/// An Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The station or group it goes to.
    pub destination: MacAddr,
    /// The station that sent it.
    pub source: MacAddr,
    /// What follows.
    pub ether_type: EtherType,
}

/// A frame: header and the bytes it carries, padding included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// All bytes after the header.
    pub payload: &'a [u8],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    destination: [u8; 6],
    source: [u8; 6],
    ether_type: U16,
}

/// Reads the header of a frame.
///
/// # Errors
/// [`Error::EthernetShort`].
pub fn parse(bytes: &[u8]) -> Result<Frame<'_>, Error> {
    let (layout, payload) = Layout::ref_from_prefix(bytes).map_err(|_| Error::EthernetShort)?;
    let header = Header {
        destination: MacAddr(layout.destination),
        source: MacAddr(layout.source),
        ether_type: EtherType(layout.ether_type.get()),
    };
    Ok(Frame { header, payload })
}

impl Header {
    /// Writes it to the front of `buffer`; bytes taken, or `None` where it is too short.
    #[must_use]
    pub fn emit(&self, buffer: &mut [u8]) -> Option<usize> {
        let layout = Layout {
            destination: self.destination.0,
            source: self.source.0,
            ether_type: U16::new(self.ether_type.0),
        };
        layout.write_to_prefix(buffer).ok()?;
        Some(HEADER_LEN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EtherType, HEADER_LEN, Header, MacAddr, parse};
    use crate::Error;

    #[test]
    fn addresses_read_as_they_print() {
        let address = MacAddr([0x02, 0, 0xAB, 0xCD, 0xEF, 0xFF]);
        assert_eq!(address.to_string(), "02:00:ab:cd:ef:ff");
        assert_eq!("02:00:AB:cd:ef:ff".parse(), Ok(address));
        for text in [
            "",
            "02",
            "02:00:ab:cd:ef",
            "02:00:ab:cd:ef:ff:00",
            "+2:00:ab:cd:ef:ff",
            "2:00:ab:cd:ef:ff",
            "02:00:ab:cd:ef:fg",
            "02-00-ab-cd-ef-ff",
        ] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn groups() {
        assert!(MacAddr::BROADCAST.is_multicast());
        assert!(!MacAddr([2, 0, 0, 0, 0, 1]).is_multicast());
        let group = MacAddr::of_ipv6_multicast("ff02::1:ff00:1234".parse().unwrap());
        assert_eq!(group, MacAddr([0x33, 0x33, 0xFF, 0x00, 0x12, 0x34]));
        assert!(group.is_multicast());
    }

    #[test]
    fn short_buffers_and_frames() {
        let header = Header {
            destination: MacAddr::BROADCAST,
            source: MacAddr([2, 0, 0, 0, 0, 1]),
            ether_type: EtherType::ARP,
        };
        for len in 0..HEADER_LEN {
            assert_eq!(header.emit(&mut vec![0; len]), None);
            assert_eq!(parse(&vec![0; len]), Err(Error::EthernetShort));
        }
    }

    proptest! {
        #[test]
        fn parse_inverts_emit(destination: [u8; 6], source: [u8; 6], kind: u16, tail: Vec<u8>) {
            let header = Header {
                destination: MacAddr(destination),
                source: MacAddr(source),
                ether_type: EtherType(kind),
            };
            let mut bytes = vec![0; HEADER_LEN];
            prop_assert_eq!(header.emit(&mut bytes), Some(HEADER_LEN));
            bytes.extend(&tail);
            let frame = parse(&bytes).unwrap();
            prop_assert_eq!(frame.header, header);
            prop_assert_eq!(frame.payload, &tail[..]);
        }
    }
}
