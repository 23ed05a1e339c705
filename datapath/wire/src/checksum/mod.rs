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
        if bytes.len() < SHORT {
            return finish(0, bytes, bytes.len());
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut lanes = Lanes::default();
        for block in blocks {
            lanes.add(block);
        }
        finish(lanes.total(), rest, bytes.len())
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
    Some(finish(lanes.total(), from_rest, source.len()))
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
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let words = [u64::from(protocol.0), u64::from(length)];
    let addresses = [of_address(source), of_address(destination)];
    let words = words.into_iter().chain(addresses);
    Sum::of_word(fold(words.fold(0, u64::wrapping_add)))
}

/// The checksum field after the bytes under `old` became those under `new`: RFC 1624 3, equation 3.
///
/// Both stand at an even offset of what the checksum covers.
#[must_use]
pub const fn update(field: u16, old: Sum, new: Sum) -> u16 {
    !add(add(!field, !old.folded), new.folded)
}

/// The sum of an address in words of 32 bits, at most four of them.
fn of_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let words = [bits >> 96, bits >> 64, bits >> 32, bits];
            let words = words.map(|word| u64::from(word as u32));
            words.into_iter().fold(0, u64::wrapping_add)
        }
    }
}

/// Ones-complement addition.
const fn add(left: u16, right: u16) -> u16 {
    let (sum, carry) = left.overflowing_add(right);
    sum.wrapping_add(carry as u16)
}

const BLOCK: usize = 32;
/// Runs shorter than this are not worth the vectors: headers, above all.
const SHORT: usize = 4 * BLOCK;

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

    fn total(self) -> u64 {
        self.0.into_iter().fold(0, u64::wrapping_add)
    }
}

/// Adds to the `total` of whole blocks what is left of `len` bytes after the last of them.
#[inline]
fn finish(total: u64, rest: &[u8], len: usize) -> Sum {
    let (wide, rest) = rest.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let wide = wide.iter().chain([&last]);
    let total = wide.fold(total, |total, eight| {
        add_wide(total, u64::from_ne_bytes(*eight))
    });
    // The byte order of the sum is that of the words summed, RFC 1071 2 (B).
    Sum {
        folded: u16::from_be(fold(total)),
        odd: len & 1 == 1,
    }
}

/// Ones-complement addition of four words at a time.
const fn add_wide(left: u64, right: u64) -> u64 {
    let (sum, carry) = left.overflowing_add(right);
    sum.wrapping_add(carry as u64)
}

/// Folds the carries of a 64-bit sum back into 16 bits.
const fn fold(total: u64) -> u16 {
    // End-around carries add up to no more than a bit each time.
    let total = (total >> 32).wrapping_add(total & 0xFFFF_FFFF);
    let total = (total >> 32).wrapping_add(total & 0xFFFF_FFFF);
    let total = (total >> 16).wrapping_add(total & 0xFFFF);
    let total = (total >> 16).wrapping_add(total & 0xFFFF);
    total as u16
}

#[cfg(test)]
mod tests;
