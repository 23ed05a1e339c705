use wirepath_wire::seq::SeqNum;

use super::{AckSample, Congestion};
use crate::config::{Config, CongestionControl};
use crate::time::Instant;

const SMSS: u32 = 1_000;

fn acked(congestion: &mut Congestion, newly_acked: u32) {
    congestion.on_ack(&sample(newly_acked));
}

/// An ACK of `newly_acked` bytes on a path of 100 ms.
fn sample(newly_acked: u32) -> AckSample {
    AckSample {
        now: Instant::ZERO,
        newly_acked,
        marked: false,
        cwnd_limited: true,
        paced: false,
        rtt: Some(100_000),
        srtt: 100_000,
        ack: SeqNum::new(0),
        nxt: SeqNum::new(0),
    }
}

fn with(congestion: CongestionControl) -> Congestion {
    let config = Config {
        congestion,
        ..Config::default()
    };
    Congestion::new(&config, SMSS as u16, true)
}

fn reno() -> Congestion {
    with(CongestionControl::NewReno)
}

fn cubic() -> Congestion {
    with(CongestionControl::Cubic)
}

#[test]
fn slow_start_grows_by_what_is_acknowledged_but_two_segments_an_ack() {
    let mut congestion = reno();
    assert_eq!(congestion.cwnd(), 10 * SMSS);
    acked(&mut congestion, 2 * SMSS);
    assert_eq!(congestion.cwnd(), 12 * SMSS);
    acked(&mut congestion, 9 * SMSS);
    assert_eq!(congestion.cwnd(), 14 * SMSS);
    acked(&mut congestion, 1);
    assert_eq!(
        congestion.cwnd(),
        14 * SMSS + 1,
        "ACK division gains nothing"
    );
}

#[test]
fn a_loss_halves_and_avoidance_adds_one_segment_per_window() {
    let mut congestion = reno();
    congestion.on_loss(20 * SMSS);
    assert_eq!(
        (congestion.cwnd(), congestion.ssthresh()),
        (10 * SMSS, 10 * SMSS)
    );
    for _ in 0..9 {
        acked(&mut congestion, SMSS);
    }
    assert_eq!(congestion.cwnd(), 10 * SMSS);
    acked(&mut congestion, SMSS);
    assert_eq!(congestion.cwnd(), 11 * SMSS);
}

#[test]
fn a_timeout_leaves_one_segment_and_halves_only_once() {
    let mut congestion = reno();
    congestion.on_timeout(10 * SMSS, true);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (SMSS, 5 * SMSS));
    congestion.on_timeout(SMSS, false);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (SMSS, 5 * SMSS));
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut congestion = reno();
    congestion.on_ack(&AckSample {
        cwnd_limited: false,
        paced: false,
        ..sample(100)
    });
    assert_eq!(congestion.cwnd(), 10 * SMSS);
}

/// Acknowledges whole windows, one each 100 ms, for `seconds`; returns cwnd in segments after each.
fn windows(congestion: &mut Congestion, from: u64, seconds: u64) -> Vec<u32> {
    let rounds = (from * 10..(from + seconds) * 10).map(|round| Instant::from_millis(round * 100));
    rounds
        .map(|now| {
            for _ in 0..congestion.cwnd() / SMSS {
                congestion.on_ack(&AckSample {
                    now,
                    ..sample(SMSS)
                });
            }
            congestion.cwnd() / SMSS
        })
        .collect()
}

#[test]
fn cubic_keeps_seven_tenths_and_comes_back_to_where_it_was_after_k_seconds() {
    let mut congestion = cubic();
    while congestion.cwnd() < 100 * SMSS {
        acked(&mut congestion, SMSS);
    }
    congestion.on_loss(100 * SMSS);
    assert_eq!(congestion.cwnd(), 70 * SMSS);
    // K = cbrt(30 / 0.4) = 4.2 s (RFC 9438 4.2).
    let grown = windows(&mut congestion, 0, 8);
    assert!(
        (96..=100).contains(&grown[40]),
        "near W_max, flat: {}",
        grown[40]
    );
    assert!(grown[42] - grown[38] <= 1, "a plateau");
    assert!(grown[79] > 115, "and beyond it, ever faster: {}", grown[79]);
    assert!(grown.is_sorted());
}

#[test]
fn cubic_on_a_short_path_goes_as_reno_would() {
    let mut congestion = cubic();
    while congestion.cwnd() < 100 * SMSS {
        acked(&mut congestion, SMSS);
    }
    congestion.on_loss(100 * SMSS);
    congestion.on_loss(70 * SMSS);
    assert_eq!(congestion.cwnd(), 49 * SMSS);
    // On so short a path CUBIC goes as Reno would (RFC 9438 4.3): by 0.53 segments a round trip up
    // to where it was reduced, from there by one.
    let grown = windows(&mut congestion, 0, 6);
    assert!((69..=70).contains(&grown[38]), "{grown:?}");
    assert!(grown[59] - grown[49] >= 10, "{grown:?}");
}

#[test]
fn a_rising_round_trip_ends_slow_start() {
    let mut congestion = cubic();
    let mut seq = SeqNum::new(0);
    let mut slow_start = |congestion: &mut Congestion, rtt: u32| {
        let round_end = seq + congestion.cwnd();
        while seq.before(round_end) {
            seq += SMSS;
            let (rtt, nxt) = (Some(rtt), seq + congestion.cwnd());
            congestion.on_ack(&AckSample {
                rtt,
                ack: seq,
                nxt,
                ..sample(SMSS)
            });
        }
    };
    for _ in 0..3 {
        slow_start(&mut congestion, 100_000);
    }
    assert_eq!(congestion.ssthresh(), u32::MAX);
    let before = congestion.cwnd();
    // 12.5 ms more is an eighth; five rounds of conservative growth follow (RFC 9406 4.2).
    slow_start(&mut congestion, 113_000);
    for _ in 0..8 {
        slow_start(&mut congestion, 130_000);
    }
    assert!(congestion.ssthresh() < u32::MAX, "slow start is over");
    assert!(
        congestion.ssthresh() < 16 * before,
        "long before it would have doubled four times"
    );
}

/// One round trip of eight segments; `seq` is where it begins.
fn round(congestion: &mut Congestion, seq: &mut u32, rtt: u32) {
    round_of(8, congestion, seq, rtt);
}

fn round_of(segments: u32, congestion: &mut Congestion, seq: &mut u32, rtt: u32) {
    let end = *seq + 10 * segments;
    for _ in 0..segments {
        *seq += 10;
        congestion.on_ack(&AckSample {
            rtt: Some(rtt),
            ack: SeqNum::new(*seq),
            nxt: SeqNum::new(end + 10 * segments),
            ..sample(SMSS)
        });
    }
}

#[test]
fn fewer_than_eight_round_trips_tell_nothing_of_a_queue() {
    let (mut congestion, mut seq) = (cubic(), 0);
    for rtt in [10_000, 60_000] {
        for _ in 0..15 {
            round_of(7, &mut congestion, &mut seq, rtt);
        }
    }
    assert_eq!(congestion.ssthresh(), u32::MAX, "N_RTT_SAMPLE of RFC 9406");
}

#[test]
fn slow_starts_without_end_are_counted_without_overflow() {
    let (mut congestion, mut seq) = (cubic(), 0);
    for _ in 0..3 {
        round(&mut congestion, &mut seq, 10_000);
    }
    for _ in 0..30 {
        round(&mut congestion, &mut seq, 60_000);
    }
    assert_ne!(congestion.ssthresh(), u32::MAX);
    for _ in 0..600 {
        congestion.on_loss(100 * SMSS);
        congestion.on_recovered(10 * SMSS);
        round(&mut congestion, &mut seq, 60_000);
    }
}

#[test]
fn an_idle_time_after_slow_start_is_no_loss() {
    let (mut congestion, mut seq) = (cubic(), 0);
    for _ in 0..6 {
        round(&mut congestion, &mut seq, 10_000);
    }
    for _ in 0..30 {
        round(&mut congestion, &mut seq, 60_000);
    }
    let before = congestion.ssthresh();
    congestion.restart(false);
    for _ in 0..3 {
        round(&mut congestion, &mut seq, 60_000);
    }
    assert!(congestion.ssthresh() >= before, "RFC 5681 4.1");
}

/// Acknowledges whole windows, one a second: so slowly that Reno does not matter. cwnd in segments
/// after each.
fn long_rounds(congestion: &mut Congestion, from: u64, rounds: u64) -> Vec<u32> {
    let times = (from..from + rounds).map(|second| Instant::from_millis(second * 1_000));
    times
        .map(|now| {
            for _ in 0..congestion.cwnd() / SMSS {
                congestion.on_ack(&AckSample {
                    now,
                    srtt: 1_000_000,
                    ..sample(SMSS)
                });
            }
            congestion.cwnd() / SMSS
        })
        .collect()
}

/// A loss at 100 segments, from which CUBIC has come back to 90 or so.
fn on_the_way_back() -> Congestion {
    let mut congestion = cubic();
    while congestion.cwnd() < 100 * SMSS {
        acked(&mut congestion, SMSS);
    }
    congestion.on_loss(100 * SMSS);
    let grown = long_rounds(&mut congestion, 100, 2);
    assert!((85..98).contains(&grown[1]), "{grown:?}");
    congestion
}

#[test]
fn a_loss_below_the_last_one_makes_room_for_others() {
    let mut congestion = on_the_way_back();
    let window = congestion.cwnd();
    congestion.on_loss(window);
    // Fast convergence: the plateau is at 85 % of where the loss was, not at it.
    let plateau = window / SMSS * 85 / 100;
    let grown = long_rounds(&mut congestion, 200, 4);
    assert!(grown[3].abs_diff(plateau) <= 3, "{grown:?}, {plateau}");
}

#[test]
fn cubic_grows_by_what_is_acknowledged_however_many_acks_say_so() {
    let after = |segments: u32| {
        let mut congestion = on_the_way_back();
        for second in 102..104 {
            for _ in 0..congestion.cwnd() / (segments * SMSS) {
                congestion.on_ack(&AckSample {
                    now: Instant::from_millis(second * 1_000),
                    srtt: 1_000_000,
                    ..sample(segments * SMSS)
                });
            }
        }
        congestion.cwnd() / SMSS
    };
    assert!(
        after(1).abs_diff(after(4)) <= 1,
        "{} {}",
        after(1),
        after(4)
    );
}

#[test]
fn a_loss_that_was_none_leaves_cubic_where_it_was() {
    let mut undone = on_the_way_back();
    let window = undone.cwnd();
    undone.on_loss(window);
    undone.undo();
    assert_eq!(undone.cwnd(), window);
    // W_max is as before, and K follows: the plateau is at 100.
    let grown = long_rounds(&mut undone, 200, 4);
    assert!((97..=101).contains(&grown[2]), "{grown:?}");
}

/// A window of ten ACKs, of which `marked` echo a mark; `seq` is where it begins.
fn marked_window(congestion: &mut Congestion, seq: &mut u32, marked: u32) {
    let end = *seq + 10;
    for n in 0..10 {
        *seq += 1;
        congestion.on_ack(&AckSample {
            marked: n < marked,
            ack: SeqNum::new(*seq),
            nxt: SeqNum::new(end + 10),
            ..sample(SMSS)
        });
    }
}

/// What one mark takes of a window of 100 segments, after 60 windows in which so many of ten
/// segments were marked.
fn price_of_a_mark(marked: u32) -> u32 {
    let (mut congestion, mut seq) = (with(CongestionControl::Dctcp), 0);
    congestion.on_loss(200 * SMSS);
    for _ in 0..60 {
        marked_window(&mut congestion, &mut seq, marked);
    }
    let before = congestion.cwnd();
    congestion.on_mark(before);
    (before - congestion.cwnd()) * 100 / before
}

#[test]
fn a_mark_costs_dctcp_as_much_as_is_marked() {
    // RFC 8257 3.3: alpha / 2, where alpha is the share that is marked.
    assert!((49..=50).contains(&price_of_a_mark(10)));
    assert!((9..=12).contains(&price_of_a_mark(2)));
    assert!(price_of_a_mark(0) <= 2);
}

#[test]
fn dctcp_takes_a_loss_as_reno_does() {
    let mut congestion = with(CongestionControl::Dctcp);
    congestion.on_loss(12 * SMSS);
    assert_eq!(congestion.cwnd(), 6 * SMSS);
}

#[test]
fn a_window_without_marks_takes_a_sixteenth_off_alpha() {
    let (mut congestion, mut seq) = (with(CongestionControl::Dctcp), 0);
    congestion.on_loss(200 * SMSS);
    // The first ACK tells where the first window ends, the last one of the second that it has.
    for _ in 0..2 {
        marked_window(&mut congestion, &mut seq, 0);
    }
    let before = congestion.cwnd();
    congestion.on_mark(before);
    let share = f64::from(before - congestion.cwnd()) / f64::from(before);
    assert!((share - 15.0 / 32.0).abs() < 0.01, "RFC 8257 4.1: {share}");
}

#[test]
fn the_first_mark_costs_dctcp_half() {
    let mut congestion = with(CongestionControl::Dctcp);
    congestion.on_mark(10 * SMSS);
    assert_eq!(congestion.cwnd(), 5 * SMSS, "RFC 8257 4.2");
}

/// cwnd in segments after rounds of eight ACKs with these round trips, in milliseconds.
fn vegas_after(congestion: &mut Congestion, seq: &mut u32, rtts: &[u32]) -> u32 {
    for rtt in rtts {
        round(congestion, seq, rtt * 1_000);
    }
    congestion.cwnd() / SMSS
}

#[test]
fn vegas_lets_a_few_segments_wait_and_no_more() {
    let (mut congestion, mut seq) = (with(CongestionControl::Vegas), 0);
    congestion.on_loss(40 * SMSS);
    let start = vegas_after(&mut congestion, &mut seq, &[100]);
    // Of 20 segments 20 * (1 - 100/105) = 0.95 wait: fewer than two.
    let grown = vegas_after(&mut congestion, &mut seq, &[105, 105]);
    assert_eq!(grown, start + 2);
    // Of 22 at 115 ms 2.9 wait: right.
    assert_eq!(
        vegas_after(&mut congestion, &mut seq, &[115, 115, 115]),
        grown
    );
    // At 140 ms six and more wait: too many.
    assert_eq!(
        vegas_after(&mut congestion, &mut seq, &[140, 140]),
        grown - 2
    );
}

#[test]
fn vegas_ends_slow_start_when_segments_wait() {
    let (mut congestion, mut seq) = (with(CongestionControl::Vegas), 0);
    vegas_after(&mut congestion, &mut seq, &[100, 100]);
    assert_eq!(congestion.ssthresh(), u32::MAX);
    let before = congestion.cwnd();
    vegas_after(&mut congestion, &mut seq, &[130]);
    assert!(congestion.ssthresh() < u32::MAX);
    assert!(congestion.cwnd() <= before + 8 * SMSS);
}

const ALL: [CongestionControl; 5] = [
    CongestionControl::NewReno,
    CongestionControl::Cubic,
    CongestionControl::Dctcp,
    CongestionControl::Vegas,
    CongestionControl::Bbr,
];

#[test]
fn a_time_out_leaves_one_segment_whatever_the_algorithm_and_undo_gives_all_back() {
    for control in ALL {
        let mut congestion = with(control);
        let before = congestion.cwnd();
        congestion.on_timeout(10 * SMSS, true);
        assert_eq!(congestion.cwnd(), SMSS, "{control:?}");
        congestion.undo();
        assert_eq!(congestion.cwnd(), before, "{control:?}");
        assert_eq!(congestion.ssthresh(), u32::MAX, "{control:?}");
    }
}

#[test]
fn a_lost_syn_leaves_one_segment_whatever_the_algorithm() {
    for control in ALL {
        let mut congestion = with(control);
        congestion.restart(true);
        assert_eq!(congestion.cwnd(), SMSS, "{control:?}");
    }
}

#[test]
fn a_recovery_ends_at_ssthresh_or_at_what_recovery_allows() {
    for control in ALL.into_iter().filter(|c| *c != CongestionControl::Bbr) {
        let mut congestion = with(control);
        congestion.on_loss(20 * SMSS);
        let ssthresh = congestion.ssthresh();
        congestion.on_recovered(3 * SMSS);
        assert_eq!(congestion.cwnd(), 3 * SMSS, "{control:?}");
        congestion.on_recovered(u32::MAX);
        assert_eq!(congestion.cwnd(), ssthresh, "{control:?}");
    }
}

#[test]
fn segments_of_another_size_make_another_loss_window() {
    for control in ALL {
        let mut congestion = with(control);
        congestion.set_smss(500);
        congestion.on_timeout(10 * SMSS, true);
        assert_eq!(congestion.cwnd(), 500, "{control:?}");
    }
}

#[test]
fn a_mark_is_a_loss_to_all_but_dctcp_and_bbr() {
    let after = |control, mark: bool| {
        let mut congestion = with(control);
        if mark {
            congestion.on_mark(10 * SMSS);
        } else {
            congestion.on_loss(10 * SMSS);
        }
        congestion.cwnd()
    };
    for control in [
        CongestionControl::NewReno,
        CongestionControl::Cubic,
        CongestionControl::Vegas,
    ] {
        assert_eq!(after(control, true), after(control, false), "{control:?}");
    }
    assert_eq!(after(CongestionControl::Bbr, true), 10 * SMSS);
}

#[test]
fn the_pace_has_room_to_double_in_slow_start_and_a_fifth_after_it() {
    let mut congestion = reno();
    let pace = |congestion: &Congestion| {
        let rate = congestion.pacing_rate(100_000).expect("a round trip");
        // In windows of ten segments a round trip.
        rate * 0.1 / (10 * SMSS) as f32
    };
    assert!((pace(&congestion) - 2.0).abs() < 1e-3);
    congestion.on_loss(20 * SMSS);
    assert!((pace(&congestion) - 1.2).abs() < 1e-3);
    // Slow start is near its end from half of ssthresh on.
    congestion.on_timeout(40 * SMSS, true);
    congestion.on_recovered(10 * SMSS);
    assert!((pace(&congestion) - 1.2).abs() < 1e-3);
    assert_eq!(congestion.pacing_rate(0), None, "no round trip is known");
}

#[test]
fn in_recovery_bbr_keeps_cwnd_and_all_others_ssthresh() {
    let mut congestion = reno();
    congestion.on_loss(20 * SMSS);
    assert_eq!(congestion.recovery_target(), 10 * SMSS);
    let mut congestion = with(CongestionControl::Bbr);
    congestion.on_loss(40 * SMSS);
    assert_eq!(congestion.recovery_target(), 10 * SMSS);
}

#[test]
fn bbr_needs_sack_to_know_a_rate() {
    let config = Config {
        congestion: CongestionControl::Bbr,
        ..Config::default()
    };
    assert_eq!(Congestion::new(&config, SMSS as u16, true).name(), "bbr");
    assert_eq!(Congestion::new(&config, SMSS as u16, false).name(), "cubic");
}

#[test]
fn an_algorithm_is_known_by_the_name_of_its_setting() {
    for control in ALL {
        assert_eq!(with(control).name(), control.name());
        assert_eq!(with(control).is_paced(), control == CongestionControl::Bbr);
    }
}

#[test]
fn one_segment_that_waits_does_not_end_the_slow_start_of_vegas() {
    let (mut congestion, mut seq) = (with(CongestionControl::Vegas), 0);
    vegas_after(&mut congestion, &mut seq, &[100, 100]);
    // Of 26 segments 26 * (1 - 100/106) = 1.5.
    vegas_after(&mut congestion, &mut seq, &[106]);
    assert_eq!(congestion.ssthresh(), u32::MAX);
}
