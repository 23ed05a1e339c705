//! What several workers have recorded, in the order of time.

use std::iter::Peekable;
use std::sync::{Arc, Mutex, PoisonError};

use super::block::Blocks;

/// Buffers that were used, to be used again: who records must not wait for new memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An empty one of this capacity.
    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let used = self.with(Vec::pop);
        used.filter(|buffer| buffer.capacity() >= capacity)
            .unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    fn put_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.with(|buffers| buffers.push(buffer));
    }
}

/// Blocks on their way out. The buffer goes home when they are there.
#[derive(Debug)]
pub(super) struct Lent {
    blocks: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.blocks
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.put_back(std::mem::take(&mut self.blocks));
    }
}

/// Blocks that wait for their place in time.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// By worker, and of each in the order of time.
    waiting: Vec<Waiting>,
    pub(super) buffers: Buffers,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Left from before.
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Merge {
    /// Takes what `worker` has recorded since the last time.
    pub(super) fn add(&mut self, worker: usize, blocks: Vec<u8>) {
        if self.waiting.len() <= worker {
            self.waiting.resize_with(worker + 1, Waiting::default);
        }
        self.waiting[worker].new = blocks;
    }

    /// All there is, just as it was added, if it is of one worker: nobody else has to be waited
    /// for.
    pub(super) fn whole(&mut self) -> Option<Lent> {
        let [only] = &mut self.waiting[..] else {
            return None;
        };
        let blocks = std::mem::take(&mut only.new);
        let home = self.buffers.clone();
        Some(Lent { blocks, home })
    }

    /// Adds up to `most` blocks that are no newer than `until`, in nanoseconds since 1970, to `to`
    /// in the order of time; the rest waits. Returns how many there were.
    pub(super) fn drain(&mut self, until: u64, most: u64, to: &mut Vec<u8>) -> u64 {
        let mut heads: Vec<_> = self.waiting.iter().map(Waiting::blocks).collect();
        let mut count = 0;
        while count < most
            && let Some(worker) = first(&mut heads, until)
        {
            if let Some((_, block)) = heads[worker].next() {
                to.extend_from_slice(block);
                count += 1;
            }
        }
        let rests: Vec<Vec<u8>> = heads.into_iter().map(rest).collect();
        for (waiting, rest) in self.waiting.iter_mut().zip(rests) {
            waiting.old = rest;
            self.buffers.put_back(std::mem::take(&mut waiting.new));
        }
        count
    }
}

impl Waiting {
    fn blocks(&self) -> Peekable<impl Iterator<Item = (u64, &[u8])>> {
        Blocks(&self.old).chain(Blocks(&self.new)).peekable()
    }
}

/// Whose block is the next, if it is no newer than `until`.
fn first<'a>(
    heads: &mut [Peekable<impl Iterator<Item = (u64, &'a [u8])>>],
    until: u64,
) -> Option<usize> {
    let times = heads.iter_mut().enumerate();
    let times = times.filter_map(|(worker, head)| Some((head.peek()?.0, worker)));
    let (time, worker) = times.min()?;
    (time <= until).then_some(worker)
}

fn rest<'a>(blocks: impl Iterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut rest = Vec::new();
    blocks.for_each(|(_, block)| rest.extend_from_slice(block));
    rest
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wirepath_stack::tap::Direction;

    use super::super::block::Record;
    use super::*;

    fn blocks(interface: u32, times: &[u64]) -> Vec<u8> {
        let mut buffer = Vec::new();
        for &time in times {
            let record = Record {
                time: Duration::from_nanos(time),
                interface,
                direction: Direction::In,
                len: 1,
                bytes: b"x",
            };
            record.write(&mut buffer);
        }
        buffer
    }

    fn drained(merge: &mut Merge, until: u64, most: u64) -> Vec<u64> {
        let mut all = Vec::new();
        let count = merge.drain(until, most, &mut all);
        let times: Vec<u64> = Blocks(&all).map(|(time, _)| time).collect();
        assert_eq!(times.len() as u64, count);
        times
    }

    #[test]
    fn what_one_worker_tells_late_finds_its_place() {
        let mut merge = Merge::default();
        merge.add(0, blocks(0, &[10, 30]));
        merge.add(1, blocks(1, &[20, 40]));
        assert!(merge.whole().is_none());
        // Worker 0 was asked at 35, and may have seen more at 36 since.
        assert_eq!(drained(&mut merge, 35, u64::MAX), [10, 20, 30]);
        merge.add(0, blocks(0, &[36]));
        merge.add(1, blocks(1, &[50]));
        assert_eq!(drained(&mut merge, 50, 2), [36, 40]);
        assert_eq!(drained(&mut merge, 100, u64::MAX), [50]);
    }

    #[test]
    fn what_is_of_one_worker_goes_out_as_it_came_and_its_buffer_comes_home() {
        let mut merge = Merge::default();
        let mut buffer = merge.buffers.take(100);
        buffer.extend_from_slice(&blocks(0, &[1]));
        let memory = buffer.as_ptr();
        merge.add(0, buffer);
        let lent = merge.whole().unwrap();
        assert_eq!(lent.as_ref(), blocks(0, &[1]));
        assert_eq!(lent.as_ref().as_ptr(), memory);
        drop(lent);
        let again = merge.buffers.take(100);
        assert_eq!((again.as_ptr(), again.len()), (memory, 0));
    }

    #[test]
    fn buffers_that_were_merged_are_used_again() {
        let mut merge = Merge::default();
        let buffer = merge.buffers.take(100);
        let memory = buffer.as_ptr();
        merge.add(0, buffer);
        assert_eq!(drained(&mut merge, 1, u64::MAX), [0; 0]);
        let again = merge.buffers.take(100);
        assert_eq!((again.as_ptr(), again.len()), (memory, 0));
    }
}
