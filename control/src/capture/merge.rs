//! What several workers have recorded, in the order of time.

use std::iter::Peekable;
use std::time::Duration;

use super::recorder::{Record, Records};

/// Records that wait for their place in time.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// By worker, and of each in the order of time.
    waiting: Vec<Waiting>,
    /// Buffers to be used again.
    empty: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Left from before.
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Merge {
    /// An empty buffer of this capacity.
    pub(super) fn empty(&mut self, capacity: usize) -> Vec<u8> {
        let used = self.empty.pop();
        used.filter(|buffer| buffer.capacity() >= capacity)
            .unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    /// Takes what `worker` has recorded since the last time.
    pub(super) fn add(&mut self, worker: usize, records: Vec<u8>) {
        if self.waiting.len() <= worker {
            self.waiting.resize_with(worker + 1, Waiting::default);
        }
        self.waiting[worker].new = records;
    }

    /// Gives all that is no newer than `until` to `take`, with the number of its worker, in the
    /// order of time; the rest waits.
    ///
    /// # Errors
    /// The first of `take`.
    pub(super) fn drain<E>(
        &mut self,
        until: Duration,
        mut take: impl FnMut(usize, &Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut heads: Vec<_> = self.waiting.iter().map(Waiting::records).collect();
        while let Some(worker) = first(&mut heads, until) {
            if let Some(record) = heads[worker].next() {
                take(worker, &record)?;
            }
        }
        let rests: Vec<Vec<u8>> = heads.into_iter().map(rest).collect();
        for (waiting, rest) in self.waiting.iter_mut().zip(rests) {
            waiting.old = rest;
            let mut used = std::mem::take(&mut waiting.new);
            used.clear();
            self.empty.push(used);
        }
        Ok(())
    }
}

impl Waiting {
    fn records(&self) -> Peekable<impl Iterator<Item = Record<'_>>> {
        Records(&self.old).chain(Records(&self.new)).peekable()
    }
}

/// Whose record is the next, if it is no newer than `until`.
fn first<'a>(
    heads: &mut [Peekable<impl Iterator<Item = Record<'a>>>],
    until: Duration,
) -> Option<usize> {
    let times = heads.iter_mut().enumerate();
    let times = times.filter_map(|(worker, head)| Some((head.peek()?.time, worker)));
    let (time, worker) = times.min()?;
    (time <= until).then_some(worker)
}

fn rest<'a>(records: impl Iterator<Item = Record<'a>>) -> Vec<u8> {
    let mut rest = Vec::new();
    records.for_each(|record| record.write(&mut rest));
    rest
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use wirepath_stack::tap::Direction;

    use super::*;

    fn records(times: &[u64]) -> Vec<u8> {
        let mut buffer = Vec::new();
        for &time in times {
            let record = Record {
                time: Duration::from_nanos(time),
                device: 0,
                direction: Direction::In,
                len: 1,
                bytes: b"x",
            };
            record.write(&mut buffer);
        }
        buffer
    }

    fn drained(merge: &mut Merge, until: u64) -> Vec<(usize, u128)> {
        let mut taken = Vec::new();
        let done: Result<(), Infallible> =
            merge.drain(Duration::from_nanos(until), |worker, record| {
                taken.push((worker, record.time.as_nanos()));
                Ok(())
            });
        done.unwrap();
        taken
    }

    #[test]
    fn what_one_worker_tells_late_finds_its_place() {
        let mut merge = Merge::default();
        merge.add(0, records(&[10, 30]));
        merge.add(1, records(&[20, 40]));
        // Worker 0 was asked at 35, and may have seen more at 36 since.
        assert_eq!(drained(&mut merge, 35), [(0, 10), (1, 20), (0, 30)]);
        merge.add(0, records(&[36]));
        merge.add(1, records(&[50]));
        assert_eq!(drained(&mut merge, 50), [(0, 36), (1, 40), (1, 50)]);
        assert_eq!(drained(&mut merge, 100), []);
    }

    #[test]
    fn buffers_are_used_again() {
        let mut merge = Merge::default();
        let buffer = merge.empty(100);
        let memory = buffer.as_ptr();
        merge.add(0, buffer);
        assert_eq!(drained(&mut merge, 1), []);
        let again = merge.empty(100);
        assert_eq!((again.as_ptr(), again.len()), (memory, 0));
    }
}
