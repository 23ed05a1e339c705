//! Options: MSS, window scale, timestamps and PAWS: RFC 9293 3.7.1, RFC 7323, RFC 2018.

use std::time::Duration;

use wirepath_wire::tcp::Timestamps;

use super::DropReason;
use super::pair::Pair;
use super::trace::{Trace, plain};
use crate::config::Config;

/// After a handshake in which the peer's TSval was 1,000.
fn with_timestamps() -> Trace {
    Trace::accepted(stamped(), "S 0+0 mss 1000 ts 1000/0")
}

/// TSecr of the last segment that went out.
fn echoed(trace: &Trace) -> u32 {
    let last = trace.out.last().expect("a segment");
    last.header.options.timestamps.expect("timestamps").echo
}

fn stamped() -> Config {
    Config {
        timestamps: true,
        ..plain()
    }
}

fn only(set: fn(&mut Config)) -> Config {
    let mut config = Config {
        timestamps: false,
        sack: false,
        window_scaling: false,
        ..Config::default()
    };
    set(&mut config);
    config
}

#[test]
fn an_option_is_in_use_only_when_both_sides_offer_it() {
    let all = "S 0+0 mss 1000 ws 7 sackok ts 5/0";
    let none = "S 0+0 mss 1000";
    let used = |config, syn| {
        let info = Trace::accepted(config, syn).end.connection.info();
        (info.window_scale, info.sack, info.timestamps)
    };
    assert_eq!(used(Config::default(), all), ((7, 6), true, true));
    assert_eq!(used(Config::default(), none), ((0, 0), false, false));
    let nothing = ((0, 0), false, false);
    assert_eq!(used(only(|_| {}), all), nothing);
    assert_eq!(used(only(|c| c.sack = true), all), ((0, 0), true, false));
    assert_eq!(
        used(only(|c| c.timestamps = true), all),
        ((0, 0), false, true)
    );
    assert_eq!(
        used(only(|c| c.window_scaling = true), all),
        ((7, 6), false, false)
    );
}

#[test]
fn a_client_drops_what_the_server_left_out() {
    let mut pair = Pair::established(Config::default(), only(|_| {}));
    let sent = super::text(300_000);
    let first = pair.client.send(&sent);
    pair.run(5_000);
    assert_eq!(pair.server.received, &sent[..first]);
    for end in [&pair.client, &pair.server] {
        let info = end.connection.info();
        assert_eq!(
            (info.window_scale, info.sack, info.timestamps),
            ((0, 0), false, false)
        );
    }
    let mut log = pair.log.iter().map(|(_, _, sent)| &sent.header.options);
    assert!(log.all(|options| options.timestamps.is_none() && options.sack.is_empty()));
}

#[test]
fn the_window_of_a_syn_is_never_scaled_and_all_others_are() {
    let mut trace = Trace::open(plain());
    trace.sent();
    assert_eq!(trace.out[0].header.window.0, 65_535);
    trace.exchange("S. 0+0 ack 1 win 5000 mss 1000 ws 4", &[". 1+0 ack 1"]);
    assert_eq!(trace.end.connection.info().snd_wnd, 5_000);
    assert_eq!(trace.out[1].header.window.0, 8_192, "64 KiB by 2^3");
    trace.exchange("P. 1+10 ack 1 win 5000", &[]);
    assert_eq!(trace.end.connection.info().snd_wnd, 80_000);
}

#[test]
fn the_window_of_a_crossing_syn_ack_is_not_scaled() {
    let mut trace = Trace::open(plain());
    trace.sent();
    trace.peer("S 0+0 win 5000 mss 1000 ws 4 sackok");
    trace.expect(&["S. 0+0 ack 1 mss 1460 ws 3 sackok"]);
    assert_eq!(trace.out[1].header.window.0, 65_535);
    trace.peer("S. 0+0 ack 1 win 5000 mss 1000 ws 4 sackok");
    assert_eq!(trace.end.connection.info().snd_wnd, 5_000);
    trace.expect(&[". 1+0 ack 1"]);
}

#[test]
fn a_shift_above_fourteen_counts_as_fourteen() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 ws 200");
    assert_eq!(trace.end.connection.info().window_scale.0, 14);
    trace.peer(". 1+0 ack 1 win 65535");
    assert_eq!(trace.end.connection.info().snd_wnd, 65_535 << 14);
    trace.send(90_000);
    assert_eq!(trace.sent().len(), 10);
}

#[test]
fn every_segment_carries_timestamps() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.client.send(&super::text(5_000));
    pair.server.connection.shutdown();
    pair.run(1_000);
    pair.client.connection.abort();
    pair.run(10);
    let mut log = pair
        .log
        .iter()
        .map(|(_, _, sent)| sent.header.options.timestamps);
    assert!(log.all(|timestamps| timestamps.is_some_and(|t| t.echo != 0)));
}

#[test]
fn tsval_is_a_clock_of_a_millisecond_with_an_offset() {
    let mut trace = with_timestamps();
    trace.send(1);
    trace.sent();
    trace.now = trace.now + Duration::from_millis(7);
    trace.peer(". 1+0 ack 2 ts 1000/0");
    trace.send(1);
    trace.sent();
    let values: Vec<u32> = trace
        .out
        .iter()
        .filter_map(|sent| sent.header.options.timestamps.map(|t| t.value))
        .collect();
    assert_eq!(values, [1_077, 1_084]);
}

#[test]
fn ts_recent_is_of_the_segment_that_the_next_ack_answers() {
    let mut trace = with_timestamps();
    // Two that one delayed ACK answers: the first one's is echoed.
    trace.exchange("P. 1+10 ack 1 ts 1010/0", &[]);
    trace.exchange("P. 11+10 ack 1 ts 1020/0", &[]);
    trace.pass(40);
    assert_eq!(echoed(&trace), 1_010);
    // One that leaves a hole does not count, what fills it does.
    trace.peer("P. 31+10 ack 1 ts 1040/0");
    trace.sent();
    assert_eq!(echoed(&trace), 1_010);
    trace.peer("P. 21+10 ack 1 ts 1050/0");
    trace.sent();
    assert_eq!(echoed(&trace), 1_050);
}

#[test]
fn text_sent_again_is_echoed_as_it_came_last() {
    let mut trace = with_timestamps();
    trace.exchange("P. 1+10 ack 1 ts 1010/0", &[]);
    trace.pass(40);
    // Our ACK was lost: what the peer measures must not count from the first copy.
    trace.exchange("P. 1+10 ack 1 ts 1210/0", &[". 1+0 ack 11"]);
    assert_eq!(echoed(&trace), 1_210);
    trace.exchange("P. 1+10 ack 900000 ts 1310/0", &[". 1+0 ack 11"]);
    assert_eq!(echoed(&trace), 1_210, "somebody guesses");
}

#[test]
fn paws_drops_an_old_timestamp_and_acknowledges() {
    let mut trace = with_timestamps();
    trace.exchange("P. 1+10 ack 1 ts 999/0", &[". 1+0 ack 1"]);
    assert_eq!(trace.dropped, Some(DropReason::OldTimestamp));
    trace.has_read(0);
    trace.exchange("P. 1+10 ack 1 ts 1000/0", &[]);
    trace.has_read(10);
    trace.exchange("R 11+0 ack 1 ts 5/0", &[]);
    assert_eq!(trace.events().len(), 1, "no PAWS for RST");
}

#[test]
fn paws_follows_the_clock_around() {
    let mut trace = Trace::accepted(stamped(), "S 0+0 mss 1000 ts 4294967290/0");
    trace.exchange("P. 1+10 ack 1 ts 4/0", &[]);
    trace.has_read(10);
    trace.exchange("P. 11+10 ack 1 ts 4294967295/0", &[". 1+0 ack 11"]);
    trace.has_read(10);
}

#[test]
fn after_twenty_four_days_ts_recent_says_nothing() {
    let day = 24 * 3_600 * 1_000;
    let mut trace = with_timestamps();
    trace.pass(24 * day - 1);
    trace.exchange("P. 1+10 ack 1 ts 999/0", &[". 1+0 ack 1"]);
    trace.pass(1);
    trace.exchange("P. 1+10 ack 1 ts 999/0", &[]);
    trace.has_read(10);
}

#[test]
fn a_segment_without_timestamps_is_dropped_silently_but_a_reset_counts() {
    let mut trace = with_timestamps();
    trace.exchange("P. 1+10 ack 1", &[]);
    assert_eq!(trace.dropped, Some(DropReason::NoTimestamp));
    trace.exchange("R 1+0", &[]);
    assert_eq!(trace.events().len(), 1);
}

#[test]
fn a_segment_that_is_not_accepted_does_not_change_ts_recent() {
    let mut trace = with_timestamps();
    // Far out of the window; an ACK that cannot be; a SYN.
    trace.peer("P. 900000+10 ack 1 ts 900000/0");
    trace.peer("P. 1+10 ack 900000 ts 900000/0");
    trace.peer("S 1+0 ts 900000/0");
    trace.exchange("P. 1+10 ack 1 ts 1001/0", &[". 1+0 ack 11"]);
    trace.has_read(10);
    assert_eq!(echoed(&trace), 1_001);
}

#[test]
fn an_option_that_was_not_agreed_upon_is_ignored() {
    let mut trace = Trace::server(plain());
    trace.exchange("P. 1+10 ack 1 mss 9 ws 9 sackok ts 9/9 sack 1-5", &[]);
    let info = trace.end.connection.info();
    assert_eq!((info.smss, info.window_scale), (1_000, (0, 0)));
    trace.pass(40);
    let sent = trace.out.last().expect("the ACK");
    let none: Option<Timestamps> = None;
    assert_eq!(sent.header.options.timestamps, none);
}

#[test]
fn a_path_that_carries_next_to_nothing_does_no_harm() {
    use crate::connection::Connection;
    use crate::negotiated::Path;
    use crate::state::State;

    let path = Path::from_mtu(41, false);
    let mut trace = Trace::open(plain());
    let config = Config::default();
    trace.end.connection = Connection::open(trace.now, config, path, super::trace::ISS, 0);
    trace.sent();
    trace.peer("S. 0+0 ack 1 mss 1 ts 1/0");
    trace.send(100);
    assert_eq!(trace.state(), State::Established);
    assert!(!trace.sent().is_empty());
    assert!(trace.end.connection.info().smss > 0);
}

#[test]
fn text_that_comes_twice_is_told_by_the_first_block() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.exchange(". 1+100 ack 1", &[]);
    trace.exchange(". 1+100 ack 1", &[". 1+0 ack 101 sack 1-101"]);
    trace.exchange(". 201+100 ack 1", &[". 1+0 ack 101 sack 201-301"]);
    // RFC 2883 4: what came twice first, then the range that it lies in.
    let twice = ". 1+0 ack 101 sack 201-301 sack 201-301";
    trace.exchange(". 201+100 ack 1", &[twice]);
    trace.exchange(
        ". 51+100 ack 1",
        &[". 1+0 ack 151 sack 51-101 sack 201-301"],
    );
}
