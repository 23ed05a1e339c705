//! Blocks of the pool: none is lost, and want of them loses no byte.

use super::pair::Pair;
use super::trace::{Trace, plain};
use super::{DropReason, Event, text};
use crate::buffer::{BlockId, BlockPool, Purpose};
use crate::config::Config;
use crate::limits::SEND_BUFFER_FIRST;

/// Takes blocks until sending can have no more.
fn exhaust(pool: &mut BlockPool, purpose: Purpose) -> Vec<BlockId> {
    std::iter::from_fn(|| pool.take(purpose).ok()).collect()
}

fn give_back(pool: &mut BlockPool, blocks: Vec<BlockId>) {
    blocks.into_iter().for_each(|block| pool.give(block));
}

#[test]
fn an_idle_connection_holds_no_block() {
    let mut trace = Trace::server(plain());
    trace.send(100);
    trace.sent();
    assert!(trace.end.pool.free() < trace.end.pool.total());
    trace.peer("P. 1+10 ack 101");
    trace.sent();
    assert_eq!(trace.end.pool.free(), trace.end.pool.total());
}

#[test]
fn a_full_send_buffer_tells_when_a_quarter_of_it_is_free() {
    let config = Config {
        send_buffer: 4_096,
        ..plain()
    };
    let mut trace = Trace::server(config);
    assert_eq!(trace.offer(5_000), 4_096);
    assert_eq!(trace.end.connection.send_room(), 0);
    assert_eq!(trace.offer(1), 0);
    trace.configure(|config| config.nagle = false);
    assert_eq!(trace.sent().len(), 5);
    trace.exchange(". 1+0 ack 1001", &[]);
    assert_eq!(trace.events(), []);
    trace.exchange(". 1+0 ack 2001", &[]);
    assert_eq!(trace.events(), [Event::Writable]);
    trace.exchange(". 1+0 ack 4097", &[]);
    assert_eq!(trace.events(), [], "told once");
}

/// No ACK advances before the hole is filled, and recovery must not run out of text meanwhile.
#[test]
fn what_arrived_beyond_a_hole_makes_room_though_it_is_still_held() {
    let config = Config {
        initial_window: 60,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 win 60000 mss 1000 sackok");
    let held = trace.offer(200_000);
    assert_eq!(held, SEND_BUFFER_FIRST as usize);
    assert_eq!(trace.sent().len(), 60);
    trace.peer(". 1+0 ack 1 sack 1001-41001");
    assert_eq!(trace.events(), [Event::Writable]);
    assert_eq!(trace.offer(200_000), 41_000, "as much as is not in flight");
}

#[test]
fn one_who_has_said_all_is_not_told_of_room() {
    let config = Config {
        send_buffer: 4_096,
        ..plain()
    };
    let mut trace = Trace::server(config);
    assert_eq!(trace.offer(5_000), 4_096);
    trace.shutdown();
    assert_eq!(trace.sent().len(), 5);
    trace.exchange(". 1+0 ack 4098", &[]);
    assert_eq!(trace.events(), []);
}

#[test]
fn one_who_was_never_refused_is_told_nothing() {
    let mut trace = Trace::server(plain());
    trace.send(10);
    trace.sent();
    trace.exchange(". 1+0 ack 11", &[]);
    assert_eq!(trace.events(), []);
}

#[test]
fn an_empty_pool_refuses_text_and_tells_of_another_try() {
    let mut trace = Trace::server(plain());
    let taken = exhaust(&mut trace.end.pool, Purpose::Send);
    assert_eq!(trace.offer(10), 0);
    trace.after(10, &[]);
    assert_eq!(trace.events(), [Event::Writable]);
    // Still none: it is told again, as often as it asks.
    assert_eq!(trace.offer(10), 0);
    trace.after(10, &[]);
    assert_eq!(trace.events(), [Event::Writable]);
    trace.after(1_000, &[]);
    assert_eq!(trace.events(), [], "it did not ask");
    assert_eq!(trace.offer(10), 0);
    give_back(&mut trace.end.pool, taken);
    trace.after(10, &[]);
    assert_eq!(trace.events(), [Event::Writable]);
    trace.send(10);
    trace.expect(&["P. 1+10 ack 1"]);
}

#[test]
fn an_empty_pool_drops_text_out_of_order_and_takes_it_later() {
    let mut trace = Trace::server(plain());
    let taken = exhaust(&mut trace.end.pool, Purpose::OutOfOrder);
    trace.exchange("P. 11+10 ack 1", &[". 1+0 ack 1"]);
    assert_eq!(trace.dropped, Some(DropReason::NoBuffer));
    trace.exchange("P. 1+10 ack 1", &[]);
    trace.has_read(10);
    give_back(&mut trace.end.pool, taken);
    trace.exchange("P. 11+10 ack 1", &[]);
    trace.has_read(20);
}

#[test]
fn text_that_cannot_be_kept_is_not_acknowledged() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    let taken = exhaust(&mut trace.end.pool, Purpose::Receive);
    trace.exchange("P. 1+10 ack 1", &[]);
    assert_eq!(trace.dropped, Some(DropReason::NoBuffer));
    trace.after(1_000, &[]);
    trace.exchange("F. 11+0 ack 1", &[". 1+0 ack 1"]);
    give_back(&mut trace.end.pool, taken);
    trace.exchange("P. 1+10 ack 1", &[". 1+0 ack 12"]);
    trace.end.read();
    trace.has_read(10);
}

#[test]
fn a_pool_that_runs_dry_in_mid_stream_only_slows_it_down() {
    let mut pair = Pair::established(Config::default(), Config::default());
    let sent = text(400_000);
    let mut said = 0;
    let mut taken = Vec::new();
    for round in 0..400 {
        if round % 20 == 0 {
            taken = exhaust(&mut pair.server.pool, Purpose::Receive);
            taken.extend(exhaust(&mut pair.client.pool, Purpose::Send));
        }
        if round % 20 == 10 {
            let (server, client) = (&mut pair.server.pool, &mut pair.client.pool);
            let (ours, theirs): (Vec<_>, Vec<_>) = (std::mem::take(&mut taken), Vec::new());
            let room = server.total() - server.free();
            let mut ours = ours.into_iter();
            give_back(server, ours.by_ref().take(room).collect());
            give_back(client, ours.chain(theirs).collect());
        }
        said += pair.client.send(&sent[said..]);
        pair.run(100);
    }
    assert_eq!(said, sent.len());
    assert!(pair.server.received == sent);
}

#[test]
fn releasing_gives_everything_back_in_every_half() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    trace.send(50_000);
    trace.sent();
    trace.peer("P. 1+1000 ack 1");
    trace.peer("P. 3001+9000 ack 1");
    trace.peer("P. 30001+10 ack 1");
    trace.end.connection.release(&mut trace.end.pool);
    assert_eq!(trace.end.pool.free(), trace.end.pool.total());
}

#[test]
fn text_left_by_the_application_is_kept_in_order() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    for (at, len) in [(1, 100), (201, 100), (101, 100), (301, 5_000), (5_301, 7)] {
        trace.peer(&format!("P. {at}+{len} ack 1"));
        trace.sent();
    }
    assert_eq!(trace.end.connection.unread(), 5_307);
    trace.end.read();
    trace.has_read(5_307);
}

#[test]
fn no_more_than_4096_segments_are_remembered() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.configure(|config| config.nagle = false);
    let send_one = |_| {
        trace.send(1);
        trace.sent().len()
    };
    assert_eq!((0..5_000).map(send_one).sum::<usize>(), 4_096);
}
