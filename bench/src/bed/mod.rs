//! The test bed: two namespaces at the ends of a veth pair, a core for each side.

mod watch;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, anyhow, bail};
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use wirepath::netns::{self, Link, Namespace, Network, Offloads};
use wirepath_apps::Service;
use wirepath_wire::ethernet::MacAddr;

use crate::contender::{
    Contender, Passer, Passing, Place, Running, ServerProcess, Serving, kernel_echo,
    raise_open_files,
};
use crate::environment::{Environment, Settings};
use crate::load::{
    CONNECTIONS_PER_ADDRESS, Driver, Gate, Load, Tally, Task, Window, XdpClient, XdpEnd,
    drive_kernel,
};
pub(crate) use watch::Watch;

/// What the client's connections need beside what is set for all measurements: ports enough for
/// a rate of short ones.
const SETTINGS: &[(&str, &str)] = &[
    ("ipv4/ip_local_port_range", "1024 65535"),
    // Those of wirepath's connections to backends.
    ("ipv4/ip_local_reserved_ports", "61000-65535"),
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

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xdp => "xdp",
            Self::Kernel => "kernel",
        })
    }
}

/// Where proxies listen.
const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Network::SERVER_V4), 8_080);

/// Who is behind a proxy, at the client's end of the link and on the client's core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// Echo on our stack, on the client's own worker.
    Wirepath,
    /// Echo on the kernel's sockets.
    Kernel,
}

impl Backend {
    const fn endpoint(self) -> SocketAddr {
        let address = match self {
            // Far from those of the client.
            Self::Wirepath => Ipv4Addr::new(10, 77, 0, 200),
            Self::Kernel => Network::CLIENT_V4,
        };
        SocketAddr::new(IpAddr::V4(address), 7)
    }
}

/// Where measurements are made.
pub(crate) struct Bed {
    network: Network,
    /// Of the server; `None` where there is but one.
    server_core: Option<usize>,
    /// Of the client's threads, one after the other: all others, the last one first.
    client_cores: Vec<usize>,
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
    /// Seconds of processor time that the whole machine took in a second.
    pub(crate) cpus: f64,
    /// Bytes that the connections took in a server with a process of its own, and in the kernel.
    pub(crate) memory: f64,
    /// Where the server's XDP program ran, if it had one.
    pub(crate) xdp_mode: Option<&'static str>,
}

impl Sample {
    /// Messages or connections a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// Megabits of text a second, one way.
    pub(crate) fn mbit_per_second(&self) -> f64 {
        self.bytes as f64 * 8.0 / 1e6 / self.seconds
    }

    /// Microseconds in which so large a share was answered.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        micros(&self.latencies, share)
    }
}

/// Microseconds that so large a share of what was measured does not exceed.
pub(crate) fn micros(nanoseconds: &Histogram<u64>, share: f64) -> f64 {
    nanoseconds.value_at_quantile(share) as f64 / 1e3
}

impl Bed {
    /// Makes the namespaces; packets have `mtu` bytes at most, and each end so many queues.
    ///
    /// # Errors
    /// Not root, or no iproute2.
    pub(crate) fn new(
        label: &str,
        mtu: u32,
        queues: u32,
        offloads: Offloads,
    ) -> anyhow::Result<(Self, Environment)> {
        let link = Link {
            queues,
            mtu,
            offloads,
        };
        raise_open_files();
        netns::sweep_stale()?;
        let network = Network::direct(label, &link)?;
        let settings = Settings {
            more: SETTINGS,
            real_time: false,
        };
        let environment = Environment::prepare(&network, &settings)?;
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let (server_core, client_cores) = match &ids[..] {
            [first, others @ ..] if !others.is_empty() => (
                Some(first.id),
                others.iter().rev().map(|core| core.id).collect(),
            ),
            _ => (None, Vec::new()),
        };
        let this = Self {
            network,
            server_core,
            client_cores,
            client_threads: 1,
        };
        Ok((this, environment))
    }

    /// Has a client on the kernel's sockets share its connections among so many threads. One on
    /// our own stack stays one worker: kernels spread their answers over queues as they like.
    pub(crate) const fn set_client_threads(&mut self, threads: usize) {
        self.client_threads = threads;
    }

    /// Has the kernel process what comes for a host's own sockets on the core of that host, and not
    /// of the sender (RPS). XDP comes before that, so AF_XDP is as without it.
    ///
    /// # Errors
    /// The kernel has no RPS.
    pub(crate) fn steer_packets(&self) -> anyhow::Result<()> {
        let (Some(server), Some(client)) = (self.server_core, self.client_core(0)) else {
            bail!("there is but one core, so nothing can be steered to another");
        };
        let ends = [
            (&self.network.server, Network::SERVER_INTERFACE, server),
            (&self.network.client, Network::CLIENT_INTERFACE, client),
        ];
        for (namespace, interface, core) in ends {
            let mask = cpu_mask(core);
            let write = format!(
                "for queue in /sys/class/net/{interface}/queues/rx-*; do \
                 echo {mask} > $queue/rps_cpus; done"
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
        let sample = self.load_on(server, client, load, &serving);
        sample.with_context(|| format!("{contender} as the server"))
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
        let sample = self.load_on(Running::Process(server), client, load, &serving);
        sample.with_context(|| format!("{contender} as the server"))
    }

    /// Puts a load on a proxy whose backend is an echo service at the client's end of the link.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub(crate) fn measure_proxy(
        &self,
        passer: Passer,
        backend: Backend,
        load: &Load,
    ) -> anyhow::Result<Sample> {
        let passing = Passing {
            front: PROXY,
            back: backend.endpoint(),
            core: self.server_core,
        };
        let (back, core) = (passing.back, self.client_core(0));
        let kernel = match backend {
            Backend::Kernel => Some(kernel_echo(&self.network.client, back, core)?),
            Backend::Wirepath => None,
        };
        let proxy = passer.start(&self.network.server, &passing)?;
        let xdp_mode = proxy.xdp_mode();
        let watch = Watch::start(None);
        let driver = Driver::new(*load, Some(Box::new(watch.clone())));
        let end = XdpEnd {
            echo: kernel.is_none().then_some(back),
            ..end(driver.connections())
        };
        let tally = self.on_client(|| XdpClient::open(&end, PROXY, driver)?.drive());
        let stopped = proxy.stop().and(kernel.map_or(Ok(()), Running::stop));
        let tally = stopped
            .and(tally)
            .with_context(|| format!("{passer:?} as the proxy"))?;
        Ok(Sample {
            xdp_mode,
            ..sample_of(&tally, load, &watch)
        })
    }

    fn load_on(
        &self,
        server: Running,
        client: ClientKind,
        load: &Load,
        serving: &Serving,
    ) -> anyhow::Result<Sample> {
        let xdp_mode = server.xdp_mode();
        let sample = self.sample(client, load, serving, server.pid());
        // Why a server has failed says more than what its client made of it.
        let sample = server.stop().and(sample)?;
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
            core: self.server_core,
            churns: load.task == Task::Connect || load.mix.is_some(),
            connections: load.connections,
        }
    }

    fn sample(
        &self,
        client: ClientKind,
        load: &Load,
        serving: &Serving,
        server: Option<u32>,
    ) -> anyhow::Result<Sample> {
        let watch = Watch::start(server);
        let endpoint = serving.endpoint();
        let tally = match client {
            ClientKind::Xdp => {
                let driver = Driver::new(*load, Some(Box::new(watch.clone())));
                let end = end(driver.connections());
                self.on_client(|| XdpClient::open(&end, endpoint, driver)?.drive())?
            }
            ClientKind::Kernel => self.drive_threads(load, endpoint, &watch)?,
        };
        Ok(sample_of(&tally, load, &watch))
    }

    /// Each thread measures its share; their histograms are added.
    fn drive_threads(
        &self,
        load: &Load,
        endpoint: SocketAddr,
        watch: &Watch,
    ) -> anyhow::Result<Tally> {
        let shares = load.shares(self.client_threads);
        let gate = Gate::of(shares.len());
        std::thread::scope(|scope| {
            let drive = |(number, share): (usize, Load)| {
                // The machine is watched by one of them.
                let watch = (number == 0).then(|| Box::new(watch.clone()) as Box<dyn Window>);
                let (core, client, gate) = (self.client_core(number), &self.network.client, &gate);
                scope.spawn(move || {
                    run(client, core, || {
                        let driver = Driver::of_several(share, watch, (gate, number as u64));
                        drive_kernel(driver, endpoint)
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

    /// The core of one of the client's threads; several share one where there are fewer.
    fn client_core(&self, thread: usize) -> Option<usize> {
        self.client_cores.iter().cycle().nth(thread).copied()
    }

    /// Runs `body` on a thread in the server's namespace, on the server's core.
    pub(crate) fn on_server<T: Send>(
        &self,
        body: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        run(&self.network.server, self.server_core, body)
    }

    /// The same at the client.
    pub(crate) fn on_client<T: Send>(
        &self,
        body: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        run(&self.network.client, self.client_core(0), body)
    }
}

fn sample_of(tally: &Tally, load: &Load, watch: &Watch) -> Sample {
    Sample {
        latencies: tally.latencies().clone(),
        bytes: tally.bytes(),
        seconds: load.span.as_secs_f64(),
        cpus: watch.cpus(),
        memory: watch.memory(),
        xdp_mode: None,
    }
}

/// A set of one core, as the kernel reads it: words of 32 bits in hex, the highest first.
fn cpu_mask(core: usize) -> String {
    let first = format!("{:x}", 1_u32 << (core % 32));
    first + &",00000000".repeat(core / 32)
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
        echo: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_beyond_the_first_words_stand_in_words_of_their_own() {
        let masks = [0, 5, 31, 32, 71].map(cpu_mask);
        let expected = ["1", "20", "80000000", "1,00000000", "80,00000000,00000000"];
        assert_eq!(masks, expected);
    }
}
