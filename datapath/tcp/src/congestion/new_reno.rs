//! RFC 5681 with appropriate byte counting (RFC 3465) and the initial window of RFC 6928.

use super::AckSample;

/// Initial window in segments: RFC 6928 2.
const INITIAL_SEGMENTS: u32 = 10;
/// Initial window in bytes, unless two segments are larger: RFC 6928 2.
const INITIAL_BYTES: u32 = 14_600;
/// L of RFC 3465 2.2: full segments by which one ACK may grow cwnd in slow start.
const GROWTH_SEGMENTS: u32 = 2;
/// Far above any buffer, so that cwnd cannot overflow.
const CWND_MAX: u32 = 1 << 30;

#[derive(Debug)]
pub(crate) struct NewReno {
    smss: u32,
    cwnd: u32,
    ssthresh: u32,
    /// Bytes acknowledged since cwnd last grew in congestion avoidance: RFC 3465 2.1.
    bytes_acked: u32,
}

impl NewReno {
    pub(super) fn new(smss: u32) -> Self {
        Self {
            smss,
            cwnd: initial_window(smss),
            ssthresh: u32::MAX,
            bytes_acked: 0,
        }
    }

    pub(super) const fn cwnd(&self) -> u32 {
        self.cwnd
    }

    pub(super) const fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    pub(super) fn on_ack(&mut self, sample: &AckSample) {
        // RFC 7661 1: a window that is not used says nothing of the path.
        if !sample.cwnd_limited {
            return;
        }
        if self.cwnd < self.ssthresh {
            let growth = sample.newly_acked.min(GROWTH_SEGMENTS * self.smss);
            self.grow(growth);
            return;
        }
        self.bytes_acked = self.bytes_acked.saturating_add(sample.newly_acked);
        if self.bytes_acked >= self.cwnd {
            self.bytes_acked -= self.cwnd;
            self.grow(self.smss);
        }
    }

    pub(super) fn on_loss(&mut self, flight_size: u32) {
        self.halve(flight_size);
        self.cwnd = self.ssthresh;
    }

    pub(super) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        if first {
            self.halve(flight_size);
        }
        // RFC 5681 3.1: the loss window is one full segment.
        self.cwnd = self.smss;
        self.bytes_acked = 0;
    }

    pub(super) fn on_recovered(&mut self, flight_size: u32) {
        // RFC 6582 3.2 step 3, first choice: no burst after the recovery.
        let drained = flight_size.max(self.smss).saturating_add(self.smss);
        self.cwnd = self.ssthresh.min(drained).max(self.smss);
        self.bytes_acked = 0;
    }

    pub(super) fn restart(&mut self, lost_syn: bool) {
        let window = if lost_syn {
            self.smss
        } else {
            initial_window(self.smss)
        };
        self.cwnd = self.cwnd.min(window);
        self.bytes_acked = 0;
    }

    /// RFC 5681 3.1 equation (4).
    fn halve(&mut self, flight_size: u32) {
        self.ssthresh = (flight_size / 2).max(2 * self.smss);
        self.bytes_acked = 0;
    }

    fn grow(&mut self, bytes: u32) {
        self.cwnd = self.cwnd.saturating_add(bytes).min(CWND_MAX);
    }
}

fn initial_window(smss: u32) -> u32 {
    (INITIAL_SEGMENTS * smss).min(INITIAL_BYTES.max(2 * smss))
}
