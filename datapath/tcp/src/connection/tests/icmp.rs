//! What ICMP says of our segments: RFC 9293 3.9.2.2, RFC 5927, RFC 1191.

use wirepath_wire::icmp::{Cause, Quote, Report, Unreachable};
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::trace::{ISS, Trace, plain};
use super::{CloseReason, Event};
use crate::config::Config;
use crate::connection::SoftError;
use crate::state::State;

const TOO_LONG: Cause = Cause::PacketTooBig { mtu: 540 + 40 };
const NO_HOST: Cause = Cause::Unreachable(Unreachable::Host);

/// A message about our segment at `seq`, counted from our SYN. Whether it was taken.
fn report(trace: &mut Trace, cause: Cause, seq: u32) -> bool {
    let end = Endpoint::new([10, 0, 0, 1].into(), 7);
    let tuple = Tuple {
        local: end,
        remote: end,
    };
    let seq = ISS + seq;
    let report = Report {
        cause,
        quote: Quote { tuple, seq },
    };
    let connection = &mut trace.end.connection;
    let taken = connection.on_icmp_error(trace.now, &report, &mut trace.end.pool);
    trace.end.look();
    taken
}

#[test]
fn a_soft_error_is_told_and_the_connection_goes_on() {
    let mut trace = Trace::server(plain());
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    for (cause, error) in [
        (NO_HOST, SoftError::Unreachable(Unreachable::Host)),
        (Cause::TimeExceeded, SoftError::TimeExceeded),
        (Cause::ParameterProblem, SoftError::ParameterProblem),
    ] {
        assert!(report(&mut trace, cause, 1));
        assert_eq!(trace.events(), [Event::SoftError(error)]);
        assert_eq!(trace.end.connection.soft_error(), Some(error));
    }
    trace.exchange(". 1+0 ack 11", &[]);
    assert_eq!(trace.state(), State::Established);
}

#[test]
fn an_error_that_quotes_nothing_in_flight_is_ignored() {
    let mut trace = Trace::server(plain());
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
    for seq in [0, 11, 12, 100_000] {
        assert!(!report(&mut trace, NO_HOST, seq));
        assert!(!report(&mut trace, TOO_LONG, seq));
    }
    assert_eq!(trace.events(), []);
    trace.exchange(". 1+0 ack 11", &[]);
    assert!(!report(&mut trace, NO_HOST, 1), "no longer in flight");
}

#[test]
fn a_path_that_shrinks_before_the_handshake_is_done_has_no_text_to_send_again() {
    let mut trace = Trace::open(plain());
    trace.sent();
    trace.exchange("S 0+0 mss 1000", &["S. 0+0 ack 1 mss 1460"]);
    assert!(report(&mut trace, TOO_LONG, 0), "it quotes our SYN");
    trace.exchange(". 1+0 ack 1", &[]);
    trace.send(600);
    trace.expect(&[". 1+540 ack 1"]);
}

#[test]
fn source_quench_is_discarded() {
    let mut trace = Trace::server(plain());
    trace.send(10);
    trace.sent();
    let before = trace.end.connection.info();
    assert!(!report(&mut trace, Cause::SourceQuench, 1));
    assert_eq!(trace.end.connection.info(), before);
}

#[test]
fn a_port_that_is_unreachable_refuses_a_syn_and_nothing_later() {
    let port = Cause::Unreachable(Unreachable::Port);
    let mut client = Trace::open(plain());
    client.sent();
    assert!(report(&mut client, port, 0));
    assert_eq!(client.events(), [Event::Closed(CloseReason::Refused)]);
    let mut server = Trace::server(plain());
    server.send(10);
    server.sent();
    assert!(report(&mut server, port, 1));
    assert_eq!(server.state(), State::Established);
    let told = SoftError::Unreachable(Unreachable::Port);
    assert_eq!(server.events(), [Event::SoftError(told)]);
}

#[test]
fn who_times_out_can_ask_for_the_last_soft_error() {
    let mut trace = Trace::server(Config {
        user_timeout: crate::time::Millis::from_secs(100),
        ..plain()
    });
    trace.send(10);
    trace.sent();
    report(&mut trace, NO_HOST, 1);
    trace.pass(400_000);
    let events = trace.events();
    assert_eq!(
        events.last(),
        Some(&Event::Closed(CloseReason::TimedOut)),
        "{events:?}"
    );
    let error = trace.end.connection.soft_error();
    assert_eq!(error, Some(SoftError::Unreachable(Unreachable::Host)));
}

#[test]
fn the_application_is_told_once_that_r1_is_reached() {
    let mut trace = Trace::server(plain());
    trace.send(10);
    trace.sent();
    // RTO 200 ms: retransmissions after 200, 600 and 1,400 ms.
    trace.pass(1_399);
    assert_eq!(trace.events(), []);
    assert!(!trace.end.connection.is_retransmitting());
    trace.pass(1);
    assert_eq!(trace.events(), [Event::Retransmitting]);
    assert!(trace.end.connection.is_retransmitting());
    trace.pass(20_000);
    assert_eq!(trace.events(), []);
    trace.peer(". 1+0 ack 11");
    assert!(!trace.end.connection.is_retransmitting());
}

#[test]
fn what_the_path_does_not_carry_is_sent_again_in_smaller_segments() {
    let in_a_row = [540; 4];
    let each_by_itself = [540, 460, 540, 540];
    for (sack, sizes) in [("", in_a_row), (" sackok", each_by_itself)] {
        let mut trace = Trace::accepted(plain(), &format!("S 0+0 win 60000 mss 1000{sack}"));
        trace.send(2_500);
        trace.expect(&[". 1+1000 ack 1", ". 1001+1000 ack 1"]);
        let cwnd = trace.end.connection.info().cwnd;
        assert!(report(&mut trace, TOO_LONG, 1));
        trace.sent();
        let again = trace.out[2..6].iter().map(|sent| sent.text.len());
        assert_eq!(again.collect::<Vec<_>>(), sizes, "{sack}");
        assert_eq!(trace.end.connection.info().cwnd, cwnd, "no congestion");
        assert_eq!(trace.end.connection.info().smss, 540);
        for _ in 0..2 {
            let nxt = trace.end.connection.snd.nxt.distance_from(ISS);
            trace.peer(&format!(". 1+0 ack {nxt}"));
            trace.sent();
        }
        trace.peer(". 1+0 ack 2501");
        assert_eq!(trace.end.connection.info().send_queue, 0);
    }
}

#[test]
fn a_path_that_carried_as_much_is_believed_to_be_smaller_only_with_a_loss() {
    let mut trace = Trace::accepted(plain(), "S 0+0 win 60000 mss 1000 sackok");
    trace.send(1_000);
    trace.expect(&["P. 1+1000 ack 1"]);
    trace.peer(". 1+0 ack 1001");
    trace.send(1_000);
    trace.expect(&["P. 1001+1000 ack 1"]);
    assert!(report(&mut trace, TOO_LONG, 1_001));
    trace.expect(&[]);
    assert_eq!(trace.end.connection.info().smss, 1_000);
    trace.exchange(". 1+0 ack 2001", &[]);
    trace.send(1_000);
    trace.expect(&["P. 2001+1000 ack 1"]);
    trace.pass(300);
    assert_eq!(trace.end.connection.info().smss, 1_000, "it was forged");
}

#[test]
fn a_loss_after_the_message_proves_it() {
    let mut trace = Trace::accepted(plain(), "S 0+0 win 60000 mss 1000");
    trace.send(1_000);
    trace.sent();
    trace.peer(". 1+0 ack 1001");
    trace.send(1_000);
    trace.sent();
    assert!(report(&mut trace, TOO_LONG, 1_001));
    trace.pass(3_000);
    assert_eq!(trace.end.connection.info().smss, 540);
}

#[test]
fn nobody_can_make_segments_tiny() {
    for mtu in [1, 68, 551] {
        let mut trace = Trace::server(plain());
        trace.send(1_000);
        trace.sent();
        assert!(report(&mut trace, Cause::PacketTooBig { mtu }, 1));
        assert_eq!(trace.end.connection.info().smss, 512);
    }
}

#[test]
fn a_router_that_does_not_say_is_answered_with_the_next_plateau() {
    let mut trace = Trace::server(plain());
    trace.send(1_000);
    trace.sent();
    assert!(report(&mut trace, Cause::PacketTooBig { mtu: 0 }, 1));
    assert_eq!(
        trace.end.connection.info().smss,
        1_000,
        "1,492 - 40 carries it"
    );
    assert!(report(&mut trace, Cause::PacketTooBig { mtu: 0 }, 1));
    assert_eq!(trace.end.connection.info().smss, 966, "1,006 - 40");
}

#[test]
fn after_ten_minutes_the_larger_size_is_tried_again() {
    let mut trace = Trace::server(plain());
    trace.send(1_000);
    trace.sent();
    report(&mut trace, TOO_LONG, 1);
    trace.sent();
    trace.peer(". 1+0 ack 1001");
    trace.pass(599_000);
    trace.send(1_000);
    trace.expect(&[". 1001+540 ack 1"]);
    trace.exchange(". 1+0 ack 1541", &["P. 1541+460 ack 1"]);
    trace.peer(". 1+0 ack 2001");
    trace.pass(1_000);
    trace.send(1_000);
    trace.expect(&["P. 2001+1000 ack 1"]);
}

#[test]
fn a_black_hole_is_found_when_asked_to_look_for_it() {
    for (path_probing, sizes) in [(false, [1_000, 1_000]), (true, [1_000, 512])] {
        let mut trace = Trace::server(Config {
            path_probing,
            ..plain()
        });
        trace.send(1_000);
        trace.sent();
        trace.pass(1_000);
        assert_eq!(trace.end.connection.info().smss, sizes[0]);
        trace.pass(2_000);
        assert_eq!(trace.end.connection.info().smss, sizes[1]);
    }
}
