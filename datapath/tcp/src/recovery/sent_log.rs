//! Every segment in flight: when it was sent, and what became of it.

use std::ops::Range;

use wirepath_wire::seq::SeqNum;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::delivery::{Departure, GRAIN};
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
        /// It left when the application had nothing more to send.
        const APP_LIMITED = 0x10;
    }
}

/// One segment in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentSegment {
    pub(crate) range: SeqRange,
    /// When it last left, and what the network held then.
    pub(crate) departure: Departure,
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
    delivered: u32,
    since_delivered: u32,
    since_first: u32,
    /// In units of the grain.
    lost: u16,
    in_flight: u16,
}

const RECORD: u32 = size_of::<Record>() as u32;

// CONNECTION_BLOCKS of the limits counts with it.
const _: () = assert!(RECORD == 32);

impl Record {
    fn of(segment: &SentSegment) -> Self {
        let departure = &segment.departure;
        let coarse = |bytes: u32| u16::try_from(bytes >> GRAIN).unwrap_or(u16::MAX);
        let limited = if departure.app_limited {
            Mark::APP_LIMITED
        } else {
            Mark::empty()
        };
        let mark = segment.mark.difference(Mark::APP_LIMITED) | limited;
        Self {
            sent_at: departure.at.as_nanos(),
            left: segment.range.left.value(),
            len_and_mark: segment.range.len() << 8 | u32::from(mark.bits()),
            delivered: departure.delivered,
            since_delivered: departure.since_delivered,
            since_first: departure.since_first,
            lost: (departure.lost >> GRAIN) as u16,
            in_flight: coarse(departure.in_flight),
        }
    }

    fn segment(self) -> SentSegment {
        let left = SeqNum::new(self.left);
        let mark = Mark::from_bits_truncate(self.len_and_mark as u8);
        SentSegment {
            range: SeqRange {
                left,
                right: left + (self.len_and_mark >> 8),
            },
            departure: Departure {
                at: Instant::from_nanos(self.sent_at),
                delivered: self.delivered,
                lost: u32::from(self.lost) << GRAIN,
                since_delivered: self.since_delivered,
                since_first: self.since_first,
                in_flight: u32::from(self.in_flight) << GRAIN,
                app_limited: mark.contains(Mark::APP_LIMITED),
            },
            mark,
        }
    }
}

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
        Record::read_from_bytes(bytes).ok().map(Record::segment)
    }

    /// Shows every segment to `change`, in order, and keeps what that makes of it where it says so:
    /// block by block, as there may be thousands.
    pub(crate) fn update(
        &mut self,
        pool: &mut BlockPool,
        mut change: impl FnMut(u32, &mut SentSegment) -> bool,
    ) {
        let mut index = 0;
        while index < self.len {
            let rest = (self.len - index) * RECORD;
            let bytes = self.queue.chunk_mut(pool, index * RECORD, rest);
            let (records, _) = bytes.as_chunks_mut::<{ RECORD as usize }>();
            debug_assert!(!records.is_empty(), "every segment has its record");
            if records.is_empty() {
                return;
            }
            for bytes in records {
                let record: Record = zerocopy::transmute!(*bytes);
                let mut segment = record.segment();
                if change(index, &mut segment) {
                    *bytes = zerocopy::transmute!(Record::of(&segment));
                }
                index += 1;
            }
        }
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
        self.search(pool, 0..self.len, seq)
    }

    /// As [`first_from`](Self::first_from), from index `from` on, in O(log d) of how far it lies
    /// behind that: whoever goes from range to range pays for short steps only little.
    pub(crate) fn first_from_near(&self, pool: &BlockPool, from: u32, seq: SeqNum) -> u32 {
        let (mut low, mut step) = (from, 1);
        while low + step <= self.len && self.begins_before(pool, low + step - 1, seq) {
            low += step;
            step *= 2;
        }
        self.search(pool, low..self.len.min(low + step - 1).max(low), seq)
    }

    fn search(&self, pool: &BlockPool, among: Range<u32>, seq: SeqNum) -> u32 {
        let Range {
            start: mut low,
            end: mut high,
        } = among;
        while low < high {
            let middle = low + (high - low) / 2;
            if self.begins_before(pool, middle, seq) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn begins_before(&self, pool: &BlockPool, index: u32, seq: SeqNum) -> bool {
        self.get(pool, index)
            .is_some_and(|segment| segment.range.left.before(seq))
    }

    fn write(
        &mut self,
        pool: &mut BlockPool,
        index: u32,
        segment: &SentSegment,
    ) -> Result<(), PoolEmpty> {
        let record = Record::of(segment);
        self.queue
            .write(pool, Purpose::Log, index * RECORD, record.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::delivery::Delivery;
    use super::*;

    #[test]
    fn a_search_from_near_finds_what_a_search_of_all_finds() {
        let (mut log, mut pool) = (SentLog::default(), BlockPool::new(0));
        for number in 0..300 {
            let left = SeqNum::new(u32::MAX - 1_000) + 10 * number;
            let range = SeqRange {
                left,
                right: left + 10,
            };
            let segment = SentSegment {
                range,
                departure: Delivery::default().depart(Instant::ZERO, 0, 0, true),
                mark: Mark::empty(),
            };
            log.push(&mut pool, &segment).expect("a block");
        }
        for at in 0..3_010 {
            let seq = SeqNum::new(u32::MAX - 1_000) + at;
            let found = log.first_from(&pool, seq);
            for from in 0..=found {
                assert_eq!(log.first_from_near(&pool, from, seq), found, "{from} {at}");
            }
        }
    }
}
