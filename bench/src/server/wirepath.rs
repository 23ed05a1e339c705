//! Our stack as the sender.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use wirepath::netns::{Namespace, Network};
use wirepath::runtime::{Idle, ListenerOptions, ListenerSettings, Runtime, ServerOptions};
use wirepath_apps::Service;
use wirepath_bpf::Mode;
use wirepath_stack::counters::Counters;
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::{Config, CongestionControl};
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_xdp::Options;

use super::ADDRESS;

/// How long the RST of the client may take, which may be lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look for it.
const LOOK: Duration = Duration::from_millis(10);

/// What `wirepath chargen` is, inside this process.
pub(crate) struct WirepathServer {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime,
}

impl WirepathServer {
    /// Starts it with the settings of the command.
    pub(super) fn start(
        namespace: &Namespace,
        congestion: CongestionControl,
    ) -> anyhow::Result<Self> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let tcp = Config {
            nagle: false,
            congestion,
            ..Config::default()
        };
        let options = ServerOptions {
            interface: Network::SERVER_INTERFACE.to_owned(),
            addresses: vec![ADDRESS.ip()],
            listeners: vec![ListenerOptions {
                address: None,
                port: ADDRESS.port(),
                settings: ListenerSettings {
                    service: Service::Chargen,
                    tcp,
                },
            }],
            mode: None,
            device: Options::default(),
            queues: Vec::new(),
            workers: None,
            cores: Vec::new(),
            idle: Idle::Adaptive,
            tcp,
            capacity: Capacity::default(),
            checksums: ChecksumPolicy::Whole,
        };
        // The interface is that of the namespace in which it starts, and so are its threads.
        let started = namespace.run(|| tokio.block_on(Runtime::start(options)))?;
        let runtime = started.context("wirepath does not start")?;
        Ok(Self { tokio, runtime })
    }

    /// Where the XDP program runs.
    pub(super) fn mode(&self) -> Option<&'static str> {
        self.runtime.mode().map(|mode| match mode {
            Mode::Native => "native",
            Mode::Skb => "skb",
        })
    }

    pub(super) fn stop(self) -> anyhow::Result<u64> {
        self.tokio.block_on(async {
            let counters = quiet_counters(&self.runtime).await?;
            let stopped = self.runtime.stop(std::future::ready(())).await;
            stopped.context("wirepath failed")?;
            Ok(counters.retransmissions)
        })
    }
}

/// What the worker has counted once its connections are gone: only then those of each count.
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
