//! Startup and Drain: draft-ietf-ccwg-bbr 4.3.1, 4.3.2.

use super::{Bbr, DeliverySample, Phase};

/// The rate must grow by a quarter in three rounds, or the pipe is full.
const GROWTH: f32 = 1.25;
const ROUNDS: u8 = 3;
/// BBR.StartupFullLossCnt.
const LOSSES: u8 = 6;

/// Whether the rate has stopped to grow: 4.3.1.2.
#[derive(Debug, Default)]
pub(super) struct FullPipe {
    /// BBR.full_bw.
    bw: f32,
    /// BBR.full_bw_count.
    rounds: u8,
    /// BBR.full_bw_now.
    pub(super) now: bool,
    /// BBR.full_bw_reached: it was so once.
    pub(super) ever: bool,
}

impl FullPipe {
    /// BBRResetFullBW, from a rate of `bw`.
    pub(super) fn begin(&mut self, bw: f32) {
        self.bw = bw;
        self.rounds = 0;
        self.now = false;
    }
}

impl Bbr {
    /// BBRCheckFullBWReached, BBRCheckStartupHighLoss.
    pub(super) fn look_for_full_pipe(&mut self, sample: &DeliverySample) {
        if self.phase == Phase::Startup && self.has_high_loss(sample) {
            self.full_pipe.ever = true;
            let held = self.round.latest_in_flight();
            self.bounds.long = self.bdp(1.0).unwrap_or(held).max(held);
        }
        // What is in flight in ProbeRTT is no rate of the path.
        let probes_rtt = self.phase == Phase::ProbeRtt;
        let full = &mut self.full_pipe;
        if probes_rtt || full.now || !self.round.starts || sample.rate.app_limited {
            return;
        }
        let rate = sample.rate.rate.unwrap_or(0.0);
        if rate >= full.bw * GROWTH {
            full.begin(rate);
            return;
        }
        full.rounds += 1;
        full.now = full.rounds >= ROUNDS;
        full.ever |= full.now;
    }

    fn has_high_loss(&self, sample: &DeliverySample) -> bool {
        sample.recovering && self.round.losses >= LOSSES && sample.is_in_flight_too_high()
    }

    /// BBRCheckStartupDone, BBRCheckDrainDone.
    pub(super) fn leave_startup(&mut self, sample: &DeliverySample) {
        if self.phase == Phase::Startup && self.full_pipe.ever {
            self.phase = Phase::Drain;
        }
        if self.phase == Phase::Drain && sample.in_flight <= self.inflight_without_losses() {
            self.start_down(sample);
        }
    }
}
