//! What tshark at the client's end says of a link that loses nothing. Needs root.

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use rustix::net::sockopt;
use rustix::process::{Pid, Signal, kill_process};
use support::client::{self, ADDRESSES, OWNED_V4, OWNED_V6};
use support::server::{Server, control_path};
use support::wait_until;
use wirepath::netns::{Link, Network};

const ECHO: u16 = 7;

/// The text of the last datagram of a capture.
const MARK: &[u8] = b"the end of the capture";

/// What must not be seen. Wireshark's names; 0 is a bad checksum.
const TROUBLE: &[&str] = &[
    "ip.checksum.status == 0",
    // Linux writes a sum of 0 as 0xffff, which is as good, but not to Wireshark.
    "(tcp.checksum.status == 0 && !(tcp.checksum == 0xffff && tcp.dstport == 7))",
    "icmp.checksum.status == 0",
    "icmpv6.checksum.status == 0",
    "_ws.malformed",
    "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order",
    "tcp.analysis.lost_segment",
    "tcp.analysis.ack_lost_segment",
    "tcp.analysis.duplicate_ack",
];

/// Everything on the client's interface, written to a file.
struct Capture {
    dumpcap: Child,
    report: BufReader<ChildStderr>,
    file: PathBuf,
}

impl Capture {
    fn start(network: &Network) -> Self {
        let file = control_path().with_extension("pcapng");
        let mut dumpcap = network
            .client
            .command("dumpcap")
            .args(["-q", "-B", "128", "-i", Network::CLIENT_INTERFACE, "-w"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut report = BufReader::new(dumpcap.stderr.take().unwrap());
        let mut line = String::new();
        // It says so when it has opened both the interface and the file.
        while !line.starts_with("File: ") {
            line.clear();
            assert!(report.read_line(&mut line).unwrap() > 0, "dumpcap captures");
        }
        Self {
            dumpcap,
            report,
            file,
        }
    }

    /// Ends the capture, which must have seen all frames.
    fn stop(&mut self, network: &Network) {
        // It forgets what it has not yet written, so wait for a mark that comes after all.
        let sender = network.client.run(|| UdpSocket::bind("0.0.0.0:0"));
        let sender = sender.unwrap().unwrap();
        sender.send_to(MARK, (Network::SERVER_V4, 9_999)).unwrap();
        wait_until("the capture is written to its end", || self.has_mark());
        kill_process(Pid::from_child(&self.dumpcap), Signal::INT).unwrap();
        let mut report = String::new();
        self.report.read_to_string(&mut report).unwrap();
        assert!(self.dumpcap.wait().unwrap().success(), "{report}");
        let line = report
            .lines()
            .find(|line| line.contains("received/dropped"));
        let line = line.expect("dumpcap counts what it dropped");
        assert!(line.contains("/0 (pcap:0/dumpcap:0/"), "{line}");
    }

    fn has_mark(&self) -> bool {
        let mut file = File::open(&self.file).unwrap();
        let size = file.metadata().unwrap().len();
        file.seek(SeekFrom::Start(size.saturating_sub(65_536)))
            .unwrap();
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).unwrap();
        tail.windows(MARK.len()).any(|window| window == MARK)
    }

    /// The lines that tshark prints for the frames that this filter lets through.
    fn frames(&self, filter: &str) -> Vec<String> {
        let mut tshark = Command::new("tshark");
        for protocol in ["ip", "tcp"] {
            tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        }
        let tshark = tshark.args(["-n", "-Y", filter, "-r"]).arg(&self.file);
        let output = tshark.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{filter}: {errors}");
        let lines = String::from_utf8_lossy(&output.stdout);
        lines.lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.dumpcap.kill();
        let _ = self.dumpcap.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

#[test]
fn tshark_finds_nothing_to_complain_of() {
    let network = Network::direct("tshark", &Link::default()).unwrap();
    // The client's kernel sends again what is not acknowledged within two RTTs, lost or not
    // (RFC 8985 7.3): where a core is busy for a moment, this says nothing of the link.
    let no_tail_loss_probes = ["-q", "-w", "net.ipv4.tcp_early_retrans=0"];
    network.client.tool("sysctl", &no_tail_loss_probes).unwrap();
    let mut capture = Capture::start(&network);
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    network.client.run(mixed_load).unwrap();
    for address in [OWNED_V4, OWNED_V6] {
        let ping = ["-q", "-c", "5", "-i", "0.01", &address.to_string()];
        network.client.tool("ping", &ping).unwrap();
    }
    let stats = server.stop();
    capture.stop(&network);

    let ours = capture.frames("tcp.srcport == 7 || tcp.srcport == 8");
    assert_eq!(
        ours.len() as u64,
        stats.counters["segments_out"],
        "{stats:#?}"
    );
    assert!(ours.len() > 10_000, "{}", ours.len());
    let trouble = capture.frames(&TROUBLE.join(" || "));
    let (count, first) = (trouble.len(), trouble.iter().take(20));
    let first: Vec<&String> = first.collect();
    assert_eq!(count, 0, "of {} frames: {first:#?}", ours.len());
    assert_eq!(stats.counters["retransmissions"], 0);
    assert!(stats.drops.is_empty(), "{:?}", stats.drops);
}

/// Short connections, long ones side by side, a reset, and a closed port.
fn mixed_load() {
    let to = |at: usize| SocketAddr::new(ADDRESSES[at % ADDRESSES.len()], ECHO);
    let echo = |at: usize, bytes| {
        let stream = client::connect_here(to(at)).unwrap();
        client::echo(&stream, bytes, at as u64);
    };
    for at in 0..200 {
        echo(at, 1 + at as u64 * 37);
    }
    // The caller's namespace is the thread's, and its children's.
    thread::scope(|scope| {
        for at in 0..ADDRESSES.len() {
            scope.spawn(move || {
                let stream = client::connect_here(to(at)).unwrap();
                // A veth drops what finds 256 frames waiting. With less than 32 KiB under way on
                // each connection there never are so many, however busy the cores.
                sockopt::set_socket_send_buffer_size(&stream, 32 * 1024).unwrap();
                client::echo(&stream, 6 << 20, at as u64);
            });
        }
    });
    for at in 0..ADDRESSES.len() {
        let mut stream = client::connect_here(to(at)).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        client::reset(stream);
    }
    let closed: [IpAddr; 2] = [OWNED_V4, OWNED_V6];
    for address in closed {
        client::connect_here(SocketAddr::new(address, 8)).unwrap_err();
    }
}
