//! The thread of a worker.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use core_affinity::CoreId;
use wirepath_stack::clock::MonotonicClock;
use wirepath_stack::link::InterfaceId;
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::MacAddr;
use wirepath_xdp::XdpDevice;

use super::StartError;
use super::hand_over::Room;
use super::mailbox::{Inbox, Served, WorkerHandle, mailbox};
use super::meter::Meter;
use super::place::Queue;

/// How long an adaptive worker spins before it sleeps. Waking costs the peer about 4 us.
const SPIN: Duration = Duration::from_micros(50);
/// How long it sleeps at most.
const NAP: Duration = Duration::from_millis(500);

/// What a worker does when there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// Looks again at once: the least latency, a whole core.
    Spin,
    /// Sleeps until a frame comes.
    #[default]
    Adaptive,
}

/// A worker that is to be started.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) number: usize,
    pub(super) core: Option<CoreId>,
    pub(super) idle: Idle,
    /// One for all workers: cookies and sequence numbers of one are good at another.
    pub(super) clock: MonotonicClock,
    pub(super) rooms: Arc<[Room]>,
    /// Its queues.
    pub(super) devices: Vec<WorkerDevice>,
}

/// A device, and the interface that it is of.
#[derive(Debug)]
pub(super) struct WorkerDevice {
    pub(super) interface: InterfaceId,
    pub(super) queue: Queue,
    pub(super) mac: MacAddr,
    pub(super) device: XdpDevice,
}

impl Seat {
    /// Starts the thread. `make` is called there with the devices: frames do not leave the thread
    /// that took them.
    pub(super) fn take(
        self,
        make: impl FnOnce(Vec<WorkerDevice>) -> Served + Send + 'static,
    ) -> Result<(WorkerHandle, JoinHandle<io::Result<()>>), StartError> {
        let failed = |source| StartError::System {
            what: "start a worker thread",
            source,
        };
        // Any device wakes the worker from its sleep on all.
        let waker = self.devices.first().map(|it| it.device.waker());
        let waker = waker.ok_or_else(|| failed(io::Error::other("there is no queue to serve")))?;
        let queues = self.devices.iter().map(|it| it.queue.clone());
        let rooms = Arc::clone(&self.rooms);
        let (handle, inbox) = mailbox(self.number, queues.collect(), waker, rooms);
        let thread = std::thread::Builder::new().name(format!("worker-{}", self.number));
        let thread = thread.spawn(move || {
            if let Some(core) = self.core {
                core_affinity::set_for_current(core);
            }
            let room = &self.rooms[self.number];
            let worker = make(self.devices);
            run(worker, &inbox, room, (self.clock, self.idle))
        });
        Ok((handle, thread.map_err(failed)?))
    }
}

/// Turns the worker until it is told to end.
fn run(
    mut worker: Served,
    inbox: &Inbox,
    room: &Room,
    (clock, idle): (MonotonicClock, Idle),
) -> io::Result<()> {
    let mut busy_at = clock.now();
    let mut meter = Meter::new(busy_at);
    loop {
        let now = clock.now();
        room.note_turn();
        let progress = meter.turn(&clock, now, &mut worker)?;
        if !inbox.attend(now, &mut worker, &meter) {
            return Ok(());
        }
        // A device with frames that it cannot send wakes from its sleep by itself.
        let more = worker.has_work() && !worker.is_stalled();
        if !progress.is_idle() || more || !inbox.is_empty() {
            busy_at = now;
        } else if idle == Idle::Adaptive && now.since(busy_at) >= SPIN {
            if room.lie_down() {
                worker.wait(nap(now, worker.next_deadline()))?;
            }
            room.get_up();
        }
    }
}

/// How long to sleep: until the next timer, and not too long.
fn nap(now: Instant, deadline: Option<Instant>) -> Duration {
    deadline.map_or(NAP, |deadline| deadline.since(now).min(NAP))
}
