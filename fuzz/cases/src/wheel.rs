//! The timer wheel against a list.

use arbitrary::{Arbitrary, Unstructured};
use wirepath_stack::wheel::{TimerId, Wheel};
use wirepath_tcp::time::Instant;

/// Nanoseconds of all lengths that matter: within a tick, a level, all levels, and beyond.
#[derive(Debug, Arbitrary)]
enum Span {
    Tick(u16),
    Short(u32),
    Long(u32, u8),
    Any(u64),
}

impl Span {
    fn nanos(&self) -> u64 {
        match *self {
            Self::Tick(nanos) => nanos.into(),
            Self::Short(nanos) => nanos.into(),
            Self::Long(nanos, shift) => u64::from(nanos) << (shift % 32),
            Self::Any(nanos) => nanos,
        }
    }
}

#[derive(Debug, Arbitrary)]
enum Op {
    Insert(Span),
    BringForward(u8, Span),
    Reschedule(u8, Span),
    /// To a time that has passed.
    RescheduleBack(u8, Span),
    Remove(u8),
    Advance(Span),
    /// To the next deadline, which must be no earlier than now and not a lie for ever.
    Follow,
}

/// Takes the bytes as operations on a wheel.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(ops) = bytes.arbitrary_iter::<Op>() else {
        return;
    };
    let mut clock = Clock {
        wheel: Wheel::with_capacity(16),
        model: Vec::new(),
        owners: 0,
        now: Instant::ZERO,
    };
    for op in ops.flatten().take(256) {
        clock.act(&op);
        clock.expire();
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: TimerId,
    owner: u32,
    deadline: Instant,
}

struct Clock {
    wheel: Wheel,
    model: Vec<Entry>,
    owners: u32,
    now: Instant,
}

impl Clock {
    fn after(&self, span: &Span) -> Instant {
        Instant::from_nanos(self.now.as_nanos().saturating_add(span.nanos()))
    }

    fn entry(&mut self, index: u8) -> Option<&mut Entry> {
        let len = self.model.len();
        (len > 0).then(|| &mut self.model[usize::from(index) % len])
    }

    fn act(&mut self, op: &Op) {
        match op {
            Op::Insert(span) => {
                let (owner, deadline) = (self.owners, self.after(span));
                let id = self.wheel.insert(deadline, owner);
                self.owners += 1;
                self.model.push(Entry {
                    id,
                    owner,
                    deadline,
                });
            }
            Op::BringForward(index, span) => {
                let deadline = self.after(span);
                if let Some(entry) = self.entry(*index) {
                    entry.deadline = entry.deadline.min(deadline);
                    let id = entry.id;
                    self.wheel.bring_forward(id, deadline);
                }
            }
            Op::Reschedule(index, span) => self.reschedule(*index, self.after(span)),
            Op::RescheduleBack(index, span) => {
                let nanos = self.now.as_nanos().saturating_sub(span.nanos());
                self.reschedule(*index, Instant::from_nanos(nanos));
            }
            Op::Remove(index) => {
                if let Some(Entry { id, .. }) = self.entry(*index).copied() {
                    self.wheel.remove(id);
                    self.model.retain(|entry| entry.id != id);
                }
            }
            Op::Advance(span) => self.now = self.after(span),
            Op::Follow => {
                if let Some(next) = self.wheel.next_deadline() {
                    self.now = self.now.max(next);
                }
            }
        }
    }

    fn reschedule(&mut self, index: u8, deadline: Instant) {
        if let Some(entry) = self.entry(index) {
            entry.deadline = deadline;
            let id = entry.id;
            self.wheel.reschedule(id, deadline);
        }
    }

    /// What is due fires, each once; then the next deadline is no later than the first entry.
    fn expire(&mut self) {
        let now = self.now;
        let mut fired: Vec<u32> = std::iter::from_fn(|| self.wheel.expire(now)).collect();
        fired.sort_unstable();
        let mut due = Vec::new();
        for entry in &mut self.model {
            if entry.deadline <= now && entry.deadline != Instant::NEVER {
                due.push(entry.owner);
                entry.deadline = Instant::NEVER;
            }
        }
        due.sort_unstable();
        assert_eq!(fired, due, "at {now:?}");
        let deadlines = self.model.iter().map(|entry| entry.deadline);
        let first = deadlines.filter(|&at| at != Instant::NEVER).min();
        let next = self.wheel.next_deadline();
        assert_eq!(next.is_some(), first.is_some());
        assert!(next <= first, "{next:?} is after {first:?}");
    }
}
