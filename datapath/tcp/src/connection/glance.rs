//! What a recorder asks of a connection, many times a second.

use super::Connection;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    /// cwnd in bytes.
    #[must_use]
    pub fn cwnd(&self) -> u32 {
        self.congestion.cwnd()
    }

    /// ssthresh in bytes; `u32::MAX` before there was a loss.
    #[must_use]
    pub fn ssthresh(&self) -> u32 {
        self.congestion.ssthresh()
    }

    /// RTO in microseconds.
    #[must_use]
    pub const fn rto(&self) -> u32 {
        self.rtt.rto().micros()
    }

    /// Shift of the peer's windows, and of ours.
    #[must_use]
    pub const fn window_scale(&self) -> (u8, u8) {
        let negotiated = &self.negotiated;
        (negotiated.snd_scale.shift(), negotiated.rcv_scale.shift())
    }

    /// The timer that [`on_deadline`](Self::on_deadline) finds due at `now`, the earliest of
    /// several.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Timer> {
        let next = self.timers.next().filter(|&(_, at)| at <= now);
        next.map(|(timer, _)| timer)
    }

    /// Whether the peer's window is closed.
    #[must_use]
    pub const fn is_shut_out(&self) -> bool {
        self.state.is_synchronized() && self.snd.wnd == 0
    }
}
