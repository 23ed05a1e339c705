//! TCP: RFC 9293 3.1.

mod emit;
mod options;
mod parse;
mod segment;

pub use emit::{emit, fill_checksum};
pub use parse::{ChecksumPolicy, ChecksumState, Received, parse};
pub use segment::{
    FastOpen, Flags, Header, Options, SackBlock, SackBlocks, Segment, Timestamps, UnscaledWindow,
    UserTimeout, WindowScale,
};

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header without options.
pub const MIN_HEADER_LEN: usize = size_of::<Layout>();

/// Most bytes that options take: the data offset counts 15 words.
pub const MAX_OPTIONS_LEN: usize = 40;

/// The ports of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    source: U16,
    destination: U16,
    seq: U32,
    ack: U32,
    /// The data offset in words, in the high half; the rest is reserved.
    data_offset: u8,
    flags: u8,
    window: U16,
    checksum: U16,
    urgent: U16,
}

#[cfg(test)]
mod tests;
