//! Every segment in flight: when it was sent, and what became of it.

use wirepath_wire::seq::SeqNum;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::buffer::{BlockPool, ByteQueue, PoolEmpty, Purpose, SeqRange};
use crate::time::Instant;

bitflags::bitflags! {
    /// What is known of a segment.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Mark: u8 {
        /// The peer has it: RFC 2018.
        const SACKED = 0x01;
        /// It counts as lost.
        const LOST = 0x02;
        /// It was sent again, and that copy is under way.
        const RESENT = 0x04;
        /// It was sent more than once, ever: its acknowledgment is ambiguous (Karn).
        const AMBIGUOUS = 0x08;
    }
}

/// One segment in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentSegment {
    pub(crate) range: SeqRange,
    /// When it was last sent.
    pub(crate) sent_at: Instant,
    pub(crate) mark: Mark,
}

impl SentSegment {
    pub(crate) fn is(&self, mark: Mark) -> bool {
        self.mark.contains(mark)
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Record {
    sent_at: u64,
    left: u32,
    len_and_mark: u32,
}

const RECORD: u32 = size_of::<Record>() as u32;

/// The segments in flight, in the order of their sequence numbers, in blocks of the pool.
#[derive(Debug, Default)]
pub(crate) struct SentLog {
    queue: ByteQueue,
    len: u32,
}

impl SentLog {
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Appends a segment sent for the first time.
    pub(crate) fn push(
        &mut self,
        pool: &mut BlockPool,
        segment: &SentSegment,
    ) -> Result<(), PoolEmpty> {
        self.write(pool, self.len, segment)?;
        self.len += 1;
        Ok(())
    }

    pub(crate) fn get(&self, pool: &BlockPool, index: u32) -> Option<SentSegment> {
        if index >= self.len {
            return None;
        }
        let bytes = self.queue.chunk(pool, index * RECORD, RECORD);
        let record = Record::read_from_bytes(bytes).ok()?;
        let left = SeqNum::new(record.left);
        let right = left + (record.len_and_mark >> 8);
        let mark = Mark::from_bits_truncate(record.len_and_mark as u8);
        let (range, sent_at) = (
            SeqRange { left, right },
            Instant::from_nanos(record.sent_at),
        );
        Some(SentSegment {
            range,
            sent_at,
            mark,
        })
    }

    /// Overwrites the segment at `index`, which there is.
    pub(crate) fn set(&mut self, pool: &mut BlockPool, index: u32, segment: &SentSegment) {
        // The block is there, so that nothing is taken from the pool.
        let written = self.write(pool, index, segment);
        debug_assert!(index < self.len && written.is_ok());
    }

    /// Removes the first segment.
    pub(crate) fn pop(&mut self, pool: &mut BlockPool) {
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            self.queue.clear(pool);
        } else {
            self.queue.advance(pool, RECORD);
        }
    }

    pub(crate) fn clear(&mut self, pool: &mut BlockPool) {
        self.len = 0;
        self.queue.clear(pool);
    }

    /// Index of the first segment whose range does not start before `seq`, in O(log n).
    pub(crate) fn first_from(&self, pool: &BlockPool, seq: SeqNum) -> u32 {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            let before = self
                .get(pool, middle)
                .is_some_and(|s| s.range.left.before(seq));
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn write(
        &mut self,
        pool: &mut BlockPool,
        index: u32,
        segment: &SentSegment,
    ) -> Result<(), PoolEmpty> {
        let record = Record {
            sent_at: segment.sent_at.as_nanos(),
            left: segment.range.left.value(),
            len_and_mark: segment.range.len() << 8 | u32::from(segment.mark.bits()),
        };
        self.queue
            .write(pool, Purpose::Log, index * RECORD, record.as_bytes())
    }
}
