//! The pool of blocks that all connections of a worker share.

use crate::limits::{
    BLOCK_SIZE, FIRST_BLOCKS_DIVISOR, LARGEST_TEXT_BLOCKS, LOG_RESERVE_BLOCKS,
    RECEIVE_RESERVE_BLOCKS, SCARCE_DIVISOR, SEND_RESERVE_BLOCKS, SHARE_DIVISOR,
};

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

/// What a block is taken for. Neither sending nor receiving may take what is reserved for the
/// other: an echo whose unread text held all blocks could never send, and so never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Text of the application that was not yet acknowledged to it.
    Send,
    /// Text that arrived out of order: may be dropped, the peer sends it again.
    OutOfOrder,
    /// Text that is acknowledged to the peer and must be kept.
    Receive,
    /// What is known of the segments in flight: without it nothing that is queued could be sent,
    /// and so no block come back.
    Log,
}

/// No block is free for this purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolEmpty;

/// A fixed number of blocks, made once.
#[derive(Debug)]
pub struct BlockPool {
    /// As long as nobody has written to a page of it, it takes no memory.
    bytes: Vec<u8>,
    free: Vec<u32>,
    /// By block, whether it was taken for sending.
    for_sending: Vec<bool>,
    /// Blocks taken for sending.
    sending: usize,
}

impl BlockPool {
    /// A pool of `blocks` blocks, but at least both reserves.
    #[must_use]
    pub fn new(blocks: usize) -> Self {
        let blocks = blocks.clamp(
            RECEIVE_RESERVE_BLOCKS + SEND_RESERVE_BLOCKS,
            u32::MAX as usize - 1,
        );
        Self {
            bytes: vec![0; blocks * BLOCK_SIZE],
            free: (0..blocks as u32).rev().collect(),
            for_sending: vec![false; blocks],
            sending: 0,
        }
    }

    /// How many blocks it has.
    #[must_use]
    pub fn total(&self) -> usize {
        self.for_sending.len()
    }

    /// How many are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Whether `count` blocks could be taken for this purpose.
    #[must_use]
    pub fn has(&self, purpose: Purpose, count: usize) -> bool {
        match purpose {
            Purpose::Receive => self.free() >= count,
            Purpose::Log => {
                let most = self.total() - RECEIVE_RESERVE_BLOCKS;
                self.sending + count <= most && self.free() >= count
            }
            Purpose::OutOfOrder => {
                let in_order = LARGEST_TEXT_BLOCKS;
                self.free() >= RECEIVE_RESERVE_BLOCKS + count && self.may_receive(in_order + count)
            }
            Purpose::Send => {
                let most = self.total() - RECEIVE_RESERVE_BLOCKS - LOG_RESERVE_BLOCKS;
                // What was accepted in this turn may have to be kept yet.
                let kept = LARGEST_TEXT_BLOCKS + LOG_RESERVE_BLOCKS;
                self.sending + count <= most && self.free() >= kept + count
            }
        }
    }

    /// Bytes that one connection may hold one way: a sixth of what is free beside what is kept for
    /// first blocks, so that many that only hold leave as much to each newcomer (dynamic
    /// thresholds), and a block in any case.
    #[must_use]
    pub fn share(&self) -> u32 {
        let blocks = (self.spare() / SHARE_DIVISOR).max(1);
        u32::try_from(blocks * BLOCK_SIZE).unwrap_or(u32::MAX)
    }

    /// Bytes that may wait for one application: what was offered, but a block when all that is free
    /// is kept for first blocks.
    #[must_use]
    pub fn share_unread(&self) -> u32 {
        if self.spare() > 0 {
            u32::MAX
        } else {
            BLOCK_SIZE as u32
        }
    }

    /// Free blocks beside those that are kept for the first of each connection.
    fn spare(&self) -> usize {
        let kept = self.total() / FIRST_BLOCKS_DIVISOR;
        self.free().saturating_sub(kept)
    }

    /// Whether so few blocks are free that who only holds some is in the way of others.
    #[must_use]
    pub fn is_scarce(&self) -> bool {
        self.free() < self.total() / SCARCE_DIVISOR
    }

    /// Takes a block; its bytes are what the last user left.
    ///
    /// # Errors
    /// [`PoolEmpty`] when none is free, or only those reserved for another purpose.
    pub fn take(&mut self, purpose: Purpose) -> Result<BlockId, PoolEmpty> {
        if !self.has(purpose, 1) {
            return Err(PoolEmpty);
        }
        let number = self.free.pop().ok_or(PoolEmpty)?;
        let for_sending = matches!(purpose, Purpose::Send | Purpose::Log);
        self.for_sending[number as usize] = for_sending;
        self.sending += usize::from(for_sending);
        Ok(BlockId(number))
    }

    /// Whether `blocks` more can be taken to keep text that is about to be acknowledged.
    #[must_use]
    pub fn may_receive(&self, blocks: usize) -> bool {
        let receiving = self.total() - self.free() - self.sending;
        let most = self.total() - SEND_RESERVE_BLOCKS;
        self.free() >= blocks + LOG_RESERVE_BLOCKS && receiving + blocks <= most
    }

    /// Gives a block back.
    pub fn give(&mut self, block: BlockId) {
        self.sending -= usize::from(self.for_sending[block.0 as usize]);
        self.free.push(block.0);
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self, block: &BlockId) -> &[u8; BLOCK_SIZE] {
        &self.bytes.as_chunks().0[block.0 as usize]
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self, block: &BlockId) -> &mut [u8; BLOCK_SIZE] {
        &mut self.bytes.as_chunks_mut().0[block.0 as usize]
    }
}
