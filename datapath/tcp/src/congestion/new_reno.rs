//! RFC 5681 with appropriate byte counting (RFC 3465).

use super::AckSample;
use super::window::Window;

/// L of RFC 3465 2.2: full segments by which one ACK may grow cwnd in slow start.
const GROWTH_SEGMENTS: u32 = 2;

#[derive(Debug)]
pub(crate) struct NewReno {
    window: Window,
    /// Bytes acknowledged since cwnd last grew in congestion avoidance: RFC 3465 2.1.
    bytes_acked: u32,
}

impl NewReno {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            bytes_acked: 0,
        }
    }

    pub(super) const fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    pub(super) const fn window(&self) -> &Window {
        &self.window
    }

    pub(super) fn on_ack(&mut self, sample: &AckSample) {
        // RFC 7661 1: a window that is not used says nothing of the path.
        if !sample.cwnd_limited {
            return;
        }
        let Window { smss, cwnd, .. } = self.window;
        if self.window.in_slow_start() {
            self.window
                .grow(sample.newly_acked.min(GROWTH_SEGMENTS * smss));
            return;
        }
        self.bytes_acked = self.bytes_acked.saturating_add(sample.newly_acked);
        if self.bytes_acked >= cwnd {
            self.bytes_acked -= cwnd;
            self.window.grow(smss);
        }
    }

    pub(super) fn on_loss(&mut self, flight_size: u32) {
        self.window.reduce(flight_size / 2);
        self.bytes_acked = 0;
    }

    pub(super) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        if first {
            self.window.reduce(flight_size / 2);
        }
        self.window.collapse();
        self.bytes_acked = 0;
    }

    pub(super) fn undo(&mut self) {
        self.window.undo();
    }

    pub(super) fn on_recovered(&mut self, limit: u32) {
        self.window.settle(limit);
        self.bytes_acked = 0;
    }

    pub(super) fn restart(&mut self, lost_syn: bool) {
        self.window.restart(lost_syn);
        self.bytes_acked = 0;
    }
}
