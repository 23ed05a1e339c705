//! The least round trip, and the state that looks for it.

use super::*;

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
fn a_path_that_became_longer_is_believed_after_ten_seconds() {
    let mut flow = Flow::settled();
    let began = flow.now;
    while flow.bbr.min_rtt.micros == RTT {
        let mut sample = flow.sample(BW);
        sample.ack.rtt = Some(RTT + 10_000);
        sample.in_flight = BDP / 2;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.min_rtt.micros, RTT + 10_000);
    let waited = flow.now.since(began).as_millis();
    assert!((9_800..=10_100).contains(&waited), "{waited} ms");
}

#[test]
fn a_path_that_became_shorter_is_believed_at_once() {
    let mut flow = Flow::settled();
    let mut sample = flow.sample(BW);
    sample.ack.rtt = Some(RTT / 2);
    flow.bbr.on_delivery(&sample);
    assert_eq!(flow.bbr.min_rtt.micros, RTT / 2);
}

#[test]
fn startup_goes_on_after_the_least_round_trip_was_looked_for() {
    let mut flow = Flow::new();
    let mut seen = Vec::new();
    for _ in 0..300 {
        let mut sample = flow.sample(BW / 10.0);
        sample.rate.app_limited = true;
        flow.bbr.on_delivery(&sample);
        if seen.last() != Some(&flow.bbr.phase) {
            seen.push(flow.bbr.phase);
        }
    }
    assert_eq!(seen, [Phase::Startup, Phase::ProbeRtt, Phase::Startup]);
}

#[test]
fn little_is_in_flight_for_two_tenths_of_a_second_and_a_round() {
    let mut flow = Flow::settled();
    flow.until(Phase::ProbeRtt);
    // As long as more is in flight the time does not run.
    flow.rounds(30);
    assert_eq!(flow.bbr.phase, Phase::ProbeRtt);
    let mut acks = 0;
    while flow.bbr.phase == Phase::ProbeRtt {
        let mut sample = flow.sample(BW / 2.0);
        sample.in_flight = BDP / 2;
        flow.bbr.on_delivery(&sample);
        acks += 1;
    }
    assert_eq!(acks, 12, "more than 200 ms of 20 each after the first");
}

#[test]
fn an_idle_time_has_emptied_the_queue_already() {
    let mut flow = Flow::settled();
    flow.now = flow.now + Duration::from_secs(6);
    flow.bbr.restart(false);
    flow.rounds(1);
    assert_ne!(flow.bbr.phase, Phase::ProbeRtt);
}

#[test]
fn a_loss_while_little_is_in_flight_does_not_forget_what_cwnd_was() {
    let mut flow = Flow::settled();
    let cwnd = flow.bbr.window().cwnd;
    flow.until(Phase::ProbeRtt);
    flow.bbr.on_loss(BDP / 2);
    flow.bbr.on_recovered(0);
    assert_eq!(flow.bbr.window().cwnd, cwnd);
}
