//! What a server counted and measured, as JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wirepath_apps::proxy::{BackendReport, PoolReport};
use wirepath_stack::counters::Counters;
use wirepath_stack::worker::Holdings;
use wirepath_tcp::state::State;

use super::model::Listener;
use crate::runtime::{Meter, QueueReport, ServerReport, Spans, Stage, WorkerReport};

/// What a server counted since it started, and holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Counters of all workers together, by name.
    pub counters: BTreeMap<String, u64>,
    /// Frames and segments dropped, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Connections that entered each state.
    pub states_entered: BTreeMap<String, u64>,
    /// Frames by what the XDP program did with them.
    pub steering: BTreeMap<String, u64>,
    /// Whole connections now.
    pub open: usize,
    /// Those of them on which nothing is under way, and which take less room.
    pub resting: usize,
    /// Unfinished handshakes now.
    pub half_open: usize,
    /// Connections in TIME-WAIT now.
    pub time_wait: usize,
    /// Blocks of text in use now.
    pub blocks: usize,
    /// Blocks of text in all.
    pub blocks_total: usize,
    /// Connections that the directory of several workers knows now.
    pub known_connections: usize,
    /// Times that a worker was stuck in one turn for a second or more.
    pub stalls: u64,
    /// Each worker, by number.
    pub workers: Vec<WorkerStats>,
    /// Each listener, by endpoint.
    pub listeners: Vec<Listener>,
    /// Each pool of backends, by name.
    pub pools: BTreeMap<String, PoolStats>,
    /// Whether all frames are accounted for.
    pub frames_balance: bool,
}

/// What a pool of backends has and did, on all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStats {
    /// Connections that clients have now.
    pub clients: usize,
    /// Clients that wait for a backend to have room.
    pub queued: usize,
    /// Clients that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Its backends.
    pub backends: Vec<BackendStats>,
}

/// What a backend has and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStats {
    /// Where it is.
    pub address: SocketAddr,
    /// How it stands: up, ejected, down, unrouted, draining, disabled or removed.
    pub state: String,
    /// Connections and attempts now.
    pub held: usize,
    /// Its counters, by name.
    pub counters: BTreeMap<String, u64>,
}

/// What one worker has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Whole connections now.
    pub open: usize,
    /// Connections established since it started.
    pub opened: u64,
    /// Frames that it has handed over to others.
    pub handed_over: u64,
    /// Frames that others have handed over to it.
    pub taken_over: u64,
    /// Its counters, by name.
    pub counters: BTreeMap<String, u64>,
    /// Frames and segments it dropped, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Microseconds in turns that did something.
    pub busy_us: u64,
    /// All other microseconds.
    pub idle_us: u64,
    /// Turns that did something.
    pub busy_turns: u64,
    /// How long the stages of a turn took, by name, of one turn in 64.
    pub stages: BTreeMap<String, Quantiles>,
    /// What each of its queues has carried.
    pub traffic: Vec<QueueStats>,
}

impl WorkerStats {
    /// The numbers of its queues, `0,2`; with their interfaces where it has those of several,
    /// `eth0:0,2 eth1:0`.
    #[must_use]
    pub fn queues(&self) -> String {
        let of = |interface: &str| {
            let here = self.traffic.iter().filter(|it| it.interface == interface);
            let numbers: Vec<String> = here.map(|it| it.queue.to_string()).collect();
            numbers.join(",")
        };
        let mut interfaces: Vec<&str> = self.traffic.iter().map(|it| &*it.interface).collect();
        interfaces.dedup();
        match interfaces[..] {
            [] => String::new(),
            [one] => of(one),
            _ => {
                let named = interfaces.iter().map(|it| format!("{it}:{}", of(it)));
                named.collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// How long something took, in nanoseconds, to two digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How often it was measured.
    pub count: u64,
    /// Half took no longer.
    pub p50_ns: u64,
    /// Nine of ten took no longer.
    pub p90_ns: u64,
    /// All but one in a hundred took no longer.
    pub p99_ns: u64,
    /// All but one in a thousand took no longer.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Each span that was measured, in order, and how often.
    pub spans: Vec<(u64, u64)>,
}

/// What one queue has carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStats {
    /// The interface that it is of.
    pub interface: String,
    /// Its number there.
    pub queue: u32,
    /// Frames received.
    pub frames_in: u64,
    /// Bytes received, link headers included.
    pub bytes_in: u64,
    /// Batches that the frames came in.
    pub batches_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes sent, link headers included.
    pub bytes_out: u64,
    /// Frames dropped by the kernel because the receive ring was full.
    pub rx_ring_full: u64,
    /// Frames dropped by the kernel for other reasons.
    pub rx_dropped: u64,
    /// How often the kernel found no frame to receive into.
    pub fill_ring_empty: u64,
}

impl Stats {
    /// All workers together and each alone.
    #[must_use]
    pub fn of(report: &ServerReport) -> Self {
        let mut counters = Counters::default();
        let mut holdings = Holdings::default();
        for worker in &report.workers {
            counters.add(&worker.snapshot.counters);
            holdings.add(&worker.snapshot.holdings);
        }
        let states = State::ALL.iter().map(|state| state.name());
        Self {
            drops: drops(&counters),
            states_entered: named(states.zip(counters.entered)),
            counters: plain(&counters),
            steering: named(report.steering.iter().map(|(&name, &count)| (name, count))),
            open: holdings.open,
            resting: holdings.resting,
            half_open: holdings.half_open,
            time_wait: holdings.time_wait,
            blocks: holdings.blocks,
            blocks_total: holdings.blocks_total,
            known_connections: report.known_connections,
            stalls: report.stalls,
            workers: report.workers.iter().map(WorkerStats::from).collect(),
            listeners: report.listeners.iter().map(Listener::from).collect(),
            pools: report.pools.iter().map(pool).collect(),
            frames_balance: report.workers.iter().all(|w| w.snapshot.frames_balance),
        }
    }
}

/// What is told of a pool.
pub(super) fn pool((name, report): (&String, &PoolReport)) -> (String, PoolStats) {
    let counts = |(name, _, count)| (name, count);
    let backend = |backend: &BackendReport| BackendStats {
        address: backend.endpoint.into(),
        state: backend.standing.name().to_owned(),
        held: backend.held,
        counters: named(backend.tally.table().map(counts)),
    };
    let stats = PoolStats {
        clients: report.clients,
        queued: report.queued,
        refused: named(report.refusals.table().map(counts)),
        backends: report.backends.iter().map(backend).collect(),
    };
    (name.clone(), stats)
}

impl From<&WorkerReport> for WorkerStats {
    fn from(worker: &WorkerReport) -> Self {
        let (counters, meter) = (&worker.snapshot.counters, &worker.meter);
        Self {
            open: worker.snapshot.holdings.open,
            opened: counters.opened,
            handed_over: counters.handed_over,
            taken_over: counters.taken_over,
            counters: plain(counters),
            drops: drops(counters),
            busy_us: micros(meter.busy()),
            idle_us: micros(meter.idle()),
            busy_turns: meter.busy_turns(),
            stages: stages(meter),
            traffic: worker.queues.iter().map(QueueStats::from).collect(),
        }
    }
}

impl From<&Spans> for Quantiles {
    fn from(spans: &Spans) -> Self {
        Self {
            count: spans.count(),
            p50_ns: spans.quantile(0.5),
            p90_ns: spans.quantile(0.9),
            p99_ns: spans.quantile(0.99),
            p999_ns: spans.quantile(0.999),
            max_ns: spans.max(),
            spans: spans.counts().collect(),
        }
    }
}

impl From<&QueueReport> for QueueStats {
    fn from(report: &QueueReport) -> Self {
        let (traffic, kernel) = (&report.traffic, &report.kernel);
        Self {
            interface: report.queue.interface.to_string(),
            queue: report.queue.number,
            frames_in: traffic.frames_in,
            bytes_in: traffic.bytes_in,
            batches_in: traffic.batches_in,
            frames_out: traffic.frames_out,
            bytes_out: traffic.bytes_out,
            rx_ring_full: kernel.rx_ring_full,
            rx_dropped: kernel.rx_dropped,
            fill_ring_empty: kernel.fill_ring_empty,
        }
    }
}

fn named<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

fn plain(counters: &Counters) -> BTreeMap<String, u64> {
    let table = counters.table().into_iter();
    named(table.map(|(name, _, count)| (name, count)))
}

fn drops(counters: &Counters) -> BTreeMap<String, u64> {
    named(counters.drops().filter(|&(_, count)| count > 0))
}

fn stages(meter: &Meter) -> BTreeMap<String, Quantiles> {
    let stages = Stage::ALL.into_iter();
    let quantiles = |stage: Stage| (stage.name().to_owned(), Quantiles::from(meter.spans(stage)));
    stages.map(quantiles).collect()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
