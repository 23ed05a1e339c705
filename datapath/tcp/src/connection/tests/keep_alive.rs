//! Keep-alive: RFC 9293 3.8.4.

use super::trace::{Trace, plain};
use super::{CloseReason, Event};
use crate::config::{Config, KeepAlive};
use crate::time::Millis;

const PROBE: &str = ". 0+0 ack 1";

fn with(probes: u8) -> Trace {
    let keep_alive = KeepAlive {
        idle: Millis::from_secs(60),
        interval: Millis::from_secs(5),
        probes,
    };
    Trace::server(Config {
        keep_alive: Some(keep_alive),
        ..plain()
    })
}

#[test]
fn it_is_off_unless_asked_for() {
    let mut trace = Trace::server(plain());
    trace.after(30 * 24 * 3_600_000, &[]);
    assert_eq!(Config::default().keep_alive, None, "MUST-25");
    let default = KeepAlive::default();
    assert!(default.idle >= Millis::from_secs(7_200), "MUST-28");
    assert_eq!(default.probes, 9);
}

#[test]
fn a_silent_peer_is_probed_and_then_reset() {
    let mut trace = with(9);
    let mut expected: Vec<String> = (0..9)
        .map(|nth| format!("+{} {PROBE}", 60_000 + nth * 5_000))
        .collect();
    expected.push("+105000 R. 1+0 ack 1".to_owned());
    assert_eq!(trace.pass(1_000_000), expected);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn one_probe_that_is_not_answered_is_not_death() {
    let mut trace = with(0);
    assert_eq!(trace.pass(68_000).len(), 2, "MUST-29");
    assert_eq!(trace.events(), []);
    trace.exchange(". 1+0 ack 1", &[]);
    trace.after(59_999, &[]);
    trace.after(1, &["+1 . 0+0 ack 1"]);
}

#[test]
fn what_the_peer_sends_puts_the_probe_off() {
    let mut trace = with(9);
    for _ in 0..10 {
        trace.after(59_999, &[]);
        trace.exchange(". 1+0 ack 1", &[]);
    }
    trace.after(60_000, &["+60000 . 0+0 ack 1"]);
}

#[test]
fn there_is_no_probe_while_text_is_outstanding() {
    let mut trace = with(9);
    trace.send(10);
    let sent = trace.pass(150_000);
    assert!(
        sent.iter().all(|line| line.contains("P. 1+10")),
        "MUST-26: {sent:?}"
    );
    trace.exchange(". 1+0 ack 11", &[]);
    let sent = trace.pass(70_000);
    assert!(sent[0].contains(". 10+0 ack 1"), "{sent:?}");
}

#[test]
fn the_probes_of_a_peer_are_answered() {
    let mut trace = Trace::server(plain());
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.pass(1_000);
    // As Linux sends them, and with an octet of garbage (SHLD-12, MAY-6).
    for probe in [". 10+0 ack 1", ". 10+1 ack 1"] {
        trace.pass(75_000);
        trace.exchange(probe, &[". 1+0 ack 11"]);
    }
    trace.has_read(10);
}
