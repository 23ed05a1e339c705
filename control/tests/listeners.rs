//! Listeners that come and go while others are at work. Needs root.

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use support::client::{self, OWNED_V4, SHARED_V4};
use support::wait_until;
use tokio::runtime::Runtime as Tokio;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wirepath::config::Configuration;
use wirepath::netns::{Link, Network};
use wirepath::runtime::{
    AskError, ControlPlane, ListenError, ListenerOptions, Runtime, ServerOptions, WorkerHandle,
};
use wirepath_apps::Service;
use wirepath_stack::worker::Cursor;
use wirepath_tcp::config::{Config, CongestionControl};

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

/// Lets go of what is over, from now on.
fn watch(tokio: &Tokio, plane: &Arc<ControlPlane>) -> JoinHandle<()> {
    let plane = Arc::clone(plane);
    tokio.spawn(async move { plane.watch().await })
}

/// Echo at port 7 of a shared and of an owned address, by two workers of this process.
async fn start() -> Runtime {
    Runtime::start(start_options()).await.unwrap()
}

fn start_options() -> ServerOptions {
    let interface = Network::SERVER_INTERFACE;
    let text = format!(
        "interface = \"{interface}\"\naddresses = [\"{SHARED_V4}\", \"{OWNED_V4}\"]\n\
         workers = {QUEUES}\n[[listener]]\nservice = \"echo\"\n"
    );
    let configuration = Configuration::parse(&text, "test.toml".as_ref()).unwrap();
    configuration.options()
}

/// Connections that come, speak and go, and one that stays, until the end. Returns how many came.
fn load(address: SocketAddr, end: &AtomicBool) -> u64 {
    let steady = client::connect_here(address).unwrap();
    let mut count = 0;
    while !end.load(Ordering::Relaxed) {
        client::ping(&steady, count);
        let stream = client::connect_here(address).unwrap();
        client::ping(&stream, count);
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
            .block_on(plane.listen(endpoint, Service::Echo.into()))
            .unwrap();
        let stream = client::connect(&network.client, endpoint);
        client::ping(&stream, round as u64);
        tokio.block_on(plane.unlisten(endpoint)).unwrap();
        let refused = client::try_connect(&network.client, endpoint).unwrap_err();
        assert_eq!(
            refused.kind(),
            ErrorKind::ConnectionRefused,
            "round {round}"
        );
        client::ping(&stream, round as u64);
        if round % KEPT == 0 {
            kept.push(stream);
        }
    }
    kept
}

/// Listeners of the control plane, of the XDP program, and of each worker.
fn listeners(tokio: &Tokio, plane: &ControlPlane) -> (usize, usize, Vec<usize>) {
    let known = tokio.block_on(plane.listeners()).unwrap().len();
    let count = |worker: &WorkerHandle| {
        let count = worker.ask(|_, worker| worker.listeners().count());
        tokio.block_on(count).unwrap()
    };
    let of_workers = plane.workers().iter().map(count).collect();
    (known, plane.claimed_endpoints(), of_workers)
}

#[test]
fn a_listener_comes_and_goes_a_thousand_times_under_load() {
    let network = &network("come-and-go");
    let tokio = tokio();
    let runtime = network.server.run(|| tokio.block_on(start())).unwrap();
    let plane = runtime.plane();
    let before = listeners(&tokio, &plane);
    assert_eq!(before, (2, 2, vec![2, 2]));
    let watch = watch(&tokio, &plane);

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
            let _end = client::End(end);
            // Where ports are reserved.
            let rounds = || come_and_go(network, &tokio, &plane);
            network.server.run(rounds).unwrap()
        };
        (kept, loads.map(|load| load.join().unwrap()))
    });
    println!("{ROUNDS} rounds, and meanwhile {served:?} connections at what stayed");
    assert!(served.iter().all(|&count| count > 0));
    for (nth, stream) in kept.iter().enumerate() {
        client::ping(stream, nth as u64);
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
        let listen = || tokio.block_on(plane.listen(endpoint, service.into()));
        network.server.run(listen).unwrap().unwrap();
        let stream = client::connect(&network.client, endpoint);
        match service {
            Service::Echo => echoes.push(stream),
            _ => discards.push(stream),
        }
        echoes.iter().for_each(|stream| client::ping(stream, 1));
        tokio.block_on(plane.unlisten(endpoint)).unwrap();
    }
    let held = tokio.block_on(plane.listeners()).unwrap();
    let held = held.iter().find(|listener| listener.endpoint == endpoint);
    assert_eq!(
        held.map(|listener| listener.tally.held),
        Some(services.len())
    );
    for mut stream in discards {
        stream.write_all(b"nothing comes of it").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
    }
    tokio.block_on(runtime.stop(async {})).unwrap();
}

/// Name of the congestion control of a new connection.
fn congestion(network: &Network, tokio: &Tokio, plane: &ControlPlane) -> Vec<&'static str> {
    let stream = client::connect(&network.client, (SHARED_V4, 7));
    client::ping(&stream, 1);
    let local = stream.local_addr().unwrap();
    let name = |worker: &WorkerHandle| {
        let all = worker.flows(Cursor::default(), usize::MAX, |_| true);
        let chunk = tokio.block_on(all).unwrap();
        let own = chunk
            .flows
            .iter()
            .filter(|flow| SocketAddr::from(flow.tuple.remote) == local);
        let infos = own.filter_map(|flow| flow.info);
        infos.map(|info| info.congestion).collect::<Vec<_>>()
    };
    let names = plane.workers().iter().flat_map(name).collect();
    client::reset(stream);
    names
}

#[test]
fn what_one_worker_does_not_hear_of_is_undone_at_all() {
    let network = &network("undone");
    let tokio = tokio();
    let runtime = network.server.run(|| tokio.block_on(start())).unwrap();
    let plane = runtime.plane();
    let watch = watch(&tokio, &plane);
    let before = listeners(&tokio, &plane);
    let mut wanted: Vec<ListenerOptions> = Vec::new();
    for (port, congestion) in [(7, CongestionControl::Bbr), (9, CongestionControl::Vegas)] {
        let mut listener = start_options().listeners.remove(0);
        listener.port = port;
        listener.settings.tcp.congestion = congestion;
        wanted.push(listener);
    }
    let tcp = Config::default();

    // The second worker is in one turn until it is let go.
    let (let_go, until) = mpsc::channel::<()>();
    let (enter, entered) = oneshot::channel();
    let stuck = plane.workers()[1].clone();
    let turn = move || (enter.send(()).unwrap(), until.recv());
    let held = tokio.spawn(async move { stuck.ask(move |_, _| turn()).await });
    tokio.block_on(entered).unwrap();
    // Other settings, which the first worker takes on and the second does not hear of.
    let replace = || tokio.block_on(plane.replace_listeners(tcp, &wanted[..1]));
    let replaced = network.server.run(replace).unwrap();
    let error = replaced.expect_err("a worker has not heard of it");
    assert!(
        matches!(error, ListenError::Worker(AskError::Stuck(1))),
        "{error}"
    );
    drop(let_go);
    assert_eq!(tokio.block_on(held).unwrap(), Err(AskError::Stuck(1)));
    wait_until("all is as it was", || listeners(&tokio, &plane) == before);
    for _ in 0..8 {
        assert_eq!(congestion(network, &tokio, &plane), ["cubic"]);
    }

    let replaced = || tokio.block_on(plane.replace_listeners(tcp, &wanted));
    let changes = network.server.run(replaced).unwrap().unwrap();
    let counts = (
        changes.added.len(),
        changes.removed.len(),
        changes.changed.len(),
    );
    assert_eq!(counts, (2, 0, 2));
    assert_eq!(congestion(network, &tokio, &plane), ["bbr"]);
    watch.abort();
    tokio.block_on(runtime.stop(async {})).unwrap();
}
