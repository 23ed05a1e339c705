//! The bytes that ICMP and ICMPv6 messages begin with.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Echo;
use crate::checksum::{Sum, copy_and_sum};

/// The common header; what the last two words mean depends on the type.
#[derive(Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Layout {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) checksum: U16,
    pub(crate) first: U16,
    pub(crate) second: U16,
}

impl Layout {
    pub(crate) fn of_echo(kind: u8, echo: &Echo<'_>) -> Self {
        Self {
            kind,
            first: U16::new(echo.identifier),
            second: U16::new(echo.sequence),
            ..Self::default()
        }
    }

    /// With the two words as one.
    pub(crate) fn of_word(kind: u8, code: u8, word: u32) -> Self {
        let [a, b, c, d] = word.to_be_bytes();
        let (first, second) = (U16::from_bytes([a, b]), U16::from_bytes([c, d]));
        Self {
            kind,
            code,
            checksum: U16::ZERO,
            first,
            second,
        }
    }

    /// The two words as one.
    pub(crate) fn word(&self) -> u32 {
        let ([a, b], [c, d]) = (self.first.to_bytes(), self.second.to_bytes());
        U32::from_bytes([a, b, c, d]).get()
    }

    pub(crate) fn echo<'a>(&self, data: &'a [u8]) -> Echo<'a> {
        Echo {
            identifier: self.first.get(),
            sequence: self.second.get(),
            data,
        }
    }

    /// Writes header, `body` and the checksum over both and a pseudo-header.
    pub(crate) fn emit(
        mut self,
        buffer: &mut [u8],
        body: &[u8],
        pseudo_header: Sum,
    ) -> Option<usize> {
        let (front, rest) = buffer.split_at_mut_checked(size_of::<Self>())?;
        let sum = copy_and_sum(rest, body)?;
        self.checksum = U16::ZERO;
        let sum = pseudo_header.then(Sum::of(self.as_bytes())).then(sum);
        self.checksum = U16::new(sum.checksum());
        self.write_to(front).ok()?;
        size_of::<Self>().checked_add(body.len())
    }
}
