//! Explicit congestion notification: RFC 3168.

use std::time::Duration;

use super::pair::{End, PATH};
use super::trace::{IRS, ISS, Trace, parse, plain};
use crate::config::{Config, CongestionControl, EcnMode};
use crate::half_open::HalfOpen;
use crate::negotiated::Path;
use crate::time::Instant;

const OFFER: &str = "SEW 0+0 win 60000 mss 1000 sackok";

fn mode(ecn: EcnMode) -> Config {
    Config { ecn, ..plain() }
}

/// After a handshake that agreed on it.
fn agreed() -> Trace {
    Trace::accepted(plain(), OFFER)
}

/// The answer to our SYN, and to what we then send.
fn connect(ecn: EcnMode, syn: &str, syn_ack: &str) -> Trace {
    let mut trace = Trace::open(mode(ecn));
    trace.expect(&[syn]);
    trace.exchange(syn_ack, &[". 1+0 ack 1"]);
    trace.send(10);
    trace
}

#[test]
fn an_active_open_offers_it_only_when_told_to() {
    let options = "0+0 mss 1460 ws 3 sackok";
    let offer = format!("SEW {options}");
    connect(EcnMode::Active, &offer, "SE. 0+0 ack 1 mss 1000").expect(&["P. 1+10 ack 1 ect0"]);
    connect(EcnMode::Active, &offer, "S. 0+0 ack 1 mss 1000").expect(&["P. 1+10 ack 1"]);
    // A mirror sends back what it got (RFC 3168 6.1.1).
    connect(EcnMode::Active, &offer, "SEW. 0+0 ack 1 mss 1000").expect(&["P. 1+10 ack 1"]);
    let plain_syn = format!("S {options}");
    connect(EcnMode::Passive, &plain_syn, "SE. 0+0 ack 1 mss 1000").expect(&["P. 1+10 ack 1"]);
}

#[test]
fn a_syn_that_is_sent_again_does_not_offer_it() {
    let mut trace = Trace::open(mode(EcnMode::Active));
    trace.sent();
    trace.after(1_000, &["+1000 S 0+0 mss 1460 ws 3 sackok"]);
    trace.exchange("SE. 0+0 ack 1 mss 1000", &[". 1+0 ack 1"]);
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
}

#[test]
fn a_passive_open_takes_an_offer_up_unless_it_is_off() {
    for (ecn, capable) in [
        (EcnMode::Off, ""),
        (EcnMode::Passive, " ect0"),
        (EcnMode::Active, " ect0"),
    ] {
        let mut trace = Trace::accepted(mode(ecn), OFFER);
        trace.send(10);
        trace.expect(&[&format!("P. 1+10 ack 1{capable}")]);
    }
}

#[test]
fn only_new_text_may_be_marked() {
    let mut trace = agreed();
    trace.exchange("P. 1+1000 ack 1", &[]);
    trace.exchange("P. 1001+1000 ack 1", &[". 1+0 ack 2001"]);
    trace.send(10);
    trace.expect(&["P. 1+10 ack 2001 ect0"]);
    let again = trace.pass(1_000);
    assert!(
        again[0].ends_with("P. 1+10 ack 2001"),
        "RFC 3168 6.1.5: {again:?}"
    );
    let mut trace = agreed();
    trace.peer(". 1+0 ack 1 win 0");
    trace.send(10);
    let probes = trace.pass(3_000);
    assert!(
        !probes.is_empty() && !probes.concat().contains("ect0"),
        "6.1.6"
    );
}

#[test]
fn a_mark_is_told_until_the_peer_says_that_it_has_heard() {
    let mut trace = agreed();
    trace.exchange(". 1+1000 ack 1 ce", &[]);
    trace.exchange(". 1001+1000 ack 1 ect0", &["E. 1+0 ack 2001"]);
    trace.exchange(". 2001+1000 ack 1 ect0", &[]);
    trace.exchange(". 3001+1000 ack 1 ect0", &["E. 1+0 ack 4001"]);
    trace.exchange("W. 4001+1000 ack 1 ect0", &[]);
    trace.exchange(". 5001+1000 ack 1 ect0", &[". 1+0 ack 6001"]);
    // Heard and marked again in one segment.
    trace.exchange("W. 6001+1000 ack 1 ce", &[]);
    trace.exchange(". 7001+1000 ack 1 ect0", &["E. 1+0 ack 8001"]);
}

#[test]
fn a_mark_on_what_is_not_acceptable_or_carries_no_text_is_not_told() {
    let mut trace = agreed();
    trace.exchange(". 1+0 ack 1 ce", &[]);
    trace.exchange(". 200001+1000 ack 1 ce", &[". 1+0 ack 1"]);
    trace.exchange(". 1+1000 ack 1", &[]);
    trace.exchange(". 1001+1000 ack 1", &[". 1+0 ack 2001"]);
}

#[test]
fn an_echo_halves_cwnd_once_a_window_and_the_next_text_says_so() {
    let mut trace = agreed();
    trace.send(20_000);
    assert_eq!(trace.sent().len(), 10);
    trace.peer("E. 1+0 ack 1001");
    let info = trace.end.connection.info();
    assert!(info.cwnd <= 5_500, "{}", info.cwnd);
    assert_eq!(info.recovery, "open", "nothing is lost");
    trace.peer("E. 1+0 ack 3001");
    trace.peer("E. 1+0 ack 5001");
    let same = trace.end.connection.info().ssthresh;
    assert_eq!(same, info.ssthresh, "the same window");
    trace.peer("E. 1+0 ack 7001");
    let sent = trace.sent();
    assert!(
        sent[0].starts_with("W. 10001+1000") && sent[0].ends_with("ect0"),
        "{sent:?}"
    );
    assert!(sent[1..].iter().all(|line| !line.contains('W')), "{sent:?}");
    trace.peer("E. 1+0 ack 10001");
    trace.sent();
    trace.peer("E. 1+0 ack 11001");
    assert!(
        trace.end.connection.info().ssthresh < same,
        "the next window"
    );
}

#[test]
fn an_echo_that_was_not_agreed_upon_says_nothing() {
    let mut trace = Trace::server(plain());
    trace.send(20_000);
    trace.sent();
    trace.peer("E. 1+0 ack 1001");
    assert_eq!(trace.end.connection.info().ssthresh, None);
    trace.exchange(
        ". 1+1000 ack 1001 ce",
        &[". 10001+1000 ack 1001", ". 11001+1000 ack 1001"],
    );
}

#[test]
fn a_loss_is_told_as_well() {
    let mut trace = agreed();
    trace.send(20_000);
    trace.sent();
    trace.peer(". 1+0 ack 1 sack 1001-4001");
    let again = trace.sent();
    assert_eq!(again[0], ". 1+1000 ack 1", "RFC 3168 6.1.5");
    trace.peer(". 1+0 ack 10001");
    let next = trace.sent();
    assert!(next[0].starts_with("W. 1"), "RFC 3168 6.1.2: {next:?}");
}

#[test]
fn a_mark_counts_after_more_than_two_gigabytes() {
    let config = Config {
        send_buffer: 2 << 20,
        ecn: EcnMode::Passive,
        ..plain()
    };
    let path = Path {
        mss: 65_000,
        ..PATH
    };
    let mut now = Instant::from_millis(1_000);
    let syn = parse("SEW 0+0 win 60000 mss 65000 ws 10", 60_000);
    let half_open = HalfOpen::new(now, &syn.header, &config, ISS, 0);
    let mut server = End::new(half_open.accept(now, config, path));
    let mut ack = parse(". 1+0 ack 1", 60_000);
    server.on(now, &ack);
    let chunk = vec![0; 65_536];
    let mut arrived = 0_u64;
    while arrived < (2 << 30) + (1 << 20) {
        server.send(&chunk);
        while let Some(outgoing) = server.connection.poll_segment(now, &mut server.pool) {
            arrived += outgoing.text_len() as u64;
        }
        now = now + Duration::from_micros(50);
        ack.header.ack = ISS + 1 + arrived as u32;
        server.on(now, &ack);
    }
    for _ in 0..4 {
        server.send(&chunk);
    }
    while server.poll(now).is_some() {}
    let mut marked = parse("E. 1+0 ack 1", 60_000);
    marked.header.ack = ack.header.ack + 65_000;
    server.on(now, &marked);
    assert!(server.connection.info().ssthresh.is_some());
}

#[test]
fn a_duplicate_does_not_undo_a_mark() {
    let config = Config {
        ecn: EcnMode::Passive,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "SEW 0+0 win 60000 mss 1000 sackok");
    trace.send(60_000);
    assert_eq!(trace.sent().len(), 10);
    trace.pass(5);
    trace.peer(". 1+0 ack 1 sack 1001-10001");
    trace.sent();
    trace.pass(5);
    trace.peer(". 1+0 ack 10001");
    trace.sent();
    let mut at = 10_001;
    for _ in 0..12 {
        trace.pass(5);
        at += 3_000;
        trace.peer(&format!(". 1+0 ack {at}"));
        trace.sent();
    }
    let before = trace.end.connection.info();
    trace.peer(&format!("E. 1+0 ack {}", at + 1_000));
    trace.sent();
    let marked = trace.end.connection.info();
    assert!(marked.cwnd < before.cwnd, "{} {}", before.cwnd, marked.cwnd);
    // The network has doubled a packet.
    trace.peer(&format!(
        ". 1+0 ack {} sack {}-{}",
        at + 1_000,
        at - 999,
        at + 1
    ));
    let info = trace.end.connection.info();
    assert_eq!(
        (info.cwnd, info.ssthresh),
        (marked.cwnd, marked.ssthresh),
        "{} {:?}",
        before.cwnd,
        before.ssthresh
    );
}

/// After a handshake that agreed on it, with DCTCP.
fn dctcp() -> Trace {
    let config = Config {
        congestion: CongestionControl::Dctcp,
        receive_buffer: 32 << 10,
        ..plain()
    };
    Trace::accepted(config, OFFER)
}

#[test]
fn with_dctcp_every_change_of_marks_is_told_at_once_and_exactly() {
    let mut trace = dctcp();
    trace.exchange("P. 1+1000 ack 1 ce", &["E. 1+0 ack 1001"]);
    trace.exchange("P. 1001+1000 ack 1 ce", &[]);
    // What was marked is acknowledged as such before what was not (RFC 8257 3.2).
    trace.exchange("P. 2001+1000 ack 1", &["E. 1+0 ack 2001", ". 1+0 ack 3001"]);
    trace.exchange("P. 3001+1000 ack 1", &[]);
    trace.after(40, &["+40 . 1+0 ack 4001"]);
}

#[test]
fn an_ack_of_what_came_before_the_marks_changed_leaves_the_edge_of_the_window() {
    let mut trace = dctcp();
    trace.peer("P. 1+1000 ack 1");
    trace.exchange(
        "P. 1001+500 ack 1 ce",
        &[". 1+0 ack 1001", "E. 1+0 ack 1501"],
    );
    let edges: Vec<u32> = (trace.out[trace.out.len() - 2..].iter())
        .map(|sent| sent.header.ack.distance_from(IRS) as u32 + u32::from(sent.header.window.0))
        .collect();
    assert_eq!(edges[0], edges[1]);
}

#[test]
fn with_dctcp_a_pure_ack_changes_no_marks() {
    let mut trace = dctcp();
    trace.exchange("P. 1+1000 ack 1 ce", &["E. 1+0 ack 1001"]);
    trace.exchange(". 1001+0 ack 1", &[]);
    trace.exchange("P. 1001+1000 ack 1 ce", &[]);
    trace.after(40, &["+40 E. 1+0 ack 2001"]);
}

#[test]
fn every_mark_costs_dctcp_less_while_few_are_marked() {
    let mut trace = dctcp();
    trace.send(30_000);
    assert_eq!(trace.sent().len(), 10);
    let cwnd = |trace: &Trace| trace.end.connection.info().cwnd;
    trace.peer("E. 1+0 ack 1001");
    assert_eq!(cwnd(&trace), 5_500, "half, of eleven segments");
}

#[test]
fn marks_that_change_twice_between_two_polls_are_told_as_they_were() {
    let config = Config {
        congestion: CongestionControl::Dctcp,
        ecn: EcnMode::Passive,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "SEW 0+0 win 60000 mss 1000 sackok");
    trace.peer(". 1+1000 ack 1 ect0");
    trace.peer(". 1001+1000 ack 1 ect0");
    trace.peer(". 2001+1000 ack 1 ce");
    trace.peer(". 3001+1000 ack 1 ect0");
    trace.expect(&[". 1+0 ack 2001", "E. 1+0 ack 3001", ". 1+0 ack 4001"]);
}
