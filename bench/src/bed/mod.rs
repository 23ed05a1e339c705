//! The test bed: two namespaces at the ends of a veth pair, a core for each side.

mod watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, anyhow};
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use wirepath::netns::{Link, Namespace, Network, Offloads};
use wirepath_apps::Service;
use wirepath_wire::ethernet::MacAddr;

use crate::contender::{Contender, Place, ServerProcess, Serving, raise_open_files};
use crate::environment::{Environment, Settings};
use crate::load::{
    CONNECTIONS_PER_ADDRESS, Driver, Load, Tally, Task, Window, XdpClient, XdpEnd, drive_kernel,
};
pub(crate) use watch::Watch;

/// What the client's connections need beside what is set for all measurements: ports enough for
/// a rate of short ones.
const SETTINGS: &[(&str, &str)] = &[
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_tw_reuse", "1"),
    ("ipv4/tcp_max_syn_backlog", "65535"),
    ("core/somaxconn", "65535"),
];

/// Whose TCP the client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientKind {
    /// Ours, on AF_XDP, spinning.
    Xdp,
    /// The kernel's, with epoll, spinning.
    Kernel,
}

/// Where measurements are made.
pub(crate) struct Bed {
    network: Network,
    /// Of server and client; `None` where there is but one.
    cores: [Option<usize>; 2],
    /// Threads of a client on the kernel's sockets.
    client_threads: usize,
}

/// One measurement.
pub(crate) struct Sample {
    /// How long each request took, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Bytes of text that went one way.
    pub(crate) bytes: u64,
    /// Seconds that count.
    pub(crate) seconds: f64,
    /// Seconds of processor time that the whole machine took meanwhile.
    pub(crate) cpu_seconds: f64,
    /// Bytes that the connections took outside of the client's process, which the server may share.
    pub(crate) memory: f64,
    /// Where the server's XDP program ran, if it had one.
    pub(crate) xdp_mode: Option<&'static str>,
}

impl Bed {
    /// Makes the namespaces; packets have `mtu` bytes at most, and each end so many queues.
    ///
    /// # Errors
    /// Not root, or no iproute2.
    pub(crate) fn new(label: &str, mtu: u32, queues: u32) -> anyhow::Result<(Self, Environment)> {
        let link = Link {
            queues,
            mtu,
            offloads: Offloads::Off,
        };
        raise_open_files();
        let network = Network::direct(label, &link)?;
        let settings = Settings {
            more: SETTINGS,
            real_time: false,
        };
        let environment = Environment::prepare(&network, &settings)?;
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let cores = match ids[..] {
            [first, .., last] => [Some(first.id), Some(last.id)],
            _ => [None, None],
        };
        let this = Self {
            network,
            cores,
            client_threads: 1,
        };
        Ok((this, environment))
    }

    /// Has a client on the kernel's sockets share its connections among so many threads, on one
    /// core after the other from the last down. One on our own stack stays one worker: the kernel
    /// as a server spreads its answers over queues as it likes.
    pub(crate) const fn set_client_threads(&mut self, threads: usize) {
        self.client_threads = threads;
    }

    /// Has the kernel process what comes for a host's own sockets on the core of that host, and not
    /// of the sender (RPS). XDP comes before that, so AF_XDP is as without it.
    ///
    /// # Errors
    /// The kernel has no RPS.
    pub(crate) fn steer_packets(&self) -> anyhow::Result<()> {
        let [server, client] = self.cores;
        let ends = [
            (&self.network.server, Network::SERVER_INTERFACE, server),
            (&self.network.client, Network::CLIENT_INTERFACE, client),
        ];
        for (namespace, interface, core) in ends {
            let mask = core.map_or(0, |core| 1_u64 << (core % 64));
            let write = format!(
                "for queue in /sys/class/net/{interface}/queues/rx-*; do \
                 echo {mask:x} > $queue/rps_cpus; done"
            );
            // A shell in the namespace sees its interfaces below /sys; this process does not.
            namespace.tool("sh", &["-e", "-c", &write])?;
        }
        Ok(())
    }

    /// Puts a load on a server, and takes both away again.
    ///
    /// # Errors
    /// The server does not start, or the load cannot be carried out as it is meant.
    pub(crate) fn measure(
        &self,
        contender: Contender,
        client: ClientKind,
        load: &Load,
    ) -> anyhow::Result<Sample> {
        let serving = self.serving(contender, load);
        let server = contender.start(&Place::In(&self.network.server), &serving)?;
        let xdp_mode = server.xdp_mode();
        let sample = self.sample(client, load, &serving);
        let stopped = server.stop();
        let sample = sample.with_context(|| format!("{contender} as the server"))?;
        stopped.with_context(|| format!("{contender} as the server"))?;
        Ok(Sample { xdp_mode, ..sample })
    }

    /// The same with the server in a process of its own, so that its memory can be told.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub(crate) fn measure_apart(
        &self,
        contender: Contender,
        client: ClientKind,
        load: &Load,
    ) -> anyhow::Result<Sample> {
        let serving = self.serving(contender, load);
        let server = ServerProcess::start(&self.network.server, contender, &serving)?;
        let xdp_mode = server.xdp_mode();
        let sample = self.sample(client, load, &serving);
        server.stop()?;
        let sample = sample.with_context(|| format!("{contender} as the server"))?;
        Ok(Sample { xdp_mode, ..sample })
    }

    fn serving(&self, contender: Contender, load: &Load) -> Serving {
        let service = match load.task {
            Task::Exchange | Task::Connect => Service::Echo,
            Task::Upload => Service::Discard,
            Task::Download => Service::Chargen,
        };
        Serving {
            address: contender.address(),
            service,
            core: self.cores[0],
            connections: load.connections,
        }
    }

    fn sample(&self, client: ClientKind, load: &Load, serving: &Serving) -> anyhow::Result<Sample> {
        let watch = Watch::start();
        let endpoint = serving.endpoint();
        let tally = match client {
            ClientKind::Xdp => {
                let driver = Driver::new(*load, Some(Box::new(watch.clone())));
                let end = end(driver.connections());
                self.on_client(|| XdpClient::open(&end, endpoint, driver)?.drive())?
            }
            ClientKind::Kernel => self.drive_threads(load, endpoint, &watch)?,
        };
        Ok(Sample {
            latencies: tally.latencies().clone(),
            bytes: tally.bytes(),
            seconds: load.span.as_secs_f64(),
            cpu_seconds: watch.cpu_seconds(),
            memory: watch.memory_elsewhere(),
            xdp_mode: None,
        })
    }

    /// Each thread measures its share; their histograms are added.
    fn drive_threads(
        &self,
        load: &Load,
        endpoint: SocketAddr,
        watch: &Watch,
    ) -> anyhow::Result<Tally> {
        let shares = load.shares(self.client_threads);
        std::thread::scope(|scope| {
            let drive = |(number, share): (usize, Load)| {
                // The machine is watched by one of them.
                let watch = (number == 0).then(|| Box::new(watch.clone()) as Box<dyn Window>);
                let core = self.cores[1].map(|last| last.saturating_sub(number));
                let client = &self.network.client;
                scope.spawn(move || {
                    run(client, core, || {
                        drive_kernel(Driver::new(share, watch), endpoint)
                    })
                })
            };
            let threads: Vec<_> = shares.into_iter().enumerate().map(drive).collect();
            let mut tallies = threads.into_iter().map(|thread| {
                let ended = thread.join().map_err(|_| anyhow!("the client panicked"));
                ended?
            });
            let first = tallies.next().context("no thread has anything to do")??;
            tallies.try_fold(first, |sum, tally| Ok(sum.plus(&tally?)))
        })
    }

    /// Runs `body` on a thread in the server's namespace, on the server's core.
    pub(crate) fn on_server<T: Send>(
        &self,
        body: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        run(&self.network.server, self.cores[0], body)
    }

    /// The same at the client.
    pub(crate) fn on_client<T: Send>(
        &self,
        body: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        run(&self.network.client, self.cores[1], body)
    }
}

fn run<T: Send>(
    namespace: &Namespace,
    core: Option<usize>,
    body: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    namespace.run(|| {
        if let Some(id) = core {
            core_affinity::set_for_current(CoreId { id });
        }
        body()
    })?
}

/// The client's end of the link, with addresses that its kernel does not have.
fn end(connections: usize) -> XdpEnd {
    let first = Network::OWNED_V4.to_bits();
    let count = connections.div_ceil(CONNECTIONS_PER_ADDRESS) as u32;
    let addresses = (first..first + count).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    XdpEnd {
        interface: Network::CLIENT_INTERFACE.to_owned(),
        mac: MacAddr(Network::CLIENT_MAC),
        addresses: addresses.collect(),
    }
}
