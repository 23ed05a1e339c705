//! Received bytes to a segment.

use zerocopy::FromBytes;

use super::{Flags, Header, Layout, MIN_HEADER_LEN, Ports, Segment, UnscaledWindow, options};
use crate::Error;
use crate::checksum::Sum;
use crate::ip::Packet;
use crate::seq::SeqNum;

/// Which checksums of received segments are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChecksumPolicy {
    /// Only whole ones, RFC 9293 3.1 (MUST-3).
    #[default]
    Whole,
    /// Also those left for a device to complete, which veth delivers as they are: the bytes have
    /// crossed no wire.
    PartialOk,
}

/// What the checksum of a taken segment was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumState {
    /// It covers the segment.
    Whole,
    /// It holds the sum of the pseudo-header only.
    Partial,
}

/// A segment as received, and what the stack counts about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Its ports.
    pub ports: Ports,
    /// The segment.
    pub segment: Segment<'a>,
    /// What its checksum was.
    pub checksum: ChecksumState,
    /// Whether an option had an illegal length; the options up to it count (MUST-7).
    pub illegal_option: bool,
}

/// Reads the segment that fills the payload of `packet`.
///
/// # Errors
/// [`Error::TcpShort`], [`Error::TcpDataOffset`], [`Error::TcpChecksum`], and
/// [`Error::TcpChecksumPartial`] where `policy` does not take such a one.
pub fn parse<'a>(packet: &Packet<'a>, policy: ChecksumPolicy) -> Result<Received<'a>, Error> {
    let bytes = packet.payload;
    let (layout, _) = Layout::ref_from_prefix(bytes).map_err(|_| Error::TcpShort)?;
    let header_len = usize::from(layout.data_offset >> 4 << 2);
    let (header, payload) = bytes
        .split_at_checked(header_len)
        .ok_or(Error::TcpDataOffset)?;
    let options = header.get(MIN_HEADER_LEN..).ok_or(Error::TcpDataOffset)?;
    let checksum = verify(packet, layout.checksum.get(), policy)?;
    let (options, illegal_option) = options::parse(options);
    let header = Header {
        seq: SeqNum::new(layout.seq.get()),
        ack: SeqNum::new(layout.ack.get()),
        flags: Flags::from_bits_retain(layout.flags),
        window: UnscaledWindow(layout.window.get()),
        urgent: layout.urgent.get(),
        options,
    };
    Ok(Received {
        ports: Ports {
            source: layout.source.get(),
            destination: layout.destination.get(),
        },
        segment: Segment {
            header,
            payload,
            ecn: packet.header.traffic_class.ecn(),
        },
        checksum,
        illegal_option,
    })
}

fn verify(packet: &Packet<'_>, field: u16, policy: ChecksumPolicy) -> Result<ChecksumState, Error> {
    let pseudo_header = packet.header.pseudo_header(packet.payload.len());
    if pseudo_header.then(Sum::of(packet.payload)).is_valid() {
        Ok(ChecksumState::Whole)
    } else if field != pseudo_header.value() {
        Err(Error::TcpChecksum)
    } else if policy == ChecksumPolicy::PartialOk {
        Ok(ChecksumState::Partial)
    } else {
        Err(Error::TcpChecksumPartial)
    }
}
