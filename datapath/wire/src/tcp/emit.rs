//! A segment to bytes.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

use super::{Header, Layout, MIN_HEADER_LEN, Ports, options};
use crate::checksum::Sum;

impl Header {
    /// Bytes it takes, options and padding included: a multiple of 4, from 20 to 60.
    #[must_use]
    pub fn emitted_len(&self) -> usize {
        MIN_HEADER_LEN.saturating_add(self.options.emitted_len())
    }
}

/// Writes a header with a checksum of zero to the front of `buffer`.
///
/// Bytes taken, or `None` where the buffer is too short. [`fill_checksum`] completes it.
#[must_use]
pub fn emit(buffer: &mut [u8], ports: Ports, header: &Header) -> Option<usize> {
    let len = header.emitted_len();
    let (fixed, options) = buffer
        .get_mut(..len)?
        .split_at_mut_checked(MIN_HEADER_LEN)?;
    let layout = Layout {
        source: U16::new(ports.source),
        destination: U16::new(ports.destination),
        seq: U32::new(header.seq.value()),
        ack: U32::new(header.ack.value()),
        // In words, in the high half: bytes / 4 * 16.
        data_offset: u8::try_from(len << 2).ok()?,
        flags: header.flags.bits(),
        window: U16::new(header.window.0),
        checksum: U16::ZERO,
        urgent: U16::new(header.urgent),
    };
    layout.write_to(fixed).ok()?;
    options::emit(options, &header.options)?;
    Some(len)
}

/// Completes the checksum of an emitted header: RFC 9293 3.1 (MUST-2).
///
/// `header` is exactly what [`emit`] wrote, `pseudo_header` counts header and payload, `payload`
/// is the sum of the text that follows. `None` where `header` is too short to be one.
#[must_use]
pub fn fill_checksum(header: &mut [u8], pseudo_header: Sum, payload: Sum) -> Option<()> {
    let (layout, _) = Layout::mut_from_prefix(header).ok()?;
    layout.checksum = U16::ZERO;
    let sum = pseudo_header.then(Sum::of(header)).then(payload);
    let (layout, _) = Layout::mut_from_prefix(header).ok()?;
    layout.checksum = U16::new(sum.checksum());
    Some(())
}
