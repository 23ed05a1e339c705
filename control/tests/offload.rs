//! A peer that leaves its checksums to an offload, as veth does by default. Needs root.

mod support;

use std::thread;

use support::client::{self, ADDRESSES, OWNED_V4};
use support::server::Server;
use support::wait_until;
use wirepath::netns::{Link, Network, Offloads};

fn network(label: &str) -> Network {
    let link = Link {
        offloads: Offloads::KernelDefault,
        ..Link::default()
    };
    Network::direct(label, &link).unwrap()
}

#[test]
fn a_server_that_was_told_takes_unfinished_checksums() {
    let network = network("partial");
    let mut arguments = client::all_addresses();
    arguments.extend(["--rx-checksum".to_owned(), "partial-ok".to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    for address in ADDRESSES {
        let stream = client::connect(&network.client, (address, 7));
        client::echo(&stream, 16 << 20, 11);
    }
    let stats = server.stop();
    assert!(stats.counters["partial_checksums"] > 10_000, "{stats:#?}");
    assert!(
        !stats.drops.contains_key("tcp_checksum_partial"),
        "{stats:#?}"
    );
}

#[test]
fn a_server_that_was_not_told_says_the_remedy_and_the_remedy_works() {
    let network = network("whole");
    let server = Server::start(&network, "echo", &["--address", &OWNED_V4.to_string()]);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let stream = client::connect(&network.client, (OWNED_V4, 7));
            client::echo(&stream, 1 << 20, 12)
        });
        wait_until("the server has said what to do", || {
            let said = server.log();
            said.contains("ethtool -K") && said.contains("--rx-checksum partial-ok")
        });
        assert!(server.stats().drops["tcp_checksum_partial"] > 0);
        assert!(!client.is_finished());
        let remedy = ["-K", Network::CLIENT_INTERFACE, "tx", "off"];
        network.client.tool("ethtool", &remedy).unwrap();
        // The client tries again by itself.
        client.join().unwrap();
    });
    assert_eq!(
        server.log().matches("ethtool").count(),
        1,
        "said once: {}",
        server.log()
    );
    let stats = server.stop();
    assert_eq!(stats.counters["partial_checksums"], 0);
}
