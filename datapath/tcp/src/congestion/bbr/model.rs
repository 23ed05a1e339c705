//! What BBR knows of the path: draft-ietf-ccwg-bbr 4.5.

use super::{Bbr, DeliverySample, Phase};
use crate::recovery::RateSample;
use crate::time::{Instant, Millis};

/// BBR.Beta: what too much loss leaves of a bound.
pub(super) const BETA: f32 = 0.7;
/// BBR.MinRTTFilterLen.
const MIN_RTT_LIFE: Millis = Millis(10_000);
/// BBR.ProbeRTTInterval.
const PROBE_RTT_INTERVAL: Millis = Millis(5_000);
/// BBR.ExtraAckedFilterLen in rounds, in two halves; in Startup only the last round counts, as the
/// rate that is expected still grows.
const AGGREGATION_ROUNDS: u8 = 5;
const AGGREGATION_ROUNDS_IN_STARTUP: u8 = 1;

/// Round trips, counted by what arrives: 4.5.1.
#[derive(Debug, Default)]
pub(super) struct Round {
    begun: bool,
    /// C.delivered.
    total: u32,
    /// BBR.next_round_delivered.
    end: u32,
    /// BBR.loss_round_delivered.
    loss_end: u32,
    /// BBR.round_start: whether this ACK begins one.
    pub(super) starts: bool,
    /// BBR.loss_round_start.
    loss_starts: bool,
    /// BBR.loss_in_round.
    has_loss: bool,
    /// Losses in this round, as often as ACKs told of one.
    pub(super) losses: u8,
    /// BBR.bw_latest and BBR.inflight_latest.
    latest_bw: f32,
    latest_in_flight: u32,
}

impl Round {
    /// BBRStartRound.
    pub(super) fn begin(&mut self, total: u32) {
        self.end = total;
    }

    /// BBRNoteLoss.
    pub(super) fn note_loss(&mut self) {
        if !self.has_loss {
            self.loss_end = self.total;
        }
        self.has_loss = true;
    }

    pub(super) fn count_loss(&mut self) {
        self.note_loss();
        self.losses = self.losses.saturating_add(1);
    }

    pub(super) fn forget_loss(&mut self) {
        self.has_loss = false;
    }

    /// BBRResetCongestionSignals.
    pub(super) fn forget_signals(&mut self) {
        self.has_loss = false;
        (self.latest_bw, self.latest_in_flight) = (0.0, 0);
    }

    /// BBR.inflight_latest in bytes.
    pub(super) const fn latest_in_flight(&self) -> u32 {
        self.latest_in_flight
    }

    /// BBRAdvanceLatestDeliverySignals.
    pub(super) fn begin_latest(&mut self, rate: &RateSample) {
        if self.loss_starts {
            self.latest_bw = rate.rate.unwrap_or(0.0);
            self.latest_in_flight = rate.delivered;
        }
    }

    fn on_sample(&mut self, sample: &DeliverySample) {
        let rate = &sample.rate;
        if !self.begun {
            // BBR may be chosen late in a connection.
            (self.begun, self.end, self.loss_end) = (true, rate.prior, rate.prior);
        }
        self.total = rate.total;
        if sample.newly_lost > 0 || sample.ack.marked {
            self.count_loss();
        }
        let reached = |end: u32| rate.prior.wrapping_sub(end).cast_signed() >= 0;
        self.starts = reached(self.end);
        if self.starts {
            self.end = rate.total;
        }
        self.latest_bw = self.latest_bw.max(rate.rate.unwrap_or(0.0));
        self.latest_in_flight = self.latest_in_flight.max(rate.delivered);
        self.loss_starts = reached(self.loss_end);
        if self.loss_starts {
            self.loss_end = rate.total;
        }
    }
}

/// How much the path bears, in bytes, and its rate of late: 4.5.9, 4.5.10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    /// BBR.inflight_longterm: what it held before there was too much loss.
    pub(super) long: u32,
    /// BBR.inflight_shortterm and BBR.bw_shortterm: what the last losses leave of it.
    pub(super) short: u32,
    pub(super) short_bw: f32,
}

impl Bounds {
    pub(super) const NONE: Self = Self {
        long: u32::MAX,
        short: u32::MAX,
        short_bw: f32::INFINITY,
    };

    /// BBRResetShortTermModel.
    pub(super) fn forget_short(&mut self) {
        self.short = u32::MAX;
        self.short_bw = f32::INFINITY;
    }

    pub(super) fn widest(self, other: Self) -> Self {
        Self {
            long: self.long.max(other.long),
            short: self.short.max(other.short),
            short_bw: self.short_bw.max(other.short_bw),
        }
    }
}

/// The least round trip, and when it was seen: 4.3.4.3.
#[derive(Debug)]
pub(super) struct MinRtt {
    /// BBR.min_rtt; `u32::MAX` before the first sample.
    pub(super) micros: u32,
    at: Instant,
    /// BBR.probe_rtt_min_delay and its time: the least of a shorter while.
    recent: u32,
    pub(super) recent_at: Instant,
    /// BBR.probe_rtt_expired.
    pub(super) expired: bool,
}

impl Default for MinRtt {
    fn default() -> Self {
        Self {
            micros: u32::MAX,
            at: Instant::ZERO,
            recent: u32::MAX,
            recent_at: Instant::ZERO,
            expired: false,
        }
    }
}

/// How much more arrives at once than the rate explains, since ACKs are gathered: 4.5.5.
#[derive(Debug)]
pub(super) struct Aggregation {
    /// BBR.extra_acked_interval_start; `NEVER` before the first ACK.
    since: Instant,
    /// BBR.extra_acked_delivered.
    delivered: u32,
    /// The most in bytes, of these rounds and of those before.
    most: [u32; 2],
    rounds: u8,
}

impl Default for Aggregation {
    fn default() -> Self {
        Self {
            since: Instant::NEVER,
            delivered: 0,
            most: [0; 2],
            rounds: 0,
        }
    }
}

impl Aggregation {
    /// Nothing was sent for a while: the interval begins anew.
    pub(super) fn restart(&mut self) {
        (self.since, self.delivered) = (Instant::NEVER, 0);
    }

    /// BBR.extra_acked in bytes.
    pub(super) fn extra(&self) -> u32 {
        self.most[0].max(self.most[1])
    }
}

impl Bbr {
    pub(super) fn follow_rounds(&mut self, sample: &DeliverySample) {
        self.round.on_sample(sample);
        if self.round.starts {
            self.cycle.rounds = self.cycle.rounds.saturating_add(1);
        }
    }

    /// BBRUpdateMaxBw: a rate that the application set says only that the path bears as much.
    pub(super) fn learn_bandwidth(&mut self, sample: &DeliverySample) {
        if let Some(rate) = sample.rate.rate
            && (rate >= self.max_bw() || !sample.rate.app_limited)
        {
            self.max_bw[0] = self.max_bw[0].max(rate);
        }
    }

    /// BBRUpdateCongestionSignals: once a round, and not while probing causes losses itself.
    pub(super) fn adapt_lower_bounds(&mut self) {
        if !self.round.loss_starts {
            return;
        }
        if self.round.has_loss && !self.phase.accelerates() {
            let (bw, cwnd) = (self.max_bw(), self.window.cwnd);
            let bounds = &mut self.bounds;
            let from_bw = bounds.short_bw.min(bw);
            let from = bounds.short.min(cwnd) as f32;
            bounds.short_bw = self.round.latest_bw.max(BETA * from_bw);
            bounds.short = self.round.latest_in_flight.max((BETA * from) as u32);
        }
        self.round.has_loss = false;
        self.round.losses = 0;
    }

    /// BBRUpdateACKAggregation.
    pub(super) fn learn_aggregation(&mut self, sample: &DeliverySample) {
        let now = sample.ack.now;
        let rounds = if self.full_pipe.ever {
            AGGREGATION_ROUNDS
        } else {
            AGGREGATION_ROUNDS_IN_STARTUP
        };
        if self.round.starts {
            self.aggregation.rounds += 1;
            if self.aggregation.rounds >= rounds {
                self.aggregation.rounds = 0;
                self.aggregation.most = [0, self.aggregation.most[0]];
            }
        }
        let bw = self.bw();
        let aggregation = &mut self.aggregation;
        if aggregation.since == Instant::NEVER {
            aggregation.since = now;
        }
        let elapsed = now.micros_since(aggregation.since) as f32 / 1e6;
        let mut expected = bw * elapsed;
        if aggregation.delivered as f32 <= expected {
            (aggregation.delivered, aggregation.since) = (0, now);
            expected = 0.0;
        }
        aggregation.delivered = aggregation.delivered.saturating_add(sample.ack.newly_acked);
        let extra = (aggregation.delivered as f32 - expected).max(0.0) as u32;
        let extra = extra.min(self.window.cwnd);
        aggregation.most[0] = aggregation.most[0].max(extra);
    }

    /// BBRUpdateMinRTT.
    pub(super) fn learn_min_rtt(&mut self, sample: &DeliverySample) {
        let now = sample.ack.now;
        let min = &mut self.min_rtt;
        min.expired = now > min.recent_at + PROBE_RTT_INTERVAL && min.recent != u32::MAX;
        if let Some(rtt) = sample.ack.rtt
            && (rtt < min.recent || min.expired)
        {
            (min.recent, min.recent_at) = (rtt, now);
        }
        if min.recent < min.micros || now > min.at + MIN_RTT_LIFE {
            (min.micros, min.at) = (min.recent, min.recent_at);
        }
    }

    /// BBR.bdp times `gain` in bytes; `None` before a rate and a round trip are known.
    pub(super) fn bdp(&self, gain: f32) -> Option<u32> {
        self.product(self.bw(), gain)
    }

    fn product(&self, bw: f32, gain: f32) -> Option<u32> {
        let known = self.min_rtt.micros != u32::MAX && bw > 0.0;
        known.then(|| (gain * bw * (self.min_rtt.micros as f32 / 1e6)) as u32)
    }

    /// BBRInflight: `gain` times the bandwidth-delay product, and what batches need beside it.
    pub(super) fn inflight(&self, gain: f32) -> u32 {
        self.with_budget(self.bdp(gain))
    }

    /// BBRInflight of BBR.max_bw: what the path holds, whatever losses of late made of the rate.
    pub(super) fn inflight_without_losses(&self) -> u32 {
        self.with_budget(self.product(self.max_bw(), 1.0))
    }

    fn with_budget(&self, bdp: Option<u32>) -> u32 {
        let Some(bdp) = bdp else {
            return self.window.initial();
        };
        let smss = self.window.smss;
        let budget = bdp.max(3 * self.send_quantum()).max(self.least_cwnd());
        if self.phase == Phase::Up {
            budget.saturating_add(2 * smss)
        } else {
            budget
        }
    }
}
