//! What a proxy tells of clients: to backends, to its log, to operators; and what it is told.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::Value;
use wirepath::netns::Network;

use super::support::backends::{self, Backend, Manner};
use super::support::client;
use super::support::server::{Server, WIREPATH, control_path};
use super::support::wait_until;
use super::{FRONT, backend, file_of, is_reset, plain, pool, proxy, serve};

/// Sends this, and returns all that comes back.
fn echoed(network: &Network, text: &str) -> String {
    let mut stream = client::connect(&network.client, FRONT);
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn backends_are_told_of_the_client_and_other_proxies_tell_of_theirs() {
    let (network, hosts) = backends::network("proxy-header", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let (_file, server) = serve(
        &network,
        &file_of("proxy_header = \"v1\"", &plain(&[echo.at()])),
    );
    let answer = echoed(&network, "hello");
    let begin = format!("PROXY TCP4 {} {} ", Network::CLIENT_V4, FRONT.ip());
    assert!(answer.starts_with(&begin), "{answer}");
    assert!(answer.ends_with(" 8080\r\nhello"), "{answer}");
    server.stop();

    let settings = "proxy_header = \"v1\"\nproxy_header_from = [\"10.77.0.0/24\"]";
    let (_file, server) = serve(&network, &file_of(settings, &plain(&[echo.at()])));
    let told = "PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\nhello";
    assert_eq!(echoed(&network, told), told);
    let mut stream = client::connect(&network.client, FRONT);
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert!(stream.read(&mut [0]).is_err(), "a reset");
    wait_until("it is counted", || pool(&server).refused["bad_header"] == 1);
    server.stop();
}

#[test]
fn each_connection_leaves_a_line_when_it_is_over() {
    let (network, hosts) = backends::network("proxy-log", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let log = control_path().with_extension("log");
    let setting = format!("access_log = \"{}\"", log.display());
    let (_file, server) = serve(
        &network,
        &format!("{setting}\n{}", file_of("", &plain(&[echo.at()]))),
    );
    // Until the first exchange nothing is kept.
    wait_until("lines are written", || {
        assert_eq!(echoed(&network, "hello"), "hello");
        fs::metadata(&log).is_ok_and(|file| file.len() > 0)
    });
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["backend"], echo.at().to_string());
    assert_eq!(line["listener"], FRONT.to_string());
    assert_eq!(
        (&line["bytes_in"], &line["bytes_out"]),
        (&5.into(), &5.into())
    );
    assert_eq!(
        (&line["pool"], &line["client_end"]),
        (&"web".into(), &"finished".into())
    );
    assert!(
        line["connect_ms"].as_f64() <= line["duration_ms"].as_f64(),
        "{line}"
    );
    // Whoever moves the file away gets another.
    echoed(&network, "again");
    wait_until("there is another file", || log.exists());
    server.stop();
    fs::remove_file(&log).unwrap();
}

#[test]
fn the_end_of_a_server_is_watched_and_logged() {
    let (network, hosts) = backends::network("proxy-log-end", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let log = control_path().with_extension("log");
    let pool = file_of("", &plain(&[echo.at()]));
    let text = format!("access_log = \"{}\"\ndrain = \"1m\"\n{pool}", log.display());
    let (file, mut server) = serve(&network, &text);
    let mut stream = client::connect(&network.client, FRONT);
    client::ping(&stream, 0);
    server.signal(Signal::TERM);
    server.wait_until_says("SIGTERM: closing connections");
    // It answers, and changes nothing any more.
    assert_eq!(backend(&server, echo.at()).held, 1);
    file.write(&text.replace("1m", "2m"));
    let mut reload = Command::new(WIREPATH);
    reload.arg("reload").arg("--control").arg(server.control());
    let refused = reload.output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("the server is ending"), "{said}");
    // The client says the last word.
    stream.write_all(b"bye").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    server.check_end();
    let text = fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["client_end"], "finished");
    fs::remove_file(&log).unwrap();
}

#[test]
fn a_client_that_is_refused_leaves_a_line_that_says_why() {
    let (network, hosts) = backends::network("proxy-refused", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let log = control_path().with_extension("log");
    let text = format!(
        "access_log = \"{}\"\n{}",
        log.display(),
        file_of("max_connections = 1", &plain(&[echo.at()]))
    );
    let (_file, server) = serve(&network, &text);
    let held = client::connect(&network.client, FRONT);
    client::ping(&held, 0);
    // Until the first exchange nothing is kept.
    wait_until("a line is written", || {
        assert!(is_reset(&network));
        fs::metadata(&log).is_ok_and(|file| file.len() > 0)
    });
    let text = fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["refused"], "too_many");
    assert_eq!(line["backend"], Value::Null);
    drop(held);
    server.stop();
    fs::remove_file(&log).unwrap();
}

fn set(server: &Server, at: SocketAddr, state: &str) -> Output {
    let mut command = Command::new(WIREPATH);
    command.args(["pool", "--control"]).arg(server.control());
    command.args(["set", "proxy", &at.to_string(), state]);
    command.output().unwrap()
}

#[test]
fn an_operator_takes_a_backend_out_and_gives_it_back() {
    let (network, hosts) = backends::network("proxy-admin", 1);
    let name = Backend::start(&hosts, 0, 7, Manner::Name);
    let server = proxy(&network, &[name.at()], &[]);
    let mut stream = client::connect(&network.client, FRONT);
    stream.read_exact(&mut [0]).unwrap();
    assert!(set(&server, name.at(), "drain").status.success());
    assert_eq!(backend(&server, name.at()).state, "draining");
    assert!(is_reset(&network), "nobody is left for another");
    assert_eq!(backend(&server, name.at()).held, 1, "who is there stays");
    assert!(set(&server, name.at(), "disabled").status.success());
    assert!(stream.read(&mut [0]).is_err(), "a reset");
    assert!(set(&server, name.at(), "ready").status.success());
    let mut stream = client::connect(&network.client, FRONT);
    stream.read_exact(&mut [0]).unwrap();
    drop(stream);
    let unknown = set(&server, SocketAddr::new(backends::address(5), 7), "drain");
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(unknown.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no backend 10.77.0.15:7"), "{said}");
    server.stop();
}
