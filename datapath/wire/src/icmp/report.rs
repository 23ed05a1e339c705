//! What the network says about a segment that was sent: RFC 9293 3.9.2.2, RFC 5927.

use crate::Error;
use crate::ip::{Packet, Protocol};
use crate::seq::SeqNum;
use crate::tuple::{Endpoint, Tuple};
use crate::{ipv4, ipv6};

/// An ICMP or ICMPv6 error message about a segment from here.
///
/// Anyone can send one: the receiver asks whether the connection has such bytes in flight
/// (RFC 5927 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub cause: Cause,
    /// To which segment.
    pub quote: Quote,
}

/// What happened to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be delivered.
    Unreachable(Unreachable),
    /// Its packet is longer than a link carries: RFC 1191 4, RFC 8201 4.
    PacketTooBig {
        /// Bytes of packet that the link carries; 0 from IPv4 routers that do not say.
        mtu: u32,
    },
    /// Its hop limit ran out.
    TimeExceeded,
    /// A header field made no sense.
    ParameterProblem,
    /// IPv4 only; RFC 9293 3.9.2.2 (MUST-55) has it ignored.
    SourceQuench,
}

/// Why a segment cannot be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// No route.
    Network,
    /// The host does not answer its neighbors.
    Host,
    /// The host does not speak TCP; IPv4 only.
    Protocol,
    /// Nothing listens at the port.
    Port,
    /// The source route failed; IPv4 only.
    SourceRoute,
    /// A policy forbids it.
    Prohibited,
    /// A code that no RFC this stack follows gives a meaning.
    Other,
}

/// The start of a segment from here, as an error message quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// The connection; its local end is the quoted source.
    pub tuple: Tuple,
    /// SEG.SEQ.
    pub seq: SeqNum,
}

impl Quote {
    pub(crate) fn of_ipv4(bytes: &[u8]) -> Result<Self, Error> {
        ipv4::parse_quoted(bytes)
            .and_then(|packet| Self::of(&packet))
            .ok_or(Error::IcmpQuote)
    }

    pub(crate) fn of_ipv6(bytes: &[u8]) -> Result<Self, Error> {
        ipv6::parse_quoted(bytes)
            .and_then(|packet| Self::of(&packet))
            .ok_or(Error::IcmpQuote)
    }

    /// Eight bytes of TCP are all that IPv4 routers must quote, RFC 792.
    fn of(packet: &Packet<'_>) -> Option<Self> {
        let [a, b, c, d, seq @ ..] = *packet.payload.first_chunk::<8>()?;
        if packet.header.protocol != Protocol::TCP {
            return None;
        }
        let local = Endpoint::new(packet.header.source, u16::from_be_bytes([a, b]));
        let remote = Endpoint::new(packet.header.destination, u16::from_be_bytes([c, d]));
        let seq = SeqNum::new(u32::from_be_bytes(seq));
        Some(Self {
            tuple: Tuple { local, remote },
            seq,
        })
    }
}
