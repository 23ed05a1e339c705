//! BBR on a path of 20 ms and 1,000 segments a second, sample by sample.

mod model;
mod probe_bw;
mod probe_rtt;
mod startup;

use std::time::Duration;

use wirepath_wire::seq::SeqNum;

use super::super::AckSample;
use super::*;
use crate::recovery::RateSample;
use crate::time::Instant;

const SMSS: u32 = 1_000;
/// Bytes per second, and bytes that fill the path.
const BW: f32 = 1_000_000.0;
const BDP: u32 = 20_000;
const RTT: u32 = 20_000;

struct Flow {
    bbr: Bbr,
    now: Instant,
    total: u32,
}

impl Flow {
    fn new() -> Self {
        Self {
            bbr: Bbr::new(Window::new(SMSS, 10)),
            now: Instant::from_millis(1_000),
            total: 0,
        }
    }

    /// A sample of a whole round trip: all that was in flight has arrived, at `rate`.
    fn sample(&mut self, rate: f32) -> DeliverySample {
        let delivered = (rate * RTT as f32 / 1e6) as u32;
        let prior = self.total;
        self.total += delivered;
        self.now = self.now + Duration::from_micros(RTT.into());
        DeliverySample {
            ack: AckSample {
                now: self.now,
                newly_acked: delivered,
                marked: false,
                cwnd_limited: true,
                paced: true,
                rtt: Some(RTT),
                srtt: RTT,
                ack: SeqNum::new(self.total),
                nxt: SeqNum::new(self.total + delivered),
            },
            rate: RateSample {
                rate: Some(rate),
                delivered,
                total: self.total,
                prior,
                lost: 0,
                tx_in_flight: delivered,
                app_limited: false,
            },
            newly_lost: 0,
            in_flight: delivered,
            recovering: false,
        }
    }

    /// A sample of one of the ten ACKs of a round trip, which come a little slower than the path
    /// could deliver.
    fn ack(&mut self) -> DeliverySample {
        let began = self.total.saturating_sub(BDP - BDP / 10);
        let before = self.now;
        let mut sample = self.sample(BW);
        self.total -= BDP - BDP / 10;
        self.now = before + Duration::from_micros(u64::from(RTT) / 8);
        sample.ack.now = self.now;
        sample.ack.newly_acked = BDP / 10;
        (sample.rate.total, sample.rate.prior) = (self.total, began);
        sample
    }

    /// So many round trips of ten ACKs each.
    fn smooth_rounds(&mut self, rounds: usize) {
        for _ in 0..10 * rounds {
            let sample = self.ack();
            self.bbr.on_delivery(&sample);
        }
    }

    /// Bounded by a loss while it looked for more, and at that again.
    fn bounded() -> Self {
        let mut flow = Self::settled();
        flow.until(Phase::Up);
        let mut sample = flow.sample(BW);
        sample.rate.lost = BDP / 10;
        flow.bbr.on_delivery(&sample);
        assert_eq!((flow.bbr.phase, flow.bbr.bounds.long), (Phase::Down, BDP));
        flow.until(Phase::Up);
        flow
    }

    fn round(&mut self, rate: f32) {
        let sample = self.sample(rate);
        self.bbr.on_delivery(&sample);
    }

    /// So many rounds at the full rate of the path.
    fn rounds(&mut self, rounds: usize) {
        (0..rounds).for_each(|_| self.round(BW));
    }

    /// Past Startup and Drain.
    fn settled() -> Self {
        let mut flow = Self::new();
        flow.rounds(8);
        assert!(flow.bbr.phase.probes_bandwidth(), "{:?}", flow.bbr.phase);
        flow
    }

    /// Rounds at half the rate with a loss each, until the rate is believed to have fallen.
    fn lose(&mut self) {
        let before = self.bbr.bw();
        for _ in 0..6 {
            let mut sample = self.sample(BW / 2.0);
            sample.newly_lost = SMSS;
            self.bbr.on_delivery(&sample);
            if self.bbr.bw() < before {
                return;
            }
        }
        panic!("losses change nothing");
    }

    fn until(&mut self, phase: Phase) {
        self.until_at(BW, phase);
    }

    fn until_at(&mut self, rate: f32, phase: Phase) {
        for _ in 0..1_000 {
            if self.bbr.phase == phase {
                return;
            }
            self.round(rate);
        }
        panic!("never in {phase:?}, but in {:?}", self.bbr.phase);
    }
}
