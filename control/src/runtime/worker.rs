//! The thread of a worker.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use core_affinity::CoreId;
use wirepath_stack::clock::MonotonicClock;
use wirepath_tcp::time::Instant;
use wirepath_xdp::XdpDevice;

use super::StartError;
use super::mailbox::{Inbox, Served, WorkerHandle, mailbox};

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

/// Starts the thread of a worker on `core`, if one is named. `make` is called there with the
/// devices: frames do not leave the thread that took them.
pub(super) fn spawn(
    core: Option<CoreId>,
    idle: Idle,
    devices: Vec<XdpDevice>,
    make: impl FnOnce(Vec<XdpDevice>) -> Served<XdpDevice> + Send + 'static,
) -> Result<(WorkerHandle, JoinHandle<io::Result<()>>), StartError> {
    let failed = |source| StartError::System {
        what: "start a worker thread",
        source,
    };
    // Any device wakes the worker from its sleep on all.
    let waker = devices.first().map(XdpDevice::waker);
    let waker = waker.ok_or_else(|| failed(io::Error::other("there is no queue to serve")))?;
    let (handle, inbox) = mailbox(waker);
    let thread = std::thread::Builder::new().name("worker-0".to_owned());
    let thread = thread.spawn(move || {
        if let Some(core) = core {
            core_affinity::set_for_current(core);
        }
        run(make(devices), &inbox, idle)
    });
    Ok((handle, thread.map_err(failed)?))
}

/// Turns the worker until it is told to end.
fn run(mut worker: Served<XdpDevice>, inbox: &Inbox, idle: Idle) -> io::Result<()> {
    let clock = MonotonicClock::start();
    let mut busy_at = clock.now();
    loop {
        let now = clock.now();
        let progress = worker.turn(now)?;
        if !inbox.attend(now, &mut worker) {
            return Ok(());
        }
        // A device with frames that it cannot send wakes from its sleep by itself.
        let more = worker.has_work() && !worker.is_stalled();
        if !progress.is_idle() || more || !inbox.is_empty() {
            busy_at = now;
        } else if idle == Idle::Adaptive && now.since(busy_at) >= SPIN {
            worker.wait(nap(now, worker.next_deadline()))?;
        }
    }
}

/// How long to sleep: until the next timer, and not too long.
fn nap(now: Instant, deadline: Option<Instant>) -> Duration {
    deadline.map_or(NAP, |deadline| deadline.since(now).min(NAP))
}
