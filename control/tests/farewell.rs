//! Servers that are told to end, that are killed, and links that go for a while. Needs root.

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use support::client::{self, ADDRESSES, OWNED_V4, OWNED_V6, SHARED_V4};
use support::server::{Server, has_xdp};
use support::{wait_at_most, wait_until};
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

fn connected(network: &Network, address: IpAddr) -> TcpStream {
    let mut stream = client::connect(&network.client, (address, ECHO));
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

#[test]
fn a_server_without_connections_ends_at_once() {
    let network = network("alone");
    for signal in [Signal::INT, Signal::TERM] {
        for idle in ["spin", "adaptive"] {
            let mut server = Server::start(&network, "echo", &["--idle", idle]);
            server.signal(signal);
            server.check_end();
        }
    }
}

#[test]
fn idle_connections_hear_a_fin_and_no_reset() {
    for signal in [Signal::INT, Signal::TERM] {
        let network = network("idle");
        let mut server = start(&network, "echo");
        let mut streams = ADDRESSES.map(|address| connected(&network, address));
        server.signal(signal);
        for stream in &mut streams {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "{stream:?}");
        }
        // Its peers have not closed yet, so it is still there; but it accepts no more.
        let error = client::try_connect(&network.client, (OWNED_V4, ECHO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        drop(streams);
        server.check_end();
    }
}

#[test]
fn busy_receivers_hear_all_that_was_promised_and_a_fin() {
    for signal in [Signal::INT, Signal::TERM] {
        let network = network("busy");
        let mut server = start(&network, "chargen");
        thread::scope(|scope| {
            let receivers = ADDRESSES.map(|address| {
                let mut stream = client::connect(&network.client, (address, CHARGEN));
                scope.spawn(move || {
                    let mut bytes = vec![0; 1 << 16];
                    let mut total = 0;
                    loop {
                        match stream.read(&mut bytes).expect("no reset") {
                            0 => return total,
                            size => total += size,
                        }
                    }
                })
            });
            wait_until("all receive", || {
                let flows = server.flows();
                let busy = |flow: &wirepath::api::Flow| {
                    flow.details
                        .as_ref()
                        .is_some_and(|details| details.bytes_acked > 1 << 20)
                };
                flows.len() == ADDRESSES.len() && flows.iter().all(busy)
            });
            server.signal(signal);
            for receiver in receivers {
                assert!(receiver.join().unwrap() > 1 << 20);
            }
        });
        server.check_end();
    }
}

/// One that talks all the time has its answers so far, then a FIN, though it goes on talking.
#[test]
fn busy_talkers_hear_a_fin() {
    for signal in [Signal::INT, Signal::TERM] {
        let network = network("talkers");
        let mut server = start(&network, "echo");
        let mut streams = ADDRESSES.map(|address| connected(&network, address));
        thread::scope(|scope| {
            for stream in &mut streams {
                scope.spawn(|| {
                    let text = client::random_bytes(16 * 1024, 8);
                    let mut back = vec![0; text.len()];
                    // As long as there is somebody to talk to.
                    while stream.write_all(&text).is_ok() {
                        let mut heard = 0;
                        while heard < text.len() {
                            match stream.read(&mut back[heard..]).expect("no reset") {
                                0 => return assert!(back[..heard] == text[..heard]),
                                size => heard += size,
                            }
                        }
                        assert!(back == text);
                    }
                });
            }
            wait_until("all talk", || server.stats().counters["text_in"] > 4 << 20);
            server.signal(signal);
        });
        drop(streams);
        server.check_end();
    }
}

#[test]
fn peers_that_do_not_move_cannot_hold_the_server() {
    for signal in [Signal::INT, Signal::TERM] {
        let network = network("stuck");
        let mut server = start(&network, "chargen");
        // They read nothing, so the FIN has to wait behind text for which there is no room.
        let streams = ADDRESSES.map(|address| client::connect(&network.client, (address, CHARGEN)));
        wait_until("all windows are full", || {
            let flows = server.flows();
            let stuck = |flow: &wirepath::api::Flow| {
                flow.details
                    .as_ref()
                    .is_some_and(|details| details.snd_wnd < 1_000)
            };
            flows.len() == ADDRESSES.len() && flows.iter().all(stuck)
        });
        server.signal(signal);
        server.check_end();
        for mut stream in streams {
            // All that was received, and then the reset.
            let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{stream:?}");
        }
    }
}

#[test]
fn peers_that_never_close_cannot_hold_the_server() {
    let network = network("clinging");
    let mut server = start(&network, "echo");
    let streams = ADDRESSES.map(|address| connected(&network, address));
    server.signal(Signal::TERM);
    server.check_end();
    for mut stream in streams {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the FIN came first");
    }
}

#[test]
fn a_peer_that_is_gone_cannot_hold_the_server() {
    let network = network("vanished");
    let mut server = start(&network, "echo");
    let streams = ADDRESSES.map(|address| connected(&network, address));
    let down = ["link", "set", "dev", Network::CLIENT_INTERFACE, "down"];
    network.client.ip(&down).unwrap();
    server.signal(Signal::TERM);
    server.check_end();
    drop(streams);
}

#[test]
fn a_killed_server_leaves_no_program_and_makes_room_for_the_next() {
    let network = network("killed");
    for _ in 0..3 {
        let mut server = start(&network, "echo");
        let stream = connected(&network, OWNED_V6);
        assert!(has_xdp(network.server.name()));
        server.signal(Signal::KILL);
        assert!(!server.wait().success());
        wait_at_most(Duration::from_secs(1), "no XDP program is left", || {
            !has_xdp(network.server.name())
        });
        drop(stream);
    }
    // At the same place as those that were killed, control socket and all.
    let server = start(&network, "echo");
    for address in ADDRESSES {
        let stream = client::connect(&network.client, (address, ECHO));
        client::echo(&stream, 1 << 20, 9);
    }
    server.stop();
}

#[test]
fn a_killed_servers_control_socket_is_replaced() {
    let network = network("replaced");
    let killed = Server::start(&network, "echo", &[]);
    let control = killed.control().to_owned();
    killed.signal(Signal::KILL);
    let mut killed = killed;
    killed.wait();
    assert!(control.exists(), "nobody removes it");
    let next = Server::start_at(&network, "echo", &[], control);
    next.stats();
    next.stop();
}

/// Segments that the client's kernel has sent again.
fn retransmissions(network: &Network) -> u64 {
    let report = network
        .client
        .tool("nstat", &["-asz", "TcpRetransSegs"])
        .unwrap();
    let line = report
        .lines()
        .find(|line| line.starts_with("TcpRetransSegs"));
    let count = line.and_then(|line| line.split_whitespace().nth(1));
    count.unwrap_or_else(|| panic!("{report}")).parse().unwrap()
}

#[test]
fn connections_go_on_when_the_link_was_down() {
    const BYTES: u64 = 128 << 20;
    let network = network("down");
    // Not an IPv6 address of the kernel's: it takes those away from an interface that goes down.
    let addresses = [SHARED_V4, OWNED_V4, OWNED_V6];
    let texts = addresses.map(|address| address.to_string());
    let arguments = texts.iter().flat_map(|text| ["--address", text]);
    let arguments: Vec<&str> = arguments.collect();
    let server = Server::start(&network, "echo", &arguments);
    let set = |state| {
        let interface = Network::SERVER_INTERFACE;
        network
            .server
            .ip(&["link", "set", "dev", interface, state])
            .unwrap();
    };
    thread::scope(|scope| {
        let network = &network;
        for (seed, address) in addresses.into_iter().enumerate() {
            scope.spawn(move || {
                let stream = client::connect(&network.client, (address, ECHO));
                let echoed = client::echo(&stream, BYTES, seed as u64);
                println!("{address}: longest gap {:?}", echoed.longest_gap);
            });
        }
        for part in 1..=3 {
            wait_until("some of it has come", || {
                server.stats().counters["text_in"] > part * (BYTES / 2)
            });
            set("down");
            // Nothing is delivered, and the clients send again in vain.
            let before = retransmissions(network);
            wait_until("clients send again", || {
                retransmissions(network) > before + 2
            });
            set("up");
        }
    });
    let stats = server.stop();
    assert_eq!(stats.counters["text_in"], 3 * BYTES);
    assert_eq!(stats.counters["opened"], 3, "{stats:#?}");
}
