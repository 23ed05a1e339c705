//! MTUs above 1500: one slot of a device's memory, or several for a packet. Needs root.

mod support;

use std::net::{IpAddr, TcpStream};
use std::thread;

use support::client::{self, ADDRESSES, OWNED_V4, OWNED_V6, SHARED_V4};
use support::server::Server;
use wirepath::api::Stats;
use wirepath::netns::{Link, Network, Offloads};

const JUMBO: u32 = 9000;

fn network(label: &str, mtu: u32) -> Network {
    let link = Link {
        mtu,
        ..Link::default()
    };
    Network::direct(label, &link).unwrap()
}

fn server(network: &Network, arguments: &[&str]) -> Server {
    let addresses = client::all_addresses();
    let mut all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    all.extend(arguments);
    Server::start(network, "echo", &all)
}

/// What the client's kernel says of its one connection: `name:value`, as `ss -ti` prints it.
struct Connection(String);

impl Connection {
    fn of(network: &Network, stream: &TcpStream) -> Self {
        let port = format!(":{}", stream.local_addr().unwrap().port());
        let report = network.client.tool("ss", &["-tinH", "sport", "=", &port]);
        Self(report.unwrap())
    }

    fn get(&self, name: &str) -> u64 {
        let mut words = self.0.split_whitespace();
        let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
        let value = value.unwrap_or_else(|| panic!("no {name} in {}", self.0));
        value.parse().unwrap()
    }

    /// Bytes of text of the average segment: to the server, and back.
    fn mean_segments(&self) -> [u64; 2] {
        let sent = self.get("bytes_sent") / self.get("data_segs_out");
        [sent, self.get("bytes_received") / self.get("data_segs_in")]
    }
}

/// What the client's kernel sent again too early, for want of a core, is all that was refused.
fn nothing_is_cut(stats: &Stats) {
    let again = ["old_timestamp", "out_of_window"];
    let mut refused = stats.drops.keys();
    assert!(
        refused.all(|reason| again.contains(&reason.as_str())),
        "{stats:#?}"
    );
}

/// What fits a packet besides the headers, and a timestamp.
fn mss(mtu: u32, address: IpAddr) -> u64 {
    let headers = if address.is_ipv4() { 40 } else { 60 };
    u64::from(mtu - headers - 12)
}

/// Moves 16 MiB each way in segments that fill the MTU.
fn fills_the_mtu(network: &Network, mtu: u32, address: IpAddr) {
    let stream = client::connect(&network.client, (address, 7));
    let echoed = client::echo_and_stay(&stream, 16 << 20, u64::from(mtu));
    let connection = Connection::of(network, &stream);
    let means = connection.mean_segments();
    println!(
        "{address}: {} Mbit/s, mean segments {means:?}",
        echoed.megabits_per_second()
    );
    let segment = mss(mtu, address);
    for name in ["mss", "advmss", "rcvmss"] {
        assert_eq!(connection.get(name), segment, "{name}: {}", connection.0);
    }
    let enough = |mean| mean > segment * 2 / 3;
    assert!(means.into_iter().all(enough), "{means:?} of {segment}");
}

fn segments_fill_an_mtu_of_9000(mode: &str) {
    let network = network(&format!("jumbo-{mode}"), JUMBO);
    let server = server(&network, &["--mode", mode]);
    for address in ADDRESSES {
        fills_the_mtu(&network, JUMBO, address);
    }
    let stats = server.stop();
    nothing_is_cut(&stats);
}

#[test]
fn segments_fill_an_mtu_of_9000_in_native_mode() {
    segments_fill_an_mtu_of_9000("native");
}

#[test]
fn segments_fill_an_mtu_of_9000_in_skb_mode() {
    segments_fill_an_mtu_of_9000("skb");
}

#[test]
fn segments_fill_an_mtu_of_3000_in_one_slot() {
    let network = network("one-slot", 3000);
    let server = server(&network, &[]);
    for address in ADDRESSES {
        fills_the_mtu(&network, 3000, address);
    }
    server.stop();
}

#[test]
fn a_client_of_1500_shares_the_server_with_one_of_9000() {
    let network = network("mixed", JUMBO);
    let server = server(&network, &[]);
    let route = "route add 10.77.0.3/32 dev client0 src 10.77.0.1 mtu lock 1500 advmss 1460";
    let route: Vec<&str> = route.split(' ').collect();
    network.client.ip(&route).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| fills_the_mtu(&network, JUMBO, SHARED_V4));
        scope.spawn(|| fills_the_mtu(&network, 1500, OWNED_V4));
    });
    server.stop();
}

#[test]
fn a_kernel_that_leaves_work_to_its_device_sends_no_longer_frames() {
    let link = Link {
        mtu: JUMBO,
        offloads: Offloads::KernelDefault,
        ..Link::default()
    };
    let network = Network::direct("jumbo-offload", &link).unwrap();
    let server = server(&network, &["--rx-checksum", "partial-ok"]);
    for address in ADDRESSES {
        fills_the_mtu(&network, JUMBO, address);
    }
    let stats = server.stop();
    assert!(stats.counters["partial_checksums"] > 1_000, "{stats:#?}");
    nothing_is_cut(&stats);
}

#[test]
fn without_multi_buffer_peers_are_told_what_one_slot_holds() {
    let network = network("jumbo-off", JUMBO);
    let server = server(&network, &["--multi-buffer", "off"]);
    server.wait_until_says("packets above the limit");
    for address in ADDRESSES {
        let stream = client::connect(&network.client, (address, 7));
        client::echo_and_stay(&stream, 16 << 20, 5);
        let connection = Connection::of(&network, &stream);
        assert_eq!(
            connection.get("mss"),
            mss(3822, address),
            "{}",
            connection.0
        );
    }
    server.stop();
}

#[test]
fn owned_addresses_answer_pings_of_9000_bytes() {
    let network = network("jumbo-ping", JUMBO);
    let server = server(&network, &[]);
    for (address, size) in [(OWNED_V4, "8972"), (OWNED_V6, "8952")] {
        let address = address.to_string();
        let ping = [
            "-q", "-c", "5", "-i", "0.01", "-M", "do", "-s", size, &address,
        ];
        let report = network.client.tool("ping", &ping).unwrap();
        assert!(report.contains(" 0% packet loss"), "{report}");
    }
    let stats = server.stop();
    assert_eq!(stats.counters["echo_replies"], 10);
}
