//! The cycle that looks for more.

use super::*;

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
    flow.rounds(2);
    assert_eq!(
        flow.bbr.bounds.short,
        u32::MAX,
        "it was the probe's own loss"
    );
}

#[test]
fn the_bound_grows_by_twice_as_many_segments_each_round_of_a_probe() {
    let mut flow = Flow::bounded();
    let mut bounds = Vec::new();
    for _ in 0..4 {
        flow.smooth_rounds(1);
        bounds.push((flow.bbr.bounds.long - BDP) / SMSS);
    }
    assert_eq!(flow.bbr.phase, Phase::Up);
    // One, two, four and eight, of a cwnd that grows meanwhile.
    assert_eq!(bounds, [1, 3, 6, 13]);
}

#[test]
fn the_bound_stays_while_cwnd_is_not_used() {
    let mut flow = Flow::bounded();
    for _ in 0..3 {
        let mut sample = flow.sample(BW);
        sample.ack.cwnd_limited = false;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.bounds.long, BDP);
}

#[test]
fn the_bound_rises_to_what_was_in_flight_without_loss() {
    let mut flow = Flow::bounded();
    let mut sample = flow.sample(BW);
    sample.ack.cwnd_limited = false;
    sample.rate.tx_in_flight = BDP + 3 * SMSS;
    flow.bbr.on_delivery(&sample);
    assert_eq!(flow.bbr.bounds.long, BDP + 3 * SMSS);
}

#[test]
fn cruise_leaves_others_fifteen_percent_of_the_bound() {
    let mut flow = Flow::bounded();
    flow.until(Phase::Cruise);
    let bound = flow.bbr.bounds.long;
    assert_eq!(flow.bbr.window().cwnd, bound * 85 / 100);
    flow.until(Phase::Refill);
    flow.rounds(1);
    assert_eq!(flow.bbr.window().cwnd, bound, "and Refill nothing");
}

#[test]
fn down_lasts_until_the_headroom_is_free() {
    let mut flow = Flow::bounded();
    flow.bbr.bounds.long = 2 * BDP;
    let mut sample = flow.sample(BW);
    sample.rate.lost = BDP / 10;
    sample.rate.tx_in_flight = BDP;
    flow.bbr.on_delivery(&sample);
    assert_eq!(flow.bbr.phase, Phase::Down);
    for (in_flight, phase) in [
        (BDP * 85 / 100 + 1, Phase::Down),
        (BDP * 85 / 100, Phase::Cruise),
    ] {
        let mut sample = flow.sample(BW);
        sample.in_flight = in_flight;
        flow.bbr.on_delivery(&sample);
        assert_eq!(flow.bbr.phase, phase, "{in_flight} bytes in flight");
    }
}

#[test]
fn a_short_path_is_probed_as_often_as_reno_would_lose() {
    let mut flow = Flow::settled();
    flow.until(Phase::Up);
    flow.until(Phase::Cruise);
    let began = flow.total;
    flow.until(Phase::Refill);
    let rounds = (flow.total - began) / BDP;
    // A path of 20 segments: a round or two went by before Cruise.
    assert!((17..=19).contains(&rounds), "{rounds}");
}

#[test]
fn a_long_path_is_probed_after_two_or_three_seconds() {
    let mut flow = Flow::settled();
    flow.until(Phase::Up);
    flow.until(Phase::Cruise);
    let began = flow.now;
    while flow.bbr.phase == Phase::Cruise {
        let mut sample = flow.sample(BW);
        // One long round trip.
        sample.rate.prior = 0;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::Refill);
    let waited = flow.now.since(began).as_millis();
    assert!((1_900..=3_000).contains(&waited), "{waited} ms");
}

#[test]
fn losses_while_it_looks_for_more_do_not_lower_the_rate() {
    let mut flow = Flow::settled();
    flow.until(Phase::Refill);
    let mut sample = flow.sample(BW / 2.0);
    sample.newly_lost = SMSS;
    flow.bbr.on_delivery(&sample);
    assert_eq!(flow.bbr.phase, Phase::Up);
    flow.round(BW / 2.0);
    assert_eq!(flow.bbr.bounds.short_bw, f32::INFINITY);
}
