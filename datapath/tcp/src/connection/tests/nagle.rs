//! Which text goes when: Nagle, silly-window avoidance, PSH: RFC 9293 3.7.4, 3.8.6.2.1, 3.9.1.2.

use super::trace::{Trace, plain};
use crate::config::Config;

fn server() -> Trace {
    Trace::server(plain())
}

#[test]
fn a_small_segment_waits_while_another_is_unacknowledged() {
    let mut trace = server();
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    trace.send(10);
    trace.send(10);
    trace.expect(&[]);
    trace.exchange(". 1+0 ack 11", &["P. 11+20 ack 1"]);
}

#[test]
fn a_full_segment_does_not_wait() {
    let mut trace = server();
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    trace.send(1_500);
    trace.expect(&[". 11+1000 ack 1"]);
    trace.exchange(". 1+0 ack 11", &[]);
    trace.exchange(". 1+0 ack 1011", &["P. 1011+500 ack 1"]);
}

#[test]
fn without_nagle_every_byte_goes_at_once() {
    let mut trace = server();
    trace.configure(|config| config.nagle = false);
    for at in 1..5 {
        trace.send(1);
        trace.expect(&[&format!("P. {at}+1 ack 1")]);
    }
    trace.configure(|config| config.nagle = true);
    trace.send(1);
    trace.expect(&[]);
    trace.configure(|config| config.nagle = false);
    trace.expect(&["P. 5+1 ack 1"]);
}

#[test]
fn the_last_text_before_the_fin_does_not_wait() {
    let mut trace = server();
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    trace.send(10);
    trace.shutdown();
    trace.expect(&["FP. 11+10 ack 1"]);
}

#[test]
fn psh_stands_on_the_last_text_of_what_is_queued() {
    let mut trace = server();
    trace.send(2_500);
    trace.expect(&[". 1+1000 ack 1", ". 1001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 2001", &["P. 2001+500 ack 1"]);
}

#[test]
fn a_window_too_small_for_a_full_segment_is_not_worth_one() {
    let mut trace = server();
    trace.send(3_000);
    trace.expect(&[". 1+1000 ack 1", ". 1001+1000 ack 1", "P. 2001+1000 ack 1"]);
    trace.send(5_000);
    // Room for 400 more of a window that once was 60,000.
    trace.exchange(". 1+0 ack 3001 win 400", &[]);
    // RFC 9293 3.8.6.2.1: unless the override time passes.
    trace.after(200, &["+200 . 3001+400 ack 1"]);
    trace.exchange(". 1+0 ack 3401 win 400", &[]);
    trace.after(200, &["+200 . 3401+400 ack 1"]);
    // All that is left fits.
    trace.exchange(
        ". 1+0 ack 3801 win 4200",
        &[
            ". 3801+1000 ack 1",
            ". 4801+1000 ack 1",
            ". 5801+1000 ack 1",
            ". 6801+1000 ack 1",
        ],
    );
}

#[test]
fn the_last_text_goes_at_once_when_a_small_window_takes_it_all() {
    let mut trace = server();
    trace.send(700);
    trace.expect(&["P. 1+700 ack 1"]);
    trace.exchange(". 1+0 ack 701 win 400", &[]);
    trace.send(700);
    trace.after(200, &["+200 . 701+400 ack 1"]);
    trace.exchange(". 1+0 ack 1101 win 400", &["P. 1101+300 ack 1"]);
}

#[test]
fn half_of_the_largest_window_is_worth_a_segment() {
    let mut trace = Trace::accepted(plain(), "S 0+0 win 400 mss 1000");
    trace.win = 400;
    trace.peer(". 1+0 ack 1 win 400");
    trace.send(1_000);
    // The handshake's last ACK had offered 60,000.
    trace.expect(&[]);
    trace.after(200, &["+200 . 1+400 ack 1"]);
    let mut trace = Trace::accepted(plain(), "S 0+0 win 400 mss 1000");
    trace.peer(". 1+0 ack 1 win 30000");
    trace.send(30_000);
    assert_eq!(trace.sent().len(), 10, "the initial window");
}

#[test]
fn a_peer_whose_window_is_always_small_gets_all_it_can_take() {
    let mut trace = Trace::small_window(plain(), 300);
    trace.send(1_000);
    trace.expect(&[". 1+300 ack 1"]);
    trace.exchange(". 1+0 ack 301 win 300", &[". 301+300 ack 1"]);
    trace.exchange(". 1+0 ack 601 win 300", &[". 601+300 ack 1"]);
    trace.exchange(". 1+0 ack 901 win 300", &["P. 901+100 ack 1"]);
}

#[test]
fn text_never_exceeds_the_mss_whatever_the_options() {
    let config = Config::default();
    let mut trace = Trace::accepted(config, "S 0+0 mss 1000 ts 5/0");
    trace.send(1_976);
    trace.expect(&[". 1+988 ack 1", "P. 989+988 ack 1"]);
}

#[test]
fn the_least_mss_has_a_floor() {
    for mss in [0, 1, 8, 47, 48] {
        let mut trace = Trace::accepted(plain(), &format!("S 0+0 mss {mss}"));
        trace.send(96);
        trace.expect(&[". 1+48 ack 1", "P. 49+48 ack 1"]);
    }
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1 ts 5/0");
    trace.send(36);
    trace.expect(&["P. 1+36 ack 1"]);
}
