//! Programs that people have talk to the servers: curl, ncat, and plain bulk. Needs root.

mod support;

use std::io::{Read, Write as _};
use std::net::Shutdown;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::Instant;

use support::client::{self, OWNED_V6, SHARED_V4};
use support::server::Server;
use support::wait_until;
use wirepath::netns::{Link, Network};

/// A network with a server of this service on an address of either kind.
fn serve(service: &str) -> (Network, Server) {
    let network = Network::direct(service, &Link::default()).unwrap();
    let (shared, owned) = (SHARED_V4.to_string(), OWNED_V6.to_string());
    let arguments = ["--address", &shared, "--address", &owned];
    let server = Server::start(&network, service, &arguments);
    (network, server)
}

/// A program at the client's end, with its standard input and output; killed when dropped.
struct Tool {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Tool {
    fn start(network: &Network, program: &str, arguments: &[&str]) -> Self {
        let mut child = network
            .client
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take().unwrap(),
            child,
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of RFC 864's pattern, from its beginning.
fn rfc_864() -> impl Iterator<Item = u8> {
    let printing = || b' '..=b'~';
    let line = move |first| {
        let from_first = printing().cycle().skip(first).take(72);
        from_first.chain(*b"\r\n")
    };
    (0..printing().count()).cycle().flat_map(line)
}

/// Reads that many bytes, which must be the beginning of the pattern.
fn check_pattern(mut from: impl Read, bytes: usize) {
    let period = 95 * 74;
    let pattern: Vec<u8> = rfc_864().take(2 * period).collect();
    // Whole periods at a time are compared fast.
    let mut chunk = vec![0; period];
    let mut left = bytes;
    while left > 0 {
        let size = period.min(left);
        from.read_exact(&mut chunk[..size]).unwrap();
        assert!(
            chunk[..size] == pattern[..size],
            "{left} bytes before the end"
        );
        left -= size;
    }
}

#[test]
fn curl_is_echoed() {
    let (network, server) = serve("echo");
    let url = format!("telnet://{SHARED_V4}:7");
    let mut curl = Tool::start(&network, "curl", &["--silent", "--no-buffer", &url]);
    for at in 0..10 {
        let line = format!("line {at} of ten, typed by a person who knows telnet\n");
        curl.stdin
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        let mut back = vec![0; line.len()];
        curl.stdout.read_exact(&mut back).unwrap();
        assert_eq!(String::from_utf8(back).unwrap(), line);
    }
    drop(curl);
    server.stop();
}

#[test]
fn curl_uploads_to_discard() {
    const SIZE: usize = 8 << 20;
    let (network, server) = serve("discard");
    let url = format!("http://[{OWNED_V6}]:9/");
    // It would wait for an answer to its headers before it sends the rest.
    let arguments = [
        "--silent",
        "--header",
        "Expect:",
        "--upload-file",
        "-",
        &url,
    ];
    let mut curl = Tool::start(&network, "curl", &arguments);
    let mut stdin = curl.stdin.take().unwrap();
    stdin.write_all(&client::random_bytes(SIZE, 3)).unwrap();
    drop(stdin);
    // Discard never answers, so curl would wait for ever.
    wait_until("all has come, and been thrown away", || {
        server.stats().counters["text_in"] > SIZE as u64
    });
    drop(curl);
    server.stop();
}

#[test]
fn curl_downloads_chargen() {
    let (network, server) = serve("chargen");
    for host in [SHARED_V4.to_string(), format!("[{OWNED_V6}]")] {
        let url = format!("http://{host}:19/");
        // What comes looks like an answer of the oldest HTTP: text without headers.
        let mut curl = Tool::start(&network, "curl", &["--silent", "--http0.9", &url]);
        check_pattern(&mut curl.stdout, 10_000_000);
    }
    server.stop();
}

#[test]
fn ncat_is_echoed() {
    const SIZE: usize = 8 << 20;
    let (network, server) = serve("echo");
    for host in [SHARED_V4, OWNED_V6] {
        let mut ncat = Tool::start(&network, "ncat", &[&host.to_string(), "7"]);
        let mut stdin = ncat.stdin.take().unwrap();
        let text = client::random_bytes(SIZE, 4);
        let mut back = Vec::new();
        thread::scope(|scope| {
            // At its end ncat closes its half of the connection, and so learns that it is all.
            scope.spawn(|| {
                stdin.write_all(&text).unwrap();
                drop(stdin);
            });
            ncat.stdout.read_to_end(&mut back).unwrap();
        });
        assert!(back == text, "{} bytes of {SIZE} came back", back.len());
        assert!(ncat.child.wait().unwrap().success());
    }
    server.stop();
}

#[test]
fn ncat_sends_to_discard() {
    const SIZE: usize = 8 << 20;
    let (network, server) = serve("discard");
    let arguments = ["--send-only", &SHARED_V4.to_string(), "9"];
    let mut ncat = Tool::start(&network, "ncat", &arguments);
    let mut stdin = ncat.stdin.take().unwrap();
    stdin.write_all(&client::random_bytes(SIZE, 5)).unwrap();
    drop(stdin);
    assert!(ncat.child.wait().unwrap().success());
    assert_eq!(server.stop().counters["text_in"], SIZE as u64);
}

#[test]
fn ncat_receives_from_chargen() {
    let (network, server) = serve("chargen");
    let arguments = ["--recv-only", &OWNED_V6.to_string(), "19"];
    let mut ncat = Tool::start(&network, "ncat", &arguments);
    check_pattern(&mut ncat.stdout, 10_000_000);
    drop(ncat);
    server.stop();
}

#[test]
fn bulk_to_discard() {
    const BYTES: u64 = 512 << 20;
    let (network, server) = serve("discard");
    for (host, total) in [(SHARED_V4, BYTES), (OWNED_V6, 2 * BYTES)] {
        let mut stream = client::connect(&network.client, (host, 9));
        let chunk = client::random_bytes(1 << 20, 6);
        let start = Instant::now();
        for _ in 0..BYTES >> 20 {
            stream.write_all(&chunk).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
        // The server's FIN says that it has seen ours, and so all before it.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        println!("{BYTES} bytes to {host}: {} Mbit/s", rate(BYTES, start));
        assert_eq!(server.stats().counters["text_in"], total);
    }
    server.stop();
}

#[test]
fn bulk_from_chargen() {
    const BYTES: usize = 512 << 20;
    let (network, server) = serve("chargen");
    for host in [SHARED_V4, OWNED_V6] {
        let stream = client::connect(&network.client, (host, 19));
        let start = Instant::now();
        check_pattern(std::io::BufReader::with_capacity(1 << 20, &stream), BYTES);
        println!(
            "{BYTES} bytes from {host}: {} Mbit/s",
            rate(BYTES as u64, start)
        );
    }
    server.stop();
}

fn rate(bytes: u64, start: Instant) -> u128 {
    u128::from(bytes) * 8 / start.elapsed().as_micros().max(1)
}
