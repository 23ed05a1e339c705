//! The handshake of a passive open: RFC 9293 3.10.7.2, and 3.10.7.4 in SYN-RECEIVED.

use wirepath_wire::tcp::{Flags, Header, WindowScale};

use super::pair::{End, PATH};
use super::trace::{ISS, Trace, line, parse, plain};
use super::{Event, text};
use crate::config::{Config, EcnMode};
use crate::half_open::{HalfOpen, HalfOpenVerdict};
use crate::state::State;
use crate::time::Instant;

const SYN: &str = "S 0+0 mss 1000 ws 4 sackok";
const SYN_ACK: &str = "S. 0+0 ack 1 mss 1460 ws 3 sackok";

fn half_open() -> HalfOpen {
    half_open_with(&plain())
}

fn half_open_with(config: &Config) -> HalfOpen {
    HalfOpen::new(Instant::ZERO, &parse(SYN, 60_000).header, config, ISS, 0)
}

fn on(peer: &str) -> HalfOpenVerdict {
    let syn_ack = half_open().syn_ack(Instant::ZERO, &plain(), PATH);
    half_open().on_segment(&parse(peer, 60_000).segment(), syn_ack)
}

#[track_caller]
fn replies(peer: &str, reply: &str) {
    match on(peer) {
        HalfOpenVerdict::Reply(header) => assert_eq!(line(&header, 0), reply),
        other => panic!("{other:?} after {peer}"),
    }
}

#[track_caller]
fn ignores(peer: &str) {
    let verdict = on(peer);
    assert!(matches!(verdict, HalfOpenVerdict::Ignore), "{verdict:?}");
}

#[test]
fn the_syn_ack_has_the_options_that_both_have() {
    let syn_ack = half_open().syn_ack(Instant::ZERO, &plain(), PATH);
    assert_eq!(line(&syn_ack, 0), SYN_ACK);
    let none = Config {
        sack: false,
        window_scaling: false,
        ..plain()
    };
    let syn_ack = half_open_with(&none).syn_ack(Instant::ZERO, &none, PATH);
    assert_eq!(line(&syn_ack, 0), "S. 0+0 ack 1 mss 1460");
}

#[test]
fn a_syn_again_gets_the_syn_ack_again() {
    replies(SYN, SYN_ACK);
}

#[test]
fn a_wrong_ack_is_reset_and_the_wait_goes_on() {
    replies(". 1+0 ack 0", "R 0+0");
    replies(". 1+0 ack 2", "R 2+0");
    replies("P. 1+5 ack 77", "R 77+0");
}

#[test]
fn only_an_exact_reset_ends_the_wait() {
    assert!(matches!(on("R 1+0"), HalfOpenVerdict::Forget));
    replies("R 2+0", ". 1+0 ack 1");
    replies("R -4+10", ". 1+0 ack 1");
    ignores("R 0+0");
    ignores("R 100000+0");
}

#[test]
fn text_outside_of_the_window_is_acknowledged_but_no_ack_of_an_ack() {
    replies("P. 100000+5 ack 1", ". 1+0 ack 1");
    replies("P. -5+5 ack 1", ". 1+0 ack 1");
    replies("S 9+0 mss 1000", ". 1+0 ack 1");
    ignores(". 100000+0 ack 1");
    ignores(". 0+0 ack 1");
}

#[test]
fn a_segment_counts_when_some_of_it_lies_in_the_window() {
    assert!(matches!(on("P. -4+10 ack 1"), HalfOpenVerdict::Accept));
    replies("P. -4+10 ack 77", "R 77+0");
    ignores("P -4+10");
}

#[test]
fn no_syn_ack_answers_a_syn_ack() {
    replies("S. 0+0 ack 1 mss 1000", ". 1+0 ack 1");
}

#[test]
fn a_segment_without_ack_says_nothing() {
    ignores("P 1+5");
    ignores("F 1+0");
}

#[test]
fn the_syn_ack_is_sent_five_times_more_in_a_minute() {
    let mut half_open = half_open();
    let mut times = Vec::new();
    loop {
        let now = half_open.deadline();
        times.push(now.as_millis() / 1_000);
        if !half_open.on_deadline(now, &plain()) {
            break;
        }
    }
    assert_eq!(times, [1, 3, 7, 15, 31, 63]);
}

#[test]
fn text_and_fin_may_come_with_the_last_ack_of_the_handshake() {
    let config = plain();
    let half_open = half_open();
    let mut server = End::new(half_open.accept(Instant::ZERO, config, PATH));
    server.on(Instant::ZERO, &parse("FP. 1+10 ack 1", 60_000));
    assert_eq!(server.received, text(10));
    assert_eq!(server.connection.state(), State::CloseWait);
    assert_eq!(server.events, [Event::Connected, Event::PeerClosed]);
}

#[test]
fn text_on_the_syn_waits_until_it_is_sent_again() {
    let mut trace = Trace::accepted(plain(), "S 0+10 mss 1000");
    trace.has_read(0);
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.has_read(10);
}

#[test]
fn a_syn_ack_sent_again_gives_one_segment_of_cwnd_and_no_sample() {
    let mut half_open = half_open();
    half_open.on_deadline(half_open.deadline(), &plain());
    let now = Instant::from_millis(1_500);
    let mut server = End::new(half_open.accept(now, plain(), PATH));
    server.on(now, &parse(". 1+0 ack 1", 60_000));
    let info = server.connection.info();
    assert_eq!((info.cwnd, info.srtt, info.rto), (1_000, 0, 3_000_000));
}

#[test]
fn a_last_ack_that_is_refused_leaves_syn_received_to_try_again() {
    let config = Config::default();
    let syn = parse("S 0+0 mss 1000 ts 50/0", 60_000);
    let half_open = HalfOpen::new(Instant::ZERO, &syn.header, &config, ISS, 0);
    let mut server = End::new(half_open.accept(Instant::ZERO, config, PATH));
    // PAWS: older than the SYN.
    server.on(Instant::ZERO, &parse(". 1+0 ack 1 ts 49/0", 60_000));
    assert_eq!(server.connection.state(), State::SynReceived);
    let lines = |server: &mut End, now| -> Vec<String> {
        std::iter::from_fn(|| server.poll(now))
            .map(|sent| line(&sent.header, sent.text.len()))
            .collect()
    };
    assert_eq!(lines(&mut server, Instant::ZERO), [". 1+0 ack 1"]);
    let later = Instant::from_millis(1_000);
    server.connection.on_deadline(later, &mut server.pool);
    assert_eq!(lines(&mut server, later), ["S. 0+0 ack 1 mss 1460"]);
    server.on(later, &parse(". 1+0 ack 1 ts 51/0", 60_000));
    assert_eq!(server.connection.state(), State::Established);
}

/// What the SYN-ACK says, and what the connection then does: timestamps, SACK, ECN, our shift.
type Agreed = (bool, bool, bool, u8);

fn agreed(begun_with: Config, ended_with: Config) -> (Agreed, Agreed) {
    let now = Instant::ZERO;
    let syn = parse("SEW 0+0 mss 1000 ws 4 sackok ts 50/0", 60_000);
    let half_open = HalfOpen::new(now, &syn.header, &begun_with, ISS, 0);
    // Also when it is sent again after the change.
    let Header { flags, options, .. } = half_open.syn_ack(now, &ended_with, PATH);
    let said = (
        options.timestamps.is_some(),
        options.sack_permitted,
        flags.contains(Flags::ECE),
        options.window_scale.map_or(0, WindowScale::shift),
    );
    let connection = half_open.accept(now, ended_with, PATH);
    let info = connection.info();
    let ecn = connection.ecn.is_agreed();
    (said, (info.timestamps, info.sack, ecn, info.window_scale.1))
}

#[test]
fn a_handshake_keeps_what_it_began_with_when_the_listener_gets_other_settings() {
    let all = Config {
        receive_buffer: 2 << 20,
        ..Config::default()
    };
    let none = Config {
        receive_buffer: 4_096,
        timestamps: false,
        sack: false,
        window_scaling: false,
        ecn: EcnMode::Off,
        ..all
    };
    let small = Config {
        receive_buffer: 4_096,
        ..all
    };
    let (everything, nothing) = ((true, true, true, 6), (false, false, false, 0));
    for (begun_with, then, expected) in [
        (all, none, everything),
        (none, all, nothing),
        (all, small, everything),
        (small, all, (true, true, true, 0)),
    ] {
        assert_eq!(agreed(begun_with, then), (expected, expected));
    }
}
