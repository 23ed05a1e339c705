//! The Internet checksum: RFC 1071, and RFC 1624 for changing one in place.

use std::net::IpAddr;

use crate::ip::Protocol;

/// The ones-complement sum of a run of bytes, which remembers whether the run was odd.
///
/// Sums of neighboring runs join with [`then`](Self::then), at any offset, so each byte is read
/// once however a segment is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    folded: u16,
    odd: bool,
}

impl Sum {
    /// The sum of no bytes.
    pub const EMPTY: Self = Self {
        folded: 0,
        odd: false,
    };

    /// The sum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut lanes = Lanes::default();
        for block in blocks {
            lanes.add(block);
        }
        lanes.finish(rest, bytes.len())
    }

    /// The sum of one 16-bit word.
    #[must_use]
    pub const fn of_word(word: u16) -> Self {
        Self {
            folded: word,
            odd: false,
        }
    }

    /// The sum of this run and the one right after it.
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        // At an odd offset high and low bytes trade places, RFC 1071 2 (B).
        let aligned = if self.odd {
            next.folded.swap_bytes()
        } else {
            next.folded
        };
        Self {
            folded: add(self.folded, aligned),
            odd: self.odd ^ next.odd,
        }
    }

    /// The sum itself, not complemented: what a sender with checksum offload leaves in the field
    /// when this is the sum of the pseudo-header.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.folded
    }

    /// What goes into the checksum field, when the field was zero in the sum.
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !self.folded
    }

    /// Whether bytes with this sum, checksum field included, are intact.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.folded == 0xFFFF
    }
}

/// Copies `source` to the front of `destination` and sums it in the same pass.
///
/// `None`, and nothing copied, where `destination` is shorter than `source`.
#[must_use]
pub fn copy_and_sum(destination: &mut [u8], source: &[u8]) -> Option<Sum> {
    let destination = destination.get_mut(..source.len())?;
    let (to_blocks, to_rest) = destination.as_chunks_mut::<BLOCK>();
    let (from_blocks, from_rest) = source.as_chunks::<BLOCK>();
    let mut lanes = Lanes::default();
    for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
        *to = *from;
        lanes.add(from);
    }
    to_rest.copy_from_slice(from_rest);
    Some(lanes.finish(from_rest, source.len()))
}

/// The sum of the pseudo-header: RFC 9293 3.1 for IPv4, RFC 8200 8.1 for IPv6.
///
/// `length` counts the bytes of the upper-layer header and its data. The two layouts differ only
/// in padding and in where the fields stand, which a sum does not see.
#[must_use]
pub fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: Protocol,
    length: usize,
) -> Sum {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let addresses = add(of_address(source), of_address(destination));
    Sum::of_word(add(addresses, add(u16::from(protocol.0), fold(length))))
}

/// The checksum field after the bytes under `old` became those under `new`: RFC 1624 3, equation 3.
///
/// Both stand at an even offset of what the checksum covers.
#[must_use]
pub const fn update(field: u16, old: Sum, new: Sum) -> u16 {
    !add(add(!field, !old.folded), new.folded)
}

fn of_address(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(address) => fold(u64::from(address.to_bits())),
        IpAddr::V6(address) => {
            let (high, low) = (address.to_bits() >> 64, address.to_bits());
            add(fold(high as u64), fold(low as u64))
        }
    }
}

/// Ones-complement addition.
const fn add(left: u16, right: u16) -> u16 {
    let (sum, carry) = left.overflowing_add(right);
    sum.wrapping_add(carry as u16)
}

const BLOCK: usize = 32;

/// One accumulator per 32-bit word of a block, so that the additions are independent and the
/// compiler makes vectors of them. None overflows below 2^32 blocks.
#[derive(Default)]
struct Lanes([u64; BLOCK / 4]);

impl Lanes {
    fn add(&mut self, block: &[u8; BLOCK]) {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in self.0.iter_mut().zip(words) {
            *lane = lane.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
        }
    }

    /// Adds what is left of `len` bytes after the last whole block.
    fn finish(self, rest: &[u8], len: usize) -> Sum {
        let (words, last) = rest.as_chunks::<4>();
        let words = words
            .iter()
            .map(|word| u64::from(u32::from_ne_bytes(*word)));
        let last = match *last {
            [a] => [a, 0, 0, 0],
            [a, b] => [a, b, 0, 0],
            [a, b, c] => [a, b, c, 0],
            _ => [0; 4],
        };
        let last = u64::from(u32::from_ne_bytes(last));
        let total = self
            .0
            .into_iter()
            .chain(words)
            .fold(last, u64::wrapping_add);
        // The byte order of the sum is that of the words summed, RFC 1071 2 (B).
        Sum {
            folded: u16::from_be(fold(total)),
            odd: len & 1 == 1,
        }
    }
}

/// Folds the carries of a 64-bit sum back into 16 bits.
const fn fold(total: u64) -> u16 {
    let [a, b, c, d, e, f, g, h] = total.to_be_bytes();
    add(
        add(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        add(u16::from_be_bytes([e, f]), u16::from_be_bytes([g, h])),
    )
}

#[cfg(test)]
mod tests;
