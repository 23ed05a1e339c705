//! IPv4: RFC 791. Packets are sent whole and with DF; fragments are not reassembled.

use std::net::Ipv4Addr;

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Error;
use crate::checksum::Sum;
use crate::ip::{Header, Packet, Protocol, TrafficClass};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = size_of::<Layout>();

const DONT_FRAGMENT: u16 = 0x4000;
/// More-fragments and the offset: all zero in a whole packet.
const FRAGMENT: u16 = 0x3FFF;
/// The offset alone: zero at the start of a packet.
const FRAGMENT_OFFSET: u16 = 0x1FFF;

mod option {
    pub(super) const END: u8 = 0;
    pub(super) const NO_OPERATION: u8 = 1;
    pub(super) const LOOSE_SOURCE_ROUTE: u8 = 131;
    pub(super) const STRICT_SOURCE_ROUTE: u8 = 137;
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    version_ihl: u8,
    traffic_class: u8,
    total_length: U16,
    identification: U16,
    fragment: U16,
    ttl: u8,
    protocol: u8,
    checksum: U16,
    source: [u8; 4],
    destination: [u8; 4],
}

/// Reads a packet at the front of `bytes`; what follows its total length is padding of the link.
///
/// Options are skipped (RFC 9293 3.9.2, MUST-50), but source routes are refused: the reply would
/// have to take the route back (MUST-51 to MUST-53, which this stack does not offer).
///
/// # Errors
/// [`Error::IpVersion`] and those named `Ipv4...`.
pub fn parse(bytes: &[u8]) -> Result<Packet<'_>, Error> {
    let (layout, _) = Layout::ref_from_prefix(bytes).map_err(|_| Error::Ipv4Short)?;
    if layout.version_ihl >> 4 != 4 {
        return Err(Error::IpVersion);
    }
    let header_len = header_len(layout);
    if header_len < HEADER_LEN {
        return Err(Error::Ipv4HeaderLength);
    }
    let total_length = usize::from(layout.total_length.get());
    let packet = bytes.get(..total_length).ok_or(Error::Ipv4TotalLength)?;
    let (header, payload) = packet
        .split_at_checked(header_len)
        .ok_or(Error::Ipv4HeaderLength)?;
    if !Sum::of(header).is_valid() {
        return Err(Error::Ipv4Checksum);
    }
    if header.get(HEADER_LEN..).is_some_and(has_source_route) {
        return Err(Error::Ipv4SourceRoute);
    }
    if layout.fragment.get() & FRAGMENT != 0 {
        return Err(Error::Ipv4Fragment);
    }
    Ok(Packet {
        header: to_header(layout),
        payload,
    })
}

/// Reads the start of a packet that an ICMP message quotes: cut short, and its checksum not
/// renewed by every router on the way.
pub(crate) fn parse_quoted(bytes: &[u8]) -> Option<Packet<'_>> {
    let (layout, _) = Layout::ref_from_prefix(bytes).ok()?;
    let header_len = header_len(layout);
    let is_start = layout.fragment.get() & FRAGMENT_OFFSET == 0;
    if layout.version_ihl >> 4 != 4 || header_len < HEADER_LEN || !is_start {
        return None;
    }
    Some(Packet {
        header: to_header(layout),
        payload: bytes.get(header_len..)?,
    })
}

fn header_len(layout: &Layout) -> usize {
    usize::from((layout.version_ihl & 0x0F) << 2)
}

fn to_header(layout: &Layout) -> Header {
    Header {
        source: Ipv4Addr::from(layout.source).into(),
        destination: Ipv4Addr::from(layout.destination).into(),
        protocol: Protocol(layout.protocol),
        traffic_class: TrafficClass(layout.traffic_class),
        hop_limit: layout.ttl,
    }
}

fn has_source_route(mut options: &[u8]) -> bool {
    loop {
        options = match options {
            [option::NO_OPERATION, rest @ ..] => rest,
            [option::LOOSE_SOURCE_ROUTE | option::STRICT_SOURCE_ROUTE, ..] => return true,
            [] | [option::END, ..] | [_] | [_, 0 | 1, ..] => return false,
            [_, length, ..] => options.get(usize::from(*length)..).unwrap_or_default(),
        };
    }
}

/// Writes a header without options; see [`Header::emit`].
pub(crate) fn emit(
    buffer: &mut [u8],
    header: &Header,
    (source, destination): (Ipv4Addr, Ipv4Addr),
    payload_len: usize,
) -> Option<usize> {
    let total_length = u16::try_from(HEADER_LEN.checked_add(payload_len)?).ok()?;
    let mut layout = Layout {
        version_ihl: 0x45,
        traffic_class: header.traffic_class.0,
        total_length: U16::new(total_length),
        // A packet that is never fragmented needs no identification, RFC 6864 4.1.
        identification: U16::ZERO,
        fragment: U16::new(DONT_FRAGMENT),
        ttl: header.hop_limit,
        protocol: header.protocol.0,
        checksum: U16::ZERO,
        source: source.octets(),
        destination: destination.octets(),
    };
    layout.checksum = U16::new(Sum::of(layout.as_bytes()).checksum());
    layout.write_to_prefix(buffer).ok()?;
    Some(HEADER_LEN)
}

#[cfg(test)]
mod tests;
