//! ICMPv6: RFC 4443.

use zerocopy::FromBytes;

use crate::checksum::Sum;
use crate::icmp::{Cause, Echo, HEADER_LEN, Layout, Quote, Report, Unreachable};
use crate::ip::{Header, Packet};
use crate::{Error, ndp};

/// Longest message that reports a problem: with its IPv6 header 1280 bytes, RFC 4443 2.4 (c).
const MAX_REPORT_LEN: usize = 1280 - 40;

mod kind {
    pub(super) const UNREACHABLE: u8 = 1;
    pub(super) const PACKET_TOO_BIG: u8 = 2;
    pub(super) const TIME_EXCEEDED: u8 = 3;
    pub(super) const PARAMETER_PROBLEM: u8 = 4;
    pub(super) const ECHO_REQUEST: u8 = 128;
    pub(super) const ECHO_REPLY: u8 = 129;
}

/// An ICMPv6 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Asks for its echo.
    EchoRequest(Echo<'a>),
    /// The echo.
    EchoReply(Echo<'a>),
    /// Something happened to a segment of ours.
    Report(Report),
    /// Neighbor discovery.
    Neighbor(ndp::Message),
}

/// Reads the message that fills the payload of `packet`.
///
/// # Errors
/// Those named `Icmp...`, and [`Error::NdpInvalid`].
pub fn parse<'a>(packet: &Packet<'a>) -> Result<Message<'a>, Error> {
    let bytes = packet.payload;
    let (layout, body) = Layout::ref_from_prefix(bytes).map_err(|_| Error::IcmpShort)?;
    if !packet
        .header
        .pseudo_header(bytes.len())
        .then(Sum::of(bytes))
        .is_valid()
    {
        return Err(Error::IcmpChecksum);
    }
    let cause = match layout.kind {
        kind::ECHO_REQUEST => return Ok(Message::EchoRequest(layout.echo(body))),
        kind::ECHO_REPLY => return Ok(Message::EchoReply(layout.echo(body))),
        ndp::kind::SOLICITATION | ndp::kind::ADVERTISEMENT => {
            return ndp::parse(&packet.header, layout, body).map(Message::Neighbor);
        }
        kind::UNREACHABLE => Cause::Unreachable(unreachable(layout.code)),
        kind::PACKET_TOO_BIG => Cause::PacketTooBig { mtu: layout.word() },
        kind::TIME_EXCEEDED => Cause::TimeExceeded,
        kind::PARAMETER_PROBLEM => Cause::ParameterProblem,
        _ => return Err(Error::IcmpType),
    };
    Ok(Message::Report(Report {
        cause,
        quote: Quote::of_ipv6(body)?,
    }))
}

/// The codes of RFC 4443 3.1.
const fn unreachable(code: u8) -> Unreachable {
    match code {
        0 | 2 => Unreachable::Network,
        1 | 5 | 6 => Unreachable::Prohibited,
        3 => Unreachable::Host,
        4 => Unreachable::Port,
        _ => Unreachable::Other,
    }
}

/// Writes an echo request, to be sent in a packet with `header`.
///
/// Bytes taken, or `None` where `buffer` is too short.
#[must_use]
pub fn emit_echo_request(buffer: &mut [u8], header: &Header, echo: &Echo<'_>) -> Option<usize> {
    emit(
        buffer,
        header,
        Layout::of_echo(kind::ECHO_REQUEST, echo),
        echo.data,
    )
}

/// Writes an echo reply, to be sent in a packet with `header`.
///
/// Bytes taken, or `None` where `buffer` is too short.
#[must_use]
pub fn emit_echo_reply(buffer: &mut [u8], header: &Header, echo: &Echo<'_>) -> Option<usize> {
    emit(
        buffer,
        header,
        Layout::of_echo(kind::ECHO_REPLY, echo),
        echo.data,
    )
}

/// Writes what a router or host says to the sender of `packet`, of which it quotes the start.
///
/// It is to be sent in a packet with `header`. Bytes taken, or `None` where ICMPv6 cannot say
/// `cause`, or `buffer` is too short for 1280 bytes less an IPv6 header, or for all of `packet`.
#[must_use]
pub fn emit_report(
    buffer: &mut [u8],
    header: &Header,
    cause: Cause,
    packet: &[u8],
) -> Option<usize> {
    let layout = match cause {
        Cause::Unreachable(unreachable) => {
            Layout::of_word(kind::UNREACHABLE, code(unreachable)?, 0)
        }
        Cause::PacketTooBig { mtu } => Layout::of_word(kind::PACKET_TOO_BIG, 0, mtu),
        Cause::TimeExceeded => Layout::of_word(kind::TIME_EXCEEDED, 0, 0),
        Cause::ParameterProblem => Layout::of_word(kind::PARAMETER_PROBLEM, 0, 0),
        Cause::SourceQuench => return None,
    };
    let quote = packet
        .get(..MAX_REPORT_LEN.saturating_sub(HEADER_LEN))
        .unwrap_or(packet);
    emit(buffer, header, layout, quote)
}

const fn code(unreachable: Unreachable) -> Option<u8> {
    match unreachable {
        Unreachable::Network => Some(0),
        Unreachable::Prohibited => Some(1),
        Unreachable::Host => Some(3),
        Unreachable::Port => Some(4),
        Unreachable::Protocol | Unreachable::SourceRoute | Unreachable::Other => None,
    }
}

/// Writes `layout` and `body`, summed with the pseudo-header of `header`.
pub(crate) fn emit(
    buffer: &mut [u8],
    header: &Header,
    layout: Layout,
    body: &[u8],
) -> Option<usize> {
    let pseudo_header = header.pseudo_header(HEADER_LEN.checked_add(body.len())?);
    layout.emit(buffer, body, pseudo_header)
}

#[cfg(test)]
mod tests;
