//! Settings that change while a connection is open, and those of its beginning.

use super::pair::Pair;
use super::trace::{Trace, plain};
use super::{CloseReason, Event, text};
use crate::config::{Config, CongestionControl, KeepAlive};
use crate::time::Millis;

const EVERY_MINUTE: KeepAlive = KeepAlive {
    idle: Millis::from_secs(60),
    interval: Millis::from_secs(5),
    probes: 3,
};

#[test]
fn keep_alive_goes_on_and_off_while_the_connection_is_open() {
    let mut trace = Trace::server(plain());
    trace.after(100_000, &[]);
    trace.configure(|config| config.keep_alive = Some(EVERY_MINUTE));
    trace.after(60_000, &["+60000 . 0+0 ack 1"]);
    trace.configure(|config| config.keep_alive = None);
    trace.after(1_000_000, &[]);
}

#[test]
fn the_user_timeout_of_an_open_connection_changes() {
    let mut trace = Trace::server(plain());
    trace.configure(|config| config.user_timeout = Millis::from_secs(1));
    trace.send(1);
    trace.pass(5_000);
    let closed = Event::Closed(CloseReason::TimedOut);
    assert!(trace.events().contains(&closed), "MUST-21");
}

#[test]
fn another_congestion_control_goes_on_from_the_same_window() {
    let mut trace = Trace::server(plain());
    let before = trace.end.connection.info();
    trace.configure(|config| config.congestion = CongestionControl::Cubic);
    let after = trace.end.connection.info();
    assert_eq!((before.congestion, after.congestion), ("reno", "cubic"));
    assert_eq!(before.cwnd, after.cwnd);
}

#[test]
fn a_cork_keeps_back_what_does_not_fill_a_segment_but_not_for_ever() {
    let mut trace = Trace::server(plain());
    trace.configure(|config| config.cork = true);
    trace.send(1_500);
    trace.expect(&[". 1+1000 ack 1"]);
    trace.exchange(". 1+0 ack 1001", &[]);
    trace.configure(|config| config.cork = false);
    trace.expect(&["P. 1001+500 ack 1"]);
    trace.peer(". 1+0 ack 1501");
    trace.configure(|config| config.cork = true);
    trace.send(100);
    trace.after(200, &["+200 P. 1501+100 ack 1"]);
}

#[test]
fn text_that_a_cork_let_go_is_sent_again_though_the_cork_is_taken_off() {
    let mut trace = Trace::server(plain());
    trace.configure(|config| config.cork = true);
    trace.send(100);
    trace.after(200, &["+200 P. 1+100 ack 1"]);
    trace.configure(|config| config.cork = false);
    trace.after(300, &["+200 P. 1+100 ack 1"]);
}

#[test]
fn the_first_acks_are_quick_until_text_goes_the_other_way() {
    let config = Config {
        quick_acks: 3,
        ..plain()
    };
    let mut trace = Trace::server(config);
    for n in 0..3 {
        let ack = format!(". 1+0 ack {}", n * 1_000 + 1_001);
        trace.exchange(&format!(". {}+1000 ack 1", n * 1_000 + 1), &[&ack]);
    }
    trace.exchange(". 3001+1000 ack 1", &[]);
    let mut talks = Trace::server(config);
    talks.exchange("P. 1+10 ack 1", &[". 1+0 ack 11"]);
    talks.send(10);
    talks.expect(&["P. 1+10 ack 11"]);
    talks.exchange("P. 11+10 ack 11", &[]);
}

#[test]
fn quick_acks_can_be_had_again() {
    let mut trace = Trace::server(plain());
    trace.exchange(". 1+100 ack 1", &[]);
    trace.configure(|config| config.quick_acks = 1);
    trace.exchange(". 101+100 ack 1", &[". 1+0 ack 201"]);
    trace.exchange(". 201+100 ack 1", &[]);
}

#[test]
fn the_largest_segment_is_offered_and_kept() {
    let config = Config {
        max_segment: Some(600),
        ..plain()
    };
    let mut client = Trace::open(config);
    client.expect(&["S 0+0 mss 600 ws 3 sackok"]);
    let mut server = Trace::server(config);
    server.send(1_300);
    server.expect(&[". 1+600 ack 1", ". 601+600 ack 1"]);
}

#[test]
fn the_initial_window_can_be_set() {
    let mut trace = Trace::server(Config {
        initial_window: 3,
        ..plain()
    });
    trace.send(10_000);
    assert_eq!(trace.sent().len(), 3);
}

#[test]
fn settings_changed_while_a_corked_segment_is_in_flight_leave_it_a_timer() {
    let config = Config {
        cork: true,
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.send(100);
    trace.after(250, &["+200 P. 1+100 ack 1"]);
    trace.configure(|config| config.cork = false);
    // Lost. It must come again.
    assert_eq!(trace.end.connection.check(), Ok(()));
    let again = trace.pass(10_000);
    assert!(!again.is_empty(), "{again:?}");
}

#[test]
fn who_sets_the_pace_is_reported() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    let app_limited = |trace: &Trace| trace.end.connection.info().app_limited;
    trace.send(2_000);
    trace.sent();
    assert!(app_limited(&trace), "nothing is left to send");
    trace.send(30_000);
    trace.sent();
    trace.pass(20);
    trace.peer(". 1+0 ack 5001");
    trace.sent();
    assert!(!app_limited(&trace), "cwnd holds the rest back");
}

#[test]
fn bbr_hears_of_all_that_arrives() {
    let config = Config {
        congestion: CongestionControl::Bbr,
        ..Config::default()
    };
    let mut pair = Pair::established(config, Config::default());
    let before = pair.client.connection.info().cwnd;
    let sent = text(100_000);
    assert_eq!(pair.client.send(&sent), sent.len());
    pair.run(2_000);
    assert_eq!(pair.server.received, sent);
    assert!(pair.client.connection.info().cwnd > before);
}
