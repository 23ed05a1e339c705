//! A link that loses and repeats frames both ways. Needs root.

mod support;

use std::thread;
use std::time::Duration;

use support::client::{self, ADDRESSES};
use support::fault::{Fault, Rates};
use support::server::Server;
use wirepath::netns::{Link, Network};

/// The longest that a connection may stand still.
const STALL: Duration = Duration::from_secs(5);
const ONE_PERCENT: Rates = Rates {
    drop: 10_000,
    duplicate: 10_000,
    queues: 0,
};

#[test]
fn one_percent_loss_and_duplication_change_no_byte() {
    const BYTES: u64 = 16 << 20;
    let network = Network::through_middle("loss", &Link::default()).unwrap();
    let faults = Fault::both_ways(&network, ONE_PERCENT);
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    thread::scope(|scope| {
        for (seed, address) in ADDRESSES.into_iter().enumerate() {
            let network = &network;
            scope.spawn(move || {
                let stream = client::connect(&network.client, (address, 7));
                let echoed = client::echo(&stream, BYTES, seed as u64);
                println!(
                    "{address}: {BYTES} bytes there and back in {:?}, longest gap {:?}",
                    echoed.took, echoed.longest_gap
                );
                assert!(echoed.longest_gap < STALL, "{address}: {echoed:?}");
            });
        }
    });
    let stats = server.stop();
    for fault in &faults {
        let counts = fault.counts();
        println!("{counts:?}");
        // Each of the ways carries more than 40,000 frames, so more than 400 of either.
        assert!(counts.dropped > 200, "{counts:?}");
        assert!(counts.duplicated > 200, "{counts:?}");
    }
    println!("{} sent again", stats.counters["retransmissions"]);
    assert!(stats.counters["retransmissions"] > 200, "{stats:#?}");
}

#[test]
fn many_short_connections_survive_loss_and_duplication() {
    const EACH: u64 = 100;
    let network = Network::through_middle("loss-short", &Link::default()).unwrap();
    let _faults = Fault::both_ways(&network, ONE_PERCENT);
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    thread::scope(|scope| {
        for (part, address) in ADDRESSES.into_iter().enumerate() {
            let network = &network;
            scope.spawn(move || {
                for at in 0..EACH {
                    let stream = client::connect(&network.client, (address, 7));
                    client::echo(&stream, 10_000, part as u64 * EACH + at);
                }
            });
        }
    });
    let stats = server.stop();
    // A SYN that comes again when its connection is over opens none.
    assert_eq!(stats.counters["opened"], 4 * EACH, "{stats:#?}");
    assert_eq!(stats.counters["closed"], 4 * EACH, "{stats:#?}");
}
