//! Text through a proxy: all of it, in order, and no more in memory than was agreed upon.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use wirepath::netns::{Namespace, Network};

use super::support::backends::{self, Backend, Manner, TO_BACKENDS};
use super::support::client;
use super::support::fault::{Fault, Rates};
use super::support::wait_until;
use super::{FRONT, backend, file_of, plain, pool, proxy, serve};

pub(crate) const MEGABYTE: u64 = 1 << 20;

/// So many streams at once, each of so many bytes there and back.
pub(crate) fn echo_many(network: &Network, streams: u64, bytes: u64) {
    thread::scope(|scope| {
        for seed in 0..streams {
            let stream = client::connect(&network.client, FRONT);
            scope.spawn(move || client::echo(&stream, bytes, seed));
        }
    });
}

#[test]
fn what_is_sent_comes_back_over_many_connections_at_once() {
    let (network, hosts) = backends::network("proxy-text", 2);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let server = proxy(&network, &[echo.at()], &["--workers", "2"]);
    echo_many(&network, 16, 4 * MEGABYTE);
    let stats = backend(&server, echo.at());
    assert_eq!(stats.counters["opened"], 16);
    let stats = server.stop();
    assert_eq!(stats.counters["text_in"], 2 * 16 * 4 * MEGABYTE);
    assert_eq!(echo.accepted(), 16);
}

#[test]
fn each_half_closes_for_itself() {
    let (network, hosts) = backends::network("proxy-half", 1);
    let half = Backend::start(&hosts, 0, 7, Manner::HalfClose);
    let server = proxy(&network, &[half.at()], &[]);
    let mut stream = client::connect(&network.client, FRONT);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "that is all\n");
    // The other way is still open.
    stream.write_all(&[7; 100_000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    server.wait_until_quiet();
    assert_eq!(backend(&server, half.at()).counters["text_to"], 100_000);
    server.stop();
}

#[test]
fn lost_frames_on_either_side_change_no_byte() {
    let (network, hosts) = backends::network("proxy-loss", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let server = proxy(&network, &[echo.at()], &[]);
    let middle: &Namespace = network.middle.as_ref().unwrap();
    let [to_client, to_server] = Network::MIDDLE_INTERFACES;
    let one_percent = Rates {
        drop: 10_000,
        ..Rates::default()
    };
    for side in [to_client, TO_BACKENDS] {
        let fault = Fault::new(middle, side, to_server, one_percent);
        echo_many(&network, 4, 4 * MEGABYTE);
        assert!(fault.counts().dropped > 0, "{side}: {:?}", fault.counts());
        fault.set(Rates::default());
    }
    server.stop();
}

/// Connections of a server, and of its pool, hold 64 KiB each way at most.
const SMALL_BUFFERS: &str = "tcp = { send_buffer = \"64KiB\", receive_buffer = \"64KiB\" }\n";

#[test]
fn a_backend_that_does_not_read_holds_no_more_than_the_buffers_of_its_pair() {
    const PAIRS: usize = 20;
    let (network, hosts) = backends::network("proxy-slow", 1);
    let stopped = Backend::start(&hosts, 0, 7, Manner::Stop);
    let text = SMALL_BUFFERS.to_owned() + &file_of("", &plain(&[stopped.at()]));
    let (_file, server) = serve(&network, &text);
    let streams: Vec<_> = (0..PAIRS)
        .map(|_| {
            let mut stream = client::connect(&network.client, FRONT);
            stream
                .set_write_timeout(Some(Duration::from_millis(200)))
                .unwrap();
            // Until nobody takes more.
            while stream.write(&[1; 64 * 1024]).is_ok() {}
            stream
        })
        .collect();
    wait_until("all have a backend", || {
        pool(&server).backends[0].held == PAIRS
    });
    let blocks = server.stats().blocks;
    // 64 KiB to be acknowledged and 64 KiB to be read, in blocks of 4 KiB that may not be full, and
    // the log of what was sent.
    assert!(blocks <= PAIRS * 2 * (16 + 3), "{blocks} blocks");
    assert!(
        blocks >= PAIRS * 16,
        "{blocks} blocks: it was not slow enough"
    );
    // It goes when the clients do.
    for stream in streams {
        let none = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(stream.as_fd(), none).unwrap();
    }
    server.wait_until_quiet();
    assert_eq!(pool(&server).clients, 0);
    server.stop();
}
