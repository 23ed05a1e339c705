//! Pacing: what may be sent is spread over the round trip.

use std::time::Duration;

use super::pair::Pair;
use crate::config::{Config, CongestionControl};
use crate::time::Instant;

const SMSS: usize = 1_448;

/// Two hosts 100 ms from each other, the client after a few round trips of bulk.
fn warm(config: Config) -> Pair {
    let mut pair = Pair::established(config, Config::default());
    pair.delay = Duration::from_millis(50);
    for _ in 0..6 {
        pair.client.send(&vec![1; 60 * SMSS]);
        pair.run(3_000);
    }
    pair
}

/// How long 85 segments take of which the first copies of the last 30 are lost.
fn time_to_repair(pacing: bool) -> Duration {
    let mut pair = warm(Config {
        pacing,
        ..Config::default()
    });
    let (before, began) = (pair.server.received.len(), pair.now);
    let first = pair.client.connection.snd.nxt + 55 * SMSS as u32;
    let mut seen = std::collections::HashSet::new();
    pair.lose = Box::new(move |sent, by_client| {
        let text = by_client && !sent.text.is_empty();
        text && sent.header.seq.at_or_after(first) && seen.insert(sent.header.seq)
    });
    pair.client.send(&vec![2; 85 * SMSS]);
    arrival(&mut pair, before + 85 * SMSS).since(began)
}

/// When the server has so many bytes.
fn arrival(pair: &mut Pair, bytes: usize) -> Instant {
    let until = pair.now + Duration::from_secs(20);
    while pair.server.received.len() < bytes && pair.step(until) {}
    assert!(pair.server.received.len() >= bytes, "it never arrives");
    pair.now
}

#[test]
fn what_is_sent_again_and_held_back_has_its_timer() {
    let (paced, unpaced) = (time_to_repair(true), time_to_repair(false));
    let most = unpaced + Duration::from_millis(200);
    assert!(paced <= most, "{paced:?} {unpaced:?}");
}

#[test]
fn a_transfer_after_small_talk_is_not_paced_by_it() {
    let mut pair = Pair::established(
        Config {
            congestion: CongestionControl::Bbr,
            ..Config::default()
        },
        Config::default(),
    );
    pair.delay = Duration::from_millis(50);
    for _ in 0..300 {
        pair.client.send(&[3; 50]);
        pair.run(150);
    }
    let (before, began) = (pair.server.received.len(), pair.now);
    pair.client.send(&vec![2; 100_000]);
    let took = arrival(&mut pair, before + 100_000).since(began);
    assert!(took < Duration::from_millis(1_000), "{took:?}");
}

#[test]
fn bbr_goes_on_from_where_it_was_after_a_time_out() {
    let mut pair = warm(Config {
        congestion: CongestionControl::Bbr,
        ..Config::default()
    });
    let before = pair.server.received.len();
    // All four, and the probe of their end.
    let mut lost = 0;
    pair.lose = Box::new(move |sent, by_client| {
        lost += u32::from(by_client && !sent.text.is_empty());
        by_client && !sent.text.is_empty() && lost <= 5
    });
    pair.client.send(&vec![2; 4 * SMSS]);
    arrival(&mut pair, before + 4 * SMSS);
    pair.run(1_000);
    // The rounds with losses have lowered its bound, and no more.
    let cwnd = pair.client.connection.info().cwnd;
    assert!(cwnd >= 20 * SMSS as u32, "{cwnd}");
}
