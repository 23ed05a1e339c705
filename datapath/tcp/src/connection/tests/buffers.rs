//! Buffers that grow with what they are used for, within what the pool can spare.

use std::time::Duration;

use super::pair::Pair;
use super::trace::{Trace, plain};
use super::{DropReason, text};
use crate::buffer::{BlockPool, Purpose};
use crate::config::Config;
use crate::limits::{BUFFER_MAX, RECEIVE_WINDOW_FIRST, SEND_BUFFER_FIRST};
use crate::rtt::RttEstimator;

/// Sends for `millis` milliseconds as much as there is room for.
fn pump(pair: &mut Pair, millis: u64) {
    for _ in 0..millis {
        pair.client.send(&text(200_000));
        pair.run(1);
    }
}

#[test]
fn the_window_grows_with_what_is_read_in_a_round_trip() {
    // Pacing would keep the second short.
    let config = Config {
        pacing: false,
        ..Config::default()
    };
    let mut pair = Pair::established(config, config);
    let first = pair.server.connection.info().rcv_wnd;
    assert!(first <= RECEIVE_WINDOW_FIRST, "{first}");
    pair.client.pool = BlockPool::new(4_096);
    pair.server.pool = BlockPool::new(4_096);
    pump(&mut pair, 1_000);
    let window = pair.server.connection.info().rcv_wnd;
    assert!(window > BUFFER_MAX / 8, "{window}");
    assert!(pair.client.connection.info().cwnd > RECEIVE_WINDOW_FIRST);
    assert!(pair.client.connection.send_room() > SEND_BUFFER_FIRST as usize / 2);
}

#[test]
fn a_window_that_nobody_reads_does_not_grow() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.server.reads = false;
    pump(&mut pair, 1_000);
    let unread = pair.server.connection.unread();
    // Rounding by the shift may add a unit.
    assert!(unread < RECEIVE_WINDOW_FIRST + 64, "{unread}");
}

#[test]
fn a_trickle_does_not_grow_the_window() {
    let mut pair = Pair::established(Config::default(), Config::default());
    let before = pair.server.connection.info().rcv_wnd;
    for _ in 0..200 {
        pair.client.send(&text(100));
        pair.run(10);
    }
    assert!(pair.server.connection.info().rcv_wnd <= before.max(RECEIVE_WINDOW_FIRST));
}

#[test]
fn each_newcomer_may_hold_a_share_of_what_is_left_and_a_block_in_any_case() {
    let mut pool = BlockPool::new(4_096);
    assert_eq!(pool.share(), 2 << 20);
    for _ in 0..1_536 {
        let _held = pool.take(Purpose::Send);
    }
    assert_eq!((pool.share(), pool.share_unread()), (1 << 20, u32::MAX));
    for _ in 0..1_536 {
        let _held = pool.take(Purpose::Receive);
    }
    // What is left is for first blocks.
    assert_eq!((pool.share(), pool.share_unread()), (4_096, 4_096));
    while pool.take(Purpose::Receive).is_ok() {}
    assert_eq!((pool.share(), pool.share_unread()), (4_096, 4_096));
}

#[test]
fn where_blocks_are_short_no_more_than_one_waits_whatever_was_offered() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    while trace.end.pool.share_unread() > 4_096 {
        let _held = trace.end.pool.take(Purpose::Receive);
    }
    for at in [1, 1_001, 2_001, 3_001] {
        trace.peer(&format!("P. {at}+1000 ack 1"));
        trace.sent();
    }
    trace.exchange("P. 4001+1000 ack 1", &[]);
    assert_eq!(trace.dropped, Some(DropReason::NoBuffer));
    trace.exchange("P. 5001+1000 ack 1", &[". 1+0 ack 4001"]);
    assert_eq!(trace.dropped, Some(DropReason::NoBuffer));
    trace.end.reads = true;
    trace.end.read();
    // What the application takes at once needs no room.
    for at in [4_001, 5_001, 6_001, 7_001, 8_001] {
        trace.peer(&format!("P. {at}+1000 ack 1"));
    }
    trace.has_read(9_000);
}

#[test]
fn where_blocks_are_scarce_none_is_for_text_out_of_order() {
    let mut trace = Trace::server(plain());
    for purpose in [Purpose::Receive, Purpose::Send].into_iter().cycle() {
        let _held = trace.end.pool.take(purpose).unwrap();
        if trace.end.pool.is_scarce() {
            break;
        }
    }
    trace.exchange("P. 2+1 ack 1", &[". 1+0 ack 1"]);
    assert_eq!(trace.dropped, Some(DropReason::NoBuffer));
    trace.exchange("P. 1+1000 ack 1", &[]);
    trace.has_read(1_000);
}

#[test]
fn the_window_stays_within_the_share_of_a_small_pool() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.delay = Duration::from_millis(10);
    pair.server.pool = BlockPool::new(200);
    pump(&mut pair, 1_000);
    let window = pair.server.connection.info().rcv_wnd;
    assert!(window <= 200 / 8 * 4_096 + RECEIVE_WINDOW_FIRST, "{window}");
}

#[test]
fn the_window_grows_without_a_sample_of_the_round_trip() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.delay = Duration::from_millis(50);
    // As after a handshake of a cookie, or one in which the SYN-ACK went twice.
    pair.server.connection.rtt = RttEstimator::new(&Config::default());
    let chunk = text(100_000);
    for _ in 0..400 {
        pair.client.send(&chunk);
        pair.run(20);
    }
    let arrived = pair.server.received.len();
    assert!(arrived > 8_000_000, "{arrived}");
}
