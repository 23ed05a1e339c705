//! Segments of somebody who guesses, or of a peer that means ill: RFC 5961, RFC 5681, CVEs.

use super::pair::Pair;
use super::trace::{Trace, plain};
use super::{DropReason, text};
use crate::config::Config;

fn server() -> Trace {
    Trace::server(plain())
}

#[test]
fn an_ack_counts_from_a_window_before_snd_una_to_snd_nxt() {
    let mut trace = server();
    acknowledge_up_to(&mut trace, 63_001);
    takes_acks(&mut trace, &[63_001, 3_001], &[63_002, 3_000]);
}

#[test]
fn an_ack_of_bytes_that_were_never_sent_does_not_count() {
    let mut trace = server();
    takes_acks(&mut trace, &[1], &[0, -1_000]);
    acknowledge_up_to(&mut trace, 3_001);
    takes_acks(&mut trace, &[3_001, 1], &[0, -1_000]);
}

/// Sends up to there, 3,000 bytes at a time.
fn acknowledge_up_to(trace: &mut Trace, end: i64) {
    for end in (3_001..=end).step_by(3_000) {
        trace.send(3_000);
        trace.sent();
        trace.exchange(&format!(". 1+0 ack {end}"), &[]);
    }
}

#[track_caller]
fn takes_acks(trace: &mut Trace, good: &[i64], bad: &[i64]) {
    let good = good.iter().map(|ack| (ack, None));
    let bad = bad
        .iter()
        .map(|ack| (ack, Some(DropReason::UnacceptableAck)));
    for (ack, expected) in good.chain(bad) {
        trace.peer(&format!(". 1+0 ack {ack}"));
        assert_eq!(trace.dropped, expected, "RFC 5961 5.2: ACK {ack}");
    }
}

#[test]
fn text_with_an_ack_that_cannot_be_is_not_taken() {
    let mut trace = server();
    for ack in [2, 100_000, -70_000, 1 << 31] {
        trace.peer(&format!("P. 1+10 ack {ack}"));
        assert_eq!(trace.dropped, Some(DropReason::UnacceptableAck));
    }
    trace.has_read(0);
    trace.peer("FP. 1+10 ack 2");
    assert_eq!(trace.state(), crate::state::State::Established);
}

#[test]
fn an_ack_of_what_was_not_sent_does_not_grow_cwnd() {
    let mut trace = server();
    trace.send(20_000);
    assert_eq!(trace.sent().len(), 10);
    for _ in 0..50 {
        trace.peer(". 1+0 ack 10002");
    }
    assert_eq!(trace.end.connection.info().cwnd, 10_000);
    assert_eq!(trace.end.connection.info().send_queue, 20_000);
}

#[test]
fn acks_of_single_bytes_grow_cwnd_no_faster() {
    let mut trace = server();
    trace.send(20_000);
    trace.sent();
    for ack in 2..=1_001 {
        trace.peer(&format!(". 1+0 ack {ack}"));
        trace.sent();
    }
    assert_eq!(trace.end.connection.info().cwnd, 11_000, "RFC 3465");
}

#[test]
fn blind_text_is_answered_twice_a_second_at_most() {
    let mut trace = server();
    let mut answers = 0;
    for nth in 0..1_000_i64 {
        trace.peer(&format!("P. {}+10 ack 1", 70_000 + nth * 1_000_003));
        answers += trace.sent().len();
        answers += trace.pass(5).len();
    }
    assert!(answers <= 10, "{answers} answers in 5 s");
    trace.has_read(0);
}

#[test]
fn two_that_lost_each_other_do_not_storm() {
    let mut one = Pair::established(Config::default(), Config::default());
    let other = Pair::established(plain(), plain());
    one.server = other.server;
    one.server.connection.snd.nxt += 1_000;
    one.server.connection.snd.una += 1_000;
    one.client.send(&text(10));
    one.run(5_000);
    let other = Pair::crossed(Config::default(), Config::default());
    let mut two = Pair::established(Config::default(), Config::default());
    two.server = other.server;
    two.run(5_000);
    let pure = |pair: &Pair| {
        pair.log
            .iter()
            .filter(|(.., sent)| sent.text.is_empty())
            .count()
    };
    assert!(pure(&one) <= 20, "{:?}", one.log);
    assert!(pure(&two) <= 20, "{:?}", two.log);
}

#[test]
fn every_other_byte_costs_no_more_blocks_than_the_window_has() {
    let config = Config {
        receive_buffer: 2 << 20,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 mss 1000 ws 0");
    for nth in 0..2_000 {
        trace.peer(&format!("P. {}+1 ack 1", 3 + nth * 30));
        trace.sent();
    }
    let used = trace.end.pool.total() - trace.end.pool.free();
    assert!(used <= 60_000 / 4_096 + 4, "{used} blocks");
}

#[test]
fn a_peer_that_reneges_or_lies_in_sack_does_no_harm() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.send(5_000);
    trace.sent();
    for sack in [
        "1-0",
        "4294917296-90000",
        "5001-5000",
        "2147483647-2147483650",
    ] {
        trace.peer(&format!(". 1+0 ack 1 sack {sack}"));
        trace.sent();
    }
    trace.peer(". 1+0 ack 5001");
    assert_eq!(trace.end.connection.info().send_queue, 0);
}

#[test]
fn the_urgent_pointer_delivers_in_line_wherever_it_points() {
    for urgent in [0, 1, 9, 10, u16::MAX] {
        let mut trace = server();
        let mut sent = super::trace::parse("UP. 1+10 ack 1", 60_000);
        sent.header.urgent = urgent;
        trace.deliver(&sent);
        trace.has_read(10);
    }
}
