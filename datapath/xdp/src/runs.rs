//! Runs of adjacent slots, each of which holds one frame that is longer than a slot.

use crate::limits::BATCH;

/// Which runs are free, and how much of the others the kernel has still to send. Runs go by the
/// number of their first slot.
pub(crate) struct Runs {
    /// The first slot that belongs to a run; all after it do.
    first: usize,
    /// Slots of a run.
    slots: usize,
    /// A stack; hot runs are on top.
    free: Vec<usize>,
    /// Descriptors that the kernel has not completed, by run.
    unsent: Box<[u32]>,
    /// Runs that are kept for receiving.
    kept: usize,
}

impl Runs {
    /// As many runs of `slots` as there are from slot `first` to slot `end`. One batch of them, or
    /// half where there are fewer, is kept for receiving.
    pub(crate) fn new(first: usize, end: usize, slots: usize) -> Self {
        let count = (end - first) / slots;
        Self {
            first,
            slots,
            free: (0..count).map(|run| first + run * slots).collect(),
            unsent: vec![0; count].into_boxed_slice(),
            kept: BATCH.min(count / 2),
        }
    }

    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.unsent.len()
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Slots of a run.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Whether a slot is part of a run.
    pub(crate) fn owns(&self, slot: usize) -> bool {
        slot >= self.first
    }

    /// A run to receive into.
    pub(crate) fn take_for_receiving(&mut self) -> Option<usize> {
        self.free.pop()
    }

    /// A run to send, unless those left are kept for receiving.
    pub(crate) fn take_for_sending(&mut self) -> Option<usize> {
        if self.free.len() <= self.kept {
            return None;
        }
        self.free.pop()
    }

    /// A run comes back unsent.
    pub(crate) fn give_back(&mut self, run: usize) {
        self.free.push(run);
    }

    /// The kernel has got this many descriptors of a run to send.
    pub(crate) fn queue(&mut self, run: usize, descriptors: u32) {
        self.unsent[(run - self.first) / self.slots] = descriptors;
    }

    /// The kernel has sent what is in a slot. Whether its whole run is sent, and so free again.
    pub(crate) fn complete(&mut self, slot: usize) -> bool {
        let run = (slot - self.first) / self.slots;
        self.unsent[run] -= 1;
        let done = self.unsent[run] == 0;
        if done {
            self.free.push(self.first + run * self.slots);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_free_again_when_all_of_it_is_sent() {
        let mut runs = Runs::new(10, 23, 3);
        assert_eq!((runs.total(), runs.free()), (4, 4));
        assert!(!runs.owns(9) && runs.owns(10));
        let run = runs.take_for_sending().unwrap();
        assert_eq!(run, 19);
        runs.queue(run, 3);
        assert!(!runs.complete(19) && !runs.complete(21));
        assert_eq!(runs.free(), 3);
        assert!(runs.complete(20));
        assert_eq!(runs.take_for_sending(), Some(19));
    }

    #[test]
    fn sending_leaves_runs_for_receiving() {
        let mut runs = Runs::new(0, 12, 3);
        let sending = std::iter::from_fn(|| runs.take_for_sending()).count();
        assert_eq!(sending, 2);
        assert!(runs.take_for_receiving().is_some() && runs.take_for_receiving().is_some());
        assert_eq!(runs.take_for_receiving(), None);
    }
}
