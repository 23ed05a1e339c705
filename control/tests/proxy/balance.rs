//! Which backend gets a connection, and which gets none.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpStream;

use rustix::process::Signal;
use wirepath::netns::Network;

use super::support::backends::{self, Backend, Manner};
use super::support::client;
use super::support::wait_until;
use super::{FRONT, backend, file_of, is_reset, pool, serve};

/// The name of the backend that answers, and the connection, which stays.
fn ask(network: &Network) -> (u8, TcpStream) {
    let mut stream = client::connect(&network.client, FRONT);
    let mut name = [0];
    stream.read_exact(&mut name).unwrap();
    (name[0] - 10, stream)
}

/// How many of so many connections each gets, all open at once.
fn spread(network: &Network, connections: usize) -> BTreeMap<u8, usize> {
    let all: Vec<_> = (0..connections).map(|_| ask(network)).collect();
    let mut counts = BTreeMap::new();
    for (name, _) in &all {
        *counts.entry(*name).or_default() += 1;
    }
    counts
}

#[test]
fn connections_go_to_backends_by_weight_and_never_to_those_that_are_off() {
    let (network, hosts) = backends::network("proxy-weight", 1);
    let all: Vec<Backend> = (0..4)
        .map(|number| Backend::start(&hosts, number, 7, Manner::Name))
        .collect();
    let at = |number: usize, settings| (all[number].at(), settings);
    for balance in ["round-robin", "least-connections"] {
        let backends = [
            at(0, "weight = 2"),
            at(1, ""),
            at(2, "state = \"drain\""),
            at(3, "weight = 0"),
        ];
        let (_file, server) = serve(
            &network,
            &file_of(&format!("balance = \"{balance}\""), &backends),
        );
        assert_eq!(
            spread(&network, 30),
            BTreeMap::from([(0, 20), (1, 10)]),
            "{balance}"
        );
        assert_eq!(backend(&server, all[2].at()).state, "draining");
        server.stop();
    }
}

#[test]
fn one_address_keeps_its_backend_by_hash() {
    let (network, hosts) = backends::network("proxy-hash", 1);
    let all: Vec<Backend> = (0..4)
        .map(|number| Backend::start(&hosts, number, 7, Manner::Name))
        .collect();
    let backends: Vec<_> = all.iter().map(|it| (it.at(), "")).collect();
    for balance in ["source-hash", "maglev"] {
        let (_file, server) = serve(
            &network,
            &file_of(&format!("balance = \"{balance}\""), &backends),
        );
        assert_eq!(spread(&network, 20).len(), 1, "{balance}");
        server.stop();
    }
}

#[test]
fn who_finds_all_backends_full_waits_and_too_many_are_refused() {
    let (network, hosts) = backends::network("proxy-full", 1);
    let name = Backend::start(&hosts, 0, 7, Manner::Name);
    let settings = "queue = 1\nmax_per_source = 4";
    let backends = [(name.at(), "max_connections = 2")];
    let (file, server) = serve(&network, &file_of(settings, &backends));
    let (_, first) = ask(&network);
    let second = ask(&network);
    let mut queued = client::connect(&network.client, FRONT);
    wait_until("it waits", || pool(&server).queued == 1);
    assert!(is_reset(&network), "the queue is full");
    assert_eq!(pool(&server).refused["queue_full"], 1);
    // A place is free: who waits gets it.
    drop(first);
    let mut answer = [0];
    queued.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [10]);
    // With a longer queue, one address has all it may.
    let settings = settings.replace("queue = 1", "queue = 9");
    file.write(&file_of(&settings, &backends));
    server.signal(Signal::HUP);
    let mut more = Vec::new();
    wait_until("there are four, and no more", || {
        more.extend(client::try_connect(&network.client, FRONT));
        pool(&server).refused["too_many_of_source"] > 0
    });
    assert_eq!(pool(&server).clients, 4);
    drop((more, queued, second));
    server.stop();
}

#[test]
fn a_disabled_backend_loses_its_connections_and_a_drained_one_keeps_them() {
    let (network, hosts) = backends::network("proxy-off", 1);
    let all: Vec<Backend> = (0..3)
        .map(|number| Backend::start(&hosts, number, 7, Manner::Name))
        .collect();
    let at = |number: usize, settings| (all[number].at(), settings);
    let (file, server) = serve(&network, &file_of("", &[at(0, ""), at(1, ""), at(2, "")]));
    let mut streams: BTreeMap<u8, TcpStream> = (0..3).map(|_| ask(&network)).collect();
    assert_eq!(streams.len(), 3);
    let off = [
        at(0, "state = \"disabled\""),
        at(1, "state = \"drain\""),
        at(2, ""),
    ];
    file.write(&file_of("", &off));
    server.signal(Signal::HUP);
    wait_until("one is off", || {
        backend(&server, all[0].at()).state == "disabled"
    });
    assert!(
        streams.get_mut(&0).unwrap().read(&mut [0]).is_err(),
        "a reset"
    );
    assert_eq!(spread(&network, 5), BTreeMap::from([(2, 5)]));
    assert_eq!(backend(&server, all[1].at()).held, 1);
    drop(streams);
    server.stop();
}

#[test]
fn checks_turn_a_backend_down_and_up_again() {
    let (network, hosts) = backends::network("proxy-check", 1);
    let up = Backend::start(&hosts, 0, 7, Manner::Name);
    let flips = Backend::start(&hosts, 1, 7, Manner::Name);
    let at = flips.at();
    // The names that they answer with are no text: the handshake has to be enough.
    let settings = "eject_after = \"off\"\n[pool.check]\ninterval = \"50ms\"\ntimeout = \"200ms\"";
    let (_file, server) = serve(&network, &file_of(settings, &[(up.at(), ""), (at, "")]));
    drop(flips);
    wait_until("it is down", || backend(&server, at).state == "down");
    assert_eq!(spread(&network, 4), BTreeMap::from([(0, 4)]));
    assert_eq!(
        backend(&server, at).counters["refused"],
        0,
        "clients never tried it"
    );
    let _flips = Backend::start(&hosts, 1, 7, Manner::Name);
    wait_until("it is up", || backend(&server, at).state == "up");
    assert_eq!(spread(&network, 4), BTreeMap::from([(0, 2), (1, 2)]));
    server.stop();
}
