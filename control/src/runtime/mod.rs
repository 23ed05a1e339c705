//! A running server: XDP program, devices, worker threads, and the control thread that minds them.

mod access;
mod backends;
mod directory;
mod error;
mod hand_over;
mod host;
mod interface_plan;
mod mailbox;
mod meter;
mod next_hop;
mod place;
mod plane;
mod pools;
mod replace;
mod report;
mod reservation;
mod set_up;
mod source_ports;
mod watch;
mod worker;

pub use access::Access;
pub use error::StartError;
pub use host::{HostFacts, look};
pub use mailbox::{AskError, Snapshot, WorkerHandle};
pub use meter::{Meter, Spans, Stage, TURNS_PER_SAMPLE};
pub use place::Queue;
pub use plane::{ControlPlane, ListenError, ListenerInfo, ListenerSettings};
pub use pools::{PoolNumbers, PoolOptions};
pub use replace::{ListenerChange, ListenerChanges};
pub use report::{FlowChunk, QueueReport, ServerReport, WorkerReport};
pub use set_up::rehearse;
pub use worker::Idle;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use wirepath_bpf::{Attachment, Mode};
use wirepath_stack::limits::Capacity;
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_tcp::config::Config;
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_xdp::Options;

/// How long peers get to answer a reset, which none need, when the server stops.
const FAREWELL: Duration = Duration::from_millis(100);
/// How often the control thread looks at what it waits for.
const LOOK: Duration = Duration::from_millis(10);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The interfaces to serve on, one at least. Who waits at all addresses waits at those of the
    /// first.
    pub interfaces: Vec<InterfaceOptions>,
    /// Who waits where.
    pub listeners: Vec<ListenerOptions>,
    /// Backends that listeners pass connections on to, in the order of their numbers.
    pub pools: Vec<PoolOptions>,
    /// Ports of connections to backends; `None` for what suits the addresses.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Where the XDP program runs; `None` tries native first.
    pub mode: Option<Mode>,
    /// Sockets and frames.
    pub device: Options,
    /// How many workers share the queues; `None` takes one for each core that is named, or for
    /// each core there is, but no more than queues.
    pub workers: Option<usize>,
    /// Cores for the workers, one after the other; when empty, wherever the kernel puts them.
    pub cores: Vec<usize>,
    /// What a worker does when there is nothing to do.
    pub idle: Idle,
    /// Settings of connections whose listener says nothing: of one that is added later.
    pub tcp: Config,
    /// How much a worker may hold.
    pub capacity: Capacity,
    /// Which checksums of received segments are taken.
    pub checksums: ChecksumPolicy,
}

/// An interface to serve on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceOptions {
    /// Its name.
    pub name: String,
    /// The addresses to serve; when empty, all that the interface has. One that it does not have
    /// is owned: ARP, NDP and ICMP of it are answered here.
    pub addresses: Vec<IpAddr>,
    /// The queues to serve; when empty, all. What is ours on the others is dropped.
    pub queues: Vec<u32>,
}

/// A listener that a server is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerOptions {
    /// Its one address; `None` for all those of the first interface.
    pub address: Option<IpAddr>,
    /// Its port, from 1.
    pub port: u16,
    /// What its connections get.
    pub settings: ListenerSettings,
}

impl ListenerOptions {
    /// The endpoints of it, on a server of these addresses.
    pub(crate) fn endpoints(
        &self,
        addresses: &[LocalAddress],
    ) -> impl Iterator<Item = (SocketAddr, ListenerSettings)> {
        let first = addresses
            .iter()
            .filter(|local| local.interface == InterfaceId::default());
        let addresses: Vec<_> = match self.address {
            Some(address) => vec![address],
            None => first.map(|local| local.address).collect(),
        };
        let at = |address| (SocketAddr::new(address, self.port), self.settings.clone());
        addresses.into_iter().map(at)
    }
}

/// A server that runs. Dropping it stops it at once; [`stop`](Self::stop) does so in peace.
#[derive(Debug)]
pub struct Runtime {
    plane: Arc<ControlPlane>,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
    /// Taken away before the devices are closed.
    attachments: Vec<Attachment>,
}

impl Runtime {
    /// Sets everything up and starts the workers.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left behind in that case.
    pub async fn start(options: ServerOptions) -> Result<Self, StartError> {
        set_up::start(options).await
    }

    /// What can be asked of it and changed, for as long as it runs.
    #[must_use]
    pub fn plane(&self) -> Arc<ControlPlane> {
        Arc::clone(&self.plane)
    }

    /// Where the XDP program of the first interface runs.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.attachments.first().map(Attachment::mode)
    }

    /// Waits until a worker ends by itself, which none should.
    pub async fn failed(&self) {
        while !self.threads.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(10 * LOOK).await;
        }
    }

    /// Stops accepting, closes connections with a FIN, resets those that have not followed when
    /// `patience` ends, and takes everything down.
    ///
    /// # Errors
    /// Why a worker had ended, if one had.
    pub async fn stop(self, patience: impl Future<Output = ()>) -> std::io::Result<()> {
        self.close(patience).await;
        self.end()
    }

    /// The first part of [`stop`](Self::stop), in which all can still be asked.
    pub async fn close(&self, patience: impl Future<Output = ()>) {
        self.plane.take_no_more().await;
        let workers = self.plane.workers();
        workers.iter().for_each(WorkerHandle::drain);
        self.wait_until_closed(patience).await;
        workers.iter().for_each(WorkerHandle::abort_all);
        self.wait_until_closed(tokio::time::sleep(FAREWELL)).await;
    }

    /// Ends it as it is.
    ///
    /// # Errors
    /// Why a worker had ended, if one had.
    pub fn end(mut self) -> std::io::Result<()> {
        self.take_down()
    }

    async fn wait_until_closed(&self, patience: impl Future<Output = ()>) {
        let closed = async {
            loop {
                let mut open = 0;
                for worker in self.plane.workers() {
                    let holdings = worker.snapshot().await.map(|snapshot| snapshot.holdings);
                    open += holdings.map_or(0, |holdings| holdings.open);
                }
                if open == 0 {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        // A worker that hangs must not hang the end.
        tokio::select! {
            () = closed => {}
            () = patience => {}
        }
    }

    fn take_down(&mut self) -> std::io::Result<()> {
        self.attachments.clear();
        self.plane.workers().iter().for_each(WorkerHandle::end);
        let mut end = Ok(());
        for thread in self.threads.drain(..) {
            let panicked = |_| Err(std::io::Error::other("a worker has panicked"));
            end = end.and(thread.join().unwrap_or_else(panicked));
        }
        end
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Err(error) = self.take_down() {
            tracing::error!(%error, "a worker failed");
        }
    }
}
