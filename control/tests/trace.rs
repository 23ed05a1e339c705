//! `wirepath trace`: connections that met trouble, afterwards. Needs root.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use support::client::{self, OWNED_V4};
use support::fault::{Fault, Rates};
use support::server::{Server, WIREPATH, control_path};
use support::wait_until;
use wirepath::api::{Trace, What};
use wirepath::netns::{Link, Network};

fn start(network: &Network, service: &str) -> Server {
    Server::start(network, service, &["--address", &OWNED_V4.to_string()])
}

/// What `wirepath trace` prints.
fn trace(server: &Server, arguments: &[&str]) -> String {
    let mut command = Command::new(WIREPATH);
    command.arg("trace").args(arguments);
    let output = command.arg("--control").arg(server.control()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn saved(server: &Server, trouble: &str) -> Vec<Trace> {
    let text = trace(server, &["--json"]);
    let mut traces: Vec<Trace> = serde_json::from_str(&text).unwrap();
    traces.retain(|trace| trace.trouble.as_deref() == Some(trouble));
    traces
}

fn name(stream: &TcpStream) -> String {
    stream.local_addr().unwrap().to_string()
}

fn timers(trace: &Trace, name: &str) -> usize {
    let is_it = |what: &What| matches!(what, What::Timer { name: it, .. } if it == name);
    trace
        .events
        .iter()
        .filter(|event| is_it(&event.what))
        .count()
}

#[test]
fn a_reset_connection_tells_its_end() {
    let network = Network::direct("tracereset", &Link::default()).unwrap();
    let server = start(&network, "echo");
    assert!(trace(&server, &[]).starts_with("no connection has met"));
    let mut stream = client::connect(&network.client, (OWNED_V4, 7));
    let peer = name(&stream);
    for _ in 0..3 {
        stream.write_all(&[7; 1_000]).unwrap();
        stream.read_exact(&mut [0; 1_000]).unwrap();
    }
    let living = trace(&server, &[&peer]);
    assert!(living.contains(", now: "), "{living}");
    for said in ["< S 0:0(0)", "> S. 0:0(0) ack 1", "< P. 1:1001(1000) ack 1"] {
        assert!(living.contains(said), "{said} in {living}");
    }
    assert!(
        living.contains("# application took 1000, sent 1000"),
        "{living}"
    );
    assert!(living.contains("> P. 1:1001(1000) ack 1001"), "{living}");
    client::reset(stream);
    server.wait_until_quiet();

    let list = trace(&server, &[]);
    assert!(list.contains("reset") && list.contains(&peer), "{list}");
    let [pcapng, svg]: [PathBuf; 2] =
        ["pcapng", "svg"].map(|kind| control_path().with_extension(kind));
    let files = [pcapng.to_str().unwrap(), svg.to_str().unwrap()];
    let arguments = [
        "--saved", "reset", &peer, "--pcapng", files[0], "--svg", files[1],
    ];
    let said = trace(&server, &arguments);
    assert!(said.trim_end().ends_with("# closed: reset"), "{said}");
    let segments = said
        .lines()
        .filter(|line| line.contains(" < ") || line.contains(" > "));

    let tshark = |filter: &str| {
        let mut tshark = Command::new("tshark");
        tshark.args(["-n", "-o", "tcp.check_checksum:TRUE", "-Y", filter, "-r"]);
        let output = tshark.arg(&pcapng).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!(tshark("tcp.port == 7"), segments.count());
    assert_eq!(
        tshark("tcp.len == 1000 && frame.packet_flags_direction == 1"),
        3
    );
    assert_eq!(
        tshark("tcp.flags.reset == 1 && frame.packet_flags_direction == 1"),
        1
    );
    assert_eq!(
        tshark("tcp.checksum.status == 0 || ip.checksum.status == 0"),
        0
    );
    let plot = std::fs::read_to_string(&svg).unwrap();
    assert_eq!(plot.matches("<path class='sent'").count(), 3, "{plot}");
    for file in files {
        std::fs::remove_file(file).unwrap();
    }
    server.stop();
}

#[test]
fn a_time_out_is_saved_while_the_connection_lasts() {
    let network = Network::through_middle("tracerto", &Link::default()).unwrap();
    let faults = Fault::both_ways(&network, Rates::default());
    let server = start(&network, "echo");
    let mut stream = client::connect(&network.client, (OWNED_V4, 7));
    stream.write_all(&[7; 100]).unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    assert!(saved(&server, "rto").is_empty());
    // What comes back from now on is lost.
    let all = Rates {
        drop: 1_000_000,
        ..Rates::default()
    };
    faults[1].set(all);
    stream.write_all(&[8; 100]).unwrap();
    wait_until("two time-outs are saved", || {
        let saved = saved(&server, "rto");
        saved.first().is_some_and(|trace| timers(trace, "on") >= 2)
    });
    let saved = saved(&server, "rto");
    assert_eq!(saved.len(), 1, "{saved:#?}");
    assert_eq!(saved[0].remote, stream.local_addr().unwrap());
    faults[1].set(Rates::default());
    stream.read_exact(&mut [0; 100]).unwrap();
    drop(stream);
    server.stop();
}

#[test]
fn a_closed_window_is_saved() {
    let network = Network::direct("tracezero", &Link::default()).unwrap();
    let server = start(&network, "chargen");
    let stream = client::connect(&network.client, (OWNED_V4, 19));
    wait_until("a probe of the closed window is saved", || {
        let saved = saved(&server, "zero window");
        saved
            .first()
            .is_some_and(|trace| timers(trace, "persist") >= 1)
    });
    assert!(saved(&server, "rto").is_empty());
    client::reset(stream);
    server.stop();
}
