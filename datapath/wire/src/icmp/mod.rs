//! ICMP for IPv4: RFC 792; and the values it has in common with ICMPv6.

mod layout;
mod report;

pub(crate) use layout::Layout;
pub use report::{Cause, Quote, Report, Unreachable};

use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::U16;

use crate::Error;
use crate::checksum::Sum;
use crate::ip::Packet;

/// Bytes of the header that every message handled here has.
pub const HEADER_LEN: usize = size_of::<Layout>();

/// Longest message that reports a problem: with its IPv4 header 576 bytes, RFC 1812 4.3.2.3.
const MAX_REPORT_LEN: usize = 576 - 20;

mod kind {
    pub(super) const ECHO_REPLY: u8 = 0;
    pub(super) const UNREACHABLE: u8 = 3;
    pub(super) const SOURCE_QUENCH: u8 = 4;
    pub(super) const ECHO_REQUEST: u8 = 8;
    pub(super) const TIME_EXCEEDED: u8 = 11;
    pub(super) const PARAMETER_PROBLEM: u8 = 12;
}

/// The code of an unreachable destination that means fragmentation needed and DF set.
const FRAGMENTATION_NEEDED: u8 = 4;

/// What an echo request carries and its reply gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Names the asker's series.
    pub identifier: u16,
    /// The place in the series.
    pub sequence: u16,
    /// Any bytes.
    pub data: &'a [u8],
}

/// An ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Asks for its echo.
    EchoRequest(Echo<'a>),
    /// The echo.
    EchoReply(Echo<'a>),
    /// Something happened to a segment of ours.
    Report(Report),
}

/// Reads the message that fills the payload of `packet`.
///
/// # Errors
/// Those named `Icmp...`.
pub fn parse<'a>(packet: &Packet<'a>) -> Result<Message<'a>, Error> {
    let bytes = packet.payload;
    let (layout, body) = Layout::ref_from_prefix(bytes).map_err(|_| Error::IcmpShort)?;
    if !Sum::of(bytes).is_valid() {
        return Err(Error::IcmpChecksum);
    }
    let cause = match layout.kind {
        kind::ECHO_REQUEST => return Ok(Message::EchoRequest(layout.echo(body))),
        kind::ECHO_REPLY => return Ok(Message::EchoReply(layout.echo(body))),
        kind::UNREACHABLE if layout.code == FRAGMENTATION_NEEDED => Cause::PacketTooBig {
            mtu: u32::from(layout.second.get()),
        },
        kind::UNREACHABLE => Cause::Unreachable(unreachable(layout.code)),
        kind::SOURCE_QUENCH => Cause::SourceQuench,
        kind::TIME_EXCEEDED => Cause::TimeExceeded,
        kind::PARAMETER_PROBLEM => Cause::ParameterProblem,
        _ => return Err(Error::IcmpType),
    };
    Ok(Message::Report(Report {
        cause,
        quote: Quote::of_ipv4(body)?,
    }))
}

/// The codes of RFC 792, RFC 1122 3.2.2.1 and RFC 1812 5.2.7.1.
const fn unreachable(code: u8) -> Unreachable {
    match code {
        0 | 6 | 11 => Unreachable::Network,
        1 | 7 | 8 | 12 => Unreachable::Host,
        2 => Unreachable::Protocol,
        3 => Unreachable::Port,
        5 => Unreachable::SourceRoute,
        9 | 10 | 13 => Unreachable::Prohibited,
        _ => Unreachable::Other,
    }
}

/// Writes an echo request; bytes taken, or `None` where `buffer` is too short.
#[must_use]
pub fn emit_echo_request(buffer: &mut [u8], echo: &Echo<'_>) -> Option<usize> {
    Layout::of_echo(kind::ECHO_REQUEST, echo).emit(buffer, echo.data, Sum::EMPTY)
}

/// Writes an echo reply; bytes taken, or `None` where `buffer` is too short.
#[must_use]
pub fn emit_echo_reply(buffer: &mut [u8], echo: &Echo<'_>) -> Option<usize> {
    Layout::of_echo(kind::ECHO_REPLY, echo).emit(buffer, echo.data, Sum::EMPTY)
}

/// Writes what a router or host says to the sender of `packet`, of which it quotes the start.
///
/// Bytes taken, or `None` where `buffer` is too short for 576 bytes less an IPv4 header, or for
/// all of `packet`. An MTU above 65,535 is told as that.
#[must_use]
pub fn emit_report(buffer: &mut [u8], cause: Cause, packet: &[u8]) -> Option<usize> {
    let (kind, code) = match cause {
        Cause::PacketTooBig { .. } => (kind::UNREACHABLE, FRAGMENTATION_NEEDED),
        Cause::Unreachable(unreachable) => (kind::UNREACHABLE, code(unreachable)),
        Cause::SourceQuench => (kind::SOURCE_QUENCH, 0),
        Cause::TimeExceeded => (kind::TIME_EXCEEDED, 0),
        Cause::ParameterProblem => (kind::PARAMETER_PROBLEM, 0),
    };
    let mtu = match cause {
        Cause::PacketTooBig { mtu } => u16::try_from(mtu).unwrap_or(u16::MAX),
        _ => 0,
    };
    let layout = Layout {
        kind,
        code,
        second: U16::new(mtu),
        ..Layout::default()
    };
    let quote = packet
        .get(..MAX_REPORT_LEN.saturating_sub(HEADER_LEN))
        .unwrap_or(packet);
    layout.emit(buffer, quote, Sum::EMPTY)
}

const fn code(unreachable: Unreachable) -> u8 {
    match unreachable {
        Unreachable::Network => 0,
        Unreachable::Host => 1,
        Unreachable::Protocol => 2,
        Unreachable::Port => 3,
        Unreachable::SourceRoute => 5,
        Unreachable::Prohibited => 13,
        // Precedence, which says nothing to TCP.
        Unreachable::Other => 14,
    }
}

#[cfg(test)]
mod tests;
