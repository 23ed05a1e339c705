//! When ACKs are sent, and what they say: RFC 9293 3.8.6.3, RFC 5681 4.2, RFC 2018.

use super::DropReason;
use super::trace::{Trace, plain};
use crate::config::Config;

fn server() -> Trace {
    Trace::server(plain())
}

/// After a handshake that agreed upon SACK.
fn with_sack() -> Trace {
    Trace::accepted(plain(), "S 0+0 mss 1000 sackok")
}

#[test]
fn an_ack_waits_forty_milliseconds_for_company() {
    let mut trace = server();
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.after(39, &[]);
    trace.exchange("P. 11+10 ack 1", &[]);
    trace.after(60_000, &["+1 . 1+0 ack 21"]);
}

#[test]
fn an_ack_rides_on_text() {
    let mut trace = server();
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.send(5);
    trace.expect(&["P. 1+5 ack 11"]);
    trace.exchange(". 11+0 ack 6", &[]);
    trace.after(60_000, &[]);
}

#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut trace = server();
    trace.exchange(". 1+1000 ack 1", &[]);
    trace.exchange(". 1001+1000 ack 1", &[". 1+0 ack 2001"]);
    trace.exchange(". 2001+1000 ack 1", &[]);
    trace.exchange("P. 3001+1 ack 1", &[". 1+0 ack 3002"]);
}

#[test]
fn several_segments_of_a_turn_get_one_ack() {
    let mut trace = server();
    for at in [1, 1_001, 2_001, 3_001, 4_001] {
        trace.peer(&format!(". {at}+1000 ack 1"));
    }
    trace.expect(&[". 1+0 ack 5001"]);
    trace.after(1_000, &[]);
    trace.has_read(5_000);
}

#[test]
fn out_of_order_text_is_acknowledged_at_once_and_so_is_what_fills_the_hole() {
    let mut trace = server();
    trace.exchange("P. 101+100 ack 1", &[". 1+0 ack 1"]);
    trace.exchange("P. 301+100 ack 1", &[". 1+0 ack 1"]);
    trace.exchange(". 1+100 ack 1", &[". 1+0 ack 201"]);
    trace.exchange(". 201+50 ack 1", &[". 1+0 ack 251"]);
    trace.exchange(". 251+50 ack 1", &[". 1+0 ack 401"]);
    trace.has_read(400);
}

#[test]
fn duplicate_text_is_acknowledged_at_once() {
    let mut trace = server();
    trace.exchange("P. 1+100 ack 1", &[]);
    trace.exchange("P. 1+100 ack 1", &[". 1+0 ack 101"]);
    assert_eq!(trace.dropped, Some(DropReason::OutOfWindow));
    trace.exchange("P. 51+50 ack 1", &[". 1+0 ack 101"]);
    trace.exchange("P. 51+100 ack 1", &[]);
    trace.has_read(150);
    trace.exchange("P. 301+10 ack 1", &[". 1+0 ack 151"]);
    trace.exchange("P. 301+10 ack 1", &[". 1+0 ack 151"]);
}

#[test]
fn overlaps_are_put_together_byte_for_byte() {
    let mut trace = server();
    for line in [
        "P. 50+100 ack 1",
        "P. 40+20 ack 1",
        "P. 140+60 ack 1",
        "P. 300+1 ack 1",
        "P. 45+150 ack 1",
    ] {
        trace.exchange(line, &[". 1+0 ack 1"]);
    }
    trace.exchange(". 1+60 ack 1", &[". 1+0 ack 200"]);
    trace.has_read(199);
    trace.exchange(". 190+150 ack 1", &[". 1+0 ack 340"]);
    trace.has_read(339);
    assert_eq!(trace.end.pool.free(), trace.end.pool.total());
}

#[test]
fn text_that_begins_before_the_window_counts_from_rcv_nxt() {
    let mut trace = server();
    trace.peer("P. 1+100 ack 1");
    trace.exchange("P. -20+200 ack 1", &[]);
    trace.has_read(179);
}

#[test]
fn sack_blocks_name_the_newest_first() {
    let mut trace = with_sack();
    trace.exchange("P. 101+10 ack 1", &[". 1+0 ack 1 sack 101-111"]);
    trace.exchange(
        "P. 201+10 ack 1",
        &[". 1+0 ack 1 sack 201-211 sack 101-111"],
    );
    trace.exchange(
        "P. 301+10 ack 1",
        &[". 1+0 ack 1 sack 301-311 sack 201-211 sack 101-111"],
    );
    // Without timestamps four fit.
    trace.exchange(
        "P. 401+10 ack 1",
        &[". 1+0 ack 1 sack 401-411 sack 301-311 sack 201-211 sack 101-111"],
    );
    trace.exchange(
        "P. 111+10 ack 1",
        &[". 1+0 ack 1 sack 101-121 sack 401-411 sack 301-311 sack 201-211"],
    );
    // What arrives in order is in no block: the newest stays.
    trace.exchange(
        "P. 1+10 ack 1",
        &[". 1+0 ack 11 sack 101-121 sack 401-411 sack 301-311 sack 201-211"],
    );
    trace.exchange(
        ". 11+90 ack 1",
        &[". 1+0 ack 121 sack 401-411 sack 301-311 sack 201-211"],
    );
}

#[test]
fn text_carries_the_sack_blocks_and_is_the_shorter_for_it() {
    let mut trace = with_sack();
    trace.exchange("P. 101+10 ack 1", &[". 1+0 ack 1 sack 101-111"]);
    trace.configure(|config| config.nagle = false);
    trace.send(1_500);
    trace.expect(&[
        ". 1+988 ack 1 sack 101-111",
        "P. 989+512 ack 1 sack 101-111",
    ]);
}

#[test]
fn without_sack_there_are_no_blocks() {
    let config = Config {
        sack: false,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 mss 1000 sackok");
    trace.exchange("P. 101+10 ack 1", &[". 1+0 ack 1"]);
}

#[test]
fn only_so_many_holes_are_kept() {
    let mut trace = server();
    for nth in 0..64 {
        trace.peer(&format!("P. {}+1 ack 1", 3 + 2 * nth));
        assert_eq!(trace.dropped, None);
    }
    trace.sent();
    trace.exchange("P. 999+1 ack 1", &[". 1+0 ack 1"]);
    assert_eq!(trace.dropped, Some(DropReason::TooManyRanges));
    trace.exchange("P. 1+998 ack 1", &[". 1+0 ack 999"]);
    trace.has_read(998);
    assert_eq!(trace.end.pool.free(), trace.end.pool.total());
}

#[test]
fn an_ack_of_its_own_is_not_answered() {
    let mut trace = server();
    trace.exchange(". 1+0 ack 1", &[]);
    trace.exchange(". 500+0 ack 1", &[]);
    assert_eq!(trace.dropped, None, "in the window, and empty");
    trace.after(1_000, &[]);
}

#[test]
fn an_ack_that_is_owed_tells_of_holes_though_it_rides_on_old_text() {
    let mut trace = Trace::accepted(plain(), "S 0+0 win 60000 mss 1000 sackok");
    trace.send(10_000);
    trace.sent();
    trace.pass(5);
    // A hole in the peer's text, and one in ours, told in one segment.
    trace.peer(". 1001+1000 ack 1 sack 1001-10001");
    let sent = trace.sent();
    assert!(
        sent.iter().any(|line| line.contains("sack 1001-2001")),
        "{sent:?}"
    );
}
