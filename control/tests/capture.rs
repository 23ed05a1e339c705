//! `wirepath capture`, read by tshark. Needs root.

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::client::{self, ADDRESSES, OWNED_V4};
use support::server::{Server, WIREPATH, control_path, run_to_end};
use wirepath::netns::{Link, Network};

const ECHO: u16 = 7;

/// A running `wirepath capture`, and what it writes.
struct Capture {
    child: Child,
    report: BufReader<ChildStderr>,
    file: PathBuf,
}

fn command(server: &Server, to: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(WIREPATH);
    command.arg("capture").arg("-w").arg(to);
    command.arg("--control").arg(server.control());
    command.args(arguments);
    command
}

impl Capture {
    /// Returns when it has begun.
    fn start(server: &Server, arguments: &[&str]) -> Self {
        let file = control_path().with_extension("pcapng");
        let mut command = command(server, &file, arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut report = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        report.read_line(&mut line).unwrap();
        assert!(line.starts_with("capturing to "), "{line}");
        Self {
            child,
            report,
            file,
        }
    }

    /// Ends it as Ctrl-C does; returns what it says at the end.
    fn interrupt(&mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.wait(0)
    }

    fn wait(&mut self, code: i32) -> String {
        let mut said = String::new();
        self.report.read_to_string(&mut said).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{said}");
        said
    }

    /// The fields that tshark prints of the frames that a display filter takes.
    fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut tshark = Command::new("tshark");
        tshark.args(["-n", "-o", "tcp.check_checksum:TRUE"]);
        tshark.args(["-o", "ip.check_checksum:TRUE", "-T", "fields", "-Y", filter]);
        for field in fields {
            tshark.args(["-e", field]);
        }
        let output = tshark.arg("-r").arg(&self.file).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{filter}: {errors}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let split = |line: &str| line.split('\t').map(str::to_owned).collect();
        lines.lines().map(split).collect()
    }

    fn count(&self, filter: &str) -> usize {
        self.fields(filter, &["frame.number"]).len()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

fn start(network: &Network, more: &[&str]) -> Server {
    let addresses = client::all_addresses();
    let mut arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    arguments.extend(more);
    Server::start(network, "echo", &arguments)
}

fn echo(network: &Network, bytes: u64) {
    let stream = client::connect(&network.client, (OWNED_V4, ECHO));
    client::echo(&stream, bytes, 1);
}

#[test]
fn a_whole_connection_is_there_both_ways() {
    let network = Network::direct("capture", &Link::default()).unwrap();
    let server = start(&network, &[]);
    let mut capture = Capture::start(&server, &["tcp", "port", "7"]);
    echo(&network, 100_000);
    server.wait_until_quiet();
    let said = capture.interrupt();
    server.stop();

    let frames = capture.fields("", &["frame.time_epoch"]);
    let says = format!("{} frames captured, 0 lost", frames.len());
    assert!(said.contains(&says), "{said}");
    // 1 is received, 2 is sent.
    for (way, port) in [(1, "dstport"), (2, "srcport")] {
        let side = format!("frame.packet_flags_direction == {way} && tcp.{port} == 7");
        let ways = [
            capture.count(&side),
            capture.count(&format!("tcp.{port} == 7")),
        ];
        assert_eq!(ways[0], ways[1], "the direction is right");
        assert_eq!(capture.count(&format!("{side} && tcp.flags.syn == 1")), 1);
        assert_eq!(capture.count(&format!("{side} && tcp.flags.fin == 1")), 1);
        let lengths = capture.fields(&side, &["tcp.len"]);
        let text: u64 = lengths.iter().map(|it| it[0].parse::<u64>().unwrap()).sum();
        assert!(text >= 100_000, "{text}");
    }
    let trouble = "tcp.checksum.status == 0 || ip.checksum.status == 0 || _ws.malformed";
    assert_eq!(capture.count(trouble), 0);
    let times: Vec<&String> = frames.iter().map(|frame| &frame[0]).collect();
    // Seconds of ten digits and nine more: they sort as text.
    assert!(times.iter().all(|time| time.len() == 20), "{times:?}");
    assert!(times.is_sorted(), "{times:?}");
    let names = capture.fields("frame.number == 1", &["frame.interface_name"]);
    assert_eq!(names, [["server0 queue 0"]]);
}

#[test]
fn filters_take_what_wireshark_finds_and_workers_are_in_order() {
    let link = Link {
        queues: 2,
        ..Link::default()
    };
    let network = Network::direct("capfilter", &link).unwrap();
    let server = start(&network, &["--workers", "2"]);
    let captures = [
        ("", ""),
        ("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp.flags & 3"),
        ("ip6 and src port 7", "ipv6 && tcp.srcport == 7"),
        (
            "host 10.77.0.3 and inbound",
            "ip.dst == 10.77.0.3 || arp.dst.proto_ipv4 == 10.77.0.3",
        ),
    ];
    let mut running = captures.map(|(filter, _)| Capture::start(&server, &[filter]));
    let fifth = command(&server, &control_path(), &[]);
    let (code, said) = run_to_end(fifth);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("4 captures are running"), "{said}");
    for (at, address) in ADDRESSES.iter().cycle().take(40).enumerate() {
        let stream = client::connect(&network.client, SocketAddr::new(*address, ECHO));
        client::echo(&stream, 5_000, at as u64);
    }
    server.wait_until_quiet();
    running.iter_mut().for_each(|it| {
        it.interrupt();
    });
    let stats = server.stop();

    let all = &running[0];
    for (capture, (filter, display)) in running.iter().zip(captures).skip(1) {
        let (taken, meant) = (capture.count(""), all.count(display));
        assert_eq!(taken, meant, "{filter}");
        assert!(taken > 0, "{filter}");
    }
    let sent = all.count("frame.packet_flags_direction == 2");
    // Neighbor discovery may go on after the capture's end.
    assert!(sent as u64 >= stats.counters["segments_out"], "{stats:#?}");
    let seen = all.fields("", &["frame.time_epoch", "frame.interface_id"]);
    assert!(seen.is_sorted_by_key(|frame| &frame[0]), "{seen:?}");
    assert!(seen.iter().any(|frame| frame[1] == "0"));
    assert!(seen.iter().any(|frame| frame[1] == "1"));
}

#[test]
fn a_count_a_snap_length_and_a_pipe() {
    let network = Network::direct("cappipe", &Link::default()).unwrap();
    let server = start(&network, &[]);
    let mut capture = command(&server, Path::new("-"), &["-c", "5", "-s", "60", "tcp"]);
    let capture = capture.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut capture = capture.spawn().unwrap();
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r", "-", "-T", "fields", "-e", "frame.cap_len"]);
    tshark.stdin(capture.stdout.take().unwrap());
    let tshark = tshark.stdout(Stdio::piped()).spawn().unwrap();
    let mut report = BufReader::new(capture.stderr.take().unwrap());
    let mut said = String::new();
    report.read_line(&mut said).unwrap();
    echo(&network, 10_000);
    let Output { status, stdout, .. } = tshark.wait_with_output().unwrap();
    assert!(status.success());
    assert_eq!(String::from_utf8(stdout).unwrap(), "60\n".repeat(5));
    report.read_to_string(&mut said).unwrap();
    assert!(capture.wait().unwrap().success(), "{said}");
    assert!(said.contains("5 frames captured"), "{said}");
    server.stop();
}

#[test]
fn what_goes_wrong_is_said_and_the_file_is_whole() {
    let network = Network::direct("capend", &Link::default()).unwrap();
    let mut server = start(&network, &[]);
    let (code, said) = run_to_end(command(&server, &control_path(), &["port", "http"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`http` where a port"), "{said}");

    let mut timed = Capture::start(&server, &["--seconds", "1", "arp"]);
    assert!(timed.wait(0).contains("0 frames captured, 0 lost"));

    let mut capture = Capture::start(&server, &[]);
    echo(&network, 10_000);
    support::wait_until("frames are written", || {
        std::fs::metadata(&capture.file).is_ok_and(|it| it.len() > 5_000)
    });
    server.signal(Signal::KILL);
    server.wait();
    let said = capture.wait(1);
    assert!(said.contains("ended early, at a whole block"), "{said}");
    assert!(capture.count("tcp.flags.syn == 1") > 0);
}
