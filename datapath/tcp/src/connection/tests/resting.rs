//! Connections on which nothing is under way, and how they go on.

use std::time::Duration;

use super::pair::Pair;
use super::text;
use crate::config::{Config, CongestionControl, KeepAlive};
use crate::connection::{Connection, Info, Resting};
use crate::time::Millis;

const PATIENCE: Millis = Millis(250);

fn rest(pair: &Pair) -> Option<Resting> {
    pair.client.connection.rest(pair.now, PATIENCE.duration())
}

/// Two ends that have talked, and then were silent for three seconds.
fn silent(config: Config) -> Pair {
    let mut pair = Pair::established(config, config);
    for len in [1, 20_000, 300] {
        pair.client.send(&text(len));
        pair.run(50);
        pair.server.send(&text(len));
        pair.run(50);
    }
    pair.run(3_000);
    pair
}

#[test]
fn what_is_known_is_the_same_after_a_rest_but_for_the_rate() {
    let mut pair = silent(Config::default());
    let before = pair.client.connection.info();
    let resting = rest(&pair).expect("a rest");
    assert_eq!(resting.deadline(), None);
    let config = *pair.client.connection.config();
    pair.client.connection = Connection::resume(&resting, &config);
    let after = pair.client.connection.info();
    let expected = Info {
        delivery_rate: None,
        app_limited: false,
        ..before
    };
    assert_eq!(after, expected);

    pair.client.received.clear();
    pair.server.received.clear();
    let said = text(50_000);
    pair.client.send(&said);
    pair.server.send(&said);
    pair.run(2_000);
    assert_eq!(pair.client.received, said);
    assert_eq!(pair.server.received, said);
    assert_eq!(pair.client.connection.counts().retransmissions, 0);
}

#[test]
fn it_takes_a_silence_of_an_rto() {
    for rto in [200, 2_000] {
        let mut pair = silent(Config {
            min_rto: Millis(rto),
            ..Config::default()
        });
        pair.client.send(b"x");
        let least = rto.max(PATIENCE.0);
        let rests = |pair: &Pair| rest(pair).is_some();
        pair.run(u64::from(least) - 50);
        assert!(!rests(&pair), "{rto}");
        pair.run(200);
        assert!(rests(&pair), "{rto}");
    }
}

#[test]
fn what_is_under_way_keeps_it_from_rest() {
    let unread = |pair: &mut Pair| {
        pair.client.reads = false;
        pair.server.send(b"unread");
        pair.run(2_000);
    };
    let in_flight = |pair: &mut Pair| {
        pair.lose = Box::new(|_, _| true);
        pair.client.send(b"lost");
        pair.run(2_000);
    };
    let closed = |pair: &mut Pair| {
        pair.client.connection.shutdown();
        pair.run(2_000);
    };
    let peer_closed = |pair: &mut Pair| {
        pair.server.connection.shutdown();
        pair.run(2_000);
    };
    let full = |pair: &mut Pair| {
        pair.server.reads = false;
        let much = text(4 << 20);
        assert!(pair.client.send(&much) < much.len());
        pair.run(2_000);
    };
    let ways: [fn(&mut Pair); 5] = [unread, in_flight, closed, peer_closed, full];
    for (number, way) in ways.iter().enumerate() {
        let mut pair = silent(Config::default());
        assert!(rest(&pair).is_some());
        way(&mut pair);
        assert!(rest(&pair).is_none(), "{number}");
    }
}

#[test]
fn neither_bbr_rests_nor_who_has_no_sack() {
    let bbr = Config {
        congestion: CongestionControl::Bbr,
        ..Config::default()
    };
    let without_sack = Config {
        sack: false,
        ..Config::default()
    };
    for config in [bbr, without_sack] {
        let pair = silent(config);
        assert!(rest(&pair).is_none());
    }
}

#[test]
fn a_keep_alive_is_due_when_it_was() {
    let keep_alive = KeepAlive {
        idle: Millis::from_secs(60),
        interval: Millis::from_secs(5),
        probes: 9,
    };
    let pair = silent(Config {
        keep_alive: Some(keep_alive),
        ..Config::default()
    });
    let connection = &pair.client.connection;
    let resting = rest(&pair).expect("a rest");
    let due = connection.next_deadline().expect("a keep-alive");
    assert!(due > pair.now + Duration::from_secs(50));
    assert_eq!(resting.deadline(), Some(due));
    let resumed = Connection::resume(&resting, connection.config());
    assert_eq!(resumed.next_deadline(), Some(due));
}

#[test]
fn a_loss_that_a_probe_repaired_is_answered_after_the_rest() {
    let ssthresh = [false, true].map(|rests| {
        let mut pair = silent(Config::default());
        let mut lost = false;
        pair.lose = Box::new(move |_, _| !std::mem::replace(&mut lost, true));
        pair.client.send(b"lost once");
        pair.run(3_000);
        assert_eq!(pair.client.connection.counts().retransmissions, 1);
        if rests {
            let resting = rest(&pair).expect("a rest");
            let config = *pair.client.connection.config();
            pair.client.connection = Connection::resume(&resting, &config);
        }
        assert_eq!(pair.client.connection.info().ssthresh, None);
        pair.client.send(b"the next ACK tells that it was a loss");
        pair.run(100);
        pair.client.connection.info().ssthresh
    });
    assert!(ssthresh[0].is_some());
    assert_eq!(ssthresh[0], ssthresh[1]);
}
