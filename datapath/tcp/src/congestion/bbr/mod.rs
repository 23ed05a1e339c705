//! BBR version 3: draft-ietf-ccwg-bbr. cwnd and the pacing rate follow from a model of the path:
//! the rate at which it delivers, its least round trip, and how much it holds without loss.
//!
//! `model` keeps what is known of the path, `startup`, `probe_bw` and `probe_rtt` are the states
//! that learn it, and this file is the order of the steps on each ACK (4.2.2, BBRUpdateOnACK).

mod control;
mod model;
mod probe_bw;
mod probe_rtt;
mod startup;
#[cfg(test)]
mod tests;

use super::window::Window;
use super::{AckSample, DeliverySample};
use model::{Aggregation, Bounds, MinRtt, Round};
use probe_bw::Cycle;
use probe_rtt::ProbeRtt;
use startup::FullPipe;

/// BBR.state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

impl Phase {
    /// BBR.pacing_gain and BBR.cwnd_gain: 4.1.1, table of gains.
    const fn gains(self) -> (f32, f32) {
        match self {
            // 4 ln 2: doubles the rate each round trip.
            Self::Startup => (2.77, 2.0),
            Self::Drain => (0.5, 2.0),
            Self::Down => (0.9, 2.0),
            Self::Cruise | Self::Refill => (1.0, 2.0),
            Self::Up => (1.25, 2.25),
            Self::ProbeRtt => (1.0, 0.5),
        }
    }

    const fn probes_bandwidth(self) -> bool {
        matches!(self, Self::Down | Self::Cruise | Self::Refill | Self::Up)
    }

    /// IsProbingBW: losses now are ours to have caused.
    const fn accelerates(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }
}

/// The state of BBR. Rates are in bytes per second, spans in microseconds.
#[derive(Debug)]
pub(crate) struct Bbr {
    window: Window,
    phase: Phase,
    round: Round,
    /// BBR.MaxBwFilter: the best of this cycle and of the one before.
    max_bw: [f32; 2],
    bounds: Bounds,
    /// `bounds` before the last loss.
    before: Bounds,
    min_rtt: MinRtt,
    aggregation: Aggregation,
    full_pipe: FullPipe,
    cycle: Cycle,
    probe_rtt: ProbeRtt,
    pacing_rate: f32,
    /// BBR.prior_cwnd in bytes.
    prior_cwnd: u32,
    /// BBR.idle_restart.
    idle_restart: bool,
    /// InLossRecovery.
    repairs: bool,
}

impl Bbr {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            phase: Phase::Startup,
            round: Round::default(),
            max_bw: [0.0; 2],
            bounds: Bounds::NONE,
            before: Bounds::NONE,
            min_rtt: MinRtt::default(),
            aggregation: Aggregation::default(),
            full_pipe: FullPipe::default(),
            cycle: Cycle::default(),
            probe_rtt: ProbeRtt::default(),
            pacing_rate: 0.0,
            prior_cwnd: 0,
            idle_restart: false,
            repairs: false,
        }
    }

    pub(super) const fn window(&self) -> &Window {
        &self.window
    }

    pub(super) const fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    /// Bytes per second that may leave; `None` before anything has arrived.
    pub(super) fn pacing_rate(&self) -> Option<f32> {
        (self.pacing_rate > 0.0).then_some(self.pacing_rate)
    }

    /// Every ACK, also in recovery: BBRUpdateOnACK.
    pub(super) fn on_delivery(&mut self, sample: &DeliverySample) {
        self.follow_rounds(sample);
        self.learn_bandwidth(sample);
        self.adapt_lower_bounds();
        self.learn_aggregation(sample);
        self.look_for_full_pipe(sample);
        self.leave_startup(sample);
        self.advance_cycle(sample);
        self.learn_min_rtt(sample);
        self.probe_min_rtt(sample);
        self.round.begin_latest(&sample.rate);
        self.set_pacing_rate();
        self.set_cwnd(sample);
    }

    /// What an ACK outside of a recovery says is in its sample.
    pub(super) const fn on_ack(&mut self, _sample: &AckSample) {}

    /// A loss was found: BBROnEnterFastRecovery. How much may go meanwhile is PRR's.
    pub(super) fn on_loss(&mut self, _flight_size: u32) {
        self.save_cwnd();
        self.repairs = true;
        self.before = self.bounds;
        self.round.note_loss();
    }

    /// A loss that comes without a sample: the next one has its bytes.
    pub(super) fn on_silent_loss(&mut self) {
        self.round.count_loss();
    }

    /// BBROnEnterRTO.
    pub(super) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        if first {
            self.on_loss(flight_size);
        }
        if !self.phase.accelerates() {
            // What the loss lowers is cwnd as it was before.
            self.bounds.short = self.bounds.short.min(self.prior_cwnd);
        }
        self.window.collapse();
    }

    /// BBROnExitRecovery.
    pub(super) fn on_recovered(&mut self, _limit: u32) {
        self.restore_cwnd();
    }

    /// BBRHandleSpuriousLossDetection: what the loss made of the bounds is taken back.
    pub(super) fn undo(&mut self) {
        self.repairs = false;
        self.restore_cwnd();
        self.round.forget_loss();
        self.bounds = self.bounds.widest(self.before);
        self.full_pipe.begin(0.0);
    }

    /// BBRHandleRestartFromIdle, or the initial window of a path that lost a SYN.
    pub(super) fn restart(&mut self, lost_syn: bool) {
        if lost_syn {
            self.window.restart(true);
            return;
        }
        self.idle_restart = true;
        self.aggregation.restart();
        if self.phase.probes_bandwidth() {
            self.pacing_rate = self.paced(1.0);
        }
    }

    /// BBR.max_bw.
    fn max_bw(&self) -> f32 {
        self.max_bw[0].max(self.max_bw[1])
    }

    /// BBR.bw: BBRBoundBWForModel.
    fn bw(&self) -> f32 {
        self.max_bw().min(self.bounds.short_bw)
    }
}
