//! Closing: RFC 9293 3.6, 3.10.4.

use super::pair::Pair;
use super::trace::{Trace, plain};
use super::{CloseReason, DropReason, Event, text};
use crate::config::Config;
use crate::state::State;
use crate::time::Instant;

const FINISHED: Event = Event::Closed(CloseReason::Finished);

fn server() -> Trace {
    Trace::server(plain())
}

/// After our FIN, which the peer has not acknowledged.
fn fin_wait_1() -> Trace {
    let mut trace = server();
    trace.shutdown();
    trace.expect(&["F. 1+0 ack 1"]);
    assert_eq!(trace.state(), State::FinWait1);
    trace
}

fn fin_wait_2() -> Trace {
    let mut trace = fin_wait_1();
    trace.exchange(". 1+0 ack 2", &[]);
    assert_eq!(trace.state(), State::FinWait2);
    trace
}

fn closing() -> Trace {
    let mut trace = fin_wait_1();
    trace.exchange("F. 1+0 ack 1", &[". 2+0 ack 2"]);
    assert_eq!(trace.state(), State::Closing);
    trace
}

fn close_wait() -> Trace {
    let mut trace = server();
    trace.exchange("F. 1+0 ack 1", &[". 1+0 ack 2"]);
    assert_eq!(trace.state(), State::CloseWait);
    trace
}

fn last_ack() -> Trace {
    let mut trace = close_wait();
    trace.shutdown();
    trace.expect(&["F. 1+0 ack 2"]);
    assert_eq!(trace.state(), State::LastAck);
    trace
}

/// A connection in TIME-WAIT whose application does not read, so that it stays a connection.
fn time_wait() -> Trace {
    let mut trace = fin_wait_2();
    trace.exchange("F. 1+0 ack 2", &[". 2+0 ack 2"]);
    assert_eq!(trace.state(), State::TimeWait);
    trace
}

#[test]
fn who_closes_first_waits_two_msl() {
    let mut trace = time_wait();
    assert_eq!(trace.events(), [Event::PeerClosed, FINISHED]);
    trace.after(59_999, &[]);
    assert_eq!(trace.state(), State::TimeWait);
    trace.after(1, &[]);
    assert_eq!(trace.state(), State::Closed);
    assert_eq!(trace.events(), [], "the end was told already");
}

#[test]
fn a_fin_that_acknowledges_ours_goes_straight_to_time_wait() {
    let mut trace = fin_wait_1();
    trace.exchange("F. 1+0 ack 2", &[". 2+0 ack 2"]);
    assert_eq!(trace.state(), State::TimeWait);
}

#[test]
fn both_close_at_once() {
    let mut trace = closing();
    trace.exchange(". 2+0 ack 2", &[]);
    assert_eq!(trace.state(), State::TimeWait);
    assert_eq!(trace.events(), [Event::PeerClosed, FINISHED]);
}

#[test]
fn two_that_close_at_once_both_wait_two_msl() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.client.connection.shutdown();
    pair.server.connection.shutdown();
    pair.run(100);
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.state(), State::TimeWait);
    }
    pair.run(60_000);
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.state(), State::Closed);
        assert_eq!(end.events, [Event::Connected, Event::PeerClosed, FINISHED]);
    }
}

#[test]
fn who_closes_last_is_done_with_the_ack_of_its_fin() {
    let mut trace = last_ack();
    trace.exchange(". 2+0 ack 2", &[]);
    assert_eq!(trace.state(), State::Closed);
    assert_eq!(trace.events(), [Event::PeerClosed, FINISHED]);
}

#[test]
fn a_half_closed_end_still_reads() {
    let mut trace = fin_wait_1();
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.exchange(". 11+0 ack 2", &[]);
    assert_eq!(trace.state(), State::FinWait2);
    trace.exchange("FP. 11+10 ack 2", &[". 2+0 ack 22"]);
    trace.has_read(20);
    assert_eq!(trace.state(), State::TimeWait);
}

#[test]
fn an_end_whose_peer_has_closed_still_sends() {
    let mut trace = close_wait();
    trace.send(3_000);
    trace.expect(&[". 1+1000 ack 2", ". 1001+1000 ack 2", "P. 2001+1000 ack 2"]);
    trace.exchange(". 2+0 ack 3001", &[]);
    assert_eq!(trace.state(), State::CloseWait);
    trace.shutdown();
    trace.expect(&["F. 3001+0 ack 2"]);
}

#[test]
fn the_fin_follows_the_last_text() {
    let mut trace = server();
    trace.send(1_500);
    trace.shutdown();
    trace.expect(&[". 1+1000 ack 1", "FP. 1001+500 ack 1"]);
    assert_eq!(trace.offer(1), 0, "nothing after the end");
}

#[test]
fn text_with_the_fin_is_read_before_the_end_is_told() {
    let mut trace = server();
    trace.end.reads = false;
    trace.exchange("FP. 1+10 ack 1", &[". 1+0 ack 12"]);
    assert_eq!(trace.state(), State::CloseWait);
    assert_eq!(trace.events(), []);
    trace.end.read();
    trace.end.look();
    trace.has_read(10);
    assert_eq!(trace.events(), [Event::PeerClosed]);
}

#[test]
fn the_end_of_time_wait_is_told_once_though_text_was_read_late() {
    let mut trace = fin_wait_2();
    trace.end.reads = false;
    trace.exchange("FP. 1+10 ack 2", &[". 2+0 ack 12"]);
    assert_eq!(trace.state(), State::TimeWait);
    assert!(trace.end.connection.time_wait().is_none());
    trace.end.read();
    trace.end.look();
    assert_eq!(trace.events(), [Event::PeerClosed, FINISHED]);
    trace.after(60_000, &[]);
    assert_eq!(trace.events(), []);
}

#[test]
fn a_fin_out_of_order_waits_for_what_is_missing() {
    let mut trace = server();
    trace.exchange("F. 11+0 ack 1", &[". 1+0 ack 1"]);
    assert_eq!(trace.state(), State::Established);
    trace.exchange("P. 1+10 ack 1", &[". 1+0 ack 12"]);
    assert_eq!(trace.state(), State::CloseWait);
    trace.has_read(10);
    assert_eq!(trace.events(), [Event::PeerClosed]);
}

#[test]
fn a_fin_behind_text_out_of_order_waits_for_what_is_missing() {
    let mut trace = server();
    trace.exchange("FP. 11+10 ack 1", &[". 1+0 ack 1"]);
    trace.exchange(". 1+10 ack 1", &[". 1+0 ack 22"]);
    trace.has_read(20);
    assert_eq!(trace.state(), State::CloseWait);
}

#[test]
fn text_beyond_the_fin_is_not_delivered() {
    let mut trace = server();
    trace.peer("F. 11+0 ack 1");
    trace.sent();
    trace.exchange("P. 5+20 ack 1", &[". 1+0 ack 1"]);
    trace.exchange(". 1+10 ack 1", &[". 1+0 ack 12"]);
    trace.has_read(10);
    assert_eq!(trace.state(), State::CloseWait);
    trace.exchange("P. 12+10 ack 1", &[". 1+0 ack 12"]);
    assert_eq!(trace.dropped, Some(DropReason::TextAfterClose));
    trace.has_read(10);
}

#[test]
fn a_fin_behind_text_that_did_not_fit_is_not_taken() {
    let config = Config {
        receive_buffer: 4_096,
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.end.reads = false;
    trace.exchange("FP. 1+4097 ack 1", &[". 1+0 ack 4097"]);
    assert_eq!(trace.state(), State::Established);
    trace.end.reads = true;
    trace.end.read();
    trace.expect(&[". 1+0 ack 4097"]);
    trace.exchange("FP. 4097+1 ack 1", &[". 1+0 ack 4099"]);
    trace.has_read(4_097);
}

#[test]
fn a_fin_alone_passes_a_window_that_is_closed() {
    let config = Config {
        receive_buffer: 4_096,
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.end.reads = false;
    trace.peer("P. 1+2048 ack 1");
    trace.exchange("P. 2049+2048 ack 1", &[". 1+0 ack 4097"]);
    trace.exchange("F. 4097+0 ack 1", &[". 1+0 ack 4098"]);
    assert_eq!(trace.state(), State::CloseWait);
}

#[test]
fn a_fin_sent_again_is_acknowledged_in_every_state_after_it() {
    let again = |mut trace: Trace, fin: &str, answer: &str| {
        let state = trace.state();
        trace.exchange(fin, &[answer]);
        assert_eq!(trace.state(), state);
        trace.exchange(fin, &[answer]);
    };
    again(close_wait(), "F. 1+0 ack 1", ". 1+0 ack 2");
    again(closing(), "F. 1+0 ack 1", ". 2+0 ack 2");
    again(last_ack(), "F. 1+0 ack 1", ". 2+0 ack 2");
    again(time_wait(), "F. 1+0 ack 2", ". 2+0 ack 2");
}

#[test]
fn a_fin_sent_again_starts_two_msl_anew() {
    let mut trace = time_wait();
    trace.events();
    trace.after(30_000, &[]);
    trace.exchange("F. 1+0 ack 2", &[". 2+0 ack 2"]);
    trace.after(59_999, &[]);
    assert_eq!(trace.state(), State::TimeWait);
    trace.after(1, &[]);
    assert_eq!(trace.state(), State::Closed);
    assert_eq!(trace.events(), []);
}

#[test]
fn our_fin_is_sent_again_until_it_is_acknowledged() {
    let mut trace = fin_wait_1();
    trace.after(700, &["+200 F. 1+0 ack 1", "+600 F. 1+0 ack 1"]);
    trace.exchange(". 1+0 ack 2", &[]);
    assert_eq!(trace.state(), State::FinWait2);
    let mut trace = last_ack();
    trace.after(200, &["+200 F. 1+0 ack 2"]);
    let mut trace = closing();
    trace.after(200, &["+200 F. 1+0 ack 2"]);
}

#[test]
fn closing_with_unread_text_is_a_reset() {
    let mut trace = server();
    trace.end.reads = false;
    trace.peer("P. 1+10 ack 1");
    trace.close();
    trace.expect(&["R. 1+0 ack 11"]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::Unread)]);
    let pool = &trace.end.pool;
    assert_eq!(pool.free(), pool.total(), "SHLD-3");
}

#[test]
fn text_after_close_is_answered_with_a_reset() {
    let mut trace = server();
    trace.close();
    trace.expect(&["F. 1+0 ack 1"]);
    trace.exchange("P. 1+10 ack 2", &["R. 2+0 ack 1"]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::Unread)]);
}

#[test]
fn old_text_after_close_is_only_acknowledged() {
    let mut trace = server();
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.close();
    trace.expect(&["F. 1+0 ack 11"]);
    trace.exchange("P. 1+10 ack 1", &[". 2+0 ack 11"]);
    assert_eq!(trace.state(), State::FinWait1);
}

#[test]
fn text_after_shutdown_is_read() {
    let mut trace = fin_wait_2();
    trace.exchange("P. 1+10 ack 2", &[]);
    trace.has_read(10);
}

#[test]
fn fin_wait_2_that_nobody_reads_ends_after_a_minute_of_silence() {
    let mut trace = fin_wait_2();
    trace.after(3_600_000, &[". 2+0 ack 1"; 0]);
    assert_eq!(trace.state(), State::FinWait2, "somebody reads");
    trace.close();
    trace.after(59_999, &[]);
    assert_eq!(trace.state(), State::FinWait2);
    trace.after(1, &[]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn a_peer_that_never_acknowledges_our_fin_is_given_up() {
    let mut trace = fin_wait_1();
    trace.pass(500_000);
    let end = Event::Closed(CloseReason::TimedOut);
    assert_eq!(trace.events(), [Event::Retransmitting, end]);
}

#[test]
fn abort_sends_a_reset_and_gives_everything_back() {
    for mut trace in [
        server(),
        fin_wait_1(),
        fin_wait_2(),
        close_wait(),
        last_ack(),
    ] {
        trace.events();
        trace.abort();
        let sent = trace.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(sent[0].starts_with("R. "), "{sent:?}");
        assert_eq!(trace.events(), [Event::Closed(CloseReason::Aborted)]);
        trace.abort();
        trace.expect(&[]);
        assert_eq!(trace.events(), []);
        trace.end.connection.release(&mut trace.end.pool);
        assert_eq!(trace.end.pool.free(), trace.end.pool.total());
    }
}

#[test]
fn abort_in_time_wait_is_silent() {
    let mut trace = time_wait();
    trace.events();
    trace.abort();
    trace.expect(&[]);
    assert_eq!((trace.state(), trace.events()), (State::Closed, vec![]));
}

#[test]
fn a_connection_that_is_gone_answers_with_resets() {
    let mut trace = last_ack();
    trace.exchange(". 2+0 ack 2", &[]);
    trace.exchange("F. 1+0 ack 1", &["R 1+0"]);
    trace.exchange("R 2+0", &[]);
}

#[test]
fn shutdown_twice_and_close_after_it_send_one_fin() {
    let mut trace = fin_wait_1();
    trace.shutdown();
    trace.close();
    trace.expect(&[]);
    trace.exchange("F. 1+0 ack 2", &[". 2+0 ack 2"]);
    assert_eq!(trace.events(), [Event::PeerClosed, FINISHED]);
}

#[test]
fn a_reset_while_text_of_the_last_ack_is_unacknowledged_is_no_normal_end() {
    let mut trace = close_wait();
    trace.send(100);
    trace.shutdown();
    trace.expect(&["FP. 1+100 ack 2"]);
    trace.exchange("R 2+0", &[]);
    let reset = Event::Closed(CloseReason::Reset);
    assert_eq!(trace.events(), [Event::PeerClosed, reset], "MUST-12");
    let mut trace = last_ack();
    trace.exchange("R 2+0", &[]);
    assert_eq!(trace.events(), [Event::PeerClosed, FINISHED]);
}

#[test]
fn an_idle_connection_waits_for_ever_without_a_timer() {
    for trace in [server(), close_wait()] {
        assert_eq!(trace.end.connection.next_deadline(), None);
    }
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.run(100);
    let sent = text(10);
    pair.client.send(&sent);
    pair.run(200_000_000);
    assert_eq!(pair.server.received, sent);
    let never: Option<Instant> = None;
    assert_eq!(pair.client.connection.next_deadline(), never);
}

#[test]
fn text_that_nobody_reads_does_not_keep_what_is_over() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.server.reads = false;
    pair.server.connection.shutdown();
    pair.run(100);
    pair.client.send(b"text");
    pair.client.connection.shutdown();
    pair.run(200_000);
    assert_eq!(pair.server.connection.state(), State::Closed);
    assert_eq!(pair.server.connection.unread(), 0);
    let end = Event::Closed(CloseReason::Unread);
    assert_eq!(pair.server.events.last(), Some(&end));
}
