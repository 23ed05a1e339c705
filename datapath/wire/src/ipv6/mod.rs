//! IPv6: RFC 8200. Packets are sent whole; fragments are not reassembled.

use std::net::Ipv6Addr;

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Error;
use crate::ip::{Header, Packet, Protocol, TrafficClass};

/// Bytes of a header without extensions.
pub const HEADER_LEN: usize = size_of::<Layout>();

/// Extension headers that are followed before a packet is refused; RFC 8504 5.3 allows a bound.
pub const MAX_EXTENSIONS: usize = 8;

mod next_header {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const DESTINATION: u8 = 60;
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    version_class_flow: U32,
    payload_length: U16,
    next_header: u8,
    hop_limit: u8,
    source: [u8; 16],
    destination: [u8; 16],
}

/// The part that all extension headers but the fragment header begin with.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Extension {
    next_header: u8,
    /// In units of 8 bytes, without the first 8.
    length: u8,
}

/// Reads a packet at the front of `bytes`; what follows its payload length is padding of the link.
///
/// Hop-by-hop, destination and routing headers are skipped where RFC 8200 4.2 and 4.4 let a
/// receiver that understands none of their content go on.
///
/// # Errors
/// [`Error::IpVersion`] and those named `Ipv6...`.
pub fn parse(bytes: &[u8]) -> Result<Packet<'_>, Error> {
    let (layout, rest) = split(bytes)?;
    let payload_length = usize::from(layout.payload_length.get());
    let payload = rest.get(..payload_length).ok_or(Error::Ipv6PayloadLength)?;
    to_packet(layout, payload)
}

/// Reads the start of a packet that an ICMPv6 message quotes, cut short.
pub(crate) fn parse_quoted(bytes: &[u8]) -> Option<Packet<'_>> {
    let (layout, rest) = split(bytes).ok()?;
    to_packet(layout, rest).ok()
}

fn split(bytes: &[u8]) -> Result<(&Layout, &[u8]), Error> {
    let (layout, rest) = Layout::ref_from_prefix(bytes).map_err(|_| Error::Ipv6Short)?;
    let [first, ..] = layout.version_class_flow.to_bytes();
    if first >> 4 != 6 {
        return Err(Error::IpVersion);
    }
    Ok((layout, rest))
}

fn to_packet<'a>(layout: &Layout, payload: &'a [u8]) -> Result<Packet<'a>, Error> {
    let [first, second, ..] = layout.version_class_flow.to_bytes();
    let (protocol, payload) = skip_extensions(layout.next_header, payload)?;
    let header = Header {
        source: Ipv6Addr::from(layout.source).into(),
        destination: Ipv6Addr::from(layout.destination).into(),
        protocol,
        traffic_class: TrafficClass(first << 4 | second >> 4),
        hop_limit: layout.hop_limit,
    };
    Ok(Packet { header, payload })
}

fn skip_extensions(mut next: u8, mut rest: &[u8]) -> Result<(Protocol, &[u8]), Error> {
    for place in 0..=MAX_EXTENSIONS {
        let check = match next {
            // Anywhere but first it is as unknown as any other protocol, RFC 8200 4.1.
            next_header::HOP_BY_HOP if place == 0 => check_options,
            next_header::DESTINATION => check_options,
            next_header::ROUTING => check_routing,
            next_header::FRAGMENT => return Err(Error::Ipv6Fragment),
            _ => return Ok((Protocol(next), rest)),
        };
        let (extension, _) =
            Extension::ref_from_prefix(rest).map_err(|_| Error::Ipv6ExtensionLength)?;
        let length = usize::from(extension.length)
            .saturating_add(1)
            .saturating_mul(8);
        let (whole, after) = rest
            .split_at_checked(length)
            .ok_or(Error::Ipv6ExtensionLength)?;
        check(whole.get(size_of::<Extension>()..).unwrap_or_default())?;
        next = extension.next_header;
        rest = after;
    }
    Err(Error::Ipv6ExtensionCount)
}

/// No option but padding is known; the two high bits of a type say whether that may be skipped
/// (RFC 8200 4.2).
fn check_options(mut options: &[u8]) -> Result<(), Error> {
    const PAD1: u8 = 0;
    const SKIPPED: std::ops::Range<u8> = 0x00..0x40;
    loop {
        options = match options {
            [] => return Ok(()),
            [PAD1, rest @ ..] => rest,
            [kind, length, rest @ ..] if SKIPPED.contains(kind) => {
                rest.get(usize::from(*length)..).ok_or(Error::Ipv6Option)?
            }
            _ => return Err(Error::Ipv6Option),
        };
    }
}

/// With no segments left the header asks for nothing; else this host is not the last hop
/// (RFC 8200 4.4; RFC 5095 for type 0).
fn check_routing(body: &[u8]) -> Result<(), Error> {
    match body {
        [_kind, 0, ..] => Ok(()),
        _ => Err(Error::Ipv6SourceRoute),
    }
}

/// Writes a header with flow label 0; see [`Header::emit`].
pub(crate) fn emit(
    buffer: &mut [u8],
    header: &Header,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    payload_len: usize,
) -> Option<usize> {
    let class = header.traffic_class.0;
    let layout = Layout {
        version_class_flow: U32::from_bytes([0x60 | class >> 4, class << 4, 0, 0]),
        payload_length: U16::new(u16::try_from(payload_len).ok()?),
        next_header: header.protocol.0,
        hop_limit: header.hop_limit,
        source: source.octets(),
        destination: destination.octets(),
    };
    layout.write_to_prefix(buffer).ok()?;
    Some(HEADER_LEN)
}

#[cfg(test)]
mod tests;
