//! How connections end, and those that never begin. Needs root.

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use support::client::{self, ADDRESSES, OWNED_V4, OWNED_V6, SHARED_V4};
use support::server::Server;
use support::wait_until;
use wirepath::netns::{Link, Network};

const ECHO: u16 = 7;
const CHARGEN: u16 = 19;

fn network(label: &str) -> Network {
    Network::direct(label, &Link::default()).unwrap()
}

fn start(network: &Network, service: &str) -> Server {
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    Server::start(network, service, &arguments)
}

/// A connection that has carried a byte there and back.
fn connected(network: &Network, address: std::net::IpAddr) -> TcpStream {
    let mut stream = client::connect(&network.client, (address, ECHO));
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

#[test]
fn a_client_that_has_said_all_still_hears_all() {
    const SIZE: usize = 128 * 1024;
    let network = network("half-close");
    let server = start(&network, "echo");
    for address in ADDRESSES {
        let mut stream = client::connect(&network.client, (address, ECHO));
        // The client has room for less than it said, so most waits at the server. That it takes
        // back a window that was offered must not keep the server from acknowledging its text.
        rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 8 * 1024).unwrap();
        let text = client::random_bytes(SIZE, 2);
        stream.write_all(&text).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        wait_until("the FIN has come, and much is still to be said", || {
            let flows = server.flows();
            assert_eq!(flows.len(), 1, "{flows:?}");
            // Its own FIN may wait behind the text that waits.
            let closing = ["CLOSE-WAIT", "LAST-ACK"].contains(&flows[0].state.as_str());
            closing && flows[0].send_queue > SIZE as u32 / 4
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert!(
            back == text,
            "{} bytes of {SIZE} from {address}",
            back.len()
        );
        drop(stream);
        server.wait_until_quiet();
    }
    let stats = server.stop();
    assert_eq!(
        stats.states_entered["LAST-ACK"], 4,
        "the client closed first: {stats:#?}"
    );
    assert_eq!(stats.counters["resets_out"], 0);
}

#[test]
fn a_client_that_has_said_nothing_hears_the_fin_at_once() {
    let network = network("mute");
    let server = start(&network, "echo");
    let mut stream = client::connect(&network.client, (OWNED_V4, ECHO));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    drop(stream);
    server.stop();
}

#[test]
fn a_reset_by_the_client_ends_a_connection_that_is_idle() {
    let network = network("reset-idle");
    let server = start(&network, "echo");
    for address in ADDRESSES {
        client::reset(connected(&network, address));
        server.wait_until_quiet();
    }
    let stats = server.stop();
    assert_eq!(stats.counters["resets_in"], 4);
    assert_eq!(stats.counters["opened"], 4);
    assert_eq!(stats.counters["closed"], 4);
}

#[test]
fn a_reset_by_the_client_ends_connections_that_are_busy() {
    const COUNT: u64 = 100;
    let network = network("reset-busy");
    let server = start(&network, "chargen");
    for at in 0..COUNT {
        let address = ADDRESSES[at as usize % ADDRESSES.len()];
        let mut stream = client::connect(&network.client, (address, CHARGEN));
        stream.read_exact(&mut [0; 10_000]).unwrap();
        client::reset(stream);
    }
    let stats = server.stop();
    assert_eq!(stats.counters["resets_in"], COUNT);
    assert_eq!(stats.counters["opened"], COUNT);
}

/// What a client sees whose server went away without a word and came back without a memory.
#[test]
fn a_connection_that_the_server_does_not_know_is_reset() {
    let network = network("unknown");
    let first = start(&network, "echo");
    let mut streams = ADDRESSES.map(|address| connected(&network, address));
    drop(first);
    let second = start(&network, "echo");
    for stream in &mut streams {
        stream.write_all(b"still there?").unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{stream:?}");
    }
    let stats = second.stop();
    assert_eq!(stats.counters["resets_out"], 4);
    assert_eq!(stats.counters["opened"], 0);
}

#[test]
fn a_closed_port_of_an_owned_address_refuses() {
    let network = network("refused");
    let server = start(&network, "echo");
    for address in [OWNED_V4, OWNED_V6] {
        // A SYN that nobody answers would end in a timeout instead.
        let error = client::try_connect(&network.client, (address, 8)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{address}");
    }
    let stats = server.stop();
    assert_eq!(stats.counters["resets_out"], 2);
    assert_eq!(stats.counters["opened"], 0);
}

#[test]
fn a_closed_port_of_a_shared_address_is_refused_by_its_kernel() {
    let network = network("kernel-refuses");
    let server = start(&network, "echo");
    let error = client::try_connect(&network.client, (SHARED_V4, 8)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(server.stop().counters["resets_out"], 0);
}
