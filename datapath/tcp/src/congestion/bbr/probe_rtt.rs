//! ProbeRTT: draft-ietf-ccwg-bbr 4.3.4. Now and then the queue is left empty, to see the path.

use super::{Bbr, DeliverySample, Phase};
use crate::time::{Instant, Millis};

/// BBR.ProbeRTTDuration.
const DURATION: Millis = Millis(200);

/// How long little is kept in flight.
#[derive(Debug)]
pub(super) struct ProbeRtt {
    /// BBR.probe_rtt_done_stamp; `NEVER` until little is in flight.
    ends: Instant,
    /// BBR.probe_rtt_round_done.
    round_done: bool,
}

impl Default for ProbeRtt {
    fn default() -> Self {
        Self {
            ends: Instant::NEVER,
            round_done: false,
        }
    }
}

impl Bbr {
    /// BBRCheckProbeRTT.
    pub(super) fn probe_min_rtt(&mut self, sample: &DeliverySample) {
        if self.phase != Phase::ProbeRtt && self.min_rtt.expired && !self.idle_restart {
            self.save_cwnd();
            self.phase = Phase::ProbeRtt;
            self.stop_probing();
            self.round.begin(sample.rate.total);
            self.probe_rtt = ProbeRtt::default();
        }
        if self.phase == Phase::ProbeRtt {
            self.stay_in_probe_rtt(sample);
        }
        self.idle_restart &= sample.rate.delivered == 0;
    }

    /// BBRHandleProbeRTT: from when little is in flight, for so long and for a round at least.
    fn stay_in_probe_rtt(&mut self, sample: &DeliverySample) {
        let now = sample.ack.now;
        if self.probe_rtt.ends == Instant::NEVER {
            if sample.in_flight <= self.probe_rtt_cwnd() {
                self.probe_rtt.ends = now + DURATION;
                self.probe_rtt.round_done = false;
                self.round.begin(sample.rate.total);
            }
            return;
        }
        self.probe_rtt.round_done |= self.round.starts;
        if self.probe_rtt.round_done && now > self.probe_rtt.ends {
            self.min_rtt.recent_at = now;
            self.restore_cwnd();
            self.leave_probe_rtt(sample);
        }
    }

    /// BBRExitProbeRTT.
    fn leave_probe_rtt(&mut self, sample: &DeliverySample) {
        self.bounds.forget_short();
        if self.full_pipe.ever {
            self.start_down(sample);
            self.phase = Phase::Cruise;
        } else {
            self.phase = Phase::Startup;
        }
    }

    /// BBRProbeRTTCwnd in bytes.
    pub(super) fn probe_rtt_cwnd(&self) -> u32 {
        let (_, gain) = Phase::ProbeRtt.gains();
        self.bdp(gain).unwrap_or(0).max(self.least_cwnd())
    }
}
