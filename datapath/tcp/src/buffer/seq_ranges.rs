//! Ranges of sequence space: what arrived out of order, or was acknowledged selectively.

use wirepath_wire::seq::SeqNum;
use zerocopy::byteorder::native_endian::U32;
use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use super::pool::{BlockId, BlockPool, Purpose};
use crate::limits::OUT_OF_ORDER_RANGES;

/// The sequence numbers from `left` up to but not including `right`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqRange {
    /// First sequence number inside.
    pub left: SeqNum,
    /// First sequence number after it.
    pub right: SeqNum,
}

impl SeqRange {
    /// How many sequence numbers it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.right.bytes_since(self.left)
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The set cannot take another range: it has its most, or the pool has no block for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangesFull;

/// An ordered set of disjoint ranges, at most [`OUT_OF_ORDER_RANGES`], kept in a block of the pool
/// that is given back when the set is empty. All ranges must lie within 2^31 of each other.
///
/// Invariant: ranges are not empty, ascend, and neither overlap nor touch.
#[derive(Debug, Default)]
pub struct SeqRanges {
    block: Option<BlockId>,
    len: u16,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, zerocopy::Immutable)]
#[repr(C)]
struct Slot {
    left: U32,
    right: U32,
}

impl Slot {
    fn range(self) -> SeqRange {
        SeqRange {
            left: SeqNum::new(self.left.get()),
            right: SeqNum::new(self.right.get()),
        }
    }
}

impl From<SeqRange> for Slot {
    fn from(range: SeqRange) -> Self {
        Self {
            left: U32::new(range.left.value()),
            right: U32::new(range.right.value()),
        }
    }
}

impl SeqRanges {
    /// How many ranges it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The range at `index`, in ascending order.
    #[must_use]
    pub fn get(&self, pool: &BlockPool, index: usize) -> Option<SeqRange> {
        self.slots(pool).get(index).map(|slot| slot.range())
    }

    /// The ranges in ascending order.
    pub fn iter<'a>(&'a self, pool: &'a BlockPool) -> impl Iterator<Item = SeqRange> + 'a {
        self.slots(pool).iter().map(|slot| slot.range())
    }

    /// The range that holds `seq`, found in O(log n).
    #[must_use]
    pub fn containing(&self, pool: &BlockPool, seq: SeqNum) -> Option<SeqRange> {
        let slots = self.slots(pool);
        let index = slots.partition_point(|slot| slot.range().right.at_or_before(seq));
        slots
            .get(index)
            .map(|s| s.range())
            .filter(|range| range.left.at_or_before(seq))
    }

    /// The first range that starts after `seq`, found in O(log n).
    #[must_use]
    pub fn first_after(&self, pool: &BlockPool, seq: SeqNum) -> Option<SeqRange> {
        let slots = self.slots(pool);
        let index = slots.partition_point(|slot| slot.range().left.at_or_before(seq));
        slots.get(index).map(|slot| slot.range())
    }

    /// Whether `range` can be added to the ranges there are.
    #[must_use]
    pub fn has_room_for(&self, pool: &BlockPool, range: SeqRange) -> bool {
        self.len() < OUT_OF_ORDER_RANGES
            || self.iter(pool).any(|other| {
                other.left.at_or_before(range.right) && range.left.at_or_before(other.right)
            })
    }

    /// Adds `range`, joined with all it overlaps or touches.
    ///
    /// # Errors
    /// [`RangesFull`], with nothing changed, when it would be one range too many.
    pub fn insert(&mut self, pool: &mut BlockPool, range: SeqRange) -> Result<(), RangesFull> {
        if range.is_empty() {
            return Ok(());
        }
        if self.block.is_none() {
            self.block = Some(pool.take(Purpose::OutOfOrder).map_err(|_| RangesFull)?);
        }
        let slots = self.slots(pool);
        let from = slots.partition_point(|slot| slot.range().right.before(range.left));
        let to = slots.partition_point(|slot| slot.range().left.at_or_before(range.right));
        let mut joined = range;
        if from < to {
            joined.left = joined.left.earliest(slots[from].range().left);
            joined.right = joined.right.latest(slots[to - 1].range().right);
        } else if self.len() == OUT_OF_ORDER_RANGES {
            return Err(RangesFull);
        }
        self.splice(pool, from, to, joined);
        Ok(())
    }

    /// Removes everything before `seq`.
    pub fn remove_before(&mut self, pool: &mut BlockPool, seq: SeqNum) {
        let gone = self
            .slots(pool)
            .partition_point(|slot| slot.range().right.at_or_before(seq));
        let len = self.len();
        self.all_slots_mut(pool).copy_within(gone..len, 0);
        self.len -= gone as u16;
        if let Some(first) = self.get(pool, 0).filter(|first| first.left.before(seq)) {
            self.all_slots_mut(pool)[0] = Slot::from(SeqRange { left: seq, ..first });
        }
        if self.is_empty() {
            self.clear(pool);
        }
    }

    /// Removes everything and gives the block back.
    pub fn clear(&mut self, pool: &mut BlockPool) {
        self.len = 0;
        if let Some(block) = self.block.take() {
            pool.give(block);
        }
    }

    /// Replaces the ranges `from..to` by one.
    fn splice(&mut self, pool: &mut BlockPool, from: usize, to: usize, range: SeqRange) {
        let len = self.len();
        let slots = self.all_slots_mut(pool);
        slots.copy_within(to..len, from + 1);
        slots[from] = Slot::from(range);
        self.len = (len + from + 1 - to) as u16;
    }

    fn slots<'a>(&self, pool: &'a BlockPool) -> &'a [Slot] {
        let Some(block) = &self.block else { return &[] };
        let all = <[Slot]>::ref_from_bytes(pool.bytes(block)).unwrap_or_default();
        &all[..self.len()]
    }

    fn all_slots_mut<'a>(&self, pool: &'a mut BlockPool) -> &'a mut [Slot] {
        let Some(block) = &self.block else {
            return &mut [];
        };
        <[Slot]>::mut_from_bytes(pool.bytes_mut(block).as_mut_bytes()).unwrap_or_default()
    }
}
