//! One server on an interface of several queues. Needs root.

mod support;

use std::net::SocketAddr;
use std::thread;

use support::client::{self, ADDRESSES};
use support::server::Server;
use wirepath::netns::{Link, Network};

const QUEUES: u32 = 4;

/// Frames that XDP saw on each queue of the server's interface.
fn frames_by_queue(network: &Network) -> Vec<u64> {
    let report = network
        .server
        .tool("ethtool", &["-S", Network::SERVER_INTERFACE])
        .unwrap();
    let count = |queue| {
        let name = format!("rx_queue_{queue}_xdp_packets:");
        let line = report
            .lines()
            .find_map(|line| line.trim().strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{report}"))
            .trim()
            .parse()
            .unwrap()
    };
    (0..QUEUES).map(count).collect()
}

fn serves_all_queues(idle: &str) {
    const CLIENTS: usize = 8;
    const EACH: usize = 50;
    let link = Link {
        queues: QUEUES,
        ..Link::default()
    };
    let network = Network::direct(&format!("queues-{idle}"), &link).unwrap();
    let mut arguments = client::all_addresses();
    arguments.extend(["--idle".to_owned(), idle.to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let network = &network;
            let echo_some = move || {
                for at in 0..EACH {
                    let to = SocketAddr::new(ADDRESSES[at % ADDRESSES.len()], 7);
                    let stream = client::connect_here(to).unwrap();
                    client::echo(&stream, 100_000, (number * EACH + at) as u64);
                }
            };
            scope.spawn(move || network.client.run(echo_some).unwrap());
        }
    });
    let frames = frames_by_queue(&network);
    println!("frames by queue: {frames:?}");
    // By their hash the connections spread; one in a hundred of the frames is little for a fourth.
    let total: u64 = frames.iter().sum();
    assert!(
        frames.iter().all(|&frames| frames > total / 100),
        "{frames:?}"
    );
    let stats = server.stop();
    assert_eq!(stats.counters["opened"], (CLIENTS * EACH) as u64);
    assert_eq!(stats.counters["text_in"], (CLIENTS * EACH) as u64 * 100_000);
    assert_eq!(
        stats.steering["no_socket"], 0,
        "every queue has its socket: {stats:#?}"
    );
}

#[test]
fn all_queues_are_served_by_a_spinning_worker() {
    serves_all_queues("spin");
}

#[test]
fn all_queues_are_served_by_an_adaptive_worker() {
    serves_all_queues("adaptive");
}
