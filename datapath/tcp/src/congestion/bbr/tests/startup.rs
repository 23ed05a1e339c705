//! Startup and Drain.

use super::*;

#[test]
fn startup_doubles_until_the_rate_stays_for_three_rounds() {
    let mut flow = Flow::new();
    for step in 0..6 {
        flow.round(BW / 32.0 * (1 << step) as f32);
        assert_eq!(flow.bbr.phase, Phase::Startup);
    }
    let paced = flow.bbr.pacing_rate().expect("something arrived");
    assert!((paced / (2.77 * 0.99 * BW) - 1.0).abs() < 0.01);
    flow.rounds(2);
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

/// ACKs of one round trip of a Startup that is recovering, each of which tells of a loss of so many
/// bytes of what was in flight.
fn startup_with_losses(acks: usize, lost: u32) -> Flow {
    let mut flow = Flow::new();
    flow.rounds(1);
    let began = flow.total;
    for _ in 0..acks {
        let mut sample = flow.sample(BW);
        sample.rate.prior = began;
        sample.rate.lost = lost;
        sample.newly_lost = SMSS;
        sample.recovering = true;
        sample.in_flight = 2 * BDP;
        flow.bbr.on_delivery(&sample);
    }
    flow
}

#[test]
fn startup_ends_with_six_losses_in_a_round_and_more_than_two_percent() {
    let two_percent = BDP / 50;
    assert_eq!(
        startup_with_losses(5, two_percent + 1).bbr.phase,
        Phase::Startup
    );
    assert_eq!(
        startup_with_losses(6, two_percent).bbr.phase,
        Phase::Startup
    );
    let flow = startup_with_losses(6, two_percent + 1);
    assert_eq!(flow.bbr.phase, Phase::Drain);
    assert_eq!(flow.bbr.bounds.long, BDP, "what the path held");
}

#[test]
fn losses_outside_of_a_recovery_do_not_end_startup() {
    let mut flow = startup_with_losses(5, BDP / 10);
    for _ in 0..3 {
        let mut sample = flow.sample(BW);
        sample.rate.prior = 0;
        sample.rate.lost = BDP / 10;
        sample.newly_lost = SMSS;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::Startup);
}

#[test]
fn before_a_rate_is_known_the_initial_window_leaves_in_a_round_trip() {
    let mut flow = Flow::new();
    let mut sample = flow.sample(0.0);
    sample.rate.rate = None;
    sample.ack.rtt = None;
    flow.bbr.on_delivery(&sample);
    assert_eq!(flow.bbr.pacing_rate(), None, "no round trip either");
    let mut sample = flow.sample(0.0);
    sample.rate.rate = None;
    flow.bbr.on_delivery(&sample);
    let paced = flow.bbr.pacing_rate().expect("a round trip");
    let window = 10.0 * SMSS as f32;
    assert!(
        (paced / (2.77 * window / 0.020) - 1.0).abs() < 0.01,
        "{paced}"
    );
}

#[test]
fn the_pace_of_startup_never_falls() {
    let mut flow = Flow::new();
    flow.rounds(1);
    let paced = flow.bbr.pacing_rate();
    flow.bbr.bounds.short_bw = BW / 4.0;
    flow.rounds(1);
    assert_eq!(flow.bbr.pacing_rate(), paced);
}

#[test]
fn startup_grows_cwnd_by_what_arrives_up_to_what_it_needs() {
    let mut fast = Flow::new();
    fast.round(BW);
    assert_eq!(fast.bbr.window().cwnd, 10 * SMSS + BDP);
    let mut flow = Flow::new();
    flow.round(BW / 4.0);
    assert_eq!(flow.bbr.window().cwnd, 15 * SMSS);
    flow.round(BW / 4.0);
    // A quarter of the path, twice, and once for gathered ACKs: that is reached.
    flow.round(BW / 4.0);
    assert_eq!(flow.bbr.window().cwnd, 15 * SMSS);
}

#[test]
fn after_an_idle_time_startup_goes_on_at_its_pace() {
    let mut flow = Flow::new();
    flow.rounds(1);
    let paced = flow.bbr.pacing_rate();
    flow.bbr.restart(false);
    assert_eq!(flow.bbr.pacing_rate(), paced);
}

#[test]
fn small_talk_is_no_pace_for_what_follows() {
    let mut flow = Flow::new();
    let mut sample = flow.sample(2_500.0);
    sample.rate.app_limited = true;
    flow.bbr.on_delivery(&sample);
    let paced = flow.bbr.pacing_rate().expect("a round trip is known");
    let initial = 2.77 * 10.0 * SMSS as f32 / (RTT as f32 / 1e6);
    assert!((paced / initial - 1.0).abs() < 0.01, "{paced} {initial}");
}

#[test]
fn rounds_begin_also_where_bbr_is_chosen_late_in_a_connection() {
    let mut flow = Flow::new();
    flow.total = 3 << 30;
    flow.rounds(30);
    assert_ne!(flow.bbr.phase, Phase::Startup);
}

#[test]
fn little_in_flight_to_see_the_round_trip_does_not_end_startup() {
    let mut flow = Flow::new();
    for _ in 0..1_000 {
        if flow.bbr.phase == Phase::ProbeRtt {
            break;
        }
        let mut sample = flow.sample(BW / 100.0);
        sample.rate.app_limited = true;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::ProbeRtt);
    while flow.bbr.phase == Phase::ProbeRtt {
        let mut sample = flow.sample(BW / 5.0);
        sample.in_flight = 4 * SMSS;
        flow.bbr.on_delivery(&sample);
    }
    assert_eq!(flow.bbr.phase, Phase::Startup);
}
