//! What a running server shows of itself: flows in pieces, and all that is counted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use wirepath_apps::proxy::PoolReport;
use wirepath_stack::worker::{Cursor, FlowInfo, FlowView, Traffic};
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_xdp::Statistics;

use super::mailbox::{AskError, WorkerHandle};
use super::meter::Meter;
use super::place::Queue;
use super::{ControlPlane, ListenerInfo, Snapshot};

/// Places for flows that a worker looks at between two turns: some 50 us when all are taken.
const SLOTS_PER_ERRAND: u32 = 256;

/// Flows of one worker, and where to go on.
#[derive(Debug)]
pub struct FlowChunk {
    /// Those that were wanted.
    pub flows: Vec<FlowInfo>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
    /// The worker's clock, to which deadlines refer.
    pub now: Instant,
}

/// What one queue has carried.
#[derive(Debug, Clone)]
pub struct QueueReport {
    /// Which it is.
    pub queue: Queue,
    /// What the worker has counted.
    pub traffic: Traffic,
    /// What the kernel has counted for its socket.
    pub kernel: Statistics,
}

/// All that one worker has counted and measured.
#[derive(Debug, Clone)]
pub struct WorkerReport {
    /// Its number, from 0.
    pub number: usize,
    /// Its counters and holdings.
    pub snapshot: Snapshot,
    /// How busy it was, and how long its turns took.
    pub meter: Meter,
    /// Its queues.
    pub queues: Vec<QueueReport>,
}

/// All that a server has counted and measured since it started.
#[derive(Debug, Clone)]
pub struct ServerReport {
    /// Its workers, by number.
    pub workers: Vec<WorkerReport>,
    /// Who listens.
    pub listeners: Vec<ListenerInfo>,
    /// Pools of backends, by name.
    pub pools: BTreeMap<String, PoolReport>,
    /// Frames by what the XDP programs did with them.
    pub steering: BTreeMap<&'static str, u64>,
    /// Connections that the directory of several workers knows.
    pub known_connections: usize,
    /// Times that a worker was stuck.
    pub stalls: u64,
}

impl WorkerHandle {
    /// Flows from `from` on that are `wanted`, at most `limit`. Looks at few in one turn, so that
    /// connections do not wait: there may be none, and yet more to come.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn flows(
        &self,
        from: Cursor,
        limit: usize,
        wanted: impl Fn(&FlowView<'_>) -> bool + Send + 'static,
    ) -> Result<FlowChunk, AskError> {
        self.ask(move |now, worker| {
            let mut flows = Vec::new();
            let next = worker.look(from, SLOTS_PER_ERRAND, |view| {
                if wanted(view) {
                    flows.push(view.info());
                }
                if flows.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            FlowChunk { flows, next, now }
        })
        .await
    }

    /// How many flows are in each state, in the order of [`State::ALL`].
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn states(&self) -> Result<[u64; State::ALL.len()], AskError> {
        let mut counts = [0; State::ALL.len()];
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            let count = move |_, worker: &mut super::mailbox::Served| {
                let mut part = [0_u64; State::ALL.len()];
                let next = worker.look(from, SLOTS_PER_ERRAND, |view| {
                    part[view.state as usize] += 1;
                    ControlFlow::Continue(())
                });
                (part, next)
            };
            let (part, on) = self.ask(count).await?;
            counts
                .iter_mut()
                .zip(part)
                .for_each(|(all, new)| *all += new);
            next = on;
        }
        Ok(counts)
    }

    async fn report(&self) -> Result<WorkerReport, AskError> {
        let queues = self.queues().to_vec();
        let queues = self.ask(move |_, worker| {
            let traffic: Vec<Traffic> = worker.traffic().collect();
            let devices = queues.into_iter().zip(traffic).enumerate();
            let report = |(index, (queue, traffic))| QueueReport {
                queue,
                traffic,
                kernel: worker
                    .device_mut(index)
                    .and_then(|device| device.statistics().ok())
                    .unwrap_or_default(),
            };
            devices.map(report).collect()
        });
        Ok(WorkerReport {
            number: self.number(),
            queues: queues.await?,
            snapshot: self.snapshot().await?,
            meter: self.meter().await?,
        })
    }
}

impl ControlPlane {
    /// All that is counted and measured.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn report(&self) -> Result<ServerReport, AskError> {
        let mut workers = Vec::with_capacity(self.workers().len());
        for worker in self.workers() {
            workers.push(worker.report().await?);
        }
        // Without them the rest is still worth to be known.
        let steering = self.site.verdicts().unwrap_or_default();
        Ok(ServerReport {
            workers,
            listeners: self.listeners().await?,
            pools: self.pools().await?,
            steering,
            known_connections: self.known_connections(),
            stalls: self.stalls(),
        })
    }

    /// How many flows are in each state, in the order of [`State::ALL`]; LISTEN are the listeners.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn states(&self) -> Result<[u64; State::ALL.len()], AskError> {
        let mut counts = [0; State::ALL.len()];
        for worker in self.workers() {
            let part = worker.states().await?;
            counts
                .iter_mut()
                .zip(part)
                .for_each(|(all, new)| *all += new);
        }
        let listeners = self.listeners().await?;
        counts[State::Listen as usize] += listeners.iter().filter(|l| !l.closing).count() as u64;
        Ok(counts)
    }
}
