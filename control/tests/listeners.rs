//! Listeners that come and go while others are at work. Needs root.

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::client::{self, OWNED_V4, SHARED_V4};
use support::wait_until;
use tokio::runtime::Runtime as Tokio;
use wirepath::config::Configuration;
use wirepath::netns::{Link, Network};
use wirepath::runtime::{ControlPlane, Runtime};
use wirepath_apps::Service;

const QUEUES: u32 = 2;
/// Times that a listener comes and goes.
const ROUNDS: usize = 1_000;
/// Ports that take turns in coming and going.
const PORTS: usize = 4;
/// Each so many rounds a connection is kept beyond the end of its listener.
const KEPT: usize = 100;

fn network(label: &str) -> Network {
    let link = Link {
        queues: QUEUES,
        ..Link::default()
    };
    Network::direct(label, &link).unwrap()
}

/// What the control thread of a server runs on. Its tasks get on while somebody waits for one.
fn tokio() -> Tokio {
    let mut tokio = tokio::runtime::Builder::new_current_thread();
    tokio.enable_all().build().unwrap()
}

/// Echo at port 7 of a shared and of an owned address, by two workers of this process.
async fn start() -> Runtime {
    let interface = Network::SERVER_INTERFACE;
    let text = format!(
        "interface = \"{interface}\"\naddresses = [\"{SHARED_V4}\", \"{OWNED_V4}\"]\n\
         workers = {QUEUES}\n[[listener]]\nservice = \"echo\"\n"
    );
    let configuration = Configuration::parse(&text, "test.toml".as_ref()).unwrap();
    Runtime::start(configuration.options()).await.unwrap()
}

/// Sends a few bytes and reads them again.
fn ping(mut stream: &TcpStream, seed: u64) {
    let sent = client::random_bytes(100, seed);
    stream.write_all(&sent).unwrap();
    let mut echoed = vec![0; sent.len()];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(echoed, sent, "connection {seed}");
}

/// Says that it is over when it drops, also by a panic.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Connections that come, speak and go, and one that stays, until the end. Returns how many came.
fn load(address: SocketAddr, end: &AtomicBool) -> u64 {
    let steady = client::connect_here(address).unwrap();
    let mut count = 0;
    while !end.load(Ordering::Relaxed) {
        ping(&steady, count);
        let stream = client::connect_here(address).unwrap();
        ping(&stream, count);
        // Not all with a FIN: that would use up the client's ports.
        if count % 4 > 0 {
            client::reset(stream);
        }
        count += 1;
    }
    count
}

/// A listener opens, serves, closes and refuses, so many times. Returns the connections that it
/// leaves.
fn come_and_go(network: &Network, tokio: &Tokio, plane: &ControlPlane) -> Vec<TcpStream> {
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        let address = [SHARED_V4, OWNED_V4][round / PORTS % 2];
        let endpoint = SocketAddr::new(address, 1_000 + (round % PORTS) as u16);
        tokio
            .block_on(plane.listen(endpoint, Service::Echo))
            .unwrap();
        let stream = client::connect(&network.client, endpoint);
        ping(&stream, round as u64);
        tokio.block_on(plane.unlisten(endpoint)).unwrap();
        let refused = client::try_connect(&network.client, endpoint).unwrap_err();
        assert_eq!(
            refused.kind(),
            ErrorKind::ConnectionRefused,
            "round {round}"
        );
        ping(&stream, round as u64);
        if round % KEPT == 0 {
            kept.push(stream);
        }
    }
    kept
}

/// Listeners of the control plane, of the XDP program, and of each worker.
fn listeners(tokio: &Tokio, plane: &ControlPlane) -> (usize, usize, Vec<usize>) {
    let known = tokio.block_on(plane.listeners()).unwrap().len();
    let count = |worker: &wirepath::runtime::WorkerHandle| {
        let count = worker.ask(|_, worker| worker.listeners().count());
        tokio.block_on(count).unwrap()
    };
    let of_workers = plane.workers().iter().map(count).collect();
    (known, plane.steering().listener_count(), of_workers)
}

#[test]
fn a_listener_comes_and_goes_a_thousand_times_under_load() {
    let network = &network("come-and-go");
    let tokio = tokio();
    let runtime = network.server.run(|| tokio.block_on(start())).unwrap();
    let plane = runtime.plane();
    let before = listeners(&tokio, &plane);
    assert_eq!(before, (2, 2, vec![2, 2]));
    let watched = Arc::clone(&plane);
    let watch = tokio.spawn(async move { watched.watch().await });

    let end = &AtomicBool::new(false);
    let (kept, served) = thread::scope(|scope| {
        let loads = [SHARED_V4, OWNED_V4].map(|address| {
            let load = move || {
                network
                    .client
                    .run(|| load((address, 7).into(), end))
                    .unwrap()
            };
            scope.spawn(load)
        });
        let kept = {
            let _end = End(end);
            // Where ports are reserved.
            let rounds = || come_and_go(network, &tokio, &plane);
            network.server.run(rounds).unwrap()
        };
        (kept, loads.map(|load| load.join().unwrap()))
    });
    println!("{ROUNDS} rounds, and meanwhile {served:?} connections at what stayed");
    assert!(served.iter().all(|&count| count > 0));
    for (nth, stream) in kept.iter().enumerate() {
        ping(stream, nth as u64);
    }
    drop(kept);
    wait_until("only the listeners that stayed are left", || {
        listeners(&tokio, &plane) == before
    });
    let is_quiet = || {
        let snapshots = tokio.block_on(plane.snapshots()).unwrap();
        snapshots.iter().all(|worker| {
            assert!(worker.frames_balance);
            let holdings = &worker.holdings;
            (holdings.open, holdings.half_open, holdings.blocks) == (0, 0, 0)
        })
    };
    wait_until("no connection is left", is_quiet);
    assert_eq!(plane.known_connections(), 0);
    watch.abort();
    let patience = async { tokio::time::sleep(Duration::from_secs(3)).await };
    tokio.block_on(runtime.stop(patience)).unwrap();
}

#[test]
fn connections_keep_their_service_when_the_endpoint_gets_another() {
    let network = &network("other-service");
    let tokio = tokio();
    let runtime = network.server.run(|| tokio.block_on(start())).unwrap();
    let plane = runtime.plane();
    let endpoint = SocketAddr::new(SHARED_V4, 1_000);
    let services = [
        Service::Echo,
        Service::Discard,
        Service::Echo,
        Service::Discard,
    ];
    let mut echoes = Vec::new();
    let mut discards = Vec::new();
    for service in services {
        let listen = || tokio.block_on(plane.listen(endpoint, service));
        network.server.run(listen).unwrap().unwrap();
        let stream = client::connect(&network.client, endpoint);
        match service {
            Service::Echo => echoes.push(stream),
            _ => discards.push(stream),
        }
        echoes.iter().for_each(|stream| ping(stream, 1));
        tokio.block_on(plane.unlisten(endpoint)).unwrap();
    }
    let held = tokio.block_on(plane.listeners()).unwrap();
    let held = held.iter().find(|listener| listener.endpoint == endpoint);
    assert_eq!(held.map(|listener| listener.held), Some(services.len()));
    for mut stream in discards {
        stream.write_all(b"nothing comes of it").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
    }
    tokio.block_on(runtime.stop(async {})).unwrap();
}
