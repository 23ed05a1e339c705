//! Programs that people put behind a proxy, with their own clients in front.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use wirepath::netns::Namespace;

use super::support::backends::{self, Daemon};
use super::support::client::random_bytes;
use super::support::server::control_path;
use super::{FRONT, backend, proxy};

const GIBIBYTE: usize = 1 << 30;

/// A folder that goes when the value does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = Self(control_path().with_extension("d"));
        fs::create_dir(&folder.0).unwrap();
        folder
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is hurt by what stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// nginx, serving the files of a folder.
fn nginx(host: &Namespace, folder: &Folder, at: SocketAddr) -> Daemon {
    let conf = format!(
        "daemon off; master_process off; pid {pid}; error_log {log};\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {root};\n\
         server {{ listen {at}; root {root}; }} }}\n",
        pid = folder.file("nginx.pid"),
        log = folder.file("nginx.log"),
        root = folder.file(""),
    );
    fs::write(folder.file("nginx.conf"), conf).unwrap();
    let mut command = host.command("nginx");
    command.args([
        "-c",
        &folder.file("nginx.conf"),
        "-e",
        &folder.file("nginx.log"),
    ]);
    Daemon::start(host, command, at)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Lets 20 connections of `wrk` ask for a small file so many times or more, and find nothing wrong.
fn ask(client: &Namespace, least: u64, flags: &[&str]) {
    let url = format!("http://{FRONT}/small");
    let mut asked = 0;
    for _ in 0..60 {
        let all = [&["-t", "1", "-c", "20", "-d", "1s"], flags, &[&url]].concat();
        let report = client.tool("wrk", &all).unwrap();
        // It tells of errors only where there are some.
        for trouble in ["Socket errors", "Non-2xx"] {
            assert!(!report.contains(trouble), "{flags:?}: {report}");
        }
        let line = report.lines().find(|line| line.contains(" requests in "));
        let number = line.and_then(|line| line.split_whitespace().next());
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        asked += number.unwrap_or_else(|| panic!("{report}"));
        if asked >= least {
            return;
        }
    }
    panic!("{flags:?}: only {asked} requests in 60 s");
}

#[test]
fn curl_and_wrk_get_from_nginx_all_there_is() {
    let (network, hosts) = backends::network("proxy-nginx", 1);
    let folder = Folder::new();
    let big = random_bytes(GIBIBYTE, 1);
    fs::write(folder.file("big"), &big).unwrap();
    fs::write(folder.file("small"), "hello\n").unwrap();
    let at = SocketAddr::new(backends::address(0), 80);
    let _nginx = nginx(&hosts, &folder, at);
    let server = proxy(&network, &[at], &[]);
    let url = format!("http://{FRONT}/big");
    let fetch = format!("curl --silent --show-error --fail {url} | sha256sum");
    let sum = network.client.tool("sh", &["-c", &fetch]).unwrap();
    let whole: [u8; 32] = Sha256::digest(&big).into();
    assert_eq!(sum.split(' ').next(), Some(hex(&whole).as_str()));
    ask(&network.client, 10_000, &[]);
    ask(&network.client, 10_000, &["-H", "Connection: close"]);
    server.wait_until_quiet();
    let counters = backend(&server, at).counters;
    assert!(counters["opened"] >= 10_000, "{counters:?}");
    for trouble in ["refused", "timed_out", "failed", "reset"] {
        assert_eq!(counters[trouble], 0, "{trouble}: {counters:?}");
    }
    server.stop();
}

#[test]
fn redis_benchmark_finds_nothing_wrong() {
    let (network, hosts) = backends::network("proxy-redis", 1);
    let at = SocketAddr::new(backends::address(0), 6_379);
    let (address, port) = (at.ip().to_string(), at.port().to_string());
    let mut command = hosts.command("redis-server");
    let arguments = [
        "--bind",
        &address,
        "--port",
        &port,
        "--save",
        "",
        "--protected-mode",
        "no",
    ];
    command.args(arguments);
    let _redis = Daemon::start(&hosts, command, at);
    let server = proxy(&network, &[at], &[]);
    let (host, port) = (FRONT.ip().to_string(), FRONT.port().to_string());
    let load = [
        "-h", &host, "-p", &port, "-n", "20000", "-c", "50", "-P", "4", "--csv",
    ];
    let tests = [&load[..], &["-t", "set,get,incr,lpush,lrange_100"]].concat();
    let report = network.client.tool("redis-benchmark", &tests).unwrap();
    for test in ["SET", "GET", "INCR", "LPUSH", "LRANGE_100"] {
        assert!(
            report.contains(&format!("\"{test}")),
            "{test} is not in {report}"
        );
    }
    assert!(!report.contains("Error"), "{report}");
    server.wait_until_quiet();
    assert_eq!(backend(&server, at).counters["reset"], 0);
    server.stop();
}
