//! What a server counts and measures, in all the ways it can be asked. Needs root.

#[path = "../src/api/metrics/rules.rs"]
mod rules;
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::client::{self, ADDRESSES, SHARED_V4};
use support::http;
use support::server::{Server, WIREPATH};
use support::wait_until;
use wirepath::api::Stats;
use wirepath::netns::{Link, Network};

const QUEUES: u32 = 2;
const METRICS_PORT: u16 = 9_090;
const BYTES: u64 = 4 << 20;

/// Two workers on two queues, that Prometheus can ask at the kernel's address.
fn start(label: &str) -> (Network, Server) {
    let link = Link {
        queues: QUEUES,
        ..Link::default()
    };
    let network = Network::direct(label, &link).unwrap();
    let mut arguments = client::all_addresses();
    let metrics = format!("{SHARED_V4}:{METRICS_PORT}");
    arguments.extend(["--workers", "2", "--metrics", &metrics].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    (network, server)
}

fn echo(network: &Network) {
    for (seed, address) in ADDRESSES.into_iter().enumerate() {
        let stream = client::connect(&network.client, (address, 7));
        client::echo(&stream, BYTES, seed as u64);
    }
}

fn run(server: &Server, command: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(WIREPATH);
    program.arg(command).arg("--control").arg(server.control());
    program.args(arguments).output().unwrap()
}

fn text(server: &Server, command: &str, arguments: &[&str]) -> String {
    let output = run(server, command, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn workers_queues_and_listeners_add_up_to_the_whole() {
    let (network, server) = start("stats");
    echo(&network);
    let stats = server.wait_until_quiet();
    let workers = stats.workers.iter();
    for (name, &count) in &stats.counters {
        // Turns go on while one worker after the other is asked.
        if name != "turns" {
            let sum: u64 = workers.clone().map(|worker| worker.counters[name]).sum();
            assert_eq!(sum, count, "{name}");
        }
    }
    let queues: Vec<_> = workers.clone().flat_map(|worker| &worker.traffic).collect();
    let numbers: Vec<u32> = queues.iter().map(|queue| queue.queue).collect();
    assert_eq!(numbers, [0, 1]);
    let sums = [
        ("frames_in", queues.iter().map(|q| q.frames_in).sum::<u64>()),
        ("bytes_in", queues.iter().map(|q| q.bytes_in).sum()),
        ("frames_out", queues.iter().map(|q| q.frames_out).sum()),
        ("bytes_out", queues.iter().map(|q| q.bytes_out).sum()),
    ];
    for (name, sum) in sums {
        assert_eq!(stats.counters[name], sum, "{name}");
    }
    let opened: Vec<_> = stats
        .listeners
        .iter()
        .map(|listener| listener.opened)
        .collect();
    assert_eq!(opened, [1; 4]);
    assert_eq!(stats.listeners.len(), ADDRESSES.len());
    for worker in workers {
        assert_eq!(worker.drops.get("hand_over_full"), None);
        assert!(worker.busy_turns <= worker.counters["turns"]);
        // Who has carried that much was busy, and one turn in 64 was measured.
        if worker.counters["bytes_in"] >= BYTES {
            assert!(worker.busy_us > 0 && worker.idle_us > 0);
            for (name, stage) in &worker.stages {
                let inner = [stage.p50_ns, stage.p90_ns, stage.p99_ns, stage.p999_ns];
                assert!(stage.count > 0 && inner.is_sorted(), "{name}: {stage:?}");
                assert!(
                    inner[0] > 0 && inner[3] <= stage.max_ns,
                    "{name}: {stage:?}"
                );
            }
        }
    }
    server.stop();
}

#[test]
fn prometheus_is_answered_at_the_control_socket_and_at_the_kernels_address() {
    let (network, server) = start("prometheus");
    echo(&network);
    server.wait_until_quiet();
    let at_socket = http::get(server.control(), "/metrics");
    let mut stream = client::connect(&network.client, (SHARED_V4, METRICS_PORT));
    stream
        .write_all(http::head("GET", "/metrics", 0).as_bytes())
        .unwrap();
    let at_address = http::answer(stream);
    for answer in [&at_socket, &at_address] {
        assert_eq!(answer.status, 200);
        let is_text = "content-type: text/plain; version=0.0.4";
        assert!(answer.head.contains(is_text), "{}", answer.head);
        assert_eq!(rules::findings(&answer.body), Vec::<String>::new());
    }
    let opened = at_address
        .body
        .lines()
        .filter(|line| line.starts_with("wirepath_opened_total"));
    let opened: u64 = opened
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(opened, ADDRESSES.len() as u64);

    // Nothing else is answered there, and changes least of all.
    for (method, resource, status) in [
        ("GET", "/v1/stats", 404),
        ("DELETE", "/v1/listeners", 404),
        ("POST", "/metrics", 405),
    ] {
        let mut stream = client::connect(&network.client, (SHARED_V4, METRICS_PORT));
        stream
            .write_all(http::head(method, resource, 0).as_bytes())
            .unwrap();
        http::answer(stream).error(status);
    }
    assert_eq!(
        text(&server, "stats", &["--prometheus"]).lines().count(),
        at_socket.body.lines().count()
    );
    server.stop();
}

#[test]
fn the_command_prints_it_for_people_and_for_programs() {
    let (network, server) = start("command");
    echo(&network);
    server.wait_until_quiet();
    let page = text(&server, "stats", &[]);
    for wanted in [
        "0 open",
        "worker",
        "busy",
        "p99 us",
        "LISTEN",
        "counters",
        "frames_in",
        "steering",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in\n{page}");
    }
    assert!(!page.contains("/s\n"), "a first look has no rates:\n{page}");
    let json: Stats = serde_json::from_str(&text(&server, "stats", &["--json"])).unwrap();
    assert_eq!(json.counters["opened"], ADDRESSES.len() as u64);

    let mut watching = Command::new(WIREPATH)
        .args(["stats", "--json", "--watch", "1", "--control"])
        .arg(server.control())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let looks: Vec<Value> = lines
        .take(2)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    let turns = |look: &Value| look["counters"]["turns"].as_u64().unwrap();
    assert!(turns(&looks[1]) > turns(&looks[0]));
    watching.kill().unwrap();
    watching.wait().unwrap();
    server.stop();
}

#[test]
fn listen_adds_lists_and_removes() {
    let (network, server) = start("listen");
    let endpoint = format!("{SHARED_V4}:4000");
    text(&server, "listen", &["add", &endpoint, "discard"]);
    let mut stream: TcpStream = client::connect(&network.client, (SHARED_V4, 4000));
    let listed = text(&server, "listen", &[]);
    let line = listed
        .lines()
        .find(|line| line.contains(&endpoint))
        .unwrap();
    assert!(
        line.starts_with("LISTEN") && line.contains("discard"),
        "{line}"
    );
    assert_eq!(listed.lines().count(), 1 + ADDRESSES.len() + 1, "{listed}");
    let json = || -> Value { serde_json::from_str(&text(&server, "listen", &["--json"])).unwrap() };
    assert_eq!(json().as_array().unwrap().len(), ADDRESSES.len() + 1);
    stream.write_all(&[7; 100]).unwrap();
    wait_until("the listener has counted the text", || {
        let json = json();
        let mut listeners = json.as_array().unwrap().iter();
        let it = listeners.find(|listener| listener["endpoint"] == endpoint.as_str());
        it.unwrap()["text_in"] == 100
    });

    let again = run(&server, "listen", &["add", &endpoint, "echo"]);
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(1), "{error}");
    assert!(error.contains("already, by discard"), "{error}");
    for (endpoint, service, words) in [
        (endpoint.as_str(), "gopher", "no service \"gopher\""),
        ("192.0.2.99:7", "echo", "not served here"),
        ("7", "echo", "as 192.0.2.1:7"),
    ] {
        let refused = run(&server, "listen", &["add", endpoint, service]);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(words), "{error}");
    }
    drop(stream);
    text(&server, "listen", &["remove", &endpoint]);
    let gone = client::try_connect(&network.client, (SHARED_V4, 4000)).unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::ConnectionRefused);
    server.stop();
}

#[test]
fn top_prints_pages_where_there_is_no_terminal() {
    let (network, server) = start("top");
    let streams = ADDRESSES.map(|address| client::connect(&network.client, (address, 7)));
    let page = text(&server, "top", &["--once", "--delay", "0.2"]);
    let lines: Vec<&str> = page.lines().collect();
    assert!(lines[0].contains(": 4 open, 0 half-open"), "{page}");
    let rows = lines
        .iter()
        .filter(|line| line.contains(":7 ") && line.contains("ESTABLISHED"));
    assert_eq!(rows.count(), ADDRESSES.len(), "{page}");
    let pages = text(&server, "top", &["--batch", "-n", "3", "--delay", "0.2"]);
    assert_eq!(pages.matches(": 4 open").count(), 3, "{pages}");

    let refused = run(&server, "top", &[]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("--batch"), "{error}");
    drop(streams);
    server.stop();
}
