//! How long unacknowledged text is borne, and what the peer has to say to it: RFC 5482.

use super::trace::{Trace, plain};
use super::{CloseReason, Event};
use crate::config::Config;
use crate::state::State;
use crate::time::Millis;

fn on() -> Config {
    Config {
        user_timeout_option: true,
        user_timeout: Millis::from_secs(200),
        ..plain()
    }
}

/// For how many seconds text of ours is borne without an answer, in steps of ten.
fn borne(trace: &mut Trace) -> u64 {
    trace.send(10);
    let start = trace.now;
    while trace.state() != State::Closed {
        trace.pass(10_000);
    }
    assert!(
        trace
            .events()
            .contains(&Event::Closed(CloseReason::TimedOut))
    );
    trace.now.since(start).as_secs()
}

#[test]
fn it_is_told_on_the_syn_and_until_text_is_acknowledged() {
    let mut trace = Trace::open(on());
    trace.expect(&["S 0+0 mss 1460 ws 3 sackok uto 200"]);
    trace.exchange("S. 0+0 ack 1 mss 1000", &[". 1+0 ack 1 uto 200"]);
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1 uto 200"]);
    trace.peer(". 1+0 ack 11");
    trace.send(10);
    trace.expect(&["P. 11+10 ack 1"]);
}

#[test]
fn the_longer_of_both_counts() {
    let short = borne(&mut Trace::accepted(
        on(),
        "S 0+0 win 60000 mss 1000 uto 100",
    ));
    let long = borne(&mut Trace::accepted(
        on(),
        "S 0+0 win 60000 mss 1000 uto 1000",
    ));
    assert!((200..340).contains(&short), "{short}");
    assert!((1_000..1_140).contains(&long), "{long}");
}

#[test]
fn a_later_option_takes_the_place_of_an_earlier_one_and_zero_says_nothing() {
    let mut trace = Trace::accepted(on(), "S 0+0 win 60000 mss 1000 uto 3000");
    trace.peer("P. 1+1 ack 1 uto 600");
    trace.peer("P. 2+1 ack 1 uto 0");
    let time = borne(&mut trace);
    assert!((600..740).contains(&time), "{time}");
}

#[test]
fn a_peer_cannot_ask_for_less_than_a_hundred_seconds_nor_for_more_than_an_hour() {
    let config = Config {
        user_timeout: Millis::from_secs(10),
        ..on()
    };
    let least = borne(&mut Trace::accepted(
        config,
        "S 0+0 win 60000 mss 1000 uto 1",
    ));
    let most = borne(&mut Trace::accepted(
        config,
        "S 0+0 win 60000 mss 1000 uto 1000000",
    ));
    assert!((100..240).contains(&least), "{least}");
    assert!((3_600..3_740).contains(&most), "{most}");
}

#[test]
fn it_is_neither_told_nor_heeded_unless_asked_for() {
    let config = Config {
        user_timeout_option: false,
        ..on()
    };
    let mut trace = Trace::accepted(config, "S 0+0 win 60000 mss 1000 uto 3000");
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    let time = borne(&mut trace);
    assert!((200..340).contains(&time), "{time}");
}
