//! BBR on a path of 20 ms and 1,000 segments a second, sample by sample.

use std::time::Duration;

use wirepath_wire::seq::SeqNum;

use super::super::AckSample;
use super::*;
use crate::recovery::RateSample;

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
        for _ in 0..1_000 {
            if self.bbr.phase == phase {
                return;
            }
            self.round(BW);
        }
        panic!("never in {phase:?}, but in {:?}", self.bbr.phase);
    }
}

#[test]
fn startup_doubles_until_the_rate_stays_for_three_rounds() {
    let mut flow = Flow::new();
    for step in 0..5 {
        flow.round(BW / 32.0 * (1 << step) as f32);
        assert_eq!(flow.bbr.phase, Phase::Startup);
    }
    let paced = flow.bbr.pacing_rate().expect("something arrived");
    assert!((paced / (2.77 * 0.99 * BW / 2.0) - 1.0).abs() < 0.01);
    flow.rounds(3);
    assert_eq!(
        flow.bbr.phase,
        Phase::Startup,
        "one more round without growth"
    );
    flow.rounds(1);
    assert_ne!(flow.bbr.phase, Phase::Startup);
}

#[test]
fn a_rate_that_the_application_sets_does_not_end_startup() {
    let mut flow = Flow::new();
    for _ in 0..20 {
        let mut sample = flow.sample(BW / 10.0);
        sample.rate.app_limited = true;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::Startup);
}

#[test]
fn drain_lasts_until_no_more_is_in_flight_than_the_path_holds() {
    let mut flow = Flow::new();
    flow.rounds(3);
    for _ in 0..3 {
        let mut sample = flow.sample(BW);
        sample.in_flight = 2 * BDP;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::Drain);
    assert!(flow.bbr.pacing_rate().expect("known") < BW);
    flow.rounds(1);
    assert_eq!(flow.bbr.phase, Phase::Cruise);
}

#[test]
fn cwnd_is_twice_what_the_path_holds_and_the_rate_is_its_own() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    flow.rounds(1);
    let cwnd = flow.bbr.window().cwnd;
    // And a third time for ACKs that come once a round trip.
    assert_eq!(cwnd, 3 * BDP);
    let paced = flow.bbr.pacing_rate().expect("known");
    assert!((0.98 * BW..BW).contains(&paced), "{paced}");
}

#[test]
fn bandwidth_that_appears_is_found_by_the_next_probe() {
    let mut flow = Flow::settled();
    flow.until(Phase::Up);
    for _ in 0..3 {
        flow.round(1.2 * BW);
    }
    assert!((flow.bbr.max_bw() / (1.2 * BW) - 1.0).abs() < 0.01);
}

#[test]
fn bandwidth_that_is_gone_is_forgotten_after_two_cycles() {
    let mut flow = Flow::settled();
    for _ in 0..3 {
        flow.until(Phase::Up);
        while flow.bbr.phase == Phase::Up {
            flow.round(BW / 2.0);
        }
        for _ in 0..3 {
            flow.round(BW / 2.0);
        }
    }
    assert!(flow.bbr.max_bw() <= BW, "{}", flow.bbr.max_bw());
    for _ in 0..400 {
        flow.round(BW / 2.0);
    }
    assert!((flow.bbr.max_bw() / (BW / 2.0) - 1.0).abs() < 0.01);
}

#[test]
fn too_much_loss_while_probing_bounds_what_is_in_flight() {
    let mut flow = Flow::settled();
    flow.until(Phase::Up);
    let mut sample = flow.sample(BW);
    sample.rate.lost = sample.rate.tx_in_flight / 10;
    sample.newly_lost = sample.rate.lost;
    flow.bbr.on_delivery(&sample);
    assert_eq!(flow.bbr.phase, Phase::Down);
    assert_eq!(flow.bbr.bounds.long, BDP);
    assert!(flow.bbr.with_headroom() <= BDP * 85 / 100);
}

#[test]
fn a_loss_while_cruising_lowers_the_bounds_until_the_next_probe() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    flow.lose();
    assert!((flow.bbr.bw() / (0.7 * BW) - 1.0).abs() < 0.01);
    flow.until(Phase::Refill);
    assert_eq!(flow.bbr.bounds.short, u32::MAX);
}

#[test]
fn a_loss_that_was_none_is_taken_back() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    flow.rounds(2);
    let (cwnd, bw) = (flow.bbr.window().cwnd, flow.bbr.bw());
    flow.bbr.on_loss(BDP);
    flow.lose();
    flow.bbr.undo();
    assert_eq!(flow.bbr.bw(), bw);
    assert_eq!(flow.bbr.window().cwnd, cwnd);
}

#[test]
fn the_least_round_trip_is_looked_for_every_five_seconds() {
    let mut flow = Flow::settled();
    let began = flow.now;
    flow.until(Phase::ProbeRtt);
    let waited = flow.now.since(began);
    assert!(waited >= Duration::from_millis(4_700), "{waited:?}");
    assert_eq!(
        flow.bbr.window().cwnd,
        BDP / 2,
        "half of what the path holds"
    );
    let before = flow.now;
    while flow.bbr.phase == Phase::ProbeRtt {
        let mut sample = flow.sample(BW / 2.0);
        sample.in_flight = BDP / 2;
        flow.bbr.on_delivery(&sample);
    }
    let stayed = flow.now.since(before);
    assert!(stayed >= Duration::from_millis(200), "{stayed:?}");
    assert_eq!(flow.bbr.phase, Phase::Cruise);
    assert!(flow.bbr.window().cwnd >= 2 * BDP, "cwnd is as before");
}

#[test]
fn after_an_idle_time_text_leaves_at_the_rate_of_the_path() {
    let mut flow = Flow::settled();
    flow.until(Phase::Up);
    flow.bbr.restart(false);
    let paced = flow.bbr.pacing_rate().expect("known");
    assert!((paced / (0.99 * BW) - 1.0).abs() < 0.01);
}

#[test]
fn a_time_out_leaves_one_segment_and_recovery_gives_cwnd_back() {
    let mut flow = Flow::settled();
    flow.rounds(3);
    let cwnd = flow.bbr.window().cwnd;
    flow.bbr.on_timeout(BDP, true);
    assert_eq!(flow.bbr.window().cwnd, SMSS);
    flow.bbr.on_recovered(0);
    assert_eq!(flow.bbr.window().cwnd, cwnd);
}
