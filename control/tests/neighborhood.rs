//! The server beside the kernel: what is the kernel's stays the kernel's, and an owned address
//! looks like any host's. Needs root.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, UdpSocket};

use support::client::{self, OWNED_V4, OWNED_V6, SHARED_V4, SHARED_V6};
use support::server::Server;
use wirepath::netns::{Link, Namespace, Network};

const ECHO: u16 = 7;

fn start(network: &Network, addresses: &[IpAddr]) -> Server {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let arguments: Vec<&str> = addresses
        .iter()
        .flat_map(|address| ["--address", address])
        .collect();
    Server::start(network, "echo", &arguments)
}

/// Three pings of that many bytes, all of which must be answered.
fn ping(from: &Namespace, to: IpAddr, size: usize) {
    let (to, size) = (to.to_string(), size.to_string());
    let arguments = ["-q", "-c", "3", "-i", "0.01", "-W", "1", "-s", &size, &to];
    let report = from.tool("ping", &arguments).unwrap();
    assert!(report.contains(" 3 received"), "{report}");
}

#[test]
fn an_owned_address_answers_ping() {
    let network = Network::direct("ping", &Link::default()).unwrap();
    let server = start(&network, &[OWNED_V4, OWNED_V6]);
    for size in [0, 56, 1_400] {
        ping(&network.client, OWNED_V4, size);
        ping(&network.client, OWNED_V6, size);
    }
    let stats = server.stop();
    assert_eq!(stats.counters["echo_replies"], 18, "{stats:#?}");
    assert!(stats.counters["arp_replies"] >= 1, "{stats:#?}");
    assert!(stats.counters["neighbor_advertisements"] >= 1, "{stats:#?}");
}

#[test]
fn an_owned_address_is_nobodys_when_the_server_is_gone() {
    let network = Network::direct("gone", &Link::default()).unwrap();
    let server = start(&network, &[OWNED_V4]);
    ping(&network.client, OWNED_V4, 56);
    server.stop();
    let to = OWNED_V4.to_string();
    let once = ["-q", "-c", "1", "-W", "0.2", &to];
    network
        .client
        .tool("ping", &once)
        .expect_err("nobody is there");
}

#[test]
fn the_kernel_keeps_its_services_on_a_shared_address() {
    let network = Network::direct("shared", &Link::default()).unwrap();
    let server = start(&network, &[SHARED_V4, SHARED_V6]);
    for address in [SHARED_V4, SHARED_V6] {
        let bind = || {
            let listener = TcpListener::bind((address, 8080)).unwrap();
            // The same number as ours, but not TCP.
            (listener, UdpSocket::bind((address, ECHO)).unwrap())
        };
        let (listener, datagrams) = network.server.run(bind).unwrap();
        // Both talk at once to the same client.
        let mut ours = client::connect(&network.client, (address, ECHO));
        let mut theirs = client::connect(&network.client, (address, 8080));
        let (mut accepted, _) = listener.accept().unwrap();
        for _ in 0..10 {
            ours.write_all(b"to the echo").unwrap();
            theirs.write_all(b"to the kernel").unwrap();
            let (mut back, mut there) = ([0; 11], [0; 13]);
            ours.read_exact(&mut back).unwrap();
            accepted.read_exact(&mut there).unwrap();
            assert_eq!((&back, &there), (b"to the echo", b"to the kernel"));
        }
        let any: IpAddr = match address {
            IpAddr::V4(_) => Network::CLIENT_V4.into(),
            IpAddr::V6(_) => Network::CLIENT_V6.into(),
        };
        let sender = network
            .client
            .run(|| UdpSocket::bind((any, 0)))
            .unwrap()
            .unwrap();
        sender.send_to(b"datagram", (address, ECHO)).unwrap();
        let mut datagram = [0; 16];
        let (size, _) = datagrams.recv_from(&mut datagram).unwrap();
        assert_eq!(&datagram[..size], b"datagram");
        ping(&network.client, address, 56);
    }
    let stats = server.stop();
    assert_eq!(
        stats.counters["echo_replies"], 0,
        "the kernel answers: {stats:#?}"
    );
    assert_eq!(stats.counters["arp_replies"], 0, "{stats:#?}");
    assert_eq!(stats.counters["resets_out"], 0, "{stats:#?}");
}
