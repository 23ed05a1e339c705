//! The pool of blocks that all connections of a worker share.

use crate::limits::{BLOCK_SIZE, RECEIVE_RESERVE_BLOCKS};

/// A block taken from a [`BlockPool`]. It is not `Clone`: to lose one is to leak it.
#[derive(Debug, PartialEq, Eq)]
pub struct BlockId(u32);

impl BlockId {
    /// The number of the block, to be stored in an index block.
    pub(super) const fn number(&self) -> u32 {
        self.0
    }

    /// The block whose number an index block gave up.
    pub(super) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// What a block is taken for; sending may not take the last ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Text of the application that was not yet acknowledged to it.
    Send,
    /// Text that arrived out of order: may be dropped, the peer sends it again.
    OutOfOrder,
    /// Text that is acknowledged to the peer and must be kept.
    Receive,
}

/// No block is free for this purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolEmpty;

/// A fixed number of blocks, made once.
#[derive(Debug)]
pub struct BlockPool {
    blocks: Vec<[u8; BLOCK_SIZE]>,
    free: Vec<u32>,
}

impl BlockPool {
    /// A pool of `blocks` blocks, but at least twice the receive reserve.
    #[must_use]
    pub fn new(blocks: usize) -> Self {
        let blocks = blocks.clamp(2 * RECEIVE_RESERVE_BLOCKS, u32::MAX as usize - 1);
        Self {
            blocks: vec![[0; BLOCK_SIZE]; blocks],
            free: (0..blocks as u32).rev().collect(),
        }
    }

    /// How many blocks it has.
    #[must_use]
    pub fn total(&self) -> usize {
        self.blocks.len()
    }

    /// How many are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Whether `count` blocks could be taken for this purpose.
    #[must_use]
    pub fn has(&self, purpose: Purpose, count: usize) -> bool {
        self.free.len() >= Self::reserved(purpose) + count
    }

    /// Takes a block; its bytes are what the last user left.
    ///
    /// # Errors
    /// [`PoolEmpty`] when none is free, or only those reserved for a stronger purpose.
    pub fn take(&mut self, purpose: Purpose) -> Result<BlockId, PoolEmpty> {
        if !self.has(purpose, 1) {
            return Err(PoolEmpty);
        }
        self.free.pop().map(BlockId).ok_or(PoolEmpty)
    }

    const fn reserved(purpose: Purpose) -> usize {
        match purpose {
            Purpose::Receive => 0,
            Purpose::Send | Purpose::OutOfOrder => RECEIVE_RESERVE_BLOCKS,
        }
    }

    /// Gives a block back.
    pub fn give(&mut self, block: BlockId) {
        self.free.push(block.0);
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self, block: &BlockId) -> &[u8; BLOCK_SIZE] {
        &self.blocks[block.0 as usize]
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self, block: &BlockId) -> &mut [u8; BLOCK_SIZE] {
        &mut self.blocks[block.0 as usize]
    }
}
