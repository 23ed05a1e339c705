//! What a server costs that has nothing to do. Needs root.

mod support;

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::client::{self, ADDRESSES};
use support::server::Server;
use support::wait_at_most;
use wirepath::netns::{Link, Network};

/// How long nothing happens.
const WINDOW: Duration = Duration::from_secs(4);

/// The time that all threads of a process have spent on a core.
fn cpu_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let spent = threads.map(|thread| {
        let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        let nanos = text.split(' ').next().unwrap();
        Duration::from_nanos(nanos.parse().unwrap())
    });
    spent.sum()
}

/// CPU time per second of a window in which nobody asks anything of the server.
fn idle_load(server: &Server) -> f64 {
    let (start, before) = (Instant::now(), cpu_time(server.pid()));
    wait_at_most(2 * WINDOW, "the window has passed", || {
        start.elapsed() >= WINDOW
    });
    let spent = cpu_time(server.pid()).checked_sub(before).unwrap();
    spent.as_secs_f64() / start.elapsed().as_secs_f64()
}

/// An adaptive server with this many connections that are silent after a busy start.
fn check(label: &str, queues: u32, connections: usize) {
    let link = Link {
        queues,
        ..Link::default()
    };
    let network = Network::direct(label, &link).unwrap();
    let mut arguments = client::all_addresses();
    arguments.extend(["--idle".to_owned(), "adaptive".to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    let silent: Vec<TcpStream> = (0..connections)
        .map(|at| client::connect(&network.client, (ADDRESSES[at % ADDRESSES.len()], 7)))
        .collect();
    for address in ADDRESSES {
        let stream = client::connect(&network.client, (address, 7));
        client::echo(&stream, 4 << 20, 10);
    }
    let load = idle_load(&server);
    println!(
        "{connections} connections on {queues} queues: {:.3} % of a core",
        load * 100.0
    );
    assert!(load < 0.02, "{load}");
    assert_eq!(server.stats().open, connections);
    drop(silent);
    server.stop();
}

#[test]
fn without_connections_it_sleeps() {
    check("sleep", 1, 0);
}

#[test]
fn with_silent_connections_it_sleeps() {
    check("silent", 1, 200);
}

#[test]
fn on_several_queues_it_sleeps() {
    check("queues-sleep", 4, 200);
}
