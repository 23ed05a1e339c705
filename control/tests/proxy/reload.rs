//! Backends that are replaced while clients come and go.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::support::backends::{self, Backend, Manner};
use super::support::client;
use super::support::file::File;
use super::support::server::Server;
use super::support::wait_until;
use super::{FRONT, backend, file_of, plain, pool, serve};

#[test]
fn a_reload_changes_who_may_connect() {
    let (network, hosts) = backends::network("proxy-allow", 1);
    let echo = Backend::start(&hosts, 0, 7, Manner::Echo);
    let open = file_of("", &plain(&[echo.at()]));
    let (file, server) = serve(&network, &open);
    let mut kept = client::connect(&network.client, FRONT);
    let denies = open.replace("listen = 8080", "listen = 8080\ndeny = [\"10.77.0.0/30\"]");
    file.write(&denies);
    server.signal(Signal::HUP);
    server.wait_until_says("deny [] -> [");
    let soon = Duration::from_millis(300);
    let denied = network
        .client
        .run(|| TcpStream::connect_timeout(&FRONT, soon))
        .unwrap();
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(server.stats().steering["denied"] > 0);
    // Who was there stays.
    kept.write_all(b"still here").unwrap();
    let mut answer = [0; 10];
    kept.read_exact(&mut answer).unwrap();
    file.write(&open);
    server.signal(Signal::HUP);
    server.wait_until_says("-> []");
    drop((client::connect(&network.client, FRONT), kept));
    server.stop();
}

#[test]
fn all_backends_are_replaced_under_load_and_no_client_notices() {
    const CLIENTS: usize = 4;
    let (network, hosts) = backends::network("proxy-reload", 2);
    let all: Vec<Backend> = (0..4)
        .map(|number| Backend::start(&hosts, number, 7, Manner::Echo))
        .collect();
    let at: Vec<SocketAddr> = all.iter().map(Backend::at).collect();
    let file = File::new(&file_of("", &plain(&at[..2])));
    let flags = ["--config", file.path(), "--workers", "2"];
    let server = Server::start(&network, "serve", &flags);
    let mut kept = client::connect(&network.client, FRONT);
    let (ends, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = || {
        while !ends.load(Ordering::SeqCst) {
            let mut stream = client::connect_here(FRONT).unwrap();
            stream.write_all(b"who is there").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, b"who is there");
            served.fetch_add(1, Ordering::SeqCst);
        }
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| network.client.run(load).unwrap());
        }
        let some_more = || {
            let before = served.load(Ordering::SeqCst);
            wait_until("clients are served", || {
                served.load(Ordering::SeqCst) > before + 100
            });
        };
        for replaced in 1..=6 {
            some_more();
            let set = if replaced % 2 == 1 {
                &at[2..]
            } else {
                &at[..2]
            };
            file.write(&file_of("", &plain(set)));
            server.signal(Signal::HUP);
            wait_until("they are replaced", || {
                let backends = pool(&server).backends;
                let present = backends.iter().filter(|it| it.state != "removed");
                present.map(|it| it.address).eq(set.iter().copied())
            });
        }
        some_more();
        ends.store(true, Ordering::SeqCst);
    });
    // Who was there before the first reload still has its backend, which has gone and come.
    kept.write_all(b"still here").unwrap();
    let mut answer = [0; 10];
    kept.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still here");
    drop(kept);
    server.wait_until_quiet();
    let stats = pool(&server);
    assert!(stats.refused.values().all(|count| *count == 0), "{stats:?}");
    assert_eq!(backend(&server, at[0]).held, 0);
    server.stop();
}
