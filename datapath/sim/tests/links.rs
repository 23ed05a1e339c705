//! Links that are good in all ways but one.

use std::time::Duration;

use wirepath_sim::plan::{ConnectionPlan, EndPlan, Finish, Pace, SlowRead};
use wirepath_sim::play;
use wirepath_sim::scenario::{Faults, Peers, Scenario};
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;

/// With which every run ends.
const TIME_WAIT: Duration = Duration::from_secs(60);

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

/// One bulk transfer from client to server, whose packets meet a link that narrows.
fn narrow(ipv6: bool, black_hole: bool, steps: &[(u64, usize)]) -> Scenario {
    let client = EndPlan {
        send: 3_000_000,
        ..EndPlan::default()
    };
    let plan = ConnectionPlan {
        client,
        ..ConnectionPlan::default()
    };
    let mut faults = with_delay(5);
    let steps = steps.iter();
    faults[0].narrow = steps
        .map(|&(at, mtu)| (Instant::from_millis(at), mtu))
        .collect();
    faults[0].black_hole = black_hole;
    let config = Config {
        path_probing: black_hole,
        ..Config::default()
    };
    Scenario {
        ipv6,
        faults,
        tcp: [config; 2],
        connections: vec![plan],
        ..Scenario::clean(1, 0)
    }
}

/// RFC 1191 and RFC 8201: routers say what they carry, and it is heeded at once, or with the
/// time-out that proves it where larger segments have arrived before (RFC 5927 7.2).
#[test]
fn a_path_that_narrows_again_and_again_is_followed() {
    for (ipv6, steps) in [
        (false, [(0, 1_400), (30, 1_000), (60, 576)]),
        (true, [(0, 1_400), (30, 1_350), (60, 1_280)]),
    ] {
        let report = play(&narrow(ipv6, false, &steps)).unwrap();
        assert_eq!(report.bytes, 3_000_000);
        assert!(
            report.time < TIME_WAIT + Duration::from_secs(3),
            "{report:?}"
        );
    }
}

/// RFC 4821 7.7: nobody says why long segments vanish, and shorter ones are found to arrive.
#[test]
fn a_black_hole_for_long_segments_is_found_and_avoided() {
    for (ipv6, mtu) in [(false, 1_100), (false, 600), (true, 1_300)] {
        for at in [0, 40] {
            let report = play(&narrow(ipv6, true, &[(at, mtu)])).unwrap();
            assert_eq!(report.bytes, 3_000_000, "{mtu} from {at} ms");
            let most = TIME_WAIT + Duration::from_secs(10);
            assert!(report.time < most, "{mtu} from {at} ms: {report:?}");
        }
    }
}

/// The connection lives as long as R2 allows, and goes on with the next retransmission, which
/// is no later after the end of the outage than this lasted, nor than the largest RTO.
#[test]
fn a_link_that_was_down_is_used_again_with_the_next_retransmission() {
    for down in [1, 10, 60, 120] {
        let mut scenario = narrow(false, false, &[]);
        let from = Instant::from_millis(40);
        let until = from + Duration::from_secs(down);
        for faults in &mut scenario.faults {
            faults.outage = Some((from, until));
        }
        let report = play(&scenario).unwrap();
        assert_eq!(report.bytes, 3_000_000);
        let most = TIME_WAIT + Duration::from_secs(2 * down + 2);
        assert!(report.time < most, "{down} s down: {report:?}");
    }
}
