//! Our stack, inside this process.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use wirepath::netns::Network;
use wirepath::runtime::{
    Access, Idle, InterfaceOptions, ListenerOptions, ListenerSettings, PoolOptions, Runtime,
    ServerOptions,
};
use wirepath_apps::Role;
use wirepath_bpf::Mode;
use wirepath_stack::counters::Counters;
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::Config;
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_xdp::Options;

use super::{Place, Serving};

/// How long the RST of the client may take, which may be lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look for it.
const LOOK: Duration = Duration::from_millis(10);

/// What the server is told.
#[derive(Debug, Clone)]
pub(crate) struct WirepathSettings {
    pub(crate) role: Role,
    pub(crate) port: u16,
    pub(crate) pools: Vec<PoolOptions>,
    pub(crate) tcp: Config,
    pub(crate) idle: Idle,
    pub(crate) core: Option<usize>,
    pub(crate) capacity: Capacity,
}

impl WirepathSettings {
    /// Those of `wirepath SERVICE --idle spin --cores CORE`.
    pub(crate) fn fast(serving: &Serving) -> Self {
        Self {
            role: serving.service.into(),
            port: serving.service.port(),
            pools: Vec::new(),
            tcp: Config {
                nagle: false,
                ..Config::default()
            },
            idle: Idle::Spin,
            core: serving.core,
            capacity: Capacity {
                connections: serving.connections.max(Capacity::default().connections),
                ..Capacity::default()
            },
        }
    }
}

/// What `wirepath echo` and the like are, inside this process.
pub(crate) struct WirepathServer {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime,
}

impl WirepathServer {
    /// Starts it at the server's IPv4 address and the port of the service.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn start(place: &Place<'_>, settings: &WirepathSettings) -> anyhow::Result<Self> {
        // With a thread of its own: the control thread has work while nobody waits for it here.
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all();
        let (role, tcp) = (settings.role, settings.tcp);
        let options = ServerOptions {
            interfaces: vec![InterfaceOptions {
                name: Network::SERVER_INTERFACE.to_owned(),
                addresses: vec![Network::SERVER_V4.into()],
                queues: Vec::new(),
            }],
            listeners: vec![ListenerOptions {
                address: None,
                port: settings.port,
                settings: ListenerSettings {
                    role,
                    tcp,
                    access: Access::default(),
                },
            }],
            pools: settings.pools.clone(),
            source_ports: None,
            mode: None,
            device: Options::default(),
            workers: None,
            cores: settings.core.into_iter().collect(),
            idle: settings.idle,
            tcp,
            capacity: settings.capacity,
            checksums: ChecksumPolicy::Whole,
        };
        // The interface is that of the namespace in which it starts, and so are its threads.
        let (tokio, started) = place.run(|| {
            let tokio = builder.build()?;
            let started = tokio.block_on(Runtime::start(options));
            Ok::<_, std::io::Error>((tokio, started))
        })??;
        let runtime = started.context("wirepath does not start")?;
        let plane = runtime.plane();
        tokio.spawn(async move { plane.watch().await });
        Ok(Self { tokio, runtime })
    }

    /// Where the XDP program runs.
    pub(crate) fn mode(&self) -> Option<&'static str> {
        self.runtime.mode().map(|mode| match mode {
            Mode::Native => "native",
            Mode::Skb => "skb",
        })
    }

    /// Ends it, whoever is connected.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let stopped = self.runtime.stop(std::future::ready(()));
        self.tokio.block_on(stopped).context("wirepath failed")
    }

    /// What the worker has counted once its connections are gone: only then those of each count.
    pub(crate) fn quiet_counters(&self) -> anyhow::Result<Counters> {
        self.tokio.block_on(quiet_counters(&self.runtime))
    }
}

async fn quiet_counters(runtime: &Runtime) -> anyhow::Result<Counters> {
    let plane = runtime.plane();
    let worker = plane.workers().first().context("no worker")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let snapshot = worker.snapshot().await?;
        if snapshot.holdings.open == 0 {
            return Ok(snapshot.counters);
        }
        ensure!(
            Instant::now() < deadline,
            "the client is gone, and wirepath has not heard of it"
        );
        tokio::time::sleep(LOOK).await;
    }
}
