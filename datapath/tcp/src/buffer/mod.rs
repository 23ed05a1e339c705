//! Bytes of connections: blocks from one pool, held only while bytes are in flight.

mod pool;
mod queue;
mod seq_ranges;

pub use pool::{BlockId, BlockPool, PoolEmpty, Purpose};
pub use queue::ByteQueue;
pub use seq_ranges::{RangesFull, SeqRange, SeqRanges};

#[cfg(test)]
mod tests;
