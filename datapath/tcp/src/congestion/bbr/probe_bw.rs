//! ProbeBW: draft-ietf-ccwg-bbr 4.3.3. Down empties the queue, Cruise leaves others room, Refill
//! fills the pipe without a queue, and Up looks for more.

use super::model::BETA;
use super::{Bbr, DeliverySample, Phase};
use crate::time::Instant;

/// BBR.Headroom: the share of the path that is left to others.
const HEADROOM: f32 = 0.15;
/// Least time between two probes in microseconds, and what chance adds: 4.3.3.5.3.
const PROBE_WAIT: u32 = 2_000_000;
const PROBE_WAIT_SPREAD: u32 = 1_000_000;
/// Rounds between two probes where Reno would probe as often.
const RENO_ROUNDS: u32 = 63;

/// BBR.ack_phase: what the ACKs that come now were caused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Acks {
    #[default]
    Init,
    Stopping,
    Starting,
}

/// Where the cycle stands.
#[derive(Debug)]
pub(super) struct Cycle {
    /// BBR.cycle_stamp: when Down was last entered.
    down_at: Instant,
    acks: Acks,
    /// BBR.bw_probe_wait in microseconds.
    wait: u32,
    /// BBR.rounds_since_bw_probe.
    pub(super) rounds: u32,
    /// BBR.bw_probe_up_rounds.
    up_rounds: u8,
    /// BBR.bw_probe_up_acks, and BBR.probe_up_cnt: bytes whose ACKs raise the bound by a segment.
    up_acks: u32,
    up_count: u32,
    /// BBR.bw_probe_samples: whether losses now tell of the probe.
    samples: bool,
}

impl Default for Cycle {
    fn default() -> Self {
        Self {
            down_at: Instant::ZERO,
            acks: Acks::Init,
            wait: PROBE_WAIT,
            rounds: 0,
            up_rounds: 0,
            up_acks: 0,
            up_count: u32::MAX,
            samples: false,
        }
    }
}

impl Bbr {
    /// BBRUpdateProbeBWCyclePhase.
    pub(super) fn advance_cycle(&mut self, sample: &DeliverySample) {
        if !self.full_pipe.ever {
            return;
        }
        self.adapt_upper_bound(sample);
        let phase = self.phase;
        match phase {
            Phase::Down | Phase::Cruise if self.is_time_to_probe(sample) => {
                self.start_refill(sample);
            }
            Phase::Down if self.is_time_to_cruise(sample) => {
                self.phase = Phase::Cruise;
            }
            Phase::Refill if self.round.starts => self.start_up(sample),
            Phase::Up if self.is_time_to_go_down(sample) => self.start_down(sample),
            _ => {}
        }
    }

    /// BBRStartProbeBW_DOWN.
    pub(super) fn start_down(&mut self, sample: &DeliverySample) {
        self.round.forget_signals();
        self.cycle.up_count = u32::MAX;
        self.pick_wait(sample);
        self.cycle.down_at = sample.ack.now;
        self.cycle.acks = Acks::Stopping;
        self.round.begin(sample.rate.total);
        self.phase = Phase::Down;
    }

    /// BBRPickProbeWait. Chance comes from where the sequence numbers happen to be: it only keeps
    /// flows apart.
    fn pick_wait(&mut self, sample: &DeliverySample) {
        let chance = sample.ack.nxt.value().wrapping_mul(0x9E37_79B9) >> 8;
        self.cycle.rounds = chance & 1;
        self.cycle.wait = PROBE_WAIT + chance % PROBE_WAIT_SPREAD;
    }

    /// BBRStartProbeBW_REFILL.
    fn start_refill(&mut self, sample: &DeliverySample) {
        self.bounds.forget_short();
        self.cycle.up_rounds = 0;
        self.cycle.up_acks = 0;
        self.cycle.acks = Acks::Init;
        self.round.begin(sample.rate.total);
        self.phase = Phase::Refill;
    }

    /// BBRStartProbeBW_UP.
    fn start_up(&mut self, sample: &DeliverySample) {
        self.cycle.samples = true;
        self.cycle.acks = Acks::Starting;
        self.round.begin(sample.rate.total);
        self.full_pipe.begin(sample.rate.rate.unwrap_or(0.0));
        self.phase = Phase::Up;
        self.raise_slope();
    }

    /// What comes now tells no more of a probe.
    pub(super) fn stop_probing(&mut self) {
        self.cycle.samples = false;
        self.cycle.acks = Acks::Stopping;
    }

    /// BBRIsTimeToProbeBW.
    fn is_time_to_probe(&self, sample: &DeliverySample) -> bool {
        let waited = sample.ack.now.micros_since(self.cycle.down_at);
        // BBRIsRenoCoexistenceProbeTime.
        let target = self.target() / self.window.smss.max(1);
        waited > self.cycle.wait || self.cycle.rounds >= target.min(RENO_ROUNDS)
    }

    /// BBRIsTimeToCruise.
    fn is_time_to_cruise(&self, sample: &DeliverySample) -> bool {
        sample.in_flight <= self.with_headroom()
            && sample.in_flight <= self.inflight_without_losses()
    }

    /// BBRIsTimeToGoDown: as long as cwnd is at the bound, the rate could not grow.
    fn is_time_to_go_down(&mut self, sample: &DeliverySample) -> bool {
        if sample.ack.cwnd_limited && self.window.cwnd >= self.bounds.long {
            self.full_pipe.begin(sample.rate.rate.unwrap_or(0.0));
            return false;
        }
        self.full_pipe.now
    }

    /// BBRAdaptLongTermModel.
    fn adapt_upper_bound(&mut self, sample: &DeliverySample) {
        let limited = sample.rate.app_limited;
        if self.cycle.acks == Acks::Starting && self.round.starts {
            self.cycle.acks = Acks::Init;
        }
        if self.cycle.acks == Acks::Stopping && self.round.starts {
            self.cycle.samples = false;
            self.cycle.acks = Acks::Init;
            if self.phase.probes_bandwidth() && !limited && self.max_bw[0] > 0.0 {
                // BBRAdvanceMaxBwFilter.
                self.max_bw = [0.0, self.max_bw[0]];
            }
        }
        if sample.is_in_flight_too_high() {
            if self.cycle.samples {
                self.on_too_high(sample);
            }
            return;
        }
        if self.bounds.long == u32::MAX {
            return;
        }
        self.bounds.long = self.bounds.long.max(sample.rate.tx_in_flight);
        if self.phase == Phase::Up {
            self.probe_upward(sample);
        }
    }

    /// BBRHandleInflightTooHigh.
    fn on_too_high(&mut self, sample: &DeliverySample) {
        self.cycle.samples = false;
        if !sample.rate.app_limited {
            let kept = (BETA * self.target() as f32) as u32;
            self.bounds.long = sample.rate.tx_in_flight.max(kept);
        }
        if self.phase == Phase::Up {
            self.start_down(sample);
        }
    }

    /// BBRProbeInflightLongTermUpward.
    fn probe_upward(&mut self, sample: &DeliverySample) {
        if !sample.ack.cwnd_limited || self.window.cwnd < self.bounds.long {
            return;
        }
        self.cycle.up_acks = self.cycle.up_acks.saturating_add(sample.ack.newly_acked);
        let segments = self.cycle.up_acks / self.cycle.up_count;
        self.cycle.up_acks -= segments * self.cycle.up_count;
        let more = segments.saturating_mul(self.window.smss);
        self.bounds.long = self.bounds.long.saturating_add(more);
        if self.round.starts {
            self.raise_slope();
        }
    }

    /// BBRRaiseInflightLongTermSlope: twice as much each round.
    fn raise_slope(&mut self) {
        let growth = 1_u32 << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(30);
        self.cycle.up_count = (self.window.cwnd / growth).max(1);
    }

    /// BBRTargetInflight in bytes.
    fn target(&self) -> u32 {
        let bdp = self.bdp(1.0).unwrap_or(u32::MAX);
        bdp.min(self.window.cwnd)
    }

    /// BBRInflightWithHeadroom in bytes.
    pub(super) fn with_headroom(&self) -> u32 {
        if self.bounds.long == u32::MAX {
            return u32::MAX;
        }
        let headroom = (HEADROOM * self.bounds.long as f32) as u32;
        let kept = self.bounds.long - headroom.max(self.window.smss).min(self.bounds.long);
        kept.max(self.least_cwnd())
    }
}
