//! Loss: RFC 6298, RFC 5681, RFC 6582, RFC 3042, RFC 9293 3.8.3.

use std::time::Duration;

use super::pair::{End, PATH};
use super::trace::{ISS, Trace, line, parse, plain};
use super::{CloseReason, Event, text};
use crate::config::Config;
use crate::half_open::HalfOpen;
use crate::time::{Instant, Millis};

fn server() -> Trace {
    Trace::server(plain())
}

/// Ten segments of 1,000 bytes are in flight, and two more are queued.
fn ten_in_flight() -> Trace {
    let mut trace = server();
    trace.send(12_000);
    assert_eq!(trace.sent().len(), 10);
    trace
}

/// As [`ten_in_flight`], after three duplicate ACKs.
fn fast_recovery() -> Trace {
    let mut trace = ten_in_flight();
    // Limited transmit, RFC 3042.
    trace.exchange(". 1+0 ack 1", &[". 10001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 1", &["P. 11001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 1", &[". 1+1000 ack 1"]);
    trace
}

fn cwnd(trace: &Trace) -> u32 {
    trace.end.connection.info().cwnd
}

fn ssthresh(trace: &Trace) -> Option<u32> {
    trace.end.connection.info().ssthresh
}

fn rto(trace: &Trace) -> u32 {
    trace.end.connection.info().rto
}

#[test]
fn text_is_sent_again_ever_more_slowly_and_given_up_at_r2() {
    let mut trace = server();
    trace.send(100);
    trace.expect(&["P. 1+100 ack 1"]);
    let times = [
        200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, 51_000, 102_200, 204_600,
    ];
    let expected = times.map(|time| format!("+{time} P. 1+100 ack 1"));
    assert_eq!(trace.pass(300_199), expected);
    assert_eq!(trace.events(), [Event::Retransmitting]);
    trace.after(1, &[]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn the_application_sets_r2() {
    let config = Config {
        user_timeout: Millis::from_secs(1),
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.send(1);
    trace.pass(3_000);
    assert_eq!(
        trace.events(),
        [Event::Closed(CloseReason::TimedOut)],
        "MUST-21"
    );
}

#[test]
fn an_ack_of_new_text_starts_the_timer_anew() {
    let mut trace = server();
    trace.send(2_000);
    assert_eq!(trace.sent().len(), 2);
    trace.after(150, &[]);
    trace.exchange(". 1+0 ack 1001", &[]);
    trace.pass(199);
    assert_eq!(
        trace.end.connection.counts().retransmissions,
        0,
        "RFC 6298 5.3"
    );
}

#[test]
fn the_timer_is_off_when_all_is_acknowledged() {
    let mut trace = server();
    trace.send(100);
    trace.sent();
    trace.exchange(". 1+0 ack 101", &[]);
    assert_eq!(trace.end.connection.next_deadline(), None, "RFC 6298 5.2");
}

#[test]
fn without_timestamps_the_back_off_stays_until_a_new_sample() {
    let mut trace = server();
    trace.send(100);
    trace.sent();
    trace.after(250, &["+200 P. 1+100 ack 1"]);
    let srtt = trace.end.connection.info().srtt;
    trace.exchange(". 1+0 ack 101", &[]);
    assert_eq!(trace.end.connection.info().srtt, srtt, "MUST-18, Karn");
    assert_eq!(rto(&trace), 400_000);
    trace.send(100);
    trace.expect(&["P. 101+100 ack 1"]);
    trace.exchange(". 1+0 ack 201", &[]);
    assert_eq!(rto(&trace), 200_000);
}

#[test]
fn an_echoed_timestamp_gives_a_sample_after_a_retransmission() {
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1000 ts 1000/0");
    trace.send(100);
    trace.sent();
    // TSval is now + 77: it left at 1,000 ms, and again at 1,200.
    trace.after(250, &["+200 P. 1+100 ack 1"]);
    trace.exchange(". 1+0 ack 101 ts 1001/1277", &[]);
    let info = trace.end.connection.info();
    assert!(info.srtt > 5_000, "{}", info.srtt);
    assert_eq!(info.rto, 200_000);
}

#[test]
fn an_echo_of_a_timestamp_that_never_was_gives_no_sample() {
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1000 ts 1000/0");
    // Long enough open for an echo of eleven minutes ago to be one of its own.
    trace.pass(700_000);
    let before = trace.end.connection.info().srtt;
    trace.send(100);
    trace.sent();
    trace.pass(250);
    // It left at 701,000 + 77.
    trace.exchange(". 1+0 ack 101 ts 700001/41077", &[]);
    assert_eq!(trace.end.connection.info().srtt, before);
}

#[test]
fn three_duplicate_acks_resend_the_first_segment_and_halve_cwnd() {
    let trace = fast_recovery();
    // What limited transmit sent does not count: RFC 5681 3.2 step 2.
    assert_eq!((ssthresh(&trace), cwnd(&trace)), (Some(5_000), 5_000));
    assert_eq!(trace.end.connection.info().recovery, "recovery");
}

#[test]
fn a_full_ack_ends_the_recovery() {
    let mut trace = fast_recovery();
    trace.exchange(". 1+0 ack 12001", &[]);
    assert_eq!(trace.end.connection.info().recovery, "open");
    assert_eq!(trace.end.connection.counts().retransmissions, 1);
    assert!(cwnd(&trace) <= 5_000);
    trace.after(10_000, &[]);
}

#[test]
fn a_partial_ack_resends_the_next_hole_at_once() {
    let mut trace = fast_recovery();
    trace.exchange(". 1+0 ack 3001", &[". 3001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 6001", &[". 6001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 12001", &[]);
    assert_eq!(ssthresh(&trace), Some(5_000), "halved once");
}

#[test]
fn further_duplicates_let_new_text_go() {
    let mut trace = fast_recovery();
    trace.send(5_000);
    let mut lines = Vec::new();
    for _ in 0..9 {
        trace.peer(". 1+0 ack 1");
        lines.extend(trace.sent());
    }
    // Twelve in flight, one of them again: 5,000 of cwnd are used until seven have left.
    assert!(
        lines.contains(&". 12001+1000 ack 1".to_owned()),
        "{lines:?}"
    );
    assert!(lines.len() <= 5, "{lines:?}");
}

#[test]
fn two_duplicate_acks_are_only_reordering() {
    let mut trace = server();
    trace.send(5_000);
    trace.sent();
    trace.exchange(". 1+0 ack 1", &[]);
    trace.exchange(". 1+0 ack 1", &[]);
    trace.exchange(". 1+0 ack 5001", &[]);
    assert_eq!(ssthresh(&trace), None);
}

#[test]
fn what_carries_text_or_moves_the_window_is_no_duplicate() {
    let mut trace = server();
    trace.send(5_000);
    trace.sent();
    for at in [1, 11, 21, 31] {
        trace.peer(&format!("P. {at}+10 ack 1"));
    }
    for win in [50_000, 50_001, 50_002, 50_003] {
        trace.peer(&format!(". 41+0 ack 1 win {win}"));
    }
    trace.sent();
    assert_eq!(
        trace.end.connection.counts().retransmissions,
        0,
        "RFC 5681 2"
    );
}

#[test]
fn a_recovery_with_sack_leaves_cwnd_at_ssthresh() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.send(10_000);
    trace.sent();
    trace.exchange(". 1+0 ack 1 sack 1001-10001", &[". 1+1000 ack 1"]);
    trace.exchange(". 1+0 ack 10001", &[]);
    let info = trace.end.connection.info();
    assert_eq!(info.recovery, "open");
    assert_eq!((info.cwnd, info.ssthresh), (5_000, Some(5_000)));
}

#[test]
fn what_sack_tells_counts_though_the_window_moves() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.send(5_000);
    trace.sent();
    trace.after(5, &[]);
    // The handshake took no time, and a quarter of that is no room for reordering (RFC 8985 6.2).
    // Each ACK lets one segment go (RFC 9937).
    let first = ". 1+0 ack 1 win 50001 sack 2001-3001";
    trace.exchange(first, &[". 1+1000 ack 1"]);
    trace.after(1, &[]);
    let second = ". 1+0 ack 1 win 50002 sack 4001-5001 sack 2001-3001";
    trace.exchange(second, &[". 1001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 5001 win 50003", &[]);
}

#[test]
fn a_time_out_sends_all_again_from_one_segment_on() {
    let mut trace = ten_in_flight();
    trace.after(200, &["+200 . 1+1000 ack 1"]);
    assert_eq!((cwnd(&trace), ssthresh(&trace)), (1_000, Some(5_000)));
    // F-RTO: new text goes first, and what answers it is a duplicate ACK.
    let new = [". 10001+1000 ack 1", "P. 11001+1000 ack 1"];
    trace.exchange(". 1+0 ack 1001", &new);
    trace.exchange(". 1+0 ack 1001", &[". 1001+1000 ack 1"]);
    // Only the third was lost of the rest.
    trace.exchange(". 1+0 ack 2001", &[". 2001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 12001", &[]);
    assert_eq!(trace.end.connection.info().recovery, "open");
}

#[test]
fn a_second_time_out_of_the_same_text_halves_nothing_more() {
    let mut trace = ten_in_flight();
    trace.after(600, &["+200 . 1+1000 ack 1", "+600 . 1+1000 ack 1"]);
    assert_eq!((cwnd(&trace), ssthresh(&trace)), (1_000, Some(5_000)));
}

#[test]
fn duplicate_acks_after_a_time_out_resend_nothing_twice() {
    let mut trace = ten_in_flight();
    trace.after(200, &["+200 . 1+1000 ack 1"]);
    for _ in 0..9 {
        trace.exchange(". 1+0 ack 1", &[]);
    }
    assert_eq!(ssthresh(&trace), Some(5_000), "RFC 6582 3.2 step 2");
}

#[test]
fn small_segments_are_sent_again_as_one() {
    let mut trace = server();
    trace.configure(|config| config.nagle = false);
    for _ in 0..5 {
        trace.send(10);
        trace.sent();
    }
    trace.after(200, &["+200 P. 1+50 ack 1"]);
}

#[test]
fn what_is_sent_again_takes_new_text_and_the_fin_along() {
    let mut trace = server();
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    trace.send(20);
    trace.expect(&[]);
    trace.after(200, &["+200 P. 1+30 ack 1"]);
    trace.shutdown();
    trace.expect(&["F. 31+0 ack 1"]);
    trace.after(500, &["+400 FP. 1+30 ack 1"]);
    trace.exchange(". 1+0 ack 32", &[]);
    assert_eq!(trace.state(), crate::state::State::FinWait2);
}

#[test]
fn after_a_silence_cwnd_is_the_initial_window_again() {
    let mut trace = server();
    for round in 0..10 {
        trace.send(10_000);
        trace.sent();
        for ack in 1..=10 {
            trace.peer(&format!(". 1+0 ack {}", round * 10_000 + ack * 1_000 + 1));
        }
        trace.sent();
    }
    assert!(cwnd(&trace) > 12_000, "{}", cwnd(&trace));
    trace.pass(1_000);
    trace.send(30_000);
    assert_eq!(trace.sent().len(), 10, "RFC 5681 4.1");
}

#[test]
fn slow_start_doubles_and_a_window_not_used_does_not_grow() {
    let mut trace = server();
    trace.send(30_000);
    assert_eq!(trace.sent().len(), 10);
    for ack in 1..=10 {
        trace.peer(&format!(". 1+0 ack {}", ack * 1_000 + 1));
    }
    assert_eq!(cwnd(&trace), 20_000);
    let mut trace = server();
    trace.send(1_000);
    trace.sent();
    trace.peer(". 1+0 ack 1001");
    assert_eq!(cwnd(&trace), 10_000);
}

#[test]
fn the_ack_of_the_handshake_does_not_grow_cwnd() {
    assert_eq!(cwnd(&server()), 10_000, "RFC 5681 3.1");
}

#[test]
fn a_probe_under_way_does_not_hold_back_what_timed_out() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.send(1_028);
    trace.shutdown();
    trace.sent();
    // This peer says nothing of the FIN in its SACK.
    let sack = ". 1+0 ack 1 sack 1001-1029";
    trace.exchange(sack, &[]);
    trace.after(10, &["+10 FP. 1001+28 ack 1"]);
    trace.exchange(sack, &[]);
    trace.after(300, &["+200 . 1+1000 ack 1"]);
    trace.exchange(". 1+0 ack 1029", &["F. 1029+0 ack 1"]);
}

#[test]
fn a_time_out_sends_the_first_segment_again() {
    let millis = Duration::from_millis;
    let mut now = Instant::from_millis(1_000);
    let syn = parse("S 0+0 win 60000 mss 1000 sackok", 60_000);
    let half_open = HalfOpen::new(now, &syn.header, &plain(), ISS, 77);
    now = now + millis(150);
    let mut end = End::new(half_open.accept(now, plain(), PATH));
    end.on(now, &parse(". 1+0 ack 1", 60_000));
    end.send(&text(1_000));
    end.poll(now).expect("text");
    now = now + millis(150);
    end.on(now, &parse(". 1+0 ack 1001", 60_000));
    // A segment every 40 ms, of which none arrives.
    let start = now;
    let mut log = Vec::new();
    while now.since(start) < millis(2_000) {
        let at = now.since(start).as_millis() as u64;
        if at.is_multiple_of(40) && at < 400 {
            end.send(&text(1_000));
        }
        end.connection.on_deadline(now, &mut end.pool);
        while let Some(sent) = end.poll(now) {
            log.push(format!("+{at} {}", line(&sent.header, sent.text.len())));
        }
        now = now + millis(1);
    }
    let rto = log
        .iter()
        .filter(|line| line.ends_with(" 1001+1000 ack 1"))
        .nth(1);
    assert!(
        rto.is_some_and(|line| line.starts_with("+375 ") || line.starts_with("+376 ")),
        "{log:#?}"
    );
}

#[test]
fn what_is_late_longer_than_reordering_explains_is_sent_again() {
    let mut trace = Trace::open(plain());
    trace.sent();
    trace.pass(20);
    trace.exchange("S. 0+0 ack 1 mss 1000 sackok", &[". 1+0 ack 1"]);
    trace.send(10_000);
    trace.sent();
    trace.pass(20);
    // A quarter of the round trip later the first counts as lost (RFC 8985 6.2).
    trace.exchange(". 1+0 ack 1 sack 1001-2001", &[]);
    trace.after(5, &["+5 . 1+1000 ack 1"]);
    let info = trace.end.connection.info();
    assert_eq!((info.recovery, info.ssthresh), ("recovery", Some(5_000)));
}
