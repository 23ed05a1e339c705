//! Connections against each other and against segments made by hand.

mod ack;
mod attacks;
mod buffers;
mod close;
mod ecn;
mod fast_open;
mod half_open;
mod icmp;
mod keep_alive;
mod memory;
mod nagle;
mod open;
mod options;
mod pacing;
mod pair;
mod random;
mod reset;
mod resting;
mod retransmit;
mod settings;
mod spurious;
mod standard;
mod time_wait;
mod trace;
mod urgent;
mod user_timeout;
mod window;
mod wrap;

use pair::Pair;
use wirepath_wire::tcp::Flags;

use super::{CloseReason, DropReason, Event};
use crate::config::Config;
use crate::state::State;

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 % 251) as u8).collect()
}

#[test]
fn a_handshake_opens_both_ends() {
    let pair = Pair::established(Config::default(), Config::default());
    assert_eq!(pair.client.connection.state(), State::Established);
    assert_eq!(pair.server.connection.state(), State::Established);
    assert_eq!(pair.client.events, [Event::Connected]);
    assert_eq!(pair.server.events, [Event::Connected]);
}

#[test]
fn text_arrives_whole_and_the_blocks_come_back() {
    let mut pair = Pair::established(Config::default(), Config::default());
    let sent = text(130_000);
    assert_eq!(pair.client.send(&sent), sent.len());
    pair.run(2_000);
    assert_eq!(pair.server.received, sent);
    assert_eq!(pair.client.pool.free(), pair.client.pool.total());
    assert_eq!(pair.server.pool.free(), pair.server.pool.total());
    assert_eq!(pair.client.connection.counts().retransmissions, 0);
}

#[test]
fn a_client_that_closes_first_waits_in_time_wait() {
    let mut pair = Pair::established(Config::default(), Config::default());
    pair.client.connection.shutdown();
    pair.run(100);
    assert_eq!(pair.client.connection.state(), State::FinWait2);
    assert_eq!(pair.server.connection.state(), State::CloseWait);
    assert!(pair.server.events.contains(&Event::PeerClosed));
    pair.server.send(b"last words");
    pair.server.connection.shutdown();
    pair.run(100);
    assert_eq!(pair.client.received, b"last words");
    assert_eq!(pair.server.connection.state(), State::Closed);
    assert_eq!(pair.client.connection.state(), State::TimeWait);
    pair.run(60_000);
    assert_eq!(pair.client.connection.state(), State::Closed);
    assert_eq!(
        pair.client.events.last(),
        Some(&Event::Closed(CloseReason::Finished))
    );
}

#[test]
fn every_seventh_segment_lost_and_all_arrives() {
    let mut pair = Pair::established(Config::default(), Config::default());
    let mut count = 0;
    pair.lose = Box::new(move |sent, _| {
        count += 1;
        count % 7 == 0 && !sent.header.flags.contains(Flags::SYN)
    });
    let sent = text(130_000);
    assert_eq!(pair.client.send(&sent), sent.len());
    assert_eq!(pair.server.send(&sent), sent.len());
    pair.run(600_000);
    assert_eq!(pair.server.received, sent);
    assert_eq!(pair.client.received, sent);
    assert_eq!(pair.server.pool.free(), pair.server.pool.total());
}

#[test]
fn a_window_that_closed_is_probed_and_opens_again() {
    let server = Config {
        receive_buffer: 8_192,
        ..Config::default()
    };
    let mut pair = Pair::established(Config::default(), server);
    pair.server.reads = false;
    let sent = text(20_000);
    assert_eq!(pair.client.send(&sent), sent.len());
    pair.run(30_000);
    assert_eq!(pair.server.connection.unread(), 8_192);
    let mark = pair.log.len();
    pair.run(30_000);
    let probes = pair.sent_since(mark, true);
    assert!(
        !probes.is_empty() && probes.iter().all(|probe| probe.text.len() == 1),
        "{probes:?}"
    );
    pair.server.reads = true;
    pair.server.read();
    pair.run(30_000);
    assert_eq!(pair.server.received, sent);
}
