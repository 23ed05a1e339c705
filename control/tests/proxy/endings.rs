//! How connections through a proxy come to nothing, or to an end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use wirepath::netns::Network;

use super::support::backends::{self, Backend, Manner, NOBODY};
use super::support::client::{self, SHARED_V4};
use super::support::file::File;
use super::support::server::{run_to_end, server_command};
use super::support::wait_until;
use super::{FRONT, backend, file_of, is_reset, plain, pool, proxy, serve};

/// What the first read says.
fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut text = vec![0; 100];
    let size = stream.read(&mut text)?;
    text.truncate(size);
    Ok(text)
}

fn assert_reset(stream: &mut TcpStream) {
    let error = read(stream).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

#[test]
fn a_client_whose_backend_refuses_gets_another_and_without_another_a_reset() {
    let (network, hosts) = backends::network("proxy-refused", 1);
    let name = Backend::start(&hosts, 1, 7, Manner::Name);
    let closed = SocketAddr::new(backends::address(0), 7);
    let (file, server) = serve(
        &network,
        &file_of("retries = 1", &plain(&[closed, name.at()])),
    );
    for _ in 0..4 {
        let mut stream = client::connect(&network.client, FRONT);
        assert_eq!(read(&mut stream).unwrap(), [11]);
    }
    assert!(backend(&server, closed).counters["refused"] > 0);
    assert_eq!(backend(&server, name.at()).counters["opened"], 4);
    file.write(&file_of("", &plain(&[closed])));
    server.signal(rustix::process::Signal::HUP);
    wait_until("only one is left", || pool(&server).backends.len() == 1);
    assert!(is_reset(&network));
    server.wait_until_quiet();
    assert!(pool(&server).refused["no_backend"] > 0);
    assert_eq!(pool(&server).clients, 0);
    server.stop();
}

#[test]
fn a_backend_that_does_not_answer_costs_an_attempt_and_no_client() {
    let (network, hosts) = backends::network("proxy-silent", 1);
    let name = Backend::start(&hosts, 1, 7, Manner::Name);
    let silent = SocketAddr::new(NOBODY, 7);
    let times = "attempt_timeout = \"200ms\"\neject_after = 2\neject_for = \"30s\"";
    let (_file, server) = serve(&network, &file_of(times, &plain(&[silent, name.at()])));
    for _ in 0..6 {
        let mut stream = client::connect(&network.client, FRONT);
        assert_eq!(read(&mut stream).unwrap(), [11]);
    }
    let stats = backend(&server, silent);
    assert_eq!(
        (stats.counters["timed_out"], stats.counters["ejected"]),
        (2, 1)
    );
    assert_eq!(stats.state, "ejected");
    server.stop();
}

#[test]
fn a_client_waits_for_a_backend_only_so_long() {
    let (network, _hosts) = backends::network("proxy-nobody", 1);
    let times = "attempt_timeout = \"5s\"\nconnect_timeout = \"300ms\"\nrefusal = \"close\"";
    let (_file, server) = serve(
        &network,
        &file_of(times, &plain(&[SocketAddr::new(NOBODY, 7)])),
    );
    let mut stream = client::connect(&network.client, FRONT);
    assert_eq!(read(&mut stream).unwrap(), [0; 0], "a FIN");
    drop(stream);
    server.stop();
}

#[test]
fn a_reset_of_either_side_is_carried_through() {
    let (network, hosts) = backends::network("proxy-reset", 1);
    let resets = Backend::start(&hosts, 0, 7, Manner::Reset);
    let echo = Backend::start(&hosts, 1, 7, Manner::Echo);
    let server = proxy(&network, &[resets.at()], &[]);
    let mut stream = client::connect(&network.client, FRONT);
    stream.write_all(b"x").unwrap();
    assert_reset(&mut stream);
    server.wait_until_quiet();
    assert_eq!(backend(&server, resets.at()).counters["reset"], 1);
    server.stop();

    let server = proxy(&network, &[echo.at()], &[]);
    let mut stream = client::connect(&network.client, FRONT);
    stream.write_all(b"ping").unwrap();
    assert_eq!(read(&mut stream).unwrap(), b"ping");
    let none = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(stream.as_fd(), none).unwrap();
    drop(stream);
    let stats = server.wait_until_quiet();
    assert_eq!(stats.counters["resets_out"], 1, "the backend gets it");
    server.stop();
}

#[test]
fn a_backend_that_ends_and_comes_again_is_found_again() {
    let (network, hosts) = backends::network("proxy-again", 1);
    let first = Backend::start(&hosts, 0, 7, Manner::Name);
    let at = first.at();
    let (_file, server) = serve(
        &network,
        &file_of("eject_after = 1\neject_for = \"200ms\"", &plain(&[at])),
    );
    let mut stream = client::connect(&network.client, FRONT);
    assert_eq!(read(&mut stream).unwrap(), [10]);
    drop(first);
    assert_eq!(
        read(&mut stream).unwrap(),
        [0; 0],
        "its end is carried through"
    );
    drop(stream);
    assert!(is_reset(&network));
    let _second = Backend::start(&hosts, 0, 7, Manner::Name);
    wait_until("it is tried again", || {
        let stream = client::try_connect(&network.client, FRONT);
        let answer = stream.and_then(|mut stream| read(&mut stream));
        answer.is_ok_and(|answer| answer == [10])
    });
    server.stop();
}

#[test]
fn who_says_nothing_for_too_long_is_reset() {
    let (network, hosts) = backends::network("proxy-idle", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let (_file, server) = serve(
        &network,
        &file_of("idle_timeout = \"300ms\"", &plain(&[echo.at()])),
    );
    let mut stream = client::connect(&network.client, FRONT);
    stream.write_all(b"ping").unwrap();
    assert_eq!(read(&mut stream).unwrap(), b"ping");
    assert_reset(&mut stream);
    server.stop();
}

#[test]
fn a_backend_of_this_host_and_ports_of_the_kernel_are_refused() {
    let (network, _hosts) = backends::network("proxy-here", 1);
    let here = SocketAddr::new(Network::SERVER_V6.into(), 80);
    let address = SHARED_V4.to_string();
    let other = SocketAddr::new(Network::CLIENT_V6.into(), 80);
    let wrong = [
        (other, "no address of its family is served on server0"),
        (here, "is an address of this host"),
    ];
    for (to, words) in wrong {
        let to = to.to_string();
        let arguments = ["--listen", "8080", "--to", &to, "--address", &address];
        let command = server_command(&network.server, "proxy", &arguments);
        let (code, said) = run_to_end(command);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }

    let other = [SocketAddr::new(backends::address(0), 7)];
    let file = File::new(&format!(
        "source_ports = \"40000-50000\"\n{}",
        file_of("", &plain(&other))
    ));
    let arguments = ["--config", file.path()];
    let command = server_command(&network.server, "serve", &arguments);
    let (code, said) = run_to_end(command);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("ip_local_reserved_ports=40000-50000"),
        "{said}"
    );
}
