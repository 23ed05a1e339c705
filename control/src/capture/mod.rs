//! Captures of what a running server receives and sends, as pcapng.
//!
//! A recorder on each worker copies the frames that a filter takes into a buffer. The control
//! thread exchanges the buffers for empty ones, many times a second, and puts what the workers
//! saw in the order of time. A worker never waits: what finds no room is counted.

mod block;
mod filter;
mod merge;
mod pcapng;
mod recorder;

pub(crate) use block::{ENHANCED_PACKET, Record};
pub use filter::{Filter, FilterError};
pub(crate) use pcapng::Pcapng;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriteError;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::runtime::{AskError, ControlPlane, WorkerHandle};
use merge::Merge;
use recorder::{Clock, Counts, Recorder, Stamp};

/// How often buffers are exchanged.
const INTERVAL: Duration = Duration::from_millis(20);
/// Bytes that the buffers of all workers may have, and those of one at most.
const BUFFERS: usize = 64 << 20;
const BUFFER: usize = 8 << 20;
/// Bytes that each worker records in a second at most, and a buffer more after a quiet time: to
/// copy all that a fast link carries would cost connections more than 3 % (docs/performance.md).
const BYTES_PER_SECOND: f64 = (128 << 20) as f64;
/// Longest part of a frame that is kept, and the default.
pub const SNAPLEN_MAX: u32 = 65_535;

/// What to capture.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// Which frames.
    pub filter: Filter,
    /// How many bytes of each, at most [`SNAPLEN_MAX`].
    pub snaplen: u32,
    /// After how many frames to end.
    pub count: Option<u64>,
    /// After how long to end.
    pub limit: Option<Duration>,
}

/// Why there is no capture, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A worker has as many as it may.
    #[error(
        "{} captures are running, which is all there can be",
        wirepath_stack::limits::TAPS
    )]
    TooMany,
    /// A worker did not answer.
    #[error(transparent)]
    Worker(#[from] AskError),
    /// A block could not be written.
    #[error(transparent)]
    Pcapng(#[from] PcapNgWriteError),
}

/// The captures of a server.
#[derive(Debug)]
pub struct Captures {
    plane: Arc<ControlPlane>,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    last: u64,
    ends: BTreeMap<u64, Arc<Notify>>,
}

impl Captures {
    /// Captures of this server.
    #[must_use]
    pub fn new(plane: Arc<ControlPlane>) -> Arc<Self> {
        let running = Mutex::default();
        Arc::new(Self { plane, running })
    }

    /// Begins one. Dropping it ends it.
    ///
    /// # Errors
    /// See [`CaptureError`]; no worker records in that case.
    pub async fn start(self: &Arc<Self>, options: CaptureOptions) -> Result<Capture, CaptureError> {
        let end = Arc::new(Notify::new());
        let id = self.with_running(|running| {
            running.last += 1;
            running.ends.insert(running.last, Arc::clone(&end));
            running.last
        });
        let capture = Capture {
            captures: Arc::clone(self),
            id,
            end,
            clock: Clock::start(),
            deadline: options.limit.map(|limit| Instant::now() + limit),
            left: options.count.unwrap_or(u64::MAX),
            exchanged: Instant::now(),
            stage: Stage::Runs,
            pcapng: Pcapng::new()?,
            parts: self.parts(),
            merge: Merge::default(),
        };
        capture.begin(options).await
    }

    /// Has a capture end, with all that was recorded until now. Whether it was running.
    pub fn end(&self, id: u64) -> bool {
        let end = self.with_running(|running| running.ends.get(&id).cloned());
        end.inspect(|end| end.notify_one()).is_some()
    }

    fn with_running<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        let running = self.running.lock();
        act(&mut running.unwrap_or_else(PoisonError::into_inner))
    }

    fn parts(&self) -> Vec<Part> {
        let workers = self.plane.workers();
        let mut first = 0;
        let part = |worker: &WorkerHandle| {
            let devices = worker.queues().len();
            let part = Part {
                first_interface: first,
                counts: vec![Counts::default(); devices],
                buffer: (BUFFERS / workers.len()).min(BUFFER),
            };
            first += devices as u32;
            part
        };
        workers.iter().map(part).collect()
    }
}

/// A worker's part of a capture.
#[derive(Debug)]
struct Part {
    /// The number of its first queue's interface.
    first_interface: u32,
    counts: Vec<Counts>,
    /// Bytes of a buffer.
    buffer: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Runs,
    /// All frames were given; what they were is not told yet.
    Ends,
    Over,
}

/// A capture that runs.
#[derive(Debug)]
pub struct Capture {
    captures: Arc<Captures>,
    id: u64,
    end: Arc<Notify>,
    clock: Clock,
    deadline: Option<Instant>,
    /// Frames until the end.
    left: u64,
    /// When buffers were last exchanged.
    exchanged: Instant,
    stage: Stage,
    pcapng: Pcapng,
    parts: Vec<Part>,
    merge: Merge,
}

impl Capture {
    /// What it is called, for [`Captures::end`].
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// More of it, in whole blocks; `None` at the end.
    ///
    /// # Errors
    /// A worker has ended.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CaptureError> {
        while self.stage == Stage::Runs {
            let head = self.pcapng.take();
            if !head.is_empty() {
                return Ok(Some(head.into()));
            }
            let ends = self.wait().await;
            let blocks = self.gather(ends).await?;
            if ends || self.left == 0 {
                self.stage = Stage::Ends;
            }
            if !blocks.is_empty() {
                return Ok(Some(blocks));
            }
        }
        if self.stage == Stage::Over {
            return Ok(None);
        }
        self.stage = Stage::Over;
        let span = (self.clock.began(), self.clock.now());
        for part in &self.parts {
            for (interface, &counts) in (part.first_interface..).zip(&part.counts) {
                self.pcapng.statistics(interface, counts, span)?;
            }
        }
        Ok(Some(self.pcapng.take().into()))
    }

    async fn begin(mut self, options: CaptureOptions) -> Result<Self, CaptureError> {
        let (plane, filter) = (Arc::clone(&self.captures.plane), options.filter.text());
        for worker in plane.workers() {
            for queue in worker.queues() {
                let name = format!("{} queue {}", queue.interface, queue.number);
                let (ethernet, name) = (DataLink::ETHERNET, (name.as_str(), filter));
                self.pcapng.interface(ethernet, name, options.snaplen)?;
            }
        }
        for (worker, part) in plane.workers().iter().zip(&self.parts) {
            let recorder = Recorder {
                capture: self.id,
                filter: options.filter.clone(),
                snaplen: options.snaplen as usize,
                clock: self.clock,
                first_interface: part.first_interface,
                budget: part.buffer,
                buffer: Vec::with_capacity(part.buffer),
                counts: part.counts.clone(),
                stamp: Stamp::default(),
            };
            let add = worker.ask(move |_, worker| worker.taps().add(Box::new(recorder)).is_ok());
            if !add.await? {
                return Err(CaptureError::TooMany);
            }
        }
        Ok(self)
    }

    /// Waits until the next exchange. Whether it is the last.
    async fn wait(&self) -> bool {
        let limit = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.end.notified() => true,
            () = limit => true,
            () = sleep(INTERVAL) => false,
        }
    }

    /// Exchanges the buffers, and returns what is in its place in time: at the end all.
    async fn gather(&mut self, ends: bool) -> Result<Bytes, CaptureError> {
        let plane = Arc::clone(&self.captures.plane);
        let since = self.exchanged.elapsed();
        self.exchanged = Instant::now();
        let more = (BYTES_PER_SECOND * since.as_secs_f64()) as usize;
        let mut until = Duration::MAX;
        for (number, (worker, part)) in plane.workers().iter().zip(&mut self.parts).enumerate() {
            let (id, empty) = (self.id, self.merge.buffers.take(part.buffer));
            let exchange = worker.ask(move |_, worker| {
                let recorder = worker.taps().find(|it: &Recorder| it.capture == id);
                recorder.map(|recorder| recorder.exchange(empty, more))
            });
            if let Some(harvest) = exchange.await? {
                until = until.min(harvest.until);
                part.counts = harvest.counts;
                self.merge.add(number, harvest.blocks);
            }
        }
        if self.left == u64::MAX
            && let Some(whole) = self.merge.whole()
        {
            return Ok(Bytes::from_owner(whole));
        }
        let until = if ends { Duration::MAX } else { until };
        let until = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        let mut blocks = Vec::new();
        self.left -= self.merge.drain(until, self.left, &mut blocks);
        Ok(blocks.into())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let id = self.id;
        self.captures
            .with_running(|running| running.ends.remove(&id));
        // Outside of the control thread's runtime there is no server any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        for worker in self.captures.plane.workers() {
            let worker = worker.clone();
            runtime.spawn(async move {
                let is_meant = move |it: &Recorder| it.capture == id;
                // A worker that has ended records nothing.
                let _ = worker
                    .ask(move |_, worker| worker.taps().remove(is_meant))
                    .await;
            });
        }
    }
}
