//! What is sent: bytes that tell where they belong, so that each one that comes can be checked.

use std::sync::LazyLock;

use wirepath_apps::chargen::PATTERN;

/// Bytes of a piece at most.
pub(crate) const PIECE: usize = 32 << 10;
/// A prime: no size of message or segment hides that something was left out.
const PERIOD: usize = 8_191;
const SEED: u64 = 864;

static MESSAGES: LazyLock<Pattern> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(SEED);
    let once: Vec<u8> = (0..PERIOD).map(|_| random.u8(..)).collect();
    Pattern::repeating(&once)
});

static CHARACTERS: LazyLock<Pattern> = LazyLock::new(|| Pattern::repeating(&PATTERN));

/// Bytes that begin anew after a period.
pub(crate) struct Pattern {
    bytes: Vec<u8>,
    period: usize,
}

impl Pattern {
    /// That of messages that are echoed.
    pub(crate) fn messages() -> &'static Self {
        &MESSAGES
    }

    /// That of RFC 864.
    pub(crate) fn characters() -> &'static Self {
        &CHARACTERS
    }

    fn repeating(once: &[u8]) -> Self {
        let bytes = once.iter().copied().cycle();
        Self {
            bytes: bytes.take(once.len() + PIECE).collect(),
            period: once.len(),
        }
    }

    /// The bytes from `at` on: `len` of them, but a piece at most.
    pub(crate) fn from(&self, at: u64, len: u64) -> &[u8] {
        let first = (at % self.period as u64) as usize;
        &self.bytes[first..first + len.min(PIECE as u64) as usize]
    }

    /// Whether these are the bytes from `at` on.
    pub(crate) fn is_at(&self, at: u64, bytes: &[u8]) -> bool {
        let pieces = bytes.chunks(PIECE).zip((at..).step_by(PIECE));
        pieces
            .into_iter()
            .all(|(piece, at)| self.from(at, piece.len() as u64) == piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_place_is_noticed() {
        let pattern = Pattern::messages();
        let long: Vec<u8> = [0, PIECE as u64, 2 * PIECE as u64]
            .iter()
            .flat_map(|&at| pattern.from(at, u64::MAX).to_vec())
            .collect();
        assert!(pattern.is_at(0, &long));
        assert!(pattern.is_at(1_000, &long[1_000..]));
        assert!(!pattern.is_at(1, &long));
        let mut missing = long.clone();
        missing.drain(50_000..50_001);
        assert!(!pattern.is_at(0, &missing));
    }
}
