//! Fast Open of a passive open: RFC 7413.

use wirepath_tcp::config::Config;
use wirepath_tcp::state::State;
use wirepath_wire::tcp::{FastOpen, Flags, Options};
use wirepath_wire::tuple::Tuple;

use crate::lab::{Lab, Told, syn_options, tuple, v4};

fn lab() -> Lab {
    Lab::new(Config {
        fast_open: true,
        ..Config::default()
    })
}

fn showing(option: FastOpen) -> Options {
    Options {
        fast_open: Some(option),
        ..syn_options()
    }
}

/// The cookie that the peer gets when it asks.
fn cookie(lab: &mut Lab) -> FastOpen {
    lab.syn_with(&tuple(1), showing(FastOpen::Request), &[]);
    let cookie = lab.one().header.options.fast_open;
    assert!(matches!(cookie, Some(FastOpen::Cookie(_))), "{cookie:?}");
    cookie.expect("asked for")
}

#[test]
fn text_on_a_syn_with_a_good_cookie_is_answered_at_once() {
    let mut lab = lab();
    let cookie = cookie(&mut lab);
    lab.syn_with(&tuple(2), showing(cookie), b"hello");
    assert_eq!(lab.told(), [Told::Opened]);
    let [syn_ack, echo] = &lab.sent()[..] else {
        panic!("a SYN-ACK and text");
    };
    assert_eq!(syn_ack.header.flags, Flags::SYN | Flags::ACK);
    assert_eq!(
        syn_ack.header.ack.value(),
        crate::lab::IRS + 6,
        "the text is acknowledged"
    );
    assert_eq!(echo.text, b"hello");
    assert_eq!(lab.state(&tuple(2)), Some(State::SynReceived));
    lab.segment(&tuple(2), &Lab::answer(echo, 6, Flags::ACK), &[]);
    assert_eq!(lab.state(&tuple(2)), Some(State::Established));
    assert_eq!(lab.told(), [], "the application knows");
    lab.segment(&tuple(2), &Lab::answer(echo, 6, Flags::ACK), b"again");
    assert_eq!(lab.one().text, b"again");
}

#[test]
fn text_that_went_early_and_was_lost_is_sent_again() {
    let mut lab = lab();
    let cookie = cookie(&mut lab);
    lab.syn_with(&tuple(2), showing(cookie), b"hello");
    let syn_ack = lab.sent().remove(0);
    lab.segment(&tuple(2), &Lab::answer(&syn_ack, 6, Flags::ACK), &[]);
    assert_eq!(lab.state(&tuple(2)), Some(State::Established));
    lab.pass(1_500);
    assert!(lab.sent().iter().any(|sent| sent.text == b"hello"));
}

#[test]
fn a_lost_syn_ack_is_sent_again_when_the_syn_comes_again() {
    let mut lab = lab();
    let cookie = cookie(&mut lab);
    for _ in 0..2 {
        lab.syn_with(&tuple(2), showing(cookie), b"hello");
        let flags = lab.sent()[0].header.flags;
        assert_eq!(flags, Flags::SYN | Flags::ACK);
    }
    assert_eq!(lab.told(), [Told::Opened], "once");
}

#[test]
fn a_cookie_of_somebody_else_gets_the_usual_handshake_and_a_good_one() {
    let mut lab = lab();
    let cookie = cookie(&mut lab);
    let mut other = tuple(2);
    other.remote.address = v4(3);
    lab.syn_with(&other, showing(cookie), b"hello");
    let syn_ack = lab.one();
    assert_eq!(
        syn_ack.header.ack.value(),
        crate::lab::IRS + 1,
        "the text is not taken"
    );
    let good = syn_ack.header.options.fast_open;
    assert!(good.is_some() && good != Some(cookie));
    assert_eq!(lab.told(), []);
}

#[test]
fn without_fast_open_text_on_a_syn_waits_for_the_handshake() {
    let mut lab = Lab::new(Config::default());
    lab.syn_with(&tuple(2), showing(FastOpen::Request), b"hello");
    let syn_ack = lab.one();
    assert_eq!(syn_ack.header.options.fast_open, None);
    assert_eq!(syn_ack.header.ack.value(), crate::lab::IRS + 1);
}

#[test]
fn no_more_than_so_many_are_open_by_a_syn_alone() {
    let mut lab = Lab::with_capacity(
        Config {
            fast_open: true,
            ..Config::default()
        },
        wirepath_stack::limits::Capacity {
            connections: 1_000,
            half_open: 1_000,
            ..crate::lab::small()
        },
    );
    let cookie = cookie(&mut lab);
    let early = |lab: &Lab| lab.worker.counters().fast_opens;
    for port in 1_000..1_300 {
        lab.syn_with(&tuple(port), showing(cookie), &[]);
        lab.sent();
    }
    assert_eq!(early(&lab), 256, "RFC 7413 5.1");
    assert_eq!(lab.worker.counters().fast_open_full, 44);
    let proven: Tuple = tuple(1_000);
    lab.syn_with(&proven, showing(cookie), &[]);
    let syn_ack = lab.one();
    lab.segment(&proven, &Lab::answer(&syn_ack, 1, Flags::ACK), &[]);
    lab.syn_with(&tuple(2_000), showing(cookie), &[]);
    assert_eq!(early(&lab), 257, "one is proven");
}
