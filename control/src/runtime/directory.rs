//! Which worker has which connection: written when one begins and ends, read by who gets a segment
//! of a connection that is not its own.

use std::sync::atomic::{AtomicU64, Ordering};

use wirepath_stack::peers::{Claim, WorkerId};

/// Slots of one bucket: a cache line.
const BUCKET: usize = 8;
/// Tries to find a slot while others take theirs.
const TRIES: usize = 4;
/// The low byte of an entry: the worker's number and one, so that an entry is never 0, and whether
/// the claim is still to be looked at again.
const TAG: u64 = 0xFF;
const TENTATIVE: u64 = 0x80;

/// Most workers that an entry can tell apart.
pub(super) const WORKERS_MAX: usize = 127;

/// A table without locks. A key may lie in either of two buckets; 56 of its bits tell it from
/// others.
#[derive(Debug)]
pub(super) struct Directory {
    slots: Box<[AtomicU64]>,
}

impl Directory {
    /// One with room for `connections`.
    pub(super) fn with_capacity(connections: usize) -> Self {
        // At half load the better of two buckets is as good as never full.
        let slots = (2 * connections).next_power_of_two().max(2 * BUCKET);
        Self {
            slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The worker that has claimed `key`.
    pub(super) fn owner(&self, key: u64) -> Option<WorkerId> {
        let entries = self.slots_of(key).map(|slot| self.entry_at(slot));
        let mut settled = entries.filter(|entry| entry & TENTATIVE == 0);
        settled.find_map(|entry| worker_of(entry, key))
    }

    /// Claims `key` for `worker`, unless somebody has. Of two that claim the same at the same time
    /// at most one gets it.
    pub(super) fn claim(&self, key: u64, worker: WorkerId) -> Claim {
        let mut rival = None;
        for _ in 0..TRIES {
            if let Some(owner) = self
                .slots_of(key)
                .find_map(|slot| self.worker_at(slot, key))
            {
                if owner == worker {
                    return Claim::Own;
                }
                rival = Some(owner);
                if self.owner(key) == rival {
                    return Claim::Of(owner);
                }
                continue;
            }
            let Some(slot) = self.free_slot(key) else {
                return Claim::Full;
            };
            let entry = entry(key, worker);
            if !self.replace(slot, 0, entry | TENTATIVE) {
                continue;
            }
            // Whoever comes second sees the first, and gives way.
            let mut others = self.slots_of(key).filter(|&other| other != slot);
            rival = others.find_map(|other| self.worker_at(other, key));
            if rival.is_none() {
                self.slots[slot].store(entry, Ordering::SeqCst);
                return Claim::Own;
            }
            self.slots[slot].store(0, Ordering::SeqCst);
        }
        // They may have withdrawn from each other: the peer will try again.
        rival.map_or(Claim::Full, Claim::Of)
    }

    /// `worker` gives `key` back, if it has it.
    pub(super) fn release(&self, key: u64, worker: WorkerId) {
        let entry = entry(key, worker);
        let _ = self.slots_of(key).any(|slot| self.replace(slot, entry, 0));
    }

    /// How many keys are claimed: for tests and reports, not exact while others write.
    pub(super) fn len(&self) -> usize {
        let slots = self.slots.iter();
        slots
            .filter(|slot| slot.load(Ordering::Relaxed) != 0)
            .count()
    }

    fn replace(&self, slot: usize, from: u64, to: u64) -> bool {
        let order = Ordering::SeqCst;
        let replaced = self.slots[slot].compare_exchange(from, to, order, order);
        replaced.is_ok()
    }

    fn entry_at(&self, slot: usize) -> u64 {
        self.slots[slot].load(Ordering::SeqCst)
    }

    /// Who claims `key` there, be it that the claim is still looked at.
    fn worker_at(&self, slot: usize, key: u64) -> Option<WorkerId> {
        worker_of(self.entry_at(slot), key)
    }

    /// A free slot in the bucket that has more of them.
    fn free_slot(&self, key: u64) -> Option<usize> {
        let is_free = |&slot: &usize| self.entry_at(slot) == 0;
        let buckets = self.buckets(key).map(|bucket| {
            let free = (bucket..bucket + BUCKET).filter(is_free);
            (free.clone().count(), free.min())
        });
        let [first, second] = buckets;
        if first.0 >= second.0 {
            first.1
        } else {
            second.1
        }
    }

    fn slots_of(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        let buckets = self.buckets(key).into_iter();
        buckets.flat_map(|bucket| bucket..bucket + BUCKET)
    }

    /// Where the two buckets of a key begin.
    fn buckets(&self, key: u64) -> [usize; 2] {
        let mask = self.slots.len() / BUCKET - 1;
        let spread = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        [key >> 8, spread >> 32].map(|hash| (hash as usize & mask) * BUCKET)
    }
}

const fn entry(key: u64, worker: WorkerId) -> u64 {
    key & !TAG | (worker.0 as u64 + 1)
}

/// The worker of an entry, if that is of `key`.
fn worker_of(entry: u64, key: u64) -> Option<WorkerId> {
    let number = (entry & TAG & !TENTATIVE).checked_sub(1)?;
    (entry & !TAG == key & !TAG).then_some(WorkerId(number as u8))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const A: WorkerId = WorkerId(0);
    const B: WorkerId = WorkerId(1);

    fn key(n: u64) -> u64 {
        fastrand::Rng::with_seed(n).u64(..)
    }

    #[test]
    fn who_claims_first_has_it_until_it_is_released() {
        let directory = Directory::with_capacity(100);
        assert_eq!(directory.owner(key(1)), None);
        assert_eq!(directory.claim(key(1), A), Claim::Own);
        assert_eq!(directory.claim(key(1), A), Claim::Own, "once more");
        assert_eq!(directory.claim(key(1), B), Claim::Of(A));
        directory.release(key(1), B);
        assert_eq!(directory.owner(key(1)), Some(A), "it is not B's to give");
        directory.release(key(1), A);
        assert_eq!(directory.claim(key(1), B), Claim::Own);
        assert_eq!(directory.len(), 1);
    }

    #[test]
    fn as_many_fit_as_were_asked_for() {
        let directory = Directory::with_capacity(10_000);
        for n in 0..10_000 {
            assert_eq!(directory.claim(key(n), A), Claim::Own, "{n}");
        }
        assert!((0..10_000).all(|n| directory.owner(key(n)) == Some(A)));
        (0..10_000).for_each(|n| directory.release(key(n), A));
        assert_eq!(directory.len(), 0);
    }

    #[test]
    fn one_too_many_for_its_buckets_is_refused() {
        let directory = Directory::with_capacity(1);
        let claims: Vec<_> = (0..17).map(|n| directory.claim(key(n), A)).collect();
        assert!(claims.contains(&Claim::Full));
        assert!(directory.len() <= 2 * BUCKET);
    }

    #[test]
    fn of_two_that_claim_at_once_at_most_one_gets_it() {
        const KEYS: u64 = 20_000;
        let (directory, start) = (Directory::with_capacity(64), Barrier::new(2));
        // The table is small and keys come and go, so that slots free up between the looks.
        let run = |worker| {
            start.wait();
            let mut own = Vec::new();
            for n in 0..KEYS {
                own.push(directory.claim(key(n), worker) == Claim::Own);
                if n >= 16 {
                    directory.release(key(n - 16), worker);
                }
            }
            own
        };
        let both = thread::scope(|scope| {
            let other = scope.spawn(|| run(B));
            (run(A), other.join().expect("it ends"))
        });
        // One may get it after the other has given it back; never both while it is held.
        let owned = both
            .0
            .iter()
            .zip(&both.1)
            .filter(|(a, b)| **a || **b)
            .count();
        assert!(owned as u64 > KEYS * 9 / 10, "{owned}");
        (KEYS - 16..KEYS).for_each(|n| {
            assert!(
                !(both.0[n as usize] && both.1[n as usize]),
                "key {n} has two owners"
            );
        });
    }
}
