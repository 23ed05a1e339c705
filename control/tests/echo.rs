//! Linux TCP talks to `wirepath echo`: much at once, much in a row, over both IP versions and on
//! addresses of both kinds. Needs root.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::thread;

use support::client::{self, ADDRESSES, OWNED_V4, OWNED_V6, SHARED_V4, SHARED_V6};
use support::server::Server;
use support::wait_until;
use wirepath::netns::{Link, Network};

const ECHO: u16 = 7;
const GIBIBYTE: u64 = 1 << 30;

/// One connection to an address of that kind carries that many bytes there and back.
fn echoes(label: &str, address: IpAddr, bytes: u64) {
    let network = Network::direct(label, &Link::default()).unwrap();
    let server = Server::start(&network, "echo", &["--address", &address.to_string()]);
    let stream = client::connect(&network.client, (address, ECHO));
    let echoed = client::echo(&stream, bytes, 1);
    drop(stream);
    let stats = server.stop();
    println!(
        "{bytes} bytes there and back in {:?}: {} Mbit/s each way",
        echoed.took,
        echoed.megabits_per_second()
    );
    assert_eq!(stats.counters["opened"], 1);
    assert_eq!(stats.counters["text_in"], bytes);
    assert_eq!(stats.counters["resets_out"], 0);
}

#[test]
fn a_gibibyte_over_ipv4_at_a_shared_address() {
    echoes("v4-shared", SHARED_V4, GIBIBYTE);
}

#[test]
fn a_gibibyte_over_ipv6_at_a_shared_address() {
    echoes("v6-shared", SHARED_V6, GIBIBYTE);
}

#[test]
fn a_gibibyte_over_ipv4_at_an_owned_address() {
    echoes("v4-owned", OWNED_V4, GIBIBYTE);
}

#[test]
fn a_gibibyte_over_ipv6_at_an_owned_address() {
    echoes("v6-owned", OWNED_V6, GIBIBYTE);
}

/// An echo server on addresses of all kinds at once.
fn server_on_all(network: &Network) -> Server {
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    Server::start(network, "echo", &arguments)
}

#[test]
fn a_thousand_connections_at_once() {
    const CLIENTS: usize = 8;
    const EACH: usize = 125;
    client::allow_many_files();
    let network = Network::direct("thousand", &Link::default()).unwrap();
    let server = server_on_all(&network);
    let connect_some = || {
        let to = |at: usize| SocketAddr::new(ADDRESSES[at % ADDRESSES.len()], ECHO);
        (0..EACH)
            .map(|at| client::connect_here(to(at)).unwrap())
            .collect()
    };
    let connect_some = || network.client.run(connect_some).unwrap();
    let mut streams: Vec<Vec<TcpStream>> = thread::scope(|scope| {
        let clients = [(); CLIENTS].map(|()| scope.spawn(connect_some));
        clients.map(|client| client.join().unwrap()).into()
    });
    // The last ACKs of the handshakes may still be under way.
    wait_until("all are open", || server.stats().open == CLIENTS * EACH);
    let flows = server.flows();
    assert_eq!(flows.len(), CLIENTS * EACH);
    assert!(
        flows.iter().all(|flow| flow.state == "ESTABLISHED"),
        "{flows:?}"
    );
    thread::scope(|scope| {
        for (number, streams) in streams.iter_mut().enumerate() {
            scope.spawn(move || {
                for round in 0..3 {
                    converse(streams, (number * 1_000_000 + round * 1_000) as u64);
                }
            });
        }
    });
    drop(streams);
    let stats = server.stop();
    assert_eq!(stats.counters["opened"], 1_000);
    assert_eq!(stats.counters["closed"], 1_000);
}

/// All send, then all receive: what is under way on all connections has to be held somewhere.
fn converse(streams: &mut [TcpStream], seed: u64) {
    const SIZE: usize = 16 * 1024;
    let text = |at: usize| client::random_bytes(SIZE, seed + at as u64);
    for (at, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&text(at)).unwrap();
    }
    let mut back = vec![0; SIZE];
    for (at, stream) in streams.iter_mut().enumerate() {
        stream.read_exact(&mut back).unwrap();
        assert!(back == text(at), "connection {at}, seed {seed}");
    }
}

#[test]
fn twenty_thousand_short_connections_in_a_row() {
    const COUNT: usize = 20_000;
    let network = Network::direct("short", &Link::default()).unwrap();
    // Each leaves the client a TIME-WAIT of a minute, which keeps its port.
    let ports = "net.ipv4.ip_local_port_range=1024 65535";
    network.client.tool("sysctl", &["-q", "-w", ports]).unwrap();
    let server = server_on_all(&network);
    let in_a_row = || {
        for at in 0..COUNT {
            let to = SocketAddr::new(ADDRESSES[at % ADDRESSES.len()], ECHO);
            let stream = client::connect_here(to);
            let mut stream = stream.unwrap_or_else(|error| panic!("connection {at}: {error}"));
            let text = format!("connection {at} to {to}");
            stream.write_all(text.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut back = String::new();
            stream.read_to_string(&mut back).unwrap();
            assert_eq!(back, text);
        }
    };
    network.client.run(in_a_row).unwrap();
    let stats = server.stop();
    assert_eq!(stats.counters["opened"], COUNT as u64);
    assert_eq!(stats.counters["closed"], COUNT as u64);
    assert_eq!(stats.counters["resets_out"], 0);
    assert_eq!(stats.time_wait, 0, "the client closed first: {stats:?}");
}
