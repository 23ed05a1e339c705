//! What the application asks of a connection: RFC 9293 3.10.2 to 3.10.6.

use super::{CloseReason, Connection, Pending};
use crate::buffer::BlockPool;
use crate::limits::SEND_BUFFER_FIRST;
use crate::snd::Fin;
use crate::state::State;
use crate::time::Instant;
use crate::time_wait::TimeWait;
use crate::timers::Timer;

impl Connection {
    /// SEND: queues as much of `text` as there is room for and returns how much that was; 0 once
    /// the connection was shut down. After a short count, `Event::Writable` tells of room.
    pub fn send(&mut self, pool: &mut BlockPool, text: &[u8]) -> usize {
        if !self.may_send() || text.is_empty() {
            return 0;
        }
        let limit = self.send_limit().min(pool.share());
        self.snd.push(pool, limit, text)
    }

    /// Whether [`send`](Self::send) takes anything, now or later.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.state.may_send_text() && self.snd.fin == Fin::None
    }

    /// Bytes that [`send`](Self::send) would take now, if the pool had them.
    #[must_use]
    pub fn send_room(&self) -> usize {
        self.send_limit().saturating_sub(self.snd.queued()) as usize
    }

    /// Bytes that may wait for acknowledgment: as many again as cwnd lets go, beside what has left
    /// the network and is only held until a hole before it is filled.
    pub(super) fn send_limit(&self) -> u32 {
        let flight = self.snd.flight().len();
        let held = flight.saturating_sub(self.recovery.in_flight(flight));
        self.config.send_buffer.min(self.unheld() + held)
    }

    /// How much of [`send_limit`](Self::send_limit) there is without a hole.
    fn unheld(&self) -> u32 {
        let wanted = self.congestion.cwnd().saturating_mul(2);
        self.config.send_buffer.min(wanted.max(SEND_BUFFER_FIRST))
    }

    /// Tells an application that was refused bytes when a quarter of the buffer is free: early
    /// enough that text does not run out while cwnd is in flight and half of it waits.
    pub(super) fn offer_room(&mut self) {
        let full = self.send_limit().saturating_sub(self.unheld() / 4);
        if self.snd.take_unblocked(full) {
            self.pending.insert(Pending::WRITABLE);
        }
    }

    /// The application took `used` bytes of the `text` that
    /// [`on_segment`](Self::on_segment) returned; the rest is kept for later.
    pub fn settle(&mut self, pool: &mut BlockPool, text: &[u8], used: usize) {
        self.rcv.settle(pool, text, used);
    }

    /// Bytes in order that the application has not taken; 0 once the connection has failed. What
    /// was finished on both sides is still to be read.
    #[must_use]
    pub fn unread(&self) -> u32 {
        let failed = self.state == State::Closed && self.close_reason != CloseReason::Finished;
        if failed { 0 } else { self.rcv.unread() }
    }

    /// RECEIVE: the next piece of text that was kept; empty when there is none.
    #[must_use]
    pub fn peek<'a>(&self, pool: &'a BlockPool) -> &'a [u8] {
        self.rcv.peek(pool)
    }

    /// The application took `count` bytes of what [`peek`](Self::peek) showed.
    pub fn consume(&mut self, pool: &mut BlockPool, count: usize) {
        self.rcv.consume(pool, count as u32);
    }

    /// Nothing more will be sent: a FIN follows what is queued. Receiving goes on (half-close).
    pub fn shutdown(&mut self) {
        if self.snd.fin != Fin::None {
            return;
        }
        self.state = match self.state {
            State::SynSent => return self.enter_closed(CloseReason::Aborted),
            State::SynReceived => State::SynReceived,
            State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        self.snd.finish();
        self.pending.remove(Pending::WRITABLE);
    }

    /// CLOSE: as [`shutdown`](Self::shutdown), and nobody reads any more. Unread text makes it a
    /// reset (RFC 9293 3.6, SHLD-3), and so does text that comes later.
    pub fn close(&mut self, now: Instant, pool: &mut BlockPool) {
        if self.unread() > 0 && self.state != State::TimeWait {
            self.rcv.clear(pool);
            self.enter_reset(CloseReason::Unread);
            return;
        }
        self.rcv.clear(pool);
        self.pending.insert(Pending::DETACHED);
        self.shutdown();
        if self.state == State::FinWait2 {
            self.arm_fin_wait_2(now);
        }
    }

    /// ABORT: an RST, and all is forgotten.
    pub fn abort(&mut self) {
        self.enter_reset(CloseReason::Aborted);
    }

    /// Gives all blocks back; the connection is of no use afterwards.
    pub fn release(&mut self, pool: &mut BlockPool) {
        self.snd.clear(pool);
        self.rcv.clear(pool);
        self.recovery.clear(pool);
    }

    /// The small remainder of a connection in TIME-WAIT whose text is all read. It takes the place
    /// of the connection, which is then to be [`release`](Self::release)d.
    #[must_use]
    pub fn time_wait(&self) -> Option<TimeWait> {
        if self.state != State::TimeWait || self.unread() > 0 {
            return None;
        }
        Some(TimeWait {
            snd_nxt: self.snd.nxt,
            rcv_nxt: self.rcv.nxt,
            window: self.negotiated.rcv_scale.field(self.rcv.wnd()),
            timestamps: self.negotiated.timestamps(),
            ts_recent: self.negotiated.ts_recent(),
            ts_offset: self.negotiated.ts_offset(),
            lasts: self.config.msl,
            deadline: self.timers.deadline(Timer::Linger),
            acked_at: self.liveness.challenged,
        })
    }
}
