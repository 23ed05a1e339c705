//! The worker's end of a capture: copies of frames in a buffer, which the control thread exchanges
//! for an empty one.

use std::time::{Duration, Instant, SystemTime};

use wirepath_stack::tap::{Direction, Tap};

use super::block::Record;
use super::filter::Filter;

/// Wall-clock time that never goes back: that of the begin, and what has passed since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: Duration,
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            began: began.unwrap_or_default(),
            start: Instant::now(),
        }
    }

    /// When it was made.
    pub(super) const fn began(&self) -> Duration {
        self.began
    }

    /// Since 1970.
    pub(super) fn now(&self) -> Duration {
        self.began + self.start.elapsed()
    }
}

/// What became of the frames of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Frames that came by.
    pub(super) seen: u64,
    /// Those that the filter took.
    pub(super) taken: u64,
    /// Those of them that found no room.
    pub(super) lost: u64,
}

/// A worker's part of a capture.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) capture: u64,
    pub(super) filter: Filter,
    pub(super) snaplen: usize,
    pub(super) clock: Clock,
    /// The number of its first device's interface.
    pub(super) first_interface: u32,
    /// Its capacity is its bound.
    pub(super) buffer: Vec<u8>,
    /// Bytes that may be recorded until the next exchange.
    pub(super) budget: usize,
    /// One for each device.
    pub(super) counts: Vec<Counts>,
    pub(super) stamp: Stamp,
}

/// A time that serves a few frames: reading the clock takes longer than copying a header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamp {
    time: Duration,
    /// Frames that it still serves.
    left: u32,
}

/// Frames that share a time, if they come or go right after each other.
const SHARE_A_TIME: u32 = 8;

impl Stamp {
    fn take(&mut self, clock: &Clock) -> Duration {
        if self.left == 0 {
            *self = Self {
                time: clock.now(),
                left: SHARE_A_TIME,
            };
        }
        self.left -= 1;
        self.time
    }
}

/// What a recorder had when it was asked.
#[derive(Debug)]
pub(super) struct Harvest {
    /// Nothing that comes later is older.
    pub(super) until: Duration,
    /// Blocks, in the order of their times.
    pub(super) blocks: Vec<u8>,
    pub(super) counts: Vec<Counts>,
}

impl Recorder {
    /// Gives what was recorded for an empty buffer, and leave to record so many bytes more.
    pub(super) fn exchange(&mut self, empty: Vec<u8>, more: usize) -> Harvest {
        self.budget = (self.budget + more).min(empty.capacity());
        Harvest {
            until: self.clock.now(),
            blocks: std::mem::replace(&mut self.buffer, empty),
            counts: self.counts.clone(),
        }
    }
}

impl Tap for Recorder {
    fn begin(&mut self) {
        self.stamp.left = 0;
    }

    fn see(&mut self, device: usize, direction: Direction, frame: &[u8]) {
        let Some(counts) = self.counts.get_mut(device) else {
            return;
        };
        counts.seen += 1;
        if !self.filter.takes(direction, frame) {
            return;
        }
        counts.taken += 1;
        let bytes = &frame[..frame.len().min(self.snaplen)];
        let room = self.buffer.capacity() - self.buffer.len();
        if room.min(self.budget) < Record::room_for(bytes.len()) {
            counts.lost += 1;
            return;
        }
        self.budget -= Record::room_for(bytes.len());
        let record = Record {
            time: self.stamp.take(&self.clock),
            interface: self.first_interface + device as u32,
            direction,
            len: frame.len(),
            bytes,
        };
        record.write(&mut self.buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::block::Blocks;

    fn recorder(capacity: usize) -> Recorder {
        Recorder {
            capture: 1,
            filter: Filter::default(),
            snaplen: 60,
            clock: Clock::start(),
            first_interface: 5,
            budget: 1_000,
            buffer: Vec::with_capacity(capacity),
            counts: vec![Counts::default(); 2],
            stamp: Stamp::default(),
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_cut_to_the_snap_length() {
        let mut recorder = recorder(1_000);
        recorder.see(0, Direction::In, &[1; 40]);
        recorder.see(1, Direction::Out, &[2; 100]);
        let harvest = recorder.exchange(Vec::new(), 0);
        let [first, second] = Blocks(&harvest.blocks).collect::<Vec<_>>()[..] else {
            panic!("{harvest:?}");
        };
        assert!(first.0 <= second.0 && u128::from(second.0) <= harvest.until.as_nanos());
        let expected = |(time, _): (u64, &[u8]), interface, direction, (len, bytes)| {
            let record = Record {
                time: Duration::from_nanos(time),
                interface,
                direction,
                len,
                bytes,
            };
            let mut block = Vec::new();
            record.write(&mut block);
            block
        };
        let (one, two) = ((40, &[1; 40][..]), (100, &[2; 60][..]));
        assert_eq!(first.1, expected(first, 5, Direction::In, one));
        assert_eq!(second.1, expected(second, 6, Direction::Out, two));
    }

    #[test]
    fn what_is_beyond_the_budget_is_counted_until_there_is_more() {
        let mut recorder = recorder(10_000);
        recorder.budget = 104;
        for more in [0, 104] {
            recorder.exchange(Vec::with_capacity(10_000), more);
            for _ in 0..2 {
                recorder.see(0, Direction::In, &[3; 60]);
            }
        }
        assert_eq!(recorder.counts[0].lost, 2);
        // However long nothing came, a buffer is all that comes at once.
        recorder.exchange(Vec::with_capacity(500), 1 << 30);
        assert_eq!(recorder.budget, 500);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nothing_grows() {
        let mut recorder = recorder(2 * (44 + 60));
        let capacity = recorder.buffer.capacity();
        for _ in 0..5 {
            recorder.see(0, Direction::In, &[3; 60]);
        }
        assert_eq!(recorder.buffer.capacity(), capacity);
        let harvest = recorder.exchange(Vec::new(), 0);
        assert_eq!(Blocks(&harvest.blocks).count(), 2);
        let counts = Counts {
            seen: 5,
            taken: 5,
            lost: 3,
        };
        assert_eq!(harvest.counts, [counts, Counts::default()]);
    }
}
