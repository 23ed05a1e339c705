//! The flight recorder: what last happened to each connection, always on.
//!
//! A connection that is active has a ring of events out of a bounded pool; when there is none
//! left, one that has been silent for longer gives its own. When a connection meets trouble, its
//! ring is copied to a place where later events do not overwrite it.

mod event;

use std::collections::VecDeque;

use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

pub use event::Event;

use crate::limits::{FLIGHT_EVENTS, FLIGHT_RINGS, FLIGHT_SAVED};
use event::{Packed, SPAN_MAX};

/// Rings that are looked at for one that was silent.
const LOOKS: usize = 16;

/// The ring of a connection, while it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RingId(u32);

impl RingId {
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// What was the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// A retransmission time-out.
    Rto,
    /// A reset, received or sent.
    Reset,
    /// A peer that closed its window to what was to be sent.
    ZeroWindow,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rto, Self::Reset, Self::ZeroWindow];

    /// The name that reports give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rto => "rto",
            Self::Reset => "reset",
            Self::ZeroWindow => "zero window",
        }
    }
}

/// What last happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Both ends.
    pub tuple: Tuple,
    /// Why it was saved; `None` for the ring of a connection, as it is now.
    pub trouble: Option<Trouble>,
    /// Shift of the peer's windows, and of ours.
    pub window_scale: (u8, u8),
    /// Events that are gone, for want of room.
    pub forgotten: u64,
    /// In the order of time, to the microsecond.
    pub events: Vec<(Instant, Event)>,
}

/// The state of a ring.
#[derive(Debug, Clone, Copy)]
struct Head {
    tuple: Tuple,
    /// The connection that it belongs to; `NOBODY` for one that is over.
    owner: u32,
    /// Events written, those that are overwritten included.
    written: u64,
    /// Microseconds at the last event.
    last: u64,
    /// cwnd as it was last written down.
    cwnd: u32,
    window_scale: (u8, u8),
    /// Whether something was written since it was last looked at for a new owner.
    active: bool,
}

const NOBODY: u32 = u32::MAX;

#[derive(Debug)]
struct Saved {
    /// `None` while its place is free.
    head: Option<Head>,
    events: Box<[Packed; FLIGHT_EVENTS]>,
}

impl Default for Saved {
    fn default() -> Self {
        Self {
            head: None,
            events: Box::new([Packed::default(); FLIGHT_EVENTS]),
        }
    }
}

/// The recorder of a worker.
#[derive(Debug)]
pub struct Flight {
    heads: Vec<Head>,
    events: Vec<[Packed; FLIGHT_EVENTS]>,
    /// Rings of connections that are over, the oldest first.
    over: VecDeque<u32>,
    /// Where to look next for a ring that was silent.
    hand: usize,
    /// By trouble.
    saved: [Vec<Saved>; 3],
    /// Recordings saved so far, by trouble.
    saves: [usize; 3],
}

impl Flight {
    /// All its memory is taken here, and touched when it is first used.
    pub(crate) fn new() -> Self {
        Self {
            heads: Vec::with_capacity(FLIGHT_RINGS),
            events: Vec::with_capacity(FLIGHT_RINGS),
            over: VecDeque::with_capacity(FLIGHT_RINGS),
            hand: 0,
            saved: std::array::from_fn(|_| (0..FLIGHT_SAVED).map(|_| Saved::default()).collect()),
            saves: [0; 3],
        }
    }

    /// Writes down what happened to the connection `owner`, whose ring is `ring`.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        ring: &mut RingId,
        (owner, tuple): (u32, &Tuple),
        event: Event,
    ) {
        let micros = now.as_nanos() / 1_000;
        let owns = self.head(*ring).is_some_and(|head| head.owner == owner);
        if !owns {
            *ring = self.take(owner, tuple, micros);
        }
        let at = ring.0 as usize;
        let (Some(head), Some(events)) = (self.heads.get_mut(at), self.events.get_mut(at)) else {
            return;
        };
        let mut span = micros.saturating_sub(head.last);
        if span > SPAN_MAX {
            head.push(events, Packed::silence(span));
            span = 0;
        }
        head.push(events, Packed::new(event, span));
        head.last = head.last.max(micros);
        head.active = true;
        if let Event::Congestion { cwnd, .. } = event {
            head.cwnd = cwnd;
        }
    }

    /// Whether cwnd is worth to be written down: it has shrunk, or grown by an eighth.
    pub(crate) fn is_news(&self, ring: RingId, cwnd: u32) -> bool {
        self.head(ring)
            .is_some_and(|head| cwnd < head.cwnd || cwnd - head.cwnd > head.cwnd / 8)
    }

    /// What the window fields of a connection are shifted by.
    pub(crate) fn set_window_scale(&mut self, ring: RingId, window_scale: (u8, u8)) {
        if let Some(head) = self.heads.get_mut(ring.0 as usize) {
            head.window_scale = window_scale;
        }
    }

    /// Keeps what happened to the connection `owner` until now.
    pub(crate) fn save(&mut self, ring: RingId, owner: u32, trouble: Trouble) {
        let Some(&head) = self.head(ring).filter(|head| head.owner == owner) else {
            return;
        };
        let source = &self.events[ring.0 as usize];
        let (saved, saves) = (
            &mut self.saved[trouble as usize],
            &mut self.saves[trouble as usize],
        );
        // One of the same connection is a part of this one, or too old to be missed.
        let again = saved
            .iter()
            .position(|old| old.head.is_some_and(|old| old.tuple == head.tuple));
        let at = again.unwrap_or(*saves % FLIGHT_SAVED);
        *saves += usize::from(again.is_none());
        if let Some(saved) = saved.get_mut(at) {
            saved.head = Some(head);
            saved.events.copy_from_slice(source);
        }
    }

    /// The connection `from` is `to` from now on.
    pub(crate) fn pass(&mut self, ring: RingId, from: u32, to: u32) {
        if let Some(head) = self.heads.get_mut(ring.0 as usize)
            && head.owner == from
        {
            head.owner = to;
        }
    }

    /// The connection `owner` is over; its ring stays to be read until another needs it.
    pub(crate) fn leave(&mut self, ring: RingId, owner: u32) {
        if let Some(head) = self.heads.get_mut(ring.0 as usize)
            && head.owner == owner
        {
            head.owner = NOBODY;
            self.over.push_back(ring.0);
        }
    }

    /// What the rings hold, connections that are over included, and what was saved, of those that
    /// `is_meant` picks.
    pub fn recordings(&self, is_meant: impl Fn(&Tuple, Option<Trouble>) -> bool) -> Vec<Recording> {
        let rings = self.heads.iter().zip(&self.events);
        let rings = rings.map(|(head, events)| (head, None, &events[..]));
        let saved = Trouble::ALL.into_iter().flat_map(|trouble| {
            let saved = self.saved[trouble as usize].iter();
            saved.filter_map(move |it| Some((it.head.as_ref()?, Some(trouble), &it.events[..])))
        });
        let all = rings.chain(saved);
        let meant = all.filter(|(head, trouble, _)| is_meant(&head.tuple, *trouble));
        meant
            .map(|(head, trouble, events)| head.recording(trouble, events))
            .collect()
    }

    fn head(&self, ring: RingId) -> Option<&Head> {
        self.heads.get(ring.0 as usize)
    }

    /// A ring for a connection: a new one, the oldest of those that are over, or that of one
    /// that was silent.
    fn take(&mut self, owner: u32, tuple: &Tuple, micros: u64) -> RingId {
        let head = Head {
            tuple: *tuple,
            owner,
            written: 0,
            last: micros,
            cwnd: 0,
            window_scale: (0, 0),
            active: true,
        };
        if self.heads.len() < FLIGHT_RINGS {
            self.heads.push(head);
            self.events.push([Packed::default(); FLIGHT_EVENTS]);
            return RingId(self.heads.len() as u32 - 1);
        }
        let over = self.over.pop_front();
        let ring = over.unwrap_or_else(|| self.silent());
        self.heads[ring as usize] = head;
        RingId(ring)
    }

    fn silent(&mut self) -> u32 {
        for _ in 0..LOOKS {
            self.hand = (self.hand + 1) % FLIGHT_RINGS;
            if !std::mem::take(&mut self.heads[self.hand].active) {
                break;
            }
        }
        self.hand as u32
    }
}

impl Head {
    fn push(&mut self, events: &mut [Packed; FLIGHT_EVENTS], event: Packed) {
        events[self.written as usize % FLIGHT_EVENTS] = event;
        self.written += 1;
    }

    fn recording(&self, trouble: Option<Trouble>, ring: &[Packed]) -> Recording {
        let kept = (self.written as usize).min(FLIGHT_EVENTS);
        let mut micros = self.last;
        let mut events = Vec::with_capacity(kept);
        // Only the time of the newest is known: spans lead back from there.
        for back in 1..=kept {
            let packed = ring[(self.written as usize - back) % FLIGHT_EVENTS];
            let at = Instant::from_nanos(micros * 1_000);
            events.extend(packed.event().map(|event| (at, event)));
            micros = micros.saturating_sub(packed.span());
        }
        events.reverse();
        Recording {
            tuple: self.tuple,
            trouble,
            window_scale: self.window_scale,
            forgotten: self.written - kept as u64,
            events,
        }
    }
}

#[cfg(test)]
mod tests;
