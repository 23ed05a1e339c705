//! The Internet Protocol, both families as one value.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::{self, Sum};
use crate::{Error, ethernet::EtherType, ipv4, ipv6};

/// What the payload of a packet is: the protocol field of IPv4, the next header of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP, for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMPv6.
    pub const ICMPV6: Self = Self(58);
}

/// The ECN field, RFC 3168 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Ecn {
    /// Not ECN-capable transport.
    #[default]
    NotEct = 0,
    /// ECN-capable transport, codepoint 1.
    Ect1 = 1,
    /// ECN-capable transport, codepoint 0.
    Ect0 = 2,
    /// Congestion experienced.
    Ce = 3,
}

/// The byte of DSCP (RFC 2474) and ECN (RFC 3168).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TrafficClass(pub u8);

impl TrafficClass {
    /// The class of `dscp`, of which the low 6 bits count, and `ecn`.
    #[must_use]
    pub const fn new(dscp: u8, ecn: Ecn) -> Self {
        Self(dscp << 2 | ecn as u8)
    }

    /// The differentiated services codepoint, 0 to 63.
    #[must_use]
    pub const fn dscp(self) -> u8 {
        self.0 >> 2
    }

    /// The ECN field.
    #[must_use]
    pub const fn ecn(self) -> Ecn {
        match self.0 & 3 {
            0 => Ecn::NotEct,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }
}

/// What the stack keeps of a packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes; of the same family as `source`.
    pub destination: IpAddr,
    /// What the payload is.
    pub protocol: Protocol,
    /// DSCP and ECN.
    pub traffic_class: TrafficClass,
    /// Routers it may still pass: the TTL of IPv4.
    pub hop_limit: u8,
}

/// A packet: header and the bytes it carries, link padding trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// The payload, after options and extension headers.
    pub payload: &'a [u8],
}

/// Reads a packet of either family.
///
/// # Errors
/// [`Error::IpVersion`] where the version is neither 4 nor 6, else as [`ipv4::parse`] and
/// [`ipv6::parse`].
pub fn parse(bytes: &[u8]) -> Result<Packet<'_>, Error> {
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => ipv4::parse(bytes),
        Some(6) => ipv6::parse(bytes),
        _ => Err(Error::IpVersion),
    }
}

impl Header {
    /// Bytes that [`emit`](Self::emit) takes.
    #[must_use]
    pub const fn emitted_len(&self) -> usize {
        match self.source {
            IpAddr::V4(_) => ipv4::HEADER_LEN,
            IpAddr::V6(_) => ipv6::HEADER_LEN,
        }
    }

    /// Writes the header of a packet with `payload_len` bytes of payload to the front of `buffer`.
    ///
    /// Bytes taken, or `None` where the buffer is too short, the payload too long for its length
    /// field, or the addresses are of two families.
    #[must_use]
    pub fn emit(&self, buffer: &mut [u8], payload_len: usize) -> Option<usize> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ipv4::emit(buffer, self, (source, destination), payload_len)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                ipv6::emit(buffer, self, (source, destination), payload_len)
            }
            _ => None,
        }
    }

    /// The sum of the pseudo-header for `length` bytes of upper-layer header and data.
    #[must_use]
    pub fn pseudo_header(&self, length: usize) -> Sum {
        checksum::pseudo_header(self.source, self.destination, self.protocol, length)
    }

    /// What a frame that carries this packet calls it.
    #[must_use]
    pub const fn ether_type(&self) -> EtherType {
        match self.source {
            IpAddr::V4(_) => EtherType::IPV4,
            IpAddr::V6(_) => EtherType::IPV6,
        }
    }
}

/// Whether `address` means something on one link alone: RFC 3927 1, RFC 4291 2.5.6.
#[must_use]
pub const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether `address` can name one host on a link: the only kind TCP speaks to or hears from
/// (RFC 9293 3.9.2.3, MUST-57 and MUST-63). Loopback never is on a wire (RFC 1122 3.2.1.3,
/// RFC 4291 2.5.3), nor is an IPv4 address in one of IPv6. Broadcasts of subnets need the subnet to
/// be known.
#[must_use]
pub const fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_unicast_v4(address),
        IpAddr::V6(address) => is_unicast_v6(address),
    }
}

const fn is_unicast_v4(address: Ipv4Addr) -> bool {
    // 0/8 is "this network", 224/4 multicast, 240/4 reserved with the limited broadcast.
    let [first, ..] = address.octets();
    first != 0 && first < 224 && !address.is_loopback()
}

const fn is_unicast_v6(address: Ipv6Addr) -> bool {
    let mapped = address.to_ipv4_mapped().is_some();
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !mapped
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Ecn, TrafficClass, is_unicast, parse};
    use crate::{Error, fixtures};

    #[test]
    fn the_version_chooses_the_family() {
        for header in [fixtures::header_v4(), fixtures::header_v6()] {
            let bytes = fixtures::packet(&header, b"text");
            let packet = parse(&bytes).unwrap();
            assert_eq!((packet.header, packet.payload), (header, &b"text"[..]));
        }
        assert_eq!(parse(&[]), Err(Error::IpVersion));
        assert_eq!(parse(&[0x50; 60]), Err(Error::IpVersion));
    }

    #[test]
    fn families_do_not_mix() {
        let mut header = fixtures::header_v4();
        header.destination = fixtures::header_v6().destination;
        assert_eq!(header.emit(&mut [0; 100], 0), None);
    }

    #[test]
    fn traffic_class_is_dscp_and_ecn() {
        for byte in 0..=255 {
            let class = TrafficClass(byte);
            assert_eq!(TrafficClass::new(class.dscp(), class.ecn()), class);
        }
        assert_eq!(TrafficClass::new(46, Ecn::Ect0), TrafficClass(0xBA));
    }

    #[test]
    fn only_hosts_are_unicast() {
        let cases = [
            ("192.0.2.1", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2001:db8::1", true),
            ("::", false),
            ("ff02::1", false),
            ("::1", false),
            ("::ffff:192.0.2.1", false),
        ];
        for (text, expected) in cases {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(is_unicast(address), expected, "{text}");
        }
    }
}
