//! What is left in TIME-WAIT: RFC 9293 3.6.1, 3.10.7.4, RFC 1337, RFC 6191.

use super::trace::{Trace, line, parse, plain};
use crate::config::Config;
use crate::time::Instant;
use crate::time_wait::{TimeWait, TimeWaitVerdict};

const ACK: &str = ". 2+0 ack 2";

fn of(trace: &mut Trace, ts: [&str; 2]) -> TimeWait {
    trace.shutdown();
    trace.sent();
    trace.peer(&format!(". 1+0 ack 2{}", ts[0]));
    trace.peer(&format!("F. 1+0 ack 2{}", ts[1]));
    trace.sent();
    trace.end.connection.time_wait().expect("TIME-WAIT")
}

fn time_wait() -> TimeWait {
    of(&mut Trace::server(plain()), ["", ""])
}

/// With TS.Recent 1,020.
fn with_timestamps() -> TimeWait {
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1000 ts 1000/0");
    of(&mut trace, [" ts 1010/0", " ts 1020/0"])
}

fn on(entry: &mut TimeWait, millis: u64, peer: &str) -> TimeWaitVerdict {
    entry.on_segment(Instant::from_millis(millis), &parse(peer, 60_000).segment())
}

#[track_caller]
fn replies(entry: &mut TimeWait, millis: u64, peer: &str) {
    match on(entry, millis, peer) {
        TimeWaitVerdict::Reply(header) => assert_eq!(line(&header, 0), ACK),
        other => panic!("{other:?} after {peer}"),
    }
}

#[track_caller]
fn reopens(entry: &mut TimeWait, peer: &str) {
    let verdict = on(entry, 2_000, peer);
    let TimeWaitVerdict::Reopen(after) = verdict else {
        panic!("{verdict:?} after {peer}");
    };
    assert_eq!(
        after,
        super::trace::ISS + 2,
        "the new ISN must lie after SND.NXT"
    );
}

#[test]
fn it_lasts_two_msl() {
    assert_eq!(
        time_wait().deadline(),
        Instant::from_millis(61_000),
        "MUST-13"
    );
}

#[test]
fn a_fin_sent_again_is_acknowledged_and_starts_two_msl_anew() {
    let mut entry = time_wait();
    replies(&mut entry, 5_000, "F. 1+0 ack 2");
    assert_eq!(entry.deadline(), Instant::from_millis(65_000));
    replies(&mut entry, 5_001, "F. 1+0 ack 2");
    assert_eq!(entry.deadline(), Instant::from_millis(65_001));
}

#[test]
fn a_reset_is_ignored() {
    let mut entry = time_wait();
    for peer in ["R 2+0", "R. 2+0 ack 2", "R 1+0"] {
        assert_eq!(
            on(&mut entry, 5_000, peer),
            TimeWaitVerdict::Ignore,
            "RFC 1337"
        );
    }
    assert_eq!(entry.deadline(), Instant::from_millis(61_000));
}

#[test]
fn a_newer_syn_opens_the_tuple_again() {
    reopens(&mut time_wait(), "S 3+0 mss 1000");
    reopens(&mut time_wait(), "S 100000+0 mss 1000 ts 5/0");
    // RFC 6191 2: a later timestamp is enough, whatever the sequence number.
    reopens(&mut with_timestamps(), "S -9000+0 mss 1000 ts 1021/0");
    reopens(&mut with_timestamps(), "S 3+0 mss 1000 ts 1020/0");
    reopens(&mut with_timestamps(), "S 3+0 mss 1000");
}

#[test]
fn an_old_syn_is_acknowledged() {
    replies(&mut time_wait(), 2_000, "S 2+0 mss 1000");
    replies(&mut time_wait(), 2_000, "S 0+0 mss 1000");
    replies(&mut time_wait(), 2_000, "S. 3+0 ack 2 mss 1000");
    replies(&mut with_timestamps(), 2_000, "S 3+0 mss 1000 ts 1019/0");
    replies(&mut with_timestamps(), 2_000, "S 2+0 mss 1000 ts 1020/0");
    replies(&mut with_timestamps(), 2_000, "S 0+0 mss 1000");
}

#[test]
fn an_ack_that_says_nothing_new_is_not_answered() {
    let ignored = on(&mut time_wait(), 2_000, ". 2+0 ack 2");
    assert_eq!(ignored, TimeWaitVerdict::Ignore);
}

#[test]
fn old_text_is_acknowledged_now_and_then() {
    let mut entry = time_wait();
    replies(&mut entry, 2_000, "P. -99+100 ack 1");
    let again = on(&mut entry, 2_499, "P. -99+100 ack 1");
    assert_eq!(again, TimeWaitVerdict::Ignore);
    replies(&mut entry, 2_500, "P. 900+100 ack 1");
    assert_eq!(entry.deadline(), Instant::from_millis(61_000));
}

#[test]
fn its_acks_echo_the_last_timestamp() {
    let mut entry = with_timestamps();
    let verdict = on(&mut entry, 2_000, "F. 1+0 ack 2 ts 1020/0");
    let TimeWaitVerdict::Reply(header) = verdict else {
        panic!("{verdict:?}");
    };
    let timestamps = header.options.timestamps.expect("timestamps");
    assert_eq!((timestamps.value, timestamps.echo), (2_077, 1_020));
}

#[test]
fn a_connection_with_unread_text_is_not_ready_for_it() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    trace.peer("P. 1+5 ack 1");
    trace.shutdown();
    trace.sent();
    trace.peer("F. 6+0 ack 2");
    assert!(trace.end.connection.time_wait().is_none());
    trace.end.read();
    assert!(trace.end.connection.time_wait().is_some());
}
