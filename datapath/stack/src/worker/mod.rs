//! One worker: it owns its devices, its connections and its services, and shares nothing.

mod accept;
mod answer;
mod cookie;
mod drain;
mod egress;
mod fast_open;
mod ingress;
mod neighbors;
mod open;
mod record;
mod report;
mod request;
mod rest;
mod segment;
mod serve;
mod timers;
mod together;
mod walk;

pub use open::OpenError;
pub use report::{Holdings, Traffic};
pub use walk::{Cursor, FlowInfo, FlowView, Seen};

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use wirepath_device::Device;
use wirepath_tcp::Path;
use wirepath_tcp::buffer::BlockPool;
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_wire::tuple::Endpoint;

use crate::app::App;
use crate::counters::Counters;
use crate::flight::Flight;
use crate::flows::Flows;
use crate::limits::{self, Capacity};
use crate::link::{InterfaceId, LocalAddress, Neighbors};
use crate::listeners::{Listener, ListenerId, Listeners, Tally};
use crate::ports::SourcePorts;
use crate::tap::Taps;
use crate::wheel::Wheel;
use drain::Drain;
use egress::Port;
use ingress::Arrival;
use together::Together;

/// What a worker is made with.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// How much it may hold.
    pub capacity: Capacity,
    /// Key of ISNs, timestamps and hash tables.
    pub secret: Secret,
    /// Addresses of this host; at most [`limits::LOCAL_ADDRESSES`] count.
    pub addresses: Vec<LocalAddress>,
    /// Which checksums of received segments are taken.
    pub checksums: ChecksumPolicy,
    /// Hop limit of the packets sent.
    pub hop_limit: u8,
    /// Source ports of active opens.
    pub source_ports: RangeInclusive<u16>,
}

/// What one turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Frames received.
    pub received: usize,
    /// Timers that fired.
    pub fired: usize,
    /// Segments sent for connections.
    pub sent: usize,
}

impl Progress {
    /// Whether there was nothing to do.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.received == 0 && self.fired == 0 && self.sent == 0
    }
}

/// One worker.
pub struct Worker<D: Device, A: App> {
    config: WorkerConfig,
    app: A,
    ports: Vec<Port<D>>,
    flows: Flows<A::Session>,
    listeners: Listeners,
    neighbors: Neighbors,
    source_ports: SourcePorts,
    wheel: Wheel,
    pool: BlockPool,
    /// Numbers of open flows that may have something to send, in the order of their turn.
    dirty: VecDeque<u32>,
    /// Partners of the flow that is served, with the states they were in before: they are next.
    partners: Vec<(u32, State)>,
    arrivals: Vec<Arrival>,
    /// Text shown to an application from its receive buffer.
    chunk: Box<[u8; limits::READ_CHUNK]>,
    counters: Counters,
    reset_budget: Budget,
    /// Connections that were opened by a SYN alone, and whose handshake is not done.
    early: usize,
    /// When a SYN was last answered with a cookie; `NEVER` at first.
    cookie_sent: Instant,
    /// The other workers; `None` when there are none.
    together: Option<Together>,
    taps: Taps,
    flight: Flight,
    /// When this turn began.
    turn_at: Instant,
    /// Consecutive turns in which timers waited for what has arrived.
    turns_without_timers: u32,
    /// While all connections are being closed; what comes then is for nobody.
    drain: Option<Drain>,
}

/// What may be done only so often in a millisecond.
#[derive(Debug, Default)]
struct Budget {
    millisecond: u64,
    spent: u32,
}

impl Budget {
    fn take(&mut self, now: Instant, most: u32) -> bool {
        if self.millisecond != now.as_millis() {
            *self = Self {
                millisecond: now.as_millis(),
                spent: 0,
            };
        }
        self.spent += 1;
        self.spent <= most
    }
}

impl<D: Device, A: App> Worker<D, A> {
    /// A worker without devices and listeners. All its memory is taken here.
    #[must_use]
    pub fn new(mut config: WorkerConfig, app: A) -> Self {
        config.addresses.truncate(limits::LOCAL_ADDRESSES);
        let Capacity {
            connections,
            half_open,
            time_wait,
            blocks,
        } = config.capacity;
        let secret = config.secret;
        Self {
            app,
            ports: Vec::new(),
            flows: Flows::new(&config.capacity, secret),
            listeners: Listeners::new(secret),
            neighbors: Neighbors::new(secret),
            source_ports: SourcePorts::new(&config.source_ports, secret),
            wheel: Wheel::with_capacity(connections + half_open + time_wait),
            pool: BlockPool::new(blocks),
            dirty: VecDeque::with_capacity(connections),
            partners: Vec::with_capacity(2),
            arrivals: Vec::with_capacity(limits::RECEIVE_BATCH),
            chunk: Box::new([0; limits::READ_CHUNK]),
            counters: Counters::default(),
            reset_budget: Budget::default(),
            early: 0,
            cookie_sent: Instant::NEVER,
            together: None,
            taps: Taps::default(),
            flight: Flight::new(),
            turn_at: Instant::ZERO,
            turns_without_timers: 0,
            drain: None,
            config,
        }
    }

    /// Gives the worker a device of its first interface, whose link-layer address is `mac`.
    pub fn attach(&mut self, device: D, mac: MacAddr) {
        self.attach_to(InterfaceId::default(), device, mac);
    }

    /// As [`attach`](Self::attach), of any interface.
    pub fn attach_to(&mut self, interface: InterfaceId, device: D, mac: MacAddr) {
        let place = (interface, mac);
        self.ports
            .push(Port::new(device, place, self.config.hop_limit));
    }

    /// The first device of an interface, if it has one.
    fn device_on(&self, interface: InterfaceId) -> Option<usize> {
        let mut ports = self.ports.iter();
        ports.position(|port| port.interface == interface)
    }

    /// Waits for connections to `endpoint` from now on, or by other settings.
    pub fn listen(&mut self, endpoint: Endpoint, id: ListenerId, config: Config) {
        self.listeners.add(
            endpoint,
            Listener {
                id,
                config: config.clamped(),
                accepts: true,
            },
        );
    }

    /// Accepts no more connections to `endpoint`; those it has go on, as do handshakes. Whether it
    /// was listening.
    pub fn unlisten(&mut self, endpoint: &Endpoint) -> bool {
        self.listeners.close(endpoint)
    }

    /// Counts from zero what a listener of this number does: it may have been another's before.
    pub fn begin_tally(&mut self, listener: ListenerId) {
        self.listeners.begin_tally(listener);
    }

    /// What a listener has and did since it began to listen.
    #[must_use]
    pub fn tally(&self, listener: ListenerId) -> Tally {
        self.listeners.tally(listener)
    }

    /// Forgets a listener that accepts no more and has no handshakes.
    pub fn forget_listener(&mut self, endpoint: &Endpoint) {
        if !self.listeners.accepts(endpoint) {
            self.listeners.remove(endpoint);
        }
    }

    /// One turn at `now`: receive, process, expire, emit, and enter the kernel once.
    ///
    /// # Errors
    /// When a device is gone for good.
    pub fn turn(&mut self, now: Instant) -> io::Result<Progress> {
        let taken = self.turn_in(now);
        self.turn_out(now, taken)
    }

    /// The first half of a turn, for who measures the halves: receive, process, expire.
    pub fn turn_in(&mut self, now: Instant) -> Progress {
        let mut progress = Progress::default();
        let mut has_more = false;
        self.turn_at = now;
        self.taps.begin();
        for port in 0..self.ports.len() {
            let received = self.receive(now, port);
            has_more |= received >= limits::RECEIVE_BATCH;
            progress.received += received;
        }
        progress.received += self.receive_handed(now);
        // Who was held up must not take for lost what waits in its rings.
        if has_more && self.turns_without_timers < limits::TURNS_WITHOUT_TIMERS {
            self.turns_without_timers += 1;
        } else {
            self.turns_without_timers = 0;
            progress.fired = self.expire(now);
        }
        self.grant_requests(now);
        self.close_some(now);
        progress
    }

    /// The second half, which goes on with what the first has done: emit, enter the kernel once.
    ///
    /// # Errors
    /// When a device is gone for good.
    pub fn turn_out(&mut self, now: Instant, mut progress: Progress) -> io::Result<Progress> {
        progress.sent = self.emit(now);
        for port in &mut self.ports {
            port.flush()?;
        }
        self.counters.turns += 1;
        if self
            .counters
            .turns
            .is_multiple_of(limits::TURNS_PER_HOUSEKEEPING)
        {
            self.keep_house();
        }
        Ok(progress)
    }

    /// Sleeps until a frame is there, somebody wakes a device, or `timeout` has passed.
    ///
    /// # Errors
    /// When a device is gone for good.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let mut devices: Vec<&mut D> = self.ports.iter_mut().map(|port| &mut port.device).collect();
        D::wait_any(&mut devices, timeout)
    }

    /// Whether something waits for the next turn that neither a frame nor a timer announces.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let is_asked = self.app.has_requests() || self.has_to_close();
        is_asked || !self.dirty.is_empty() || self.is_stalled()
    }

    /// Whether a transmit ring has no room: until it has, looking again is of no use.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.ports.iter().any(Port::is_stalled)
    }

    /// No later than the first timer, if any is armed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.wheel.next_deadline(), self.app.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// The device at `index`, in the order of [`attach`](Self::attach).
    pub fn device_mut(&mut self, index: usize) -> Option<&mut D> {
        self.ports.get_mut(index).map(|port| &mut port.device)
    }

    /// The service.
    #[must_use]
    pub const fn app(&self) -> &A {
        &self.app
    }

    /// Ends the worker, and gives the service back. Its peers hear nothing.
    #[must_use]
    pub fn into_app(self) -> A {
        self.app
    }

    /// The service, to be changed.
    pub const fn app_mut(&mut self) -> &mut A {
        &mut self.app
    }

    /// Who looks at its frames.
    pub const fn taps(&mut self) -> &mut Taps {
        &mut self.taps
    }

    /// What it counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Checks that every frame is accounted for.
    fn keep_house(&mut self) {
        for port in &self.ports {
            if !port.ledger_balances() {
                self.counters.ledger_errors += 1;
                debug_assert!(false, "a frame has leaked: {:?}", port.device.ledger());
            }
        }
    }

    /// The address of this host that `address` is, if it is one.
    fn local(&self, address: &IpAddr) -> Option<&LocalAddress> {
        self.config
            .addresses
            .iter()
            .find(|local| local.address == *address)
    }

    /// What the link carries back to the peer of a segment.
    fn path_to(&self, arrival: &Arrival) -> Path {
        self.ports[usize::from(arrival.link.device)].path(&arrival.tuple)
    }
}
