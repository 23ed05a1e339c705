//! What is known of the path, and what follows for cwnd and the pace.

use super::*;

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

#[test]
fn what_arrives_gathered_is_allowed_for_during_ten_rounds() {
    let mut flow = Flow::settled();
    flow.rounds(1);
    assert_eq!(
        flow.bbr.aggregation.extra(),
        BDP,
        "a whole round trip at once"
    );
    flow.smooth_rounds(4);
    assert_eq!(flow.bbr.aggregation.extra(), BDP);
    flow.smooth_rounds(12);
    assert_eq!(flow.bbr.aggregation.extra(), BDP / 10);
}

#[test]
fn a_path_that_holds_little_is_given_what_three_bursts_need() {
    let mut flow = Flow::new();
    let slow = BW / 10.0;
    flow.until_at(slow, Phase::Cruise);
    // Two segments a burst, and a round trip's worth for gathered ACKs.
    assert_eq!(flow.bbr.window().cwnd, 3 * 2 * SMSS + 2 * SMSS);
    flow.until_at(slow, Phase::Up);
    assert_eq!(
        flow.bbr.window().cwnd,
        3 * 2 * SMSS + 4 * SMSS,
        "two to grow"
    );
    flow.until_at(slow, Phase::ProbeRtt);
    assert_eq!(flow.bbr.window().cwnd, 4 * SMSS, "four segments at least");
}

#[test]
fn the_burst_of_a_fast_path_is_what_leaves_in_a_millisecond() {
    let mut flow = Flow::new();
    (0..8).for_each(|_| flow.round(20.0 * BW));
    flow.until(Phase::Cruise);
    flow.round(20.0 * BW);
    let quantum = flow.bbr.send_quantum();
    assert!((19_700..=19_900).contains(&quantum), "{quantum}");
    (0..8).for_each(|_| flow.round(2_000.0 * BW));
    assert_eq!(flow.bbr.send_quantum(), 65_536, "at most");
}

#[test]
fn a_rate_that_the_application_sets_counts_when_it_is_the_best() {
    let mut flow = Flow::settled();
    for (rate, best) in [(BW / 2.0, BW), (2.0 * BW, 2.0 * BW)] {
        let mut sample = flow.sample(rate);
        sample.rate.app_limited = true;
        flow.bbr.on_delivery(&sample);
        assert!((flow.bbr.max_bw() / best - 1.0).abs() < 0.01);
    }
}

#[test]
fn a_mark_while_cruising_lowers_the_bounds_as_a_loss_does() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    for _ in 0..4 {
        let mut sample = flow.sample(BW / 2.0);
        sample.ack.marked = true;
        flow.bbr.on_delivery(&sample);
    }
    assert!((flow.bbr.bw() / (0.7 * BW) - 1.0).abs() < 0.01);
}

#[test]
fn each_round_with_a_loss_leaves_seven_tenths_of_what_is_in_flight() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    flow.rounds(1);
    let cwnd = flow.bbr.window().cwnd;
    let mut bounds = Vec::new();
    for _ in 0..4 {
        let mut sample = flow.sample(BW / 2.0);
        sample.newly_lost = SMSS;
        flow.bbr.on_delivery(&sample);
        bounds.push(flow.bbr.bounds.short);
    }
    // A loss is noted in one round and judged at the end of the next.
    bounds.dedup();
    assert_eq!(bounds, [u32::MAX, 42_000, 29_400]);
    assert_eq!((cwnd, flow.bbr.window().cwnd), (60_000, 29_400));
}

#[test]
fn what_still_arrives_is_no_less_than_the_bounds() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    for _ in 0..4 {
        let mut sample = flow.sample(0.9 * BW);
        sample.newly_lost = SMSS;
        flow.bbr.on_delivery(&sample);
    }
    assert!((flow.bbr.bw() / (0.9 * BW) - 1.0).abs() < 0.01);
}

#[test]
fn a_lost_syn_leaves_one_segment() {
    let mut flow = Flow::new();
    flow.bbr.restart(true);
    assert_eq!(flow.bbr.window().cwnd, SMSS);
}

#[test]
fn a_second_time_out_does_not_forget_what_cwnd_was() {
    let mut flow = Flow::settled();
    let cwnd = flow.bbr.window().cwnd;
    flow.bbr.on_timeout(BDP, true);
    flow.bbr.on_timeout(SMSS, false);
    flow.bbr.on_recovered(0);
    assert_eq!(flow.bbr.window().cwnd, cwnd);
}

#[test]
fn acks_that_come_close_together_are_counted_together() {
    let mut flow = Flow::new();
    let gap = Duration::from_micros(500);
    for _ in 0..5 {
        for _ in 0..10 {
            let at = flow.now + gap;
            let mut sample = flow.ack();
            (flow.now, sample.ack.now) = (at, at);
            flow.bbr.on_delivery(&sample);
        }
        flow.now = flow.now + Duration::from_millis(16);
    }
    // Ten of 2,000 bytes in nine gaps, in each of which the path delivers 500.
    let extra = flow.bbr.aggregation.extra();
    assert!(extra.abs_diff(10 * 2_000 - 9 * 500) <= 1, "{extra}");
}

#[test]
fn what_arrives_gathered_in_startup_is_forgotten_after_a_round() {
    let mut flow = Flow::new();
    flow.rounds(1);
    assert_eq!(flow.bbr.aggregation.extra(), 10 * SMSS, "cwnd at most");
    // Eight smooth rounds whose pace the application sets, so that Startup goes on.
    for _ in 0..80 {
        let mut sample = flow.ack();
        sample.rate.app_limited = true;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::Startup);
    assert_eq!(flow.bbr.aggregation.extra(), BDP / 10);
}

#[test]
fn losses_that_no_ack_tells_of_count_as_others_do() {
    let mut flow = Flow::settled();
    flow.until(Phase::Cruise);
    // Noted in one round, judged at the end of the next by what arrived in it.
    for _ in 0..2 {
        flow.bbr.on_silent_loss();
        flow.round(BW / 2.0);
    }
    assert!((flow.bbr.bw() / (0.7 * BW) - 1.0).abs() < 0.01);
}
