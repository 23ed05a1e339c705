//! Front and back on two interfaces.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::process::Signal;
use wirepath::netns::{End, Link, Namespace, Network, connect};

use super::support::backends::{Backend, Manner};
use super::support::client;
use super::support::file::File;
use super::support::server::{run_to_end, server_command};
use super::support::wait_until;
use super::text::{MEGABYTE, echo_many};
use super::{FRONT, backend, file_of, is_reset, plain, proxy, serve};

/// The server's second interface.
const BACK: &str = "back0";
const BACK_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);
/// A host that only the second interface leads to.
const HOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 78, 0, 10)), 7);

/// Client and server on one link, server and backends on another, of so many queues each.
fn network(label: &str, queues: u32) -> (Network, Namespace) {
    let link = Link {
        queues,
        ..Link::default()
    };
    let network = Network::direct(label, &link).unwrap();
    let hosts = Namespace::new(&format!("{label}-backends")).unwrap();
    let host = End::new(&hosts, "host0").address(HOST.ip(), 24);
    let back = End::new(&network.server, BACK).address(BACK_ADDRESS, 24);
    connect(&host, &back, &link).unwrap();
    (network, hosts)
}

/// What a server is told that reaches the host by its second interface, with these settings of the
/// pool and of that interface.
fn text(pool: &str, back: &str) -> String {
    let front = format!("addresses = [\"{}\"]\n", client::SHARED_V4);
    let back = format!("[back]\ninterface = \"{BACK}\"\n{back}\n");
    file_of(pool, &plain(&[HOST])).replace(&front, &(front.clone() + &back))
}

#[test]
fn text_goes_between_two_interfaces_and_two_workers() {
    let (network, hosts) = network("proxy-two", 2);
    let echo = Backend::start_at(&hosts, HOST, Manner::Echo);
    let flags = ["--back", BACK, "--workers", "2"];
    let server = proxy(&network, &[echo.at()], &flags);
    echo_many(&network, 16, 2 * MEGABYTE);
    assert_eq!(backend(&server, echo.at()).counters["opened"], 16);
    let stats = server.stop();
    // Both carry the text both ways, and neither what is the other's.
    for interface in [Network::SERVER_INTERFACE, BACK] {
        let queues = stats.workers.iter().flat_map(|worker| &worker.traffic);
        let queues: Vec<_> = queues.filter(|it| it.interface == interface).collect();
        assert_eq!(queues.len(), 2, "{interface}");
        let sum = |get: fn(&wirepath::api::QueueStats) -> u64| -> u64 {
            queues.iter().map(|queue| get(queue)).sum()
        };
        let (came, went) = (sum(|it| it.bytes_in), sum(|it| it.bytes_out));
        let text = 16 * 2 * MEGABYTE;
        for bytes in [came, went] {
            assert!((text..2 * text).contains(&bytes), "{interface}: {bytes}");
        }
    }
}

#[test]
fn a_backend_behind_the_first_interface_is_reached_by_that() {
    let (network, hosts) = network("proxy-both", 1);
    let behind = Backend::start_at(&hosts, HOST, Manner::HalfClose);
    let at = SocketAddr::new(Network::CLIENT_V4.into(), 7);
    let before = Backend::start_at(&network.client, at, Manner::HalfClose);
    let server = proxy(&network, &[behind.at(), before.at()], &["--back", BACK]);
    for _ in 0..6 {
        let mut answer = String::new();
        let mut stream = client::connect(&network.client, FRONT);
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "that is all\n");
    }
    assert_eq!((behind.accepted(), before.accepted()), (3, 3));
    server.stop();
}

#[test]
fn a_backend_is_reached_by_a_router_of_the_other_family() {
    let (network, hosts) = network("proxy-via", 1);
    let at: SocketAddr = "10.79.0.10:7".parse().unwrap();
    hosts
        .ip(&["address", "add", "10.79.0.10/32", "dev", "lo"])
        .unwrap();
    // It does not answer for the address on the link: the router that it is must be asked.
    let ignore = ["-q", "-w", "net.ipv4.conf.host0.arp_ignore=1"];
    hosts.tool("sysctl", &ignore).unwrap();
    let address = |host: &Namespace, address, dev| {
        let add = ["address", "add", address, "dev", dev, "nodad"];
        host.ip(&add).unwrap();
    };
    address(&hosts, "fd78::10/64", "host0");
    address(&network.server, "fd78::2/64", BACK);
    let via = "route add 10.79.0.10/32 via inet6 fd78::10 dev back0";
    let via: Vec<&str> = via.split(' ').collect();
    network.server.ip(&via).unwrap();
    let backend = Backend::start_at(&hosts, at, Manner::HalfClose);
    let server = proxy(&network, &[backend.at()], &["--back", BACK]);
    assert!(!is_reset(&network));
    assert_eq!(backend.accepted(), 1);
    server.stop();
}

#[test]
fn connections_to_a_backend_come_from_the_interface_that_leads_there() {
    let (network, _hosts) = network("proxy-source", 1);
    let text = |source| text(&format!("source_address = \"{source}\""), "");
    let file = File::new(&text(Network::SERVER_V4));
    let flags = ["--config", file.path()];
    let (code, said) = run_to_end(server_command(&network.server, "serve", &flags));
    assert_eq!(code, Some(2), "{said}");
    let words = "is reached by back0, where source_address 10.77.0.2 is not served";
    assert!(said.contains(words), "{said}");
    let (_file, server) = serve(&network, &text(BACK_ADDRESS));
    server.stop();
}

/// A proxy to the host with these flags does not start, and says these words.
fn refused(network: &Network, flags: &[&str], words: &str) {
    let to = HOST.to_string();
    let flags = [&["--listen", "8080", "--to", &to][..], flags].concat();
    let (code, said) = run_to_end(server_command(&network.server, "proxy", &flags));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn the_second_interface_must_be_another_that_is_there_and_has_enough() {
    let (network, _hosts) = network("proxy-wrong", 1);
    let other = Namespace::new("proxy-wrong-other").unwrap();
    let bare = End::new(&network.server, "bare0");
    connect(&bare, &End::new(&other, "far0"), &Link::default()).unwrap();
    let flush = ["-6", "address", "flush", "dev", "bare0"];
    network.server.ip(&flush).unwrap();

    let front = Network::SERVER_INTERFACE;
    refused(&network, &["--back", front], "served in front already");
    refused(&network, &["--back", "gone0"], "no interface gone0");
    let words = "serve one of your own with addresses of [back]";
    refused(&network, &["--back", "bare0"], words);
    let words = "2 workers cannot share 1 queues of ";
    refused(&network, &["--back", BACK, "--workers", "2"], words);
    // In front it would be ours alone, and it is the kernel's behind.
    let address = BACK_ADDRESS.to_string();
    let words = "10.78.0.2 is an address of both server0 and back0";
    refused(&network, &["--back", BACK, "--address", &address], words);
}

#[test]
fn a_backend_whose_way_is_lost_is_not_looked_for_until_there_is_one() {
    let (network, hosts) = network("proxy-lost", 1);
    let behind = Backend::start_at(&hosts, HOST, Manner::HalfClose);
    // From an address that is ours alone the host would be found.
    let (_file, server) = serve(&network, &text("", "addresses = [\"10.78.0.3\"]"));
    assert!(!is_reset(&network));
    let accepted = behind.accepted();
    // Somebody in front has its address too.
    let front = Network::CLIENT_INTERFACE;
    let impostor = ["address", "add", "10.78.0.10/32", "dev", front];
    network.client.ip(&impostor).unwrap();
    let route = |change| {
        let route = ["route", change, "10.78.0.0/24", "dev", BACK];
        network.server.ip(&route).unwrap();
    };
    route("delete");
    server.wait_until_says("no way to backend 10.78.0.10 any more");
    wait_until("workers know", || is_reset(&network));
    assert_eq!(backend(&server, behind.at()).state, "unrouted");
    server.signal(Signal::HUP);
    server.wait_until_says("reload: nothing changes");
    for _ in 0..4 {
        assert!(is_reset(&network));
    }
    assert_eq!(behind.accepted(), accepted);
    route("add");
    wait_until("there is a way again", || !is_reset(&network));
    assert!(behind.accepted() > accepted);
    assert_eq!(backend(&server, behind.at()).state, "up");
    server.stop();
}

#[test]
fn the_end_of_the_second_interface_is_told_by_its_name() {
    let (network, hosts) = network("proxy-gone", 1);
    let echo = Backend::start_at(&hosts, HOST, Manner::Echo);
    let mut server = proxy(&network, &[echo.at()], &["--back", BACK]);
    network.server.ip(&["link", "delete", "dev", BACK]).unwrap();
    assert_eq!(server.wait().code(), Some(1));
    assert!(
        server.log().contains("queue 0 of back0: No such device"),
        "{}",
        server.log()
    );
}
