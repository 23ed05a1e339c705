//! The thread of a worker.

use std::io;
use std::time::Duration;

use wirepath_stack::clock::MonotonicClock;
use wirepath_tcp::time::Instant;
use wirepath_xdp::XdpDevice;

use super::mailbox::{Inbox, Served};

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

/// Turns the worker until it is told to end.
pub(super) fn run(mut worker: Served<XdpDevice>, inbox: &Inbox, idle: Idle) -> io::Result<()> {
    let clock = MonotonicClock::start();
    let mut busy_at = clock.now();
    loop {
        let now = clock.now();
        let progress = worker.turn(now)?;
        if !inbox.attend(now, &mut worker) {
            return Ok(());
        }
        if !progress.is_idle() || worker.has_work() {
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
