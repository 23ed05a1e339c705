//! Namespaces come, carry traffic, lose what they are told to lose, and go. Needs root.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use support::fault::{Fault, Rates};
use support::wait_until;
use wirepath::netns::{End, Link, Namespace, Network, Offloads, connect, sweep_stale};

fn exists(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

fn ip(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn pids_in(name: &str) -> Vec<u32> {
    let pids = ip(&["netns", "pids", name]);
    pids.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Two pings, both of which must be answered: a new link loses nothing.
fn ping(from: &Namespace, to: impl Into<IpAddr>) {
    let to = to.into().to_string();
    let report = from
        .tool("ping", &["-q", "-c", "2", "-i", "0.01", "-W", "1", &to])
        .unwrap();
    assert!(report.contains(" 2 received"), "{report}");
}

#[test]
fn a_pair_carries_both_families_at_once() {
    let network = Network::direct("pair", &Link::default()).unwrap();
    ping(&network.client, Network::SERVER_V4);
    ping(&network.client, Network::SERVER_V6);
    ping(&network.server, Network::CLIENT_V6);
}

#[test]
fn a_pair_has_what_was_asked_for() {
    let (left, right) = (
        Namespace::new("left").unwrap(),
        Namespace::new("right").unwrap(),
    );
    let link = Link {
        queues: 3,
        mtu: 3000,
        offloads: Offloads::Off,
    };
    let mac = [2, 0, 0, 0, 0, 0xab];
    connect(
        &End::new(&left, "a").mac(mac),
        &End::new(&right, "b"),
        &link,
    )
    .unwrap();
    for (namespace, interface) in [(&left, "a"), (&right, "b")] {
        let details = namespace
            .ip(&["-d", "link", "show", "dev", interface])
            .unwrap();
        for wanted in ["mtu 3000", "numtxqueues 3", "numrxqueues 3", "state UP"] {
            assert!(details.contains(wanted), "{wanted}: {details}");
        }
        let features = namespace.tool("ethtool", &["-k", interface]).unwrap();
        for wanted in ["tx-checksumming: off", "tcp-segmentation-offload: off"] {
            assert!(features.contains(wanted), "{wanted}: {features}");
        }
    }
    assert!(
        left.ip(&["link", "show", "dev", "a"])
            .unwrap()
            .contains("02:00:00:00:00:ab")
    );
    assert!(left.interface_index("a").unwrap() > 1);
}

#[test]
fn sockets_of_both_namespaces_talk() {
    let network = Network::through_middle("talk", &Link::default()).unwrap();
    let address = (Network::SERVER_V6, 7);
    let listener = network
        .server
        .run(|| TcpListener::bind(address))
        .unwrap()
        .unwrap();
    let mut client = network
        .client
        .run(|| TcpStream::connect(address))
        .unwrap()
        .unwrap();
    client.write_all(b"hello").unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), Network::CLIENT_V6);
    let mut text = [0; 5];
    server.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello");
}

#[test]
fn a_namespace_goes_with_its_value_and_takes_its_processes() {
    let namespace = Namespace::new("drop").unwrap();
    let name = namespace.name().to_owned();
    let mut child = namespace.command("sleep").arg("600").spawn().unwrap();
    wait_until("the child is inside", || {
        pids_in(&name).contains(&child.id())
    });
    assert!(exists(&name));
    drop(namespace);
    assert!(!exists(&name));
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_panic_passes_through_and_removes() {
    let mut name = String::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let namespace = Namespace::new("panic").unwrap();
        namespace.name().clone_into(&mut name);
        namespace.run(|| panic!("as meant")).unwrap()
    }));
    let panic: Box<dyn std::any::Any + Send> = panic.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"as meant"));
    assert!(!exists(&name));
}

#[test]
fn the_sweep_takes_what_a_dead_process_left_and_nothing_else() {
    let mut owner = Command::new("true").spawn().unwrap();
    owner.wait().unwrap();
    let leftover = format!("wp-{}-0-left", owner.id());
    ip(&["netns", "add", &leftover]);
    let mut orphan = Command::new("ip");
    let mut orphan = orphan
        .args(["netns", "exec", &leftover, "sleep", "600"])
        .spawn()
        .unwrap();
    wait_until("the orphan is inside", || {
        pids_in(&leftover).contains(&orphan.id())
    });
    let living = Namespace::new("living").unwrap();

    let removed = sweep_stale().unwrap();
    assert!(removed.contains(&leftover), "{removed:?}");
    assert!(!exists(&leftover));
    assert!(!orphan.wait().unwrap().success());
    assert!(exists(living.name()));
}

#[test]
fn a_middle_loses_and_repeats_what_it_is_told_to() {
    let network = Network::through_middle("fault", &Link::default()).unwrap();
    let one_percent = Rates {
        drop: 10_000,
        duplicate: 10_000,
        queues: 0,
    };
    ping(&network.client, Network::SERVER_V4);
    let faults = Fault::both_ways(&network, one_percent);
    let server = Network::SERVER_V4.to_string();
    let flood = ["-q", "-f", "-c", "2000", server.as_str()];
    let report = network.client.tool("ping", &flood).unwrap();
    assert!(report.contains("duplicates"), "{report}");
    for fault in &faults {
        let counts = fault.counts();
        assert!(counts.seen > 1_800, "{counts:?}");
        // 20 expected of each; beyond these bounds once in a million runs.
        assert!((2..=50).contains(&counts.dropped), "{counts:?}");
        assert!((2..=50).contains(&counts.duplicated), "{counts:?}");
    }

    let [to_server, to_client] = &faults;
    // Its one percent would lose an answer below now and then.
    to_client.set(Rates::default());
    to_server.set(Rates {
        drop: 1_000_000,
        duplicate: 0,
        queues: 0,
    });
    let once = ["-q", "-c", "1", "-W", "0.2", server.as_str()];
    network
        .client
        .tool("ping", &once)
        .expect_err("nothing passes");
    to_server.set(Rates::default());
    ping(&network.client, Network::SERVER_V4);
}

#[test]
fn what_cannot_be_done_is_said() {
    let namespace = Namespace::new("error").unwrap();
    let error = namespace
        .ip(&["link", "set", "nothing", "up"])
        .unwrap_err()
        .to_string();
    let name = namespace.name();
    let command = format!("cannot run \"ip link set nothing up\" in {name}: ");
    assert_eq!(error, command + "ip: Cannot find device \"nothing\"");
}
