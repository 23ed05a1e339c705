//! What follows from the model: pacing rate and cwnd, draft-ietf-ccwg-bbr 4.6.

use super::{Bbr, DeliverySample, Phase};

/// BBR.PacingMarginPercent: the queue shrinks rather than stays.
const PACING_MARGIN: f32 = 0.99;
/// BBR.MinPipeCwnd in segments.
const LEAST_SEGMENTS: u32 = 4;
/// BBR.send_quantum at most, in bytes.
const QUANTUM_MAX: f32 = 65_536.0;

impl Bbr {
    /// BBRSetPacingRate: in Startup it never falls.
    pub(super) fn set_pacing_rate(&mut self) {
        let (gain, _) = self.phase.gains();
        if self.min_rtt.micros == u32::MAX {
            return;
        }
        if self.pacing_rate == 0.0 {
            // BBRInitPacingRate: small talk before says nothing of the path.
            let initial = gain * self.window.initial() as f32;
            self.pacing_rate = initial * 1e6 / self.min_rtt.micros.max(1) as f32;
        }
        let rate = self.paced(gain);
        if self.full_pipe.ever || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    pub(super) fn paced(&self, gain: f32) -> f32 {
        gain * self.bw() * PACING_MARGIN
    }

    /// BBR.send_quantum in bytes: what leaves in a millisecond.
    pub(super) fn send_quantum(&self) -> u32 {
        let millisecond = (self.pacing_rate / 1_000.0).min(QUANTUM_MAX) as u32;
        millisecond.max(2 * self.window.smss)
    }

    /// BBRSetCwnd.
    pub(super) fn set_cwnd(&mut self, sample: &DeliverySample) {
        let (_, gain) = self.phase.gains();
        let most = self.inflight(gain).saturating_add(self.aggregation.extra());
        let acked = sample.ack.newly_acked;
        let cwnd = self.window.cwnd;
        if self.full_pipe.ever {
            self.window.cwnd = cwnd.saturating_add(acked).min(most);
        } else if cwnd < most || sample.rate.total < self.window.initial() {
            self.window.grow(acked);
        }
        self.window.cwnd = self
            .window
            .cwnd
            .max(self.least_cwnd())
            .min(self.most_cwnd());
    }

    /// BBRBoundCwndForProbeRTT, BBRBoundCwndForModel, in bytes.
    fn most_cwnd(&self) -> u32 {
        let bound = match self.phase {
            Phase::ProbeRtt => self.with_headroom().min(self.probe_rtt_cwnd()),
            Phase::Cruise => self.with_headroom(),
            Phase::Down | Phase::Refill | Phase::Up => self.bounds.long,
            Phase::Startup | Phase::Drain => u32::MAX,
        };
        bound.min(self.bounds.short).max(self.least_cwnd())
    }

    pub(super) fn least_cwnd(&self) -> u32 {
        LEAST_SEGMENTS * self.window.smss
    }

    /// BBRSaveCwnd.
    pub(super) fn save_cwnd(&mut self) {
        let is_low = self.repairs || self.phase == Phase::ProbeRtt;
        let saved = if is_low { self.prior_cwnd } else { 0 };
        self.prior_cwnd = self.window.cwnd.max(saved);
    }

    /// BBRRestoreCwnd.
    pub(super) fn restore_cwnd(&mut self) {
        self.window.cwnd = self.window.cwnd.max(self.prior_cwnd);
    }
}
