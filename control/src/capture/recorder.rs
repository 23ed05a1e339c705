//! The worker's end of a capture: copies of frames in a buffer, which the control thread exchanges
//! for an empty one.

use std::time::{Duration, Instant, SystemTime};

use wirepath_stack::tap::{Direction, Tap};

use super::filter::Filter;

/// Time, length, how much of it was kept, and device and direction, before the bytes.
const HEADER: usize = 8 + 4 + 4 + 4;

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
    /// Its capacity is its bound.
    pub(super) buffer: Vec<u8>,
    /// One for each device.
    pub(super) counts: Vec<Counts>,
}

/// What a recorder had when it was asked.
#[derive(Debug)]
pub(super) struct Harvest {
    /// Nothing that comes later is older.
    pub(super) until: Duration,
    pub(super) records: Vec<u8>,
    pub(super) counts: Vec<Counts>,
}

impl Recorder {
    /// Gives what was recorded for an empty buffer.
    pub(super) fn exchange(&mut self, empty: Vec<u8>) -> Harvest {
        Harvest {
            until: self.clock.now(),
            records: std::mem::replace(&mut self.buffer, empty),
            counts: self.counts.clone(),
        }
    }
}

impl Tap for Recorder {
    fn see(&mut self, device: usize, direction: Direction, frame: &[u8]) {
        let Some(counts) = self.counts.get_mut(device) else {
            return;
        };
        counts.seen += 1;
        if !self.filter.takes(direction, frame) {
            return;
        }
        counts.taken += 1;
        let record = Record {
            time: self.clock.now(),
            device,
            direction,
            len: frame.len(),
            bytes: &frame[..frame.len().min(self.snaplen)],
        };
        if self.buffer.capacity() - self.buffer.len() < record.room() {
            counts.lost += 1;
            return;
        }
        record.write(&mut self.buffer);
    }
}

/// A frame that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Since 1970.
    pub(crate) time: Duration,
    pub(crate) device: usize,
    pub(crate) direction: Direction,
    /// Of the whole frame.
    pub(crate) len: usize,
    /// As much of it as was kept.
    pub(crate) bytes: &'a [u8],
}

impl Record<'_> {
    const fn room(&self) -> usize {
        HEADER + self.bytes.len()
    }

    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let nanos = self.time.as_nanos() as u64;
        let way = u32::from(self.direction == Direction::Out);
        buffer.extend_from_slice(&nanos.to_ne_bytes());
        buffer.extend_from_slice(&(self.len as u32).to_ne_bytes());
        buffer.extend_from_slice(&(self.bytes.len() as u32).to_ne_bytes());
        buffer.extend_from_slice(&((self.device as u32) << 1 | way).to_ne_bytes());
        buffer.extend_from_slice(self.bytes);
    }
}

/// The records of a buffer, in the order of their times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (time, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (kept, rest) = rest.split_first_chunk()?;
        let (origin, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_ne_bytes(*kept) as usize)?;
        self.0 = rest;
        let origin = u32::from_ne_bytes(*origin);
        Some(Record {
            time: Duration::from_nanos(u64::from_ne_bytes(*time)),
            device: (origin >> 1) as usize,
            direction: if origin & 1 == 1 {
                Direction::Out
            } else {
                Direction::In
            },
            len: u32::from_ne_bytes(*len) as usize,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(capacity: usize) -> Recorder {
        Recorder {
            capture: 1,
            filter: Filter::default(),
            snaplen: 60,
            clock: Clock::start(),
            buffer: Vec::with_capacity(capacity),
            counts: vec![Counts::default(); 2],
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_cut_to_the_snap_length() {
        let mut recorder = recorder(1_000);
        recorder.see(0, Direction::In, &[1; 40]);
        recorder.see(1, Direction::Out, &[2; 100]);
        let harvest = recorder.exchange(Vec::new());
        let records: Vec<Record<'_>> = Records(&harvest.records).collect();
        let [first, second] = records[..] else {
            panic!("{records:?}");
        };
        assert_eq!((first.device, first.direction), (0, Direction::In));
        assert_eq!((first.len, first.bytes), (40, &[1; 40][..]));
        assert_eq!((second.device, second.direction), (1, Direction::Out));
        assert_eq!((second.len, second.bytes), (100, &[2; 60][..]));
        assert!(first.time <= second.time && second.time <= harvest.until);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nothing_grows() {
        let mut recorder = recorder(2 * (HEADER + 60));
        let capacity = recorder.buffer.capacity();
        for _ in 0..5 {
            recorder.see(0, Direction::In, &[3; 60]);
        }
        assert_eq!(recorder.buffer.capacity(), capacity);
        let harvest = recorder.exchange(Vec::new());
        assert_eq!(Records(&harvest.records).count(), 2);
        let counts = Counts {
            seen: 5,
            taken: 5,
            lost: 3,
        };
        assert_eq!(harvest.counts, [counts, Counts::default()]);
    }
}
