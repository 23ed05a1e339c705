//! Pacing: what may be sent is spread over the round trip, so that short queues hold it.

use std::time::Duration;

use super::Connection;
use crate::limits::{PACED_RTT_MIN, PACING_CREDIT};
use crate::time::Instant;
use crate::timers::Timer;

/// When text may leave.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    /// When the next segment of text is due.
    next: Instant,
}

impl Connection {
    /// Bytes per second that pacing lets go; `None` without it.
    pub(super) fn pacing_rate(&self) -> Option<f32> {
        let srtt = self.rtt.srtt();
        let paced = self.config.pacing && srtt >= PACED_RTT_MIN.micros();
        (paced || self.congestion.is_paced())
            .then(|| self.congestion.pacing_rate(srtt))
            .flatten()
    }

    /// Whether text must wait; then its timer is armed. The initial window goes at once, as in
    /// Linux: short answers do not gain by waiting.
    pub(super) fn is_held_back(&mut self, now: Instant) -> bool {
        let sent = self.counts.bytes_acked + u64::from(self.snd.flight().len());
        let initial = u64::from(self.config.initial_window) * u64::from(self.effective_mss());
        let first = sent < initial;
        let held = !first && self.pacer.next > now;
        if held {
            self.timers.arm(Timer::Pacing, self.pacer.next);
        }
        held
    }

    /// `bytes` of text leave: the next may follow when the rate has made up for them. What timers
    /// came too late for, and a pause of the application, is made up for by a short burst.
    pub(super) fn pace(&mut self, now: Instant, bytes: u32) {
        if let Some(rate) = self.pacing_rate() {
            let nanos = bytes as f32 * 1e9 / rate.max(1.0);
            let earliest = now - PACING_CREDIT;
            self.pacer.next = self.pacer.next.max(earliest) + Duration::from_nanos(nanos as u64);
        }
    }
}
