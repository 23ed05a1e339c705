//! Links that are good in all ways but one.

use std::time::Duration;

use wirepath_sim::plan::{ConnectionPlan, EndPlan, Finish, Pace, SlowRead};
use wirepath_sim::play;
use wirepath_sim::scenario::{Faults, Peers, Scenario};
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;

const PEERS: [Peers; 3] = [Peers::Stacks, Peers::SmolServer, Peers::SmolClient];

fn with_delay(millis: u64) -> [Faults; 2] {
    [(); 2].map(|()| Faults {
        delay: Duration::from_millis(millis),
        ..Faults::default()
    })
}

#[test]
fn a_wire_without_length_echoes() {
    let report = play(&Scenario::clean(1, 100_000)).unwrap();
    assert_eq!(report.bytes, 200_000);
}

#[test]
fn every_peer_echoes_over_both_families() {
    for peers in PEERS {
        for ipv6 in [false, true] {
            let scenario = Scenario {
                peers,
                ipv6,
                faults: with_delay(10),
                ..Scenario::clean(10, 50_000)
            };
            let report = play(&scenario).unwrap();
            assert_eq!(report.bytes, 1_000_000, "{peers:?}");
            assert_eq!(report.retransmissions, 0, "{peers:?}");
        }
    }
}

#[test]
fn hosts_find_each_other_by_arp_and_ndp() {
    for peers in PEERS {
        for ipv6 in [false, true] {
            let scenario = Scenario {
                peers,
                ipv6,
                asks_neighbor: true,
                faults: with_delay(1),
                ..Scenario::clean(3, 1_000)
            };
            play(&scenario).unwrap();
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_gives_another() {
    for seed in 0..20 {
        let first = play(&Scenario::draw(seed)).unwrap();
        assert_eq!(play(&Scenario::draw(seed)).unwrap(), first);
        assert_ne!(play(&Scenario::draw(seed + 1)).unwrap().trace, first.trace);
    }
}

/// A slow reader gets all of it, also what is still unread when both sides have closed.
#[test]
fn what_a_finished_connection_received_is_still_read() {
    let server = EndPlan {
        finish: Finish::WhenSent,
        read: Some(SlowRead {
            chunk: 100,
            pause: Duration::from_millis(300),
        }),
        ..EndPlan::default()
    };
    let client = EndPlan {
        send: 5_000,
        finish: Finish::WhenSent,
        ..EndPlan::default()
    };
    let plan = ConnectionPlan {
        client,
        server,
        ..ConnectionPlan::default()
    };
    let scenario = Scenario {
        connections: vec![plan],
        faults: with_delay(5),
        ..Scenario::clean(1, 0)
    };
    assert_eq!(play(&scenario).unwrap().bytes, 5_000);
}

/// Closing in the call that takes the last byte is no reset: all was read.
#[test]
fn who_closes_while_reading_the_last_byte_has_read_it() {
    let end = |send, finish| EndPlan {
        send,
        finish,
        ..EndPlan::default()
    };
    let plan = ConnectionPlan {
        client: end(3_000, Finish::AfterPeer),
        server: end(10, Finish::Close),
        ..ConnectionPlan::default()
    };
    let scenario = Scenario {
        connections: vec![plan],
        faults: with_delay(5),
        ..Scenario::clean(1, 0)
    };
    assert_eq!(play(&scenario).unwrap().bytes, 3_010);
}

/// Smoltcp leaves TIME-WAIT after ten seconds. When its last ACKs are lost for longer, it answers
/// our FIN with a reset, and yet all was said.
#[test]
fn a_reset_instead_of_the_last_ack_is_an_end_like_another() {
    let end = |send, finish| EndPlan {
        send,
        finish,
        ..EndPlan::default()
    };
    let plan = ConnectionPlan {
        client: end(1_000, Finish::WhenSent),
        server: end(500, Finish::AfterPeer),
        ..ConnectionPlan::default()
    };
    let mut faults = with_delay(5);
    faults[0].outage = Some((Instant::from_millis(28), Instant::from_millis(30_000)));
    let scenario = Scenario {
        peers: Peers::SmolClient,
        connections: vec![plan],
        faults,
        ..Scenario::clean(1, 0)
    };
    let report = play(&scenario).unwrap();
    assert_eq!(report.bytes, 1_500);
    assert!(report.time > Duration::from_secs(30), "{report:?}");
}

/// Many echoes on a pool too small for them: what is unread must not keep others from sending.
#[test]
fn echoes_get_on_with_hardly_any_memory() {
    let client = EndPlan {
        send: 60_000,
        ..EndPlan::default()
    };
    let server = EndPlan {
        send: 60_000,
        pace: Pace::Echo,
        finish: Finish::AfterPeer,
        ..EndPlan::default()
    };
    let plan = ConnectionPlan {
        client,
        server,
        ..ConnectionPlan::default()
    };
    let scenario = Scenario {
        peers: Peers::SmolClient,
        blocks: 64,
        connections: vec![plan; 20],
        faults: with_delay(5),
        tcp: [Config::default(); 2],
        ..Scenario::clean(1, 0)
    };
    assert_eq!(play(&scenario).unwrap().bytes, 20 * 120_000);
}
