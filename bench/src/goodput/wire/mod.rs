//! A wire in user space: it carries frames between two interfaces, over the same nodes that the
//! simulator is made of, in real time.

mod clocks;
mod counted;
mod packet_socket;
mod way;

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use wirepath::netns::{Namespace, Network};
use wirepath_stack::clock::MonotonicClock;
use wirepath_tcp::time::Instant;

pub(crate) use way::{Faults, WayCounts};

use clocks::Clocks;
use packet_socket::PacketSocket;
use way::Way;

/// How long it sleeps at most, and with it how late it notices that it should stop.
const NAP: Duration = Duration::from_millis(20);
/// How long what is under way at the end may take to arrive.
const DRAIN: Duration = Duration::from_secs(2);
/// The longest lateness that is told apart, in microseconds.
const LATEST: u64 = 1_000_000;

/// What both ways do to frames, and by which randomness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireFaults {
    /// From the server to the client: the way of the text.
    pub(crate) text: Faults,
    /// From the client to the server: the way of the ACKs.
    pub(crate) acks: Faults,
    pub(crate) seed: u64,
}

/// What a wire did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WireCounts {
    /// From the server to the client.
    pub(crate) text: WayCounts,
    /// From the client to the server.
    pub(crate) acks: WayCounts,
    /// How late frames left, against what the path says: half of them at most, in microseconds.
    pub(crate) late_p50_us: u64,
    /// 99 % of them at most.
    pub(crate) late_p99_us: u64,
    /// All of them at most.
    pub(crate) late_max_us: u64,
}

/// A wire that carries frames on a thread of its own, until it is told to stop.
pub(crate) struct Wire {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<WireCounts>>,
}

impl Wire {
    /// Lays it between the two interfaces of the middle.
    ///
    /// # Errors
    /// The interfaces cannot be read: not root.
    pub(crate) fn start(middle: &Namespace, faults: &WireFaults) -> anyhow::Result<Self> {
        // Sockets stay in the namespace in which they are made.
        let sockets = middle.run(|| {
            let [client, server] = Network::MIDDLE_INTERFACES.map(PacketSocket::bind);
            io::Result::Ok([client?, server?])
        })?;
        let sockets = sockets.context("cannot open packet sockets for the wire; run as root")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (told, faults) = (Arc::clone(&stop), *faults);
        let thread = thread::Builder::new().name("wire".to_owned());
        let thread = thread.spawn(move || Carrier::new(sockets, &faults).carry(&told))?;
        Ok(Self { stop, thread })
    }

    /// Lets arrive what is under way, and says what it did.
    ///
    /// # Errors
    /// What made it stop by itself before.
    pub(crate) fn stop(self) -> anyhow::Result<WireCounts> {
        self.stop.store(true, Ordering::Relaxed);
        let carried = self.thread.join();
        let carried = carried.map_err(|_| anyhow::anyhow!("the wire panicked"))?;
        carried.context("the wire between the namespaces failed")
    }
}

/// The wire, on its thread.
struct Carrier {
    clock: MonotonicClock,
    client: PacketSocket,
    server: PacketSocket,
    text: Way,
    acks: Way,
    lateness: Histogram<u64>,
}

impl Carrier {
    fn new([client, server]: [PacketSocket; 2], faults: &WireFaults) -> Self {
        let mut rng = fastrand::Rng::with_seed(faults.seed);
        Self {
            clock: MonotonicClock::start(),
            client,
            server,
            text: Way::new(&faults.text, &mut rng),
            acks: Way::new(&faults.acks, &mut rng),
            lateness: Histogram::new_with_max(LATEST, 2).expect("two digits up to a second"),
        }
    }

    fn carry(mut self, stop: &AtomicBool) -> io::Result<WireCounts> {
        punctual()?;
        while !stop.load(Ordering::Relaxed) {
            let clocks = Clocks::read(&self.clock);
            self.text.take(&self.server, &clocks)?;
            self.acks.take(&self.client, &clocks)?;
            self.deliver(clocks.now)?;
            self.wait()?;
        }
        let until = self.clock.now() + DRAIN;
        loop {
            // Nothing is read any more: only time passes.
            let now = self.clock.now();
            let Some(next) = self.next_wakeup(now).filter(|next| *next < until) else {
                break;
            };
            poll(&mut [], Some(&timespec(next.since(now))))?;
            self.deliver(self.clock.now())?;
        }
        Ok(self.counts())
    }

    fn deliver(&mut self, now: Instant) -> io::Result<()> {
        for (way, to) in [
            (&mut self.text, &self.client),
            (&mut self.acks, &self.server),
        ] {
            if let Some(late) = way.advance(now) {
                self.lateness
                    .saturating_record(late.as_micros().try_into().unwrap_or(LATEST));
            }
            way.give(to)?;
        }
        Ok(())
    }

    /// Sleeps until a frame comes or one has to leave.
    fn wait(&self) -> io::Result<()> {
        let now = self.clock.now();
        let next = self.next_wakeup(now);
        let span = next.map_or(NAP, |next| next.since(now).min(NAP));
        let mut fds = [&self.client, &self.server].map(|fd| PollFd::new(fd, PollFlags::IN));
        match poll(&mut fds, Some(&timespec(span))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        let ways = [&self.text, &self.acks];
        ways.into_iter()
            .filter_map(|way| way.next_wakeup(now))
            .min()
    }

    fn counts(&self) -> WireCounts {
        WireCounts {
            text: self.text.counts(),
            acks: self.acks.counts(),
            late_p50_us: self.lateness.value_at_quantile(0.5),
            late_p99_us: self.lateness.value_at_quantile(0.99),
            late_max_us: self.lateness.max(),
        }
    }
}

/// Has the kernel wake this thread when it asks for it, not up to 50 us later.
fn punctual() -> io::Result<()> {
    Ok(rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?)
}

fn timespec(span: Duration) -> Timespec {
    // Spans of a path are far from what the kernel cannot count.
    Timespec::try_from(span).unwrap_or_default()
}
