//! What is left of a connection in TIME-WAIT: RFC 9293 3.6.1.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Options, Segment, Timestamps, UnscaledWindow};

use crate::limits::CHALLENGE_ACK_INTERVAL;
use crate::negotiated::ts_value;
use crate::time::{Instant, Millis};

/// A connection in TIME-WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWait {
    pub(crate) snd_nxt: SeqNum,
    pub(crate) rcv_nxt: SeqNum,
    pub(crate) window: UnscaledWindow,
    pub(crate) timestamps: bool,
    pub(crate) ts_recent: u32,
    pub(crate) ts_offset: u32,
    pub(crate) lasts: Millis,
    pub(crate) deadline: Instant,
    pub(crate) acked_at: Instant,
}

const _: () = assert!(size_of::<TimeWait>() <= 64);

/// What a segment means for a connection in TIME-WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeWaitVerdict {
    /// Nothing to do.
    Ignore,
    /// Answer with this ACK.
    Reply(Header),
    /// A new connection of the same peer: forget this one and listen (MAY-2, RFC 6191). The new
    /// ISN must lie after this.
    Reopen(SeqNum),
}

impl TimeWait {
    /// When it may be forgotten.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether a new connection of ours may take its place, and what its ISN must lie after. Later
    /// timestamps tell its segments from what is left of this one, at both ends: RFC 6191 2.
    #[must_use]
    pub fn makes_way(&self, now: Instant) -> Option<SeqNum> {
        let began = self.deadline - self.lasts - self.lasts;
        let later = ts_value(now, 0) != ts_value(began, 0);
        (self.timestamps && later).then_some(self.snd_nxt)
    }

    /// A segment of the peer.
    pub fn on_segment(&mut self, now: Instant, segment: &Segment<'_>) -> TimeWaitVerdict {
        // RFC 1337: an old RST must not cut TIME-WAIT short.
        if segment.has(Flags::RST) {
            return TimeWaitVerdict::Ignore;
        }
        if segment.has(Flags::SYN) && !segment.has(Flags::ACK) && self.is_new_syn(segment) {
            return TimeWaitVerdict::Reopen(self.snd_nxt);
        }
        if segment.has(Flags::FIN) && segment.end() == self.rcv_nxt {
            // RFC 9293 3.10.7.4, eighth step: the peer lost our last ACK.
            self.deadline = now + self.lasts + self.lasts;
            self.acked_at = now;
            return TimeWaitVerdict::Reply(self.ack(now));
        }
        let nothing_new = segment.is_empty() && segment.header.seq == self.rcv_nxt;
        let reply = if nothing_new {
            None
        } else {
            self.challenge(now)
        };
        reply.map_or(TimeWaitVerdict::Ignore, TimeWaitVerdict::Reply)
    }

    /// An ACK of what is known, unless one was sent lately: RFC 5961 4.2, 7.
    pub fn challenge(&mut self, now: Instant) -> Option<Header> {
        let never = self.acked_at == Instant::NEVER;
        if !never && now.since(self.acked_at) < CHALLENGE_ACK_INTERVAL {
            return None;
        }
        self.acked_at = now;
        Some(self.ack(now))
    }

    /// RFC 6191 2: a later timestamp, or without timestamps a later sequence number.
    fn is_new_syn(&self, segment: &Segment<'_>) -> bool {
        match segment
            .header
            .options
            .timestamps
            .filter(|_| self.timestamps)
        {
            Some(t) if t.value != self.ts_recent => {
                t.value.wrapping_sub(self.ts_recent).cast_signed() > 0
            }
            _ => segment.header.seq.after(self.rcv_nxt),
        }
    }

    fn ack(&self, now: Instant) -> Header {
        let value = ts_value(now, self.ts_offset);
        let timestamps = self.timestamps.then_some(Timestamps {
            value,
            echo: self.ts_recent,
        });
        Header {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: Flags::ACK,
            window: self.window,
            urgent: 0,
            options: Options {
                timestamps,
                ..Options::default()
            },
        }
    }
}
