//! The timer wheel: one entry per flow, at its earliest deadline.

use wirepath_tcp::time::Instant;

/// Nanoseconds of one tick, as a power of two: 65 us.
const TICK_SHIFT: u32 = 16;
/// Slots of one level, as a power of two.
const SLOT_SHIFT: u32 = 6;
const SLOTS: usize = 1 << SLOT_SHIFT;
/// Levels: together they reach 2^36 ticks, 52 days. What is later waits in the last one.
const LEVELS: usize = 6;
const NIL: u32 = u32::MAX;

/// An entry of the wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerId(u32);

impl TimerId {
    /// The entry of a flow that has none yet.
    pub const NONE: Self = Self(NIL);
}

#[derive(Debug, Clone, Copy)]
struct Node {
    deadline: Instant,
    owner: u32,
    next: u32,
    prev: u32,
    /// Level and slot; `NIL` when the node is free.
    bucket: u32,
}

/// Entries sorted by deadline, coarser the farther away. Insertion, removal and expiry cost the
/// same however many there are; nothing is allocated after it was made.
#[derive(Debug)]
pub struct Wheel {
    nodes: Vec<Node>,
    free: u32,
    heads: [u32; LEVELS * SLOTS],
    occupied: [u64; LEVELS],
    /// Every entry before this tick has fired.
    tick: u64,
}

impl Wheel {
    pub fn with_capacity(entries: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(entries),
            free: NIL,
            heads: [NIL; LEVELS * SLOTS],
            occupied: [0; LEVELS],
            tick: 0,
        }
    }

    /// A new entry that will fire for `owner` at `deadline`.
    pub fn insert(&mut self, deadline: Instant, owner: u32) -> TimerId {
        let node = Node {
            deadline,
            owner,
            next: NIL,
            prev: NIL,
            bucket: NIL,
        };
        let id = if self.free == NIL {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        } else {
            let id = self.free;
            self.free = self.nodes[id as usize].next;
            self.nodes[id as usize] = node;
            id
        };
        self.link(id);
        TimerId(id)
    }

    /// Makes the entry fire no later than `deadline`. A later one changes nothing: the owner is
    /// asked at the old time and says what it waits for now.
    pub fn bring_forward(&mut self, id: TimerId, deadline: Instant) {
        if deadline < self.nodes[id.0 as usize].deadline {
            self.reschedule(id, deadline);
        }
    }

    /// Makes the entry fire at `deadline`.
    pub fn reschedule(&mut self, id: TimerId, deadline: Instant) {
        self.unlink(id.0);
        self.nodes[id.0 as usize].deadline = deadline;
        self.link(id.0);
    }

    /// Removes the entry.
    pub fn remove(&mut self, id: TimerId) {
        self.unlink(id.0);
        self.nodes[id.0 as usize].next = self.free;
        self.free = id.0;
    }

    /// The owner of an entry that is due at `now`. The entry moves to `Instant::NEVER`; the owner
    /// reschedules or removes it.
    pub fn expire(&mut self, now: Instant) -> Option<u32> {
        let now_tick = now.as_nanos() >> TICK_SHIFT;
        loop {
            let (level, slot, start) = self.next_slot()?;
            if start > now_tick {
                return None;
            }
            self.tick = self.tick.max(start);
            let bucket = level * SLOTS + slot;
            if level > 0 {
                self.cascade(bucket);
                continue;
            }
            let due = self.find_due(bucket, now);
            if due.is_none() && start < now_tick {
                // Cannot be: whatever lies in an elapsed tick is due.
                debug_assert!(false, "an elapsed slot holds a later entry");
                return None;
            }
            let id = due?;
            let owner = self.nodes[id as usize].owner;
            self.reschedule(TimerId(id), Instant::NEVER);
            return Some(owner);
        }
    }

    /// The earliest deadline, if any entry has one. Exact within the next 4 ms; else no later than
    /// the first entry.
    pub fn next_deadline(&self) -> Option<Instant> {
        let (level, slot, start) = self.next_slot()?;
        if level > 0 {
            return Some(Instant::from_nanos(start << TICK_SHIFT));
        }
        let first = self.entries(slot).map(|node| node.deadline).min();
        first.filter(|&deadline| deadline != Instant::NEVER)
    }

    fn entries(&self, bucket: usize) -> impl Iterator<Item = &Node> {
        let first = self.nodes.get(self.heads[bucket] as usize);
        std::iter::successors(first, |node| self.nodes.get(node.next as usize))
    }

    fn find_due(&self, bucket: usize, now: Instant) -> Option<u32> {
        let mut id = self.heads[bucket];
        while id != NIL && self.nodes[id as usize].deadline > now {
            id = self.nodes[id as usize].next;
        }
        (id != NIL).then_some(id)
    }

    /// The first occupied slot and the tick at which it starts.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        (0..LEVELS).find_map(|level| {
            let shift = SLOT_SHIFT * level as u32;
            let position = (self.tick >> shift) as usize % SLOTS;
            let ahead = self.occupied[level].rotate_right(position as u32);
            if ahead == 0 {
                return None;
            }
            let distance = ahead.trailing_zeros() as usize;
            let start = ((self.tick >> shift) + distance as u64) << shift;
            Some((level, (position + distance) % SLOTS, start))
        })
    }

    /// Moves the entries of a slot that has begun to finer levels.
    fn cascade(&mut self, bucket: usize) {
        let mut id = std::mem::replace(&mut self.heads[bucket], NIL);
        self.occupied[bucket / SLOTS] &= !(1 << (bucket % SLOTS));
        while id != NIL {
            let next = self.nodes[id as usize].next;
            self.link(id);
            id = next;
        }
    }

    fn link(&mut self, id: u32) {
        let deadline = self.nodes[id as usize].deadline;
        if deadline == Instant::NEVER {
            self.nodes[id as usize].bucket = NIL;
            return;
        }
        let when = (deadline.as_nanos() >> TICK_SHIFT).max(self.tick);
        let differing = (when ^ self.tick) | (SLOTS as u64 - 1);
        let level = ((63 - differing.leading_zeros()) / SLOT_SHIFT) as usize;
        let level = level.min(LEVELS - 1);
        let shift = SLOT_SHIFT * level as u32;
        // The last level is a ring without another around it. What is beyond its last slot is
        // looked at again when that begins.
        let ahead = ((when >> shift) - (self.tick >> shift)).min(SLOTS as u64 - 1);
        let slot = ((self.tick >> shift) + ahead) as usize % SLOTS;
        let bucket = level * SLOTS + slot;
        let head = self.heads[bucket];
        if head != NIL {
            self.nodes[head as usize].prev = id;
        }
        let node = &mut self.nodes[id as usize];
        (node.next, node.prev, node.bucket) = (head, NIL, bucket as u32);
        self.heads[bucket] = id;
        self.occupied[level] |= 1 << slot;
    }

    fn unlink(&mut self, id: u32) {
        let Node {
            next, prev, bucket, ..
        } = self.nodes[id as usize];
        if bucket == NIL {
            return;
        }
        if next != NIL {
            self.nodes[next as usize].prev = prev;
        }
        if prev != NIL {
            self.nodes[prev as usize].next = next;
        } else {
            let bucket = bucket as usize;
            self.heads[bucket] = next;
            if next == NIL {
                self.occupied[bucket / SLOTS] &= !(1 << (bucket % SLOTS));
            }
        }
        self.nodes[id as usize].bucket = NIL;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_fire_at_their_deadline_and_not_before() {
        let mut wheel = Wheel::with_capacity(4);
        wheel.insert(Instant::from_millis(40), 1);
        wheel.insert(Instant::from_millis(200), 2);
        assert_eq!(wheel.expire(Instant::from_nanos(39_999_999)), None);
        assert_eq!(wheel.expire(Instant::from_millis(40)), Some(1));
        assert_eq!(wheel.expire(Instant::from_millis(199)), None);
        assert_eq!(wheel.expire(Instant::from_millis(200)), Some(2));
        assert_eq!(wheel.next_deadline(), None);
    }

    #[test]
    fn entries_beyond_the_reach_of_all_levels_fire_in_time() {
        let reach = 1_u64 << (SLOT_SHIFT * LEVELS as u32 + TICK_SHIFT);
        let [before, soon] = [reach - 1_000_000, reach + 1_000_000].map(Instant::from_nanos);
        let years = Instant::from_nanos(40 * reach + 1);
        let mut wheel = Wheel::with_capacity(4);
        wheel.insert(before, 1);
        assert_eq!(wheel.expire(before), Some(1));
        wheel.insert(years, 3);
        wheel.insert(soon, 2);
        assert!(wheel.next_deadline().is_some_and(|next| next <= soon));
        assert_eq!(wheel.expire(soon), Some(2));
        assert_eq!(wheel.expire(Instant::from_nanos(40 * reach)), None);
        assert_eq!(wheel.expire(years), Some(3));
    }

    #[derive(Debug, Clone)]
    enum Op {
        Insert(u64),
        Forward(usize, u64),
        Remove(usize),
        Advance(u64),
    }

    fn span() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..100_000u64,
            0..10_000_000u64,
            0..400_000_000_000u64,
            any::<u64>()
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => span().prop_map(Op::Insert),
            2 => (any::<usize>(), span()).prop_map(|(i, s)| Op::Forward(i, s)),
            1 => any::<usize>().prop_map(Op::Remove),
            3 => (0..40_000_000_000u64).prop_map(Op::Advance),
        ]
    }

    proptest! {
        #[test]
        fn a_wheel_is_a_sorted_list(ops in prop::collection::vec(op(), 1..200)) {
            let mut wheel = Wheel::with_capacity(200);
            let mut model: Vec<(TimerId, u32, Instant)> = Vec::new();
            let mut now = 0u64;
            let mut owner = 0;
            for op in ops {
                let after = |span: u64| Instant::from_nanos(now.saturating_add(span));
                match op {
                    Op::Insert(span) => {
                        owner += 1;
                        model.push((wheel.insert(after(span), owner), owner, after(span)));
                    }
                    Op::Forward(i, span) if !model.is_empty() => {
                        let index = i % model.len();
                        let entry = &mut model[index];
                        wheel.bring_forward(entry.0, after(span));
                        entry.2 = entry.2.min(after(span));
                    }
                    Op::Remove(i) if !model.is_empty() => {
                        let (id, ..) = model.swap_remove(i % model.len());
                        wheel.remove(id);
                    }
                    Op::Advance(span) => now += span,
                    _ => {}
                }
                let now = Instant::from_nanos(now);
                let mut fired: Vec<u32> = std::iter::from_fn(|| wheel.expire(now)).collect();
                fired.sort_unstable();
                let mut due: Vec<u32> =
                    model.iter().filter(|entry| entry.2 <= now).map(|entry| entry.1).collect();
                due.sort_unstable();
                prop_assert_eq!(fired, due);
                for entry in model.iter_mut().filter(|entry| entry.2 <= now) {
                    entry.2 = Instant::NEVER;
                }
                let first = model.iter().map(|e| e.2).filter(|&d| d != Instant::NEVER).min();
                let next = wheel.next_deadline();
                prop_assert_eq!(next.is_some(), first.is_some());
                prop_assert!(next.is_none_or(|next| next <= first.unwrap_or(Instant::NEVER)));
            }
        }
    }
}
