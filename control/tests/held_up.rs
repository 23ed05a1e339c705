//! A worker that something holds up. Needs root.

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use support::{client, wait_until};
use tokio::sync::oneshot;
use wirepath::api::Stats;
use wirepath::netns::{Link, Network};
use wirepath::runtime::{
    Access, ControlPlane, Idle, InterfaceOptions, ListenerOptions, ListenerSettings, Runtime,
    ServerOptions,
};
use wirepath_apps::Service;
use wirepath_stack::limits::Capacity;
use wirepath_stack::worker::Cursor;
use wirepath_tcp::config::Config;
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_xdp::Options;

const WORKERS: usize = 4;
const CONNECTIONS: usize = 64;
/// How long the first worker is held up.
const HELD_UP: Duration = Duration::from_secs(2);

fn options() -> ServerOptions {
    let tcp = Config {
        nagle: false,
        ..Config::default()
    };
    ServerOptions {
        interfaces: vec![InterfaceOptions {
            name: Network::SERVER_INTERFACE.to_owned(),
            addresses: Vec::new(),
            queues: Vec::new(),
        }],
        listeners: vec![ListenerOptions {
            address: None,
            port: 7,
            settings: ListenerSettings {
                role: Service::Echo.into(),
                tcp,
                access: Access::default(),
            },
        }],
        pools: Vec::new(),
        source_ports: None,
        mode: None,
        device: Options::default(),
        workers: Some(WORKERS),
        cores: Vec::new(),
        idle: Idle::Adaptive,
        tcp,
        capacity: Capacity::default(),
        checksums: ChecksumPolicy::Whole,
    }
}

/// A server in this process, whose control plane runs on the thread that called.
struct Served {
    plane: Arc<ControlPlane>,
    handle: tokio::runtime::Handle,
}

impl Served {
    /// Serves in the server's namespace while `test` runs.
    fn while_running(network: &Network, test: impl FnOnce(&Self)) {
        let (ready, is_ready) = mpsc::channel();
        let (end, ends) = oneshot::channel::<()>();
        thread::scope(|scope| {
            let serve = || {
                let tokio = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                tokio.block_on(async {
                    let server = Runtime::start(options()).await.unwrap();
                    let handle = tokio::runtime::Handle::current();
                    let plane = server.plane();
                    ready.send(Self { plane, handle }).unwrap();
                    let plane = server.plane();
                    tokio::select! {
                        () = plane.watch() => {}
                        _ = ends => {}
                    }
                    server.stop(std::future::ready(())).await.unwrap();
                });
            };
            scope.spawn(move || network.server.run(serve).unwrap());
            let served = is_ready.recv().expect("the server starts");
            test(&served);
            drop(end);
        });
    }

    fn stats(&self) -> Stats {
        let report = self.handle.block_on(self.plane.report());
        Stats::of(&report.unwrap())
    }

    /// The worker of each client's connection, by the client's address.
    fn owners(&self) -> BTreeMap<SocketAddr, usize> {
        let mut owners = BTreeMap::new();
        for worker in self.plane.workers() {
            let all = worker.flows(Cursor::default(), CONNECTIONS, |_| true);
            let chunk = self.handle.block_on(all).unwrap();
            let remotes = chunk.flows.iter().map(|flow| flow.tuple.remote.into());
            owners.extend(remotes.map(|remote| (remote, worker.number())));
        }
        owners
    }
}

fn ping(mut stream: &TcpStream) {
    let sent = [0x5a; 200];
    stream.write_all(&sent).unwrap();
    let mut echoed = [0; 200];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(echoed, sent);
}

#[test]
fn the_connections_of_other_workers_do_not_notice_and_its_own_go_on() {
    let link = Link {
        queues: WORKERS as u32,
        ..Link::default()
    };
    let network = Network::direct("held-up", &link).unwrap();
    Served::while_running(&network, |served| {
        let to = SocketAddr::from((Network::SERVER_V4, 7));
        let streams: Vec<TcpStream> = (0..CONNECTIONS)
            .map(|_| client::connect(&network.client, to))
            .collect();
        streams.iter().for_each(ping);
        let owners = served.owners();
        let is_held_up = |stream: &&TcpStream| owners[&stream.local_addr().unwrap()] == 0;
        let (held_up, others): (Vec<_>, Vec<_>) = streams.iter().partition(is_held_up);
        assert!(!held_up.is_empty() && !others.is_empty(), "{owners:?}");

        let goes_on = Arc::new(AtomicBool::new(false));
        let (began, has_begun) = mpsc::channel();
        let (_never, comes) = mpsc::channel::<()>();
        let until = Arc::clone(&goes_on);
        let worker = served.plane.workers()[0].clone();
        served.handle.spawn(async move {
            let hold_up = move |_, _: &mut _| {
                began.send(()).unwrap();
                let _ = comes.recv_timeout(HELD_UP);
                until.store(true, Ordering::SeqCst);
            };
            // It answers too late.
            let _ = worker.ask(hold_up).await;
        });
        // Text of its own connections is in flight both ways when it is held up.
        for mut stream in held_up.iter().copied() {
            stream.write_all(&[0x5a; 4_000]).unwrap();
        }
        has_begun.recv().expect("the worker runs the errand");
        others.iter().for_each(|stream| ping(stream));
        assert!(
            !goes_on.load(Ordering::SeqCst),
            "the others did not wait for it"
        );

        wait_until("the watchdog has told of it", || served.plane.stalls() == 1);
        wait_until("it goes on", || goes_on.load(Ordering::SeqCst));
        for mut stream in held_up.iter().copied() {
            let mut echoed = [0; 4_000];
            stream.read_exact(&mut echoed).unwrap();
            assert_eq!(echoed, [0x5a; 4_000]);
            ping(stream);
        }
        let stats = served.stats();
        let again = stats.counters["retransmissions"];
        assert!(
            again <= held_up.len() as u64 / 4,
            "mass time-outs: {again} sent again"
        );
        assert_eq!(stats.open, CONNECTIONS, "none was lost");
        assert_eq!(served.plane.stalls(), 1);
    });
}
