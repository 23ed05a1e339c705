//! `wirepath ss` beside the `ss` of the kernel at the other end. Needs root.

mod support;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;

use support::client::{self, ADDRESSES, OWNED_V4};
use support::server::{Server, WIREPATH};
use support::wait_until;
use wirepath::api::{Details, Flow};
use wirepath::netns::{Link, Network};

fn start(network: &Network, service: &str) -> Server {
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    Server::start(network, service, &arguments)
}

/// What `wirepath ss` prints.
fn ss(server: &Server, arguments: &[&str]) -> String {
    let mut command = Command::new(WIREPATH);
    command
        .arg("ss")
        .args(arguments)
        .arg("--control")
        .arg(server.control());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn flows(server: &Server) -> Vec<Flow> {
    serde_json::from_str(&ss(server, &["--json"])).unwrap()
}

/// What the kernel's `ss -tin` says of its end: state, its address, the server's, and more.
#[derive(Debug)]
struct KernelFlow {
    state: String,
    local: SocketAddr,
    remote: SocketAddr,
    /// `key:value`
    details: HashMap<String, String>,
}

fn kernel_flows(network: &Network) -> Vec<KernelFlow> {
    let report = network.client.tool("ss", &["-tinHO"]).unwrap();
    let flow = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let details = words[5..].iter().filter_map(|word| word.split_once(':'));
        KernelFlow {
            state: words[0].to_owned(),
            local: words[3].parse().unwrap(),
            remote: words[4].parse().unwrap(),
            details: details
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        }
    };
    report.lines().map(flow).collect()
}

fn details(flow: &Flow) -> &Details {
    flow.details
        .as_ref()
        .expect("a whole connection has details")
}

/// A connection that has carried that many bytes there and back.
fn connected(network: &Network, address: IpAddr, bytes: usize) -> TcpStream {
    let mut stream = client::connect(&network.client, (address, 7));
    stream.write_all(&client::random_bytes(bytes, 13)).unwrap();
    stream.read_exact(&mut vec![0; bytes]).unwrap();
    stream
}

/// What is known of a connection on which nothing is under way.
fn check_quiet(flow: &Flow, details: &Details) {
    let missing = [
        details.in_flight,
        details.sacked,
        details.lost,
        details.unsent,
    ];
    assert_eq!(missing, [0; 4]);
    assert!(details.delivery_rate.is_some_and(|rate| rate > 0));
    assert_eq!(details.path_mtu, 1_500);
    let timer = flow.timer.as_ref().expect("keep-alive runs");
    assert_eq!((timer.name.as_str(), timer.retries), ("keepalive", 0));
    assert!(timer.expires_ms <= 7_200_000, "{timer:?}");
}

#[test]
fn both_ends_say_the_same_of_a_connection() {
    const BYTES: usize = 10_000;
    let network = Network::direct("ss", &Link::default()).unwrap();
    let server = start(&network, "echo");
    let streams = ADDRESSES.map(|address| connected(&network, address, BYTES));
    wait_until("the last ACK has come", || {
        flows(&server).iter().all(|flow| flow.send_queue == 0)
    });
    let ours = flows(&server);
    assert_eq!(ours.len(), streams.len());
    let theirs = kernel_flows(&network);
    for (stream, address) in streams.iter().zip(ADDRESSES) {
        let client = stream.local_addr().unwrap();
        let flow = ours.iter().find(|flow| flow.remote == client).unwrap();
        let kernel = theirs.iter().find(|kernel| kernel.local == client).unwrap();
        assert_eq!(
            (flow.local, kernel.remote),
            ((address, 7).into(), flow.local)
        );
        assert_eq!(
            (flow.state.as_str(), kernel.state.as_str()),
            ("ESTABLISHED", "ESTAB")
        );
        assert_eq!((flow.recv_queue, flow.send_queue), (0, 0));

        let details = details(flow);
        let said = |key: &str| kernel.details[key].as_str();
        assert_eq!(details.smss.to_string(), said("mss"));
        // Each end names the peer's shift first.
        let (snd, rcv) = details.window_scale;
        assert_eq!(format!("{rcv},{snd}"), said("wscale"));
        assert_eq!(details.bytes_received, BYTES as u64);
        assert_eq!(details.bytes_acked, BYTES as u64);
        assert_eq!(said("bytes_received"), BYTES.to_string());
        // The SYN and its answer are not counted here: there was no connection yet.
        assert_eq!((details.segments_in + 1).to_string(), said("segs_out"));
        assert_eq!((details.segments_out + 1).to_string(), said("segs_in"));
        assert!(details.timestamps && details.sack);
        assert!(details.srtt_us > 0 && details.min_rtt_us.is_some());
        assert!(details.rto_us >= 200_000, "{details:?}");
        // RFC 6928: an initial window of ten segments, and none was lost.
        assert!(details.cwnd >= 10 * u32::from(details.smss), "{details:?}");
        assert_eq!((details.retransmissions, details.ssthresh), (0, None));
        check_quiet(flow, details);
    }
    drop(streams);
    server.stop();
}

#[test]
fn the_table_shows_what_the_json_shows() {
    let network = Network::direct("table", &Link::default()).unwrap();
    let server = start(&network, "echo");
    let none = ss(&server, &["-i"]);
    assert_eq!(none.lines().count(), 1, "only the heading: {none}");
    assert_eq!(flows(&server), []);

    let _streams = ADDRESSES.map(|address| connected(&network, address, 1_000));
    wait_until("the last ACK has come", || {
        flows(&server).iter().all(|flow| flow.send_queue == 0)
    });
    let (table, brief) = (ss(&server, &["-i"]), ss(&server, &[]));
    let heading = table.lines().next().unwrap();
    for column in [
        "State",
        "Recv-Q",
        "Send-Q",
        "Local Address:Port",
        "Peer Address:Port",
    ] {
        assert!(heading.contains(column), "{heading}");
    }
    assert_eq!(table.lines().count(), 1 + 2 * ADDRESSES.len(), "{table}");
    assert_eq!(brief.lines().count(), 1 + ADDRESSES.len(), "{brief}");
    for flow in flows(&server) {
        let (local, remote) = (flow.local.to_string(), flow.remote.to_string());
        let is_its = |line: &&str| line.contains(&local) && line.contains(&remote);
        let line = table.lines().find(is_its).unwrap();
        assert!(line.starts_with("ESTABLISHED"), "{line}");
        assert!(brief.lines().any(|line| is_its(&line)), "{brief}");
        let more = table
            .lines()
            .skip_while(|line| !is_its(line))
            .nth(1)
            .unwrap();
        let details = details(&flow);
        let millis = f64::from(details.srtt_us) / 1_000.0;
        for wanted in [
            format!(" rtt:{millis:.3}/"),
            format!(" cwnd:{} ", details.cwnd),
            format!(" mss:{} ", details.smss),
            format!(" bytes_received:{} ", details.bytes_received),
        ] {
            assert!(more.contains(&wanted), "{wanted} is not in {more}");
        }
    }
}

#[test]
fn a_peer_that_does_not_read_shows_in_the_send_queue() {
    let network = Network::direct("send-queue", &Link::default()).unwrap();
    let server = start(&network, "chargen");
    let stream = client::connect(&network.client, (OWNED_V4, 19));
    let mut last = Vec::new();
    wait_until(
        "all that went out waits at the client, and no more fits",
        || {
            let (ours, theirs) = (flows(&server), kernel_flows(&network));
            let [(ours, theirs)] = ours.iter().zip(&theirs).collect::<Vec<_>>()[..] else {
                return false;
            };
            let acked = details(ours).bytes_acked.to_string();
            let now = vec![acked.clone(), ours.send_queue.to_string()];
            let stands = now == last;
            last = now;
            stands && ours.send_queue > 0 && theirs.details.get("bytes_received") == Some(&acked)
        },
    );
    client::reset(stream);
    server.stop();
}

/// Remote ports of the connections that pass a filter.
fn passing(server: &Server, filter: &str) -> Vec<u16> {
    let words: Vec<&str> = ["--json"].into_iter().chain(filter.split(' ')).collect();
    let flows: Vec<Flow> = serde_json::from_str(&ss(server, &words)).unwrap();
    let mut ports: Vec<u16> = flows.iter().map(|flow| flow.remote.port()).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn a_filter_shows_what_it_names_as_the_kernels_ss_does() {
    let network = Network::direct("filter", &Link::default()).unwrap();
    let server = start(&network, "echo");
    let streams = ADDRESSES.map(|address| connected(&network, address, 100));
    let ports = streams
        .each_ref()
        .map(|stream| stream.local_addr().unwrap().port());
    let some = |wanted: &[usize]| {
        let mut ports: Vec<u16> = wanted.iter().map(|&index| ports[index]).collect();
        ports.sort_unstable();
        ports
    };
    let by_port = format!("dport = :{}", ports[1]);
    let not_port = format!("not ( dport = :{} or dport = :{} )", ports[0], ports[1]);
    let owned = format!("src {OWNED_V4} or src [{}]", client::OWNED_V6);
    let network_v4 = format!("dst {}/24", Network::CLIENT_V4);
    let cases = [
        ("state established", some(&[0, 1, 2, 3])),
        ("state time-wait", vec![]),
        ("sport = :7", some(&[0, 1, 2, 3])),
        ("sport != :7", vec![]),
        (by_port.as_str(), some(&[1])),
        (not_port.as_str(), some(&[2, 3])),
        (owned.as_str(), some(&[2, 3])),
        (network_v4.as_str(), some(&[0, 2])),
    ];
    for (filter, expected) in cases {
        assert_eq!(passing(&server, filter), expected, "{filter}");
    }
    // At the client local and remote are the other way round.
    let theirs = network
        .client
        .tool("ss", &["-tnHO", "sport", "=", &format!(":{}", ports[1])]);
    assert_eq!(theirs.unwrap().lines().count(), 1);
    drop(streams);
    server.stop();
}

#[test]
fn a_wrong_filter_says_which_word_is_wrong() {
    let mut command = Command::new(WIREPATH);
    let output = command.args(["ss", "state", "sleeping"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("\"sleeping\""), "{error}");
}

#[test]
fn timers_and_listeners_and_states_are_shown() {
    let network = Network::direct("states", &Link::default()).unwrap();
    let server = start(&network, "echo");
    let streams = ADDRESSES.map(|address| connected(&network, address, 100));
    wait_until("the last ACK has come", || {
        flows(&server).iter().all(|flow| flow.send_queue == 0)
    });
    let timers = ss(&server, &["-t", "state", "established"]);
    let with_timer = timers
        .lines()
        .filter(|line| line.contains("timer:(keepalive,119min"));
    assert_eq!(with_timer.count(), ADDRESSES.len(), "{timers}");

    let listeners = ss(&server, &["-l"]);
    assert_eq!(
        listeners.lines().count(),
        1 + ADDRESSES.len(),
        "{listeners}"
    );
    let is_listener = |line: &&str| line.starts_with("LISTEN") && line.contains(":7 ");
    assert_eq!(
        listeners.lines().filter(is_listener).count(),
        ADDRESSES.len()
    );

    let states = || -> HashMap<String, u64> {
        serde_json::from_str(&ss(&server, &["-s", "--json"])).unwrap()
    };
    let count = |states: &HashMap<String, u64>, state: &str| states[state];
    let now = states();
    assert_eq!(now.len(), 11);
    assert_eq!(count(&now, "LISTEN"), ADDRESSES.len() as u64);
    assert_eq!(count(&now, "ESTABLISHED"), ADDRESSES.len() as u64);
    assert_eq!(now.values().sum::<u64>(), 2 * ADDRESSES.len() as u64);
    let summary = ss(&server, &["-s"]);
    assert!(summary.starts_with("Total: 8\n"), "{summary}");
    assert_eq!(summary.lines().count(), 2 + 11, "{summary}");
    drop(streams);
    server.stop();
}
