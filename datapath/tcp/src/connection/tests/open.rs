//! Opening: RFC 9293 3.5, 3.10.7.3.

use super::pair::{PATH, Pair};
use super::trace::{ISS, Trace, line, plain};
use super::{CloseReason, Event};
use crate::config::Config;
use crate::connection::Connection;
use crate::negotiated::Path;
use crate::state::State;
use crate::time::{Instant, Millis};

const SYN: &str = "S 0+0 mss 1460 ws 3 sackok";

/// After an active open whose SYN is sent.
fn syn_sent() -> Trace {
    let mut trace = Trace::open(plain());
    trace.expect(&[SYN]);
    trace
}

/// After a simultaneous open's first half.
fn syn_received() -> Trace {
    let mut trace = syn_sent();
    trace.exchange("S 0+0 mss 1000", &["S. 0+0 ack 1 mss 1460"]);
    assert_eq!(trace.state(), State::SynReceived);
    trace
}

#[test]
fn an_active_open_sends_a_syn_and_acknowledges_the_answer() {
    let mut trace = syn_sent();
    assert_eq!(trace.state(), State::SynSent);
    trace.exchange("S. 0+0 ack 1 mss 1000", &[". 1+0 ack 1"]);
    assert_eq!(trace.state(), State::Established);
    assert_eq!(trace.events(), [Event::Connected]);
}

#[test]
fn text_that_waited_for_the_handshake_rides_on_its_last_ack() {
    let mut trace = Trace::open(plain());
    trace.send(100);
    trace.expect(&[SYN]);
    trace.exchange("S. 0+0 ack 1 mss 1000", &["P. 1+100 ack 1"]);
}

#[test]
fn both_syns_cross_as_in_figure_8() {
    let mut trace = syn_received();
    trace.exchange("S. 0+0 ack 1 mss 1000", &[". 1+0 ack 1"]);
    assert_eq!(trace.state(), State::Established);
    assert_eq!(trace.events(), [Event::Connected]);
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.has_read(10);
}

#[test]
fn a_simultaneous_open_ends_with_a_plain_ack_too() {
    let mut trace = syn_received();
    trace.exchange(". 1+0 ack 1", &[]);
    assert_eq!(trace.state(), State::Established);
}

#[test]
fn two_that_open_at_once_meet() {
    let mut pair = Pair::crossed(Config::default(), Config::default());
    pair.client.send(b"hello from here");
    pair.server.send(b"and from there");
    pair.run(100);
    assert_eq!(pair.server.received, b"hello from here");
    assert_eq!(pair.client.received, b"and from there");
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.state(), State::Established);
        assert_eq!(end.events, [Event::Connected]);
        assert_eq!(end.connection.counts().retransmissions, 0);
    }
}

#[test]
fn two_that_open_at_once_meet_though_every_third_segment_is_lost() {
    let mut pair = Pair::crossed(Config::default(), Config::default());
    let mut count = 0;
    pair.lose = Box::new(move |_, _| {
        count += 1;
        count % 3 == 1
    });
    pair.run(60_000);
    assert_eq!(pair.client.connection.state(), State::Established);
    assert_eq!(pair.server.connection.state(), State::Established);
}

#[test]
fn a_syn_again_in_syn_received_is_acknowledged() {
    let mut trace = syn_received();
    trace.exchange("S 0+0 mss 1000", &[". 1+0 ack 1"]);
    assert_eq!(trace.state(), State::SynReceived);
}

#[test]
fn the_syn_ack_is_sent_again_until_it_is_answered() {
    let mut trace = syn_received();
    trace.after(
        5_000,
        &["+1000 S. 0+0 ack 1 mss 1460", "+3000 S. 0+0 ack 1 mss 1460"],
    );
}

#[test]
fn a_wrong_ack_in_syn_received_is_reset_and_the_wait_goes_on() {
    let mut trace = syn_received();
    trace.exchange(". 1+0 ack 999", &["R 999+0"]);
    trace.exchange(". 1+0 ack 0", &["R 0+0"]);
    assert_eq!(trace.state(), State::SynReceived);
    trace.exchange(". 1+0 ack 1", &[]);
    assert_eq!(trace.state(), State::Established);
}

#[test]
fn a_reset_in_syn_received_refuses_an_active_open() {
    let mut trace = syn_received();
    trace.exchange("R 1+0", &[]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::Refused)]);
}

#[test]
fn closing_in_syn_received_sends_a_fin_once_the_handshake_is_done() {
    let mut trace = syn_received();
    trace.send(10);
    trace.shutdown();
    trace.exchange(". 1+0 ack 1", &["FP. 1+10 ack 1"]);
    assert_eq!(trace.state(), State::FinWait1);
}

#[test]
fn the_syn_is_sent_ever_more_slowly_and_given_up_after_three_minutes() {
    let mut trace = syn_sent();
    let times = [1, 3, 7, 15, 31, 63, 127];
    let expected = times.map(|second| format!("+{second}000 {SYN}"));
    assert_eq!(trace.pass(180_999), expected);
    assert_eq!(trace.state(), State::SynSent);
    trace.after(1, &[]);
    let end = Event::Closed(CloseReason::TimedOut);
    assert_eq!(trace.events(), [Event::Retransmitting, end]);
}

#[test]
fn a_syn_again_gives_no_sample_and_one_segment_of_cwnd() {
    let mut trace = syn_sent();
    trace.after(1_400, &["+1000 S 0+0 mss 1460 ws 3 sackok"]);
    trace.exchange("S. 0+0 ack 1 mss 1000", &[". 1+0 ack 1"]);
    let info = trace.end.connection.info();
    assert_eq!((info.srtt, info.rto, info.cwnd), (0, 3_000_000, 1_000));
    trace.send(5_000);
    trace.expect(&[". 1+1000 ack 1"]);
    trace.after(3_000, &["+3000 . 1+1000 ack 1"]);
}

#[test]
fn an_ack_of_what_was_never_sent_is_reset_in_syn_sent() {
    let mut trace = syn_sent();
    trace.exchange(". 1+0 ack 500", &["R 500+0"]);
    trace.exchange("S. 0+0 ack 0 mss 1000", &["R 0+0"]);
    trace.exchange("S. 0+0 ack 2 mss 1000", &["R 2+0"]);
    assert_eq!(trace.state(), State::SynSent);
}

#[test]
fn only_a_reset_that_acknowledges_our_syn_refuses_it() {
    let mut trace = syn_sent();
    trace.exchange("R 0+0", &[]);
    trace.exchange("R. 0+0 ack 7", &[]);
    trace.exchange("R. 0+0 ack 0", &[]);
    assert_eq!(trace.state(), State::SynSent);
    trace.exchange("R. 0+0 ack 1", &[]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::Refused)]);
}

#[test]
fn a_segment_without_syn_is_dropped_in_syn_sent() {
    let mut trace = syn_sent();
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.exchange("F 1+0", &[]);
    assert_eq!(trace.state(), State::SynSent);
}

#[test]
fn text_and_fin_on_a_syn_wait_until_they_are_sent_again() {
    let mut trace = syn_sent();
    trace.exchange("FS. 0+10 ack 1 mss 1000", &[". 1+0 ack 1"]);
    trace.has_read(0);
    trace.exchange("F. 1+9 ack 1", &[". 1+0 ack 11"]);
    trace.has_read(9);
    assert_eq!(trace.state(), State::CloseWait);
}

#[test]
fn ending_an_open_that_was_not_answered_sends_nothing() {
    let ends: [fn(&mut Trace); 3] = [Trace::shutdown, Trace::close, Trace::abort];
    for end in ends {
        let mut trace = syn_sent();
        end(&mut trace);
        trace.expect(&[]);
        assert_eq!(trace.events(), [Event::Closed(CloseReason::Aborted)]);
    }
}

#[test]
fn without_an_mss_option_the_default_of_the_protocol_counts() {
    for (ipv6, smss) in [(false, 536), (true, 1_220)] {
        let path = Path { ipv6, ..PATH };
        let mut trace = Trace::open(plain());
        trace.end.connection = Connection::open(trace.now, plain(), path, ISS, 0);
        trace.expect(&[SYN]);
        trace.exchange("S. 0+0 ack 1", &[". 1+0 ack 1"]);
        assert_eq!(trace.end.connection.info().smss, smss, "MUST-15");
    }
}

#[test]
fn settings_outside_their_range_are_brought_inside_on_either_side() {
    let config = Config {
        receive_buffer: u32::MAX,
        min_rto: Millis(900_000),
        ..plain()
    };
    let now = Instant::from_millis(1_000);
    let mut connection = Connection::open(now, config, PATH, ISS, 0);
    let mut pool = crate::buffer::BlockPool::new(0);
    let syn = connection.poll_segment(now, &mut pool).expect("a SYN");
    assert_eq!(line(&syn.header, 0), "S 0+0 mss 1460 ws 6 sackok");
    let trace = Trace::accepted(config, "S 0+0 win 60000 ws 0");
    assert_eq!(trace.end.connection.info().window_scale, (0, 6));
}
