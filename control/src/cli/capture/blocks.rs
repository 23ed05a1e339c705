//! A stream of pcapng, cut into whole blocks: so that a file is one at whatever time it ends.

use crate::capture::ENHANCED_PACKET;

/// Type of the block that counts the frames of an interface.
const INTERFACE_STATISTICS: u32 = 5;
/// Type and length of a block; the length again at its end.
const HEAD: usize = 8;
/// Interface and time, before the options of statistics.
const STATISTICS_HEAD: usize = HEAD + 12;
const ISB_IFDROP: u16 = 5;

/// What has come, and what it said.
#[derive(Debug, Default)]
pub(super) struct WholeBlocks {
    /// The begin of a block.
    part: Vec<u8>,
    pub(super) frames: u64,
    /// Frames that found no room.
    pub(super) lost: u64,
}

impl WholeBlocks {
    /// Takes more of the stream, and returns the blocks that are whole: one that began before, and
    /// those after it.
    pub(super) fn whole<'a>(&mut self, bytes: &'a [u8]) -> (Vec<u8>, &'a [u8]) {
        let (mut begun, mut rest) = (std::mem::take(&mut self.part), bytes);
        while let Some(missing) = missing(&begun) {
            if rest.is_empty() {
                self.part = begun;
                return (Vec::new(), rest);
            }
            let (more, after) = rest.split_at(missing.min(rest.len()));
            begun.extend_from_slice(more);
            rest = after;
        }
        if !begun.is_empty() {
            self.note(&begun);
        }
        let mut whole = 0;
        while let Some(block) = first(&rest[whole..]) {
            self.note(block);
            whole += block.len();
        }
        let (whole, part) = rest.split_at(whole);
        self.part = part.to_vec();
        (begun, whole)
    }

    fn note(&mut self, block: &[u8]) {
        match word(block, 0) {
            Some(ENHANCED_PACKET) => self.frames += 1,
            Some(INTERFACE_STATISTICS) => self.lost += dropped(block).unwrap_or(0),
            _ => {}
        }
    }
}

/// How much is missing to a block that has begun, as far as can be told; `None` when nothing is.
fn missing(begun: &[u8]) -> Option<usize> {
    let len = word(begun, 4).map_or(HEAD, |len| (len as usize).max(HEAD + 4));
    let missing = len.saturating_sub(begun.len());
    (!begun.is_empty() && missing > 0).then_some(missing)
}

/// The first block, if it is whole. The writer has our byte order: it is on the same machine.
fn first(bytes: &[u8]) -> Option<&[u8]> {
    let len = word(bytes, 4)? as usize;
    // A shorter one there cannot be; it must not hold up the rest.
    bytes.get(..len.max(HEAD + 4))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `isb_ifdrop` of a block of statistics.
fn dropped(block: &[u8]) -> Option<u64> {
    let mut options = block.get(STATISTICS_HEAD..)?;
    loop {
        let (head, rest) = options.split_first_chunk::<4>()?;
        let [a, b, c, d] = *head;
        let (code, len) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        if code == ISB_IFDROP {
            return Some(u64::from_ne_bytes(*rest.first_chunk()?));
        }
        options = rest.get(usize::from(len).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = (body.len() + 12) as u32;
        let (kind, len) = (kind.to_ne_bytes(), len.to_ne_bytes());
        [&kind[..], &len, body, &len].concat()
    }

    fn stream() -> Vec<u8> {
        let mut statistics = vec![0; 12];
        // isb_ifrecv, isb_ifdrop, the end.
        for (code, value) in [(4_u16, 9_u64), (5, 3)] {
            statistics.extend(code.to_ne_bytes());
            statistics.extend(8_u16.to_ne_bytes());
            statistics.extend(value.to_ne_bytes());
        }
        statistics.extend([0; 4]);
        let blocks = [
            block(0x0A0D_0D0A, &[1; 16]),
            block(ENHANCED_PACKET, &[2; 100]),
            block(ENHANCED_PACKET, &[3; 4]),
            block(INTERFACE_STATISTICS, &statistics),
        ];
        blocks.concat()
    }

    #[test]
    fn wherever_it_is_cut_only_whole_blocks_come_out() {
        let stream = stream();
        for step in 1..stream.len() {
            let (mut blocks, mut out) = (WholeBlocks::default(), Vec::new());
            for piece in stream.chunks(step) {
                let (begun, rest) = blocks.whole(piece);
                out.extend(begun);
                out.extend(rest);
            }
            assert_eq!(out, stream, "{step}");
            assert_eq!((blocks.frames, blocks.lost), (2, 3), "{step}");
        }
    }

    #[test]
    fn the_begin_of_a_block_stays_behind() {
        let stream = stream();
        let mut blocks = WholeBlocks::default();
        let (begun, rest) = blocks.whole(&stream[..28 + 50]);
        assert_eq!((begun.len(), rest), (0, &stream[..28]));
    }
}
