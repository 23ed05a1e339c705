//! Bytes by their distance from a moving base, in blocks of the pool.

use zerocopy::byteorder::native_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

use super::pool::{BlockId, BlockPool, PoolEmpty, Purpose};
use crate::limits::{BLOCK_SIZE, QUEUE_BLOCKS};

/// An index slot without a block.
const VACANT: u32 = u32::MAX;

/// A window of bytes that starts at a base and may have holes. The owner knows which bytes count;
/// the queue only keeps them. It holds no block when nothing was written since it was cleared.
///
/// One block is addressed directly; more are found through an index block, a ring of numbers:
///
/// ```text
///   base                 offset
///    |----- head -----|----->          slot = (first + (head + offset) / BLOCK) % QUEUE_BLOCKS
///    [ block ][ block ][ hole ][ block ]
/// ```
#[derive(Debug, Default)]
pub struct ByteQueue {
    root: Root,
    /// Bytes of the first block that lie before the base.
    head: u16,
    /// Index slot of the first block.
    first: u16,
}

#[derive(Debug, Default)]
enum Root {
    #[default]
    Empty,
    Block(BlockId),
    Index(BlockId),
}

impl ByteQueue {
    /// Writes `bytes` at `offset` bytes after the base.
    ///
    /// # Errors
    /// [`PoolEmpty`] when a block was missing or the offset lies beyond what an index can hold; a
    /// prefix of `bytes` may have been written.
    pub fn write(
        &mut self,
        pool: &mut BlockPool,
        purpose: Purpose,
        offset: u32,
        bytes: &[u8],
    ) -> Result<(), PoolEmpty> {
        let begin = usize::from(self.head) + offset as usize;
        let end = begin + bytes.len();
        // Nearly all that is written lies in one block, the first.
        if begin == end || end > BLOCK_SIZE || matches!(self.root, Root::Index(_)) {
            return self.write_across(pool, purpose, begin, bytes);
        }
        if self.is_unallocated() {
            self.root = Root::Block(pool.take(purpose)?);
        }
        if let Root::Block(block) = &self.root {
            pool.bytes_mut(block)[begin..end].copy_from_slice(bytes);
        }
        Ok(())
    }

    /// As [`write`](Self::write), from `position` in the first block on.
    fn write_across(
        &mut self,
        pool: &mut BlockPool,
        purpose: Purpose,
        mut position: usize,
        mut bytes: &[u8],
    ) -> Result<(), PoolEmpty> {
        while !bytes.is_empty() {
            let within = position % BLOCK_SIZE;
            let count = bytes.len().min(BLOCK_SIZE - within);
            let number = self.ensure(pool, purpose, position / BLOCK_SIZE)?;
            let block = pool.bytes_mut(&BlockId::from_number(number));
            block[within..within + count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            position += count;
        }
        Ok(())
    }

    /// The bytes from `offset` on that lie together, at most `max`; empty where none were written.
    #[must_use]
    pub fn chunk<'a>(&self, pool: &'a BlockPool, offset: u32, max: u32) -> &'a [u8] {
        let position = usize::from(self.head) + offset as usize;
        let Some(number) = self.find(pool, position / BLOCK_SIZE) else {
            return &[];
        };
        let within = position % BLOCK_SIZE;
        let count = (max as usize).min(BLOCK_SIZE - within);
        &pool.bytes(&BlockId::from_number(number))[within..within + count]
    }

    /// As [`chunk`](Self::chunk), to be changed.
    #[must_use]
    pub fn chunk_mut<'a>(&self, pool: &'a mut BlockPool, offset: u32, max: u32) -> &'a mut [u8] {
        let position = usize::from(self.head) + offset as usize;
        let Some(number) = self.find(pool, position / BLOCK_SIZE) else {
            return &mut [];
        };
        let within = position % BLOCK_SIZE;
        let count = (max as usize).min(BLOCK_SIZE - within);
        &mut pool.bytes_mut(&BlockId::from_number(number))[within..within + count]
    }

    /// Moves the base `count` bytes on and gives back the blocks that lie before it.
    pub fn advance(&mut self, pool: &mut BlockPool, count: u32) {
        let position = usize::from(self.head) + count as usize;
        for _ in 0..position / BLOCK_SIZE {
            self.give_first(pool);
        }
        self.head = (position % BLOCK_SIZE) as u16;
    }

    /// Gives back every block.
    pub fn clear(&mut self, pool: &mut BlockPool) {
        if self.is_unallocated() {
            (self.head, self.first) = (0, 0);
            return;
        }
        match std::mem::take(self).root {
            Root::Empty => {}
            Root::Block(block) => pool.give(block),
            Root::Index(index) => {
                for slot in 0..QUEUE_BLOCKS {
                    let number = slots(pool, &index)[slot].get();
                    if number != VACANT {
                        pool.give(BlockId::from_number(number));
                    }
                }
                pool.give(index);
            }
        }
    }

    /// Whether it holds no block.
    #[must_use]
    pub fn is_unallocated(&self) -> bool {
        matches!(self.root, Root::Empty)
    }

    fn find(&self, pool: &BlockPool, nth: usize) -> Option<u32> {
        match &self.root {
            Root::Empty => None,
            Root::Block(block) => (nth == 0).then(|| block.number()),
            Root::Index(index) => {
                let number = slots(pool, index)[self.slot(nth)].get();
                (number != VACANT).then_some(number)
            }
        }
    }

    fn ensure(
        &mut self,
        pool: &mut BlockPool,
        purpose: Purpose,
        nth: usize,
    ) -> Result<u32, PoolEmpty> {
        if nth >= QUEUE_BLOCKS {
            return Err(PoolEmpty);
        }
        if let Some(number) = self.find(pool, nth) {
            return Ok(number);
        }
        if nth == 0 && matches!(self.root, Root::Empty) {
            let block = pool.take(purpose)?;
            let number = block.number();
            self.root = Root::Block(block);
            return Ok(number);
        }
        let slot = self.slot(nth);
        let index = self.ensure_index(pool, purpose)?;
        let block = pool.take(purpose)?;
        let number = block.number();
        slots_mut(pool, &BlockId::from_number(index))[slot].set(number);
        Ok(number)
    }

    fn ensure_index(&mut self, pool: &mut BlockPool, purpose: Purpose) -> Result<u32, PoolEmpty> {
        if let Root::Index(index) = &self.root {
            return Ok(index.number());
        }
        let index = pool.take(purpose)?;
        let number = index.number();
        let first = usize::from(self.first);
        let slots = slots_mut(pool, &index);
        slots.fill(U32::new(VACANT));
        if let Root::Block(block) = std::mem::replace(&mut self.root, Root::Index(index)) {
            slots[first].set(block.number());
        }
        Ok(number)
    }

    fn give_first(&mut self, pool: &mut BlockPool) {
        match &self.root {
            Root::Empty => {}
            Root::Block(_) => self.clear(pool),
            Root::Index(index) => {
                let first = usize::from(self.first);
                let number = slots(pool, index)[first].get();
                if number != VACANT {
                    slots_mut(pool, index)[first].set(VACANT);
                    pool.give(BlockId::from_number(number));
                }
                self.first = ((first + 1) % QUEUE_BLOCKS) as u16;
            }
        }
    }

    fn slot(&self, nth: usize) -> usize {
        (usize::from(self.first) + nth) % QUEUE_BLOCKS
    }
}

fn slots<'a>(pool: &'a BlockPool, index: &BlockId) -> &'a [U32] {
    <[U32]>::ref_from_bytes(pool.bytes(index)).unwrap_or_default()
}

fn slots_mut<'a>(pool: &'a mut BlockPool, index: &BlockId) -> &'a mut [U32] {
    <[U32]>::mut_from_bytes(pool.bytes_mut(index).as_mut_bytes()).unwrap_or_default()
}
