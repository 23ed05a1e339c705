//! Time-outs: RFC 9293 3.10.8, RFC 6298 5.

use std::time::Duration;

use super::{CloseReason, Connection, Pending};
use crate::buffer::BlockPool;
use crate::limits::R1_RETRANSMISSIONS;
use crate::rcv::AckDue;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    /// Does all that is due at `now`.
    pub fn on_deadline(&mut self, now: Instant, pool: &mut BlockPool) {
        if self.timers.take_due(Timer::DelayedAck, now) {
            self.rcv.ack_due = AckDue::Now;
        }
        if self.timers.take_due(Timer::Retransmit, now) {
            self.on_retransmit_timeout(now, pool);
        }
        if self.timers.take_due(Timer::Reordering, now) {
            self.on_reordering_timeout(now, pool);
        }
        if self.timers.take_due(Timer::TailProbe, now) {
            self.pending.insert(Pending::TAIL_PROBE);
        }
        if self.timers.take_due(Timer::Persist, now) {
            self.on_persist_timeout(now);
        }
        if self.timers.take_due(Timer::KeepAlive, now) {
            self.on_keep_alive_timeout(now);
        }
        if self.timers.take_due(Timer::Memory, now) && self.snd.take_unblocked(0) {
            self.pending.insert(Pending::WRITABLE);
        }
        // What was held back is sent by whoever polls now.
        let _ = self.timers.take_due(Timer::Pacing, now);
        if self.timers.take_due(Timer::Linger, now) {
            match self.state {
                State::Closed => self.throw_away_unread(pool),
                State::TimeWait => self.enter_closed(CloseReason::Finished),
                _ => self.enter_closed(CloseReason::TimedOut),
            }
        }
    }

    /// Nobody has read what the peer said last, and will not know how it ended.
    fn throw_away_unread(&mut self, pool: &mut BlockPool) {
        if self.rcv.unread() > 0 && self.close_reason == CloseReason::Finished {
            self.close_reason = CloseReason::Unread;
        }
        self.rcv.clear(pool);
    }

    /// RFC 6298 5.4 to 5.7.
    fn on_retransmit_timeout(&mut self, now: Instant, pool: &mut BlockPool) {
        let handshake = !self.state.is_synchronized();
        if !handshake && self.snd.wnd == 0 {
            // RFC 9293 3.8.6 (MUST-35, SHLD-17): the peer took its window back, nothing is lost.
            return self.on_persist_timeout(now);
        }
        if self.is_unanswered(now) {
            // RFC 9293 3.8.3 (MUST-20, MUST-22): R2.
            self.enter_closed(CloseReason::TimedOut);
            return;
        }
        self.liveness.retries = self.liveness.retries.saturating_add(1);
        if self.liveness.retries == R1_RETRANSMISSIONS {
            self.pending.insert(Pending::RETRANSMITTING);
        }
        self.rtt.back_off();
        if handshake {
            self.pending.insert(Pending::SYN);
            self.counts.retransmissions += 1;
        } else {
            let flight = self.snd.flight();
            let rtts = self.rtt.rtts();
            let first = self.recovery.on_timeout(pool, now, flight, rtts);
            self.timers.disarm(Timer::Reordering);
            self.timers.disarm(Timer::TailProbe);
            self.pending.remove(Pending::TAIL_PROBE);
            self.congestion.on_timeout(flight.len(), first);
            self.ecn.on_reduced(self.snd.nxt);
            self.doubt_path(now, pool);
        }
        self.arm_retransmit(now);
    }

    /// RFC 6298 5.1.
    pub(super) fn arm_retransmit(&mut self, now: Instant) {
        let due = now + self.rtt.rto().duration();
        self.timers.arm(Timer::Retransmit, due.min(self.r2()));
    }

    /// Whether R1 is reached: the way to the peer may have changed (RFC 9293 3.8.3, MUST-20).
    #[must_use]
    pub fn is_retransmitting(&self) -> bool {
        self.liveness.retries >= R1_RETRANSMISSIONS
    }

    /// RFC 9293 3.8.6.1: probes go on as long as they are answered (MUST-37), and as long as the
    /// application bears it (RFC 6429 4).
    fn on_persist_timeout(&mut self, now: Instant) {
        if let Some(limit) = self.config.stall_timeout
            && self.give_up_stalled(now, limit.duration())
        {
            return;
        }
        if self.is_unanswered(now) {
            self.enter_closed(CloseReason::TimedOut);
            return;
        }
        self.pending.insert(Pending::PROBE);
        self.liveness.retries = self.liveness.retries.saturating_add(1);
        if self.snd.una != self.snd.nxt && self.snd.wnd > 0 {
            // The last probe filled a small window, and had no answer.
            self.doubt_path_of_probe(now);
        }
        self.arm_persist(now);
    }

    /// Resets a connection whose peer has taken nothing of what is queued for `patience`
    /// (RFC 6429 4). Whether it was one.
    pub fn give_up_stalled(&mut self, now: Instant, patience: Duration) -> bool {
        let stalled = self.liveness.stalled;
        let hopeless = stalled != Instant::NEVER && now.since(stalled) >= patience;
        if hopeless {
            self.enter_reset(CloseReason::Stalled);
        }
        hopeless
    }

    /// RFC 9293 3.8.6.1: the first probe after an RTO (SHLD-29), then ever slower (SHLD-30).
    pub(super) fn arm_persist(&mut self, now: Instant) {
        if self.liveness.stalled == Instant::NEVER && self.snd.wnd == 0 {
            self.liveness.stalled = now;
        }
        let rto = self.rtt.rto();
        let backed_off = u64::from(rto.micros()) << self.liveness.retries.min(31);
        let interval = rto.set(u32::try_from(backed_off).unwrap_or(u32::MAX));
        let mut due = (now + interval.duration()).min(self.r2());
        if let Some(limit) = self.config.stall_timeout
            && self.liveness.stalled != Instant::NEVER
        {
            due = due.min(self.liveness.stalled + limit);
        }
        self.timers.arm(Timer::Persist, due);
    }

    /// RFC 9293 3.8.4.
    fn on_keep_alive_timeout(&mut self, now: Instant) {
        let Some(keep_alive) = self.config.keep_alive else {
            return;
        };
        let idle = now.since(self.liveness.heard);
        let outstanding = self.snd.una != self.snd.nxt || self.snd.unsent() > 0;
        if outstanding || idle < keep_alive.idle.duration() {
            // MUST-26: only when nothing is outstanding and nothing came.
            let from = if outstanding {
                now
            } else {
                self.liveness.heard
            };
            self.timers.arm(Timer::KeepAlive, from + keep_alive.idle);
        } else if self.liveness.probes >= keep_alive.probes {
            self.enter_reset(CloseReason::TimedOut);
        } else {
            self.liveness.probes += 1;
            self.pending.insert(Pending::PROBE);
            self.timers.arm(Timer::KeepAlive, now + keep_alive.interval);
        }
    }

    /// Whether nothing was acknowledged for as long as R2 allows, counted from the first expiry.
    fn is_unanswered(&mut self, now: Instant) -> bool {
        if self.liveness.unanswered == Instant::NEVER {
            self.liveness.unanswered = now;
        }
        now >= self.r2()
    }

    /// When R2 is reached if no answer comes: it does not wait for the next retransmission.
    fn r2(&self) -> Instant {
        let since = self.liveness.unanswered;
        if since == Instant::NEVER {
            return since;
        }
        let limit = if self.state.is_synchronized() {
            self.user_timeout()
        } else {
            // RFC 9293 3.8.3 (MUST-23).
            self.config.syn_timeout.duration()
        };
        since + limit
    }
}
