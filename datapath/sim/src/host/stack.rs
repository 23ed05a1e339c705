//! A host that runs our stack.

use std::io;

use wirepath_stack::app::{App, Socket};
use wirepath_stack::limits::{Capacity, SOURCE_PORTS};
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{OpenError, Progress, Worker, WorkerConfig};
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::state::State;
use wirepath_tcp::time::{Instant, Millis};
use wirepath_wire::tcp::ChecksumPolicy;

use super::{Host, HostConfig, address, connection_of, ends_of, mac};
use crate::end::{End, Ending, Pipe};
use crate::node::WireFrame;
use crate::plan::{ConnectionPlan, Side};
use wirepath_device::memory::MemoryDevice;

/// Turns in a row without time passing, after which a worker is said to spin.
const MOST_TURNS: usize = 10_000;
/// How long a client waits for the station of the server before it asks again.
const ASK_AGAIN: Millis = Millis(200);

/// A worker under test.
pub type TestWorker = Worker<MemoryDevice, TestApp>;
/// How a worker is turned: [`Worker::turn`], or something around it that measures.
pub type Turn = fn(&mut TestWorker, Instant) -> io::Result<Progress>;

/// The service of a [`StackHost`]: the ends of all its connections.
#[derive(Debug)]
pub struct TestApp {
    ends: Vec<End>,
}

/// Which end a connection belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Session(Option<usize>);

struct StackPipe<'a, 'b>(&'a mut Socket<'b>);

impl Pipe for StackPipe<'_, '_> {
    fn send(&mut self, text: &[u8]) -> usize {
        self.0.send(text)
    }

    fn shutdown(&mut self) {
        self.0.shutdown();
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn abort(&mut self) {
        self.0.abort();
    }
}

impl TestApp {
    fn end(&mut self, session: &Session) -> Option<&mut End> {
        self.ends.get_mut(session.0?)
    }
}

impl App for TestApp {
    type Session = Session;

    fn on_open(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        if socket.listener().is_some() {
            session.0 = Some(connection_of(socket.tuple().remote.port));
        }
        if let Some(end) = self.end(session) {
            socket.configure(|config| config.nagle = end.nagle());
            end.on_open();
            end.pump(&mut StackPipe(socket));
        }
    }

    fn on_text(&mut self, socket: &mut Socket<'_>, session: &mut Session, text: &[u8]) -> usize {
        let Some(end) = self.end(session) else {
            return text.len();
        };
        let used = end.take(socket.now(), text, &mut StackPipe(socket));
        end.pump(&mut StackPipe(socket));
        used
    }

    fn on_writable(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        if let Some(end) = self.end(session) {
            end.pump(&mut StackPipe(socket));
        }
    }

    fn on_peer_closed(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        if let Some(end) = self.end(session) {
            end.on_peer_closed();
            end.pump(&mut StackPipe(socket));
        }
    }

    fn on_closed(&mut self, _: &mut Socket<'_>, session: &mut Session, reason: CloseReason) {
        let ending = match reason {
            CloseReason::Finished => Ending::Finished,
            CloseReason::TimedOut => Ending::TimedOut,
            _ => Ending::Reset,
        };
        if let Some(end) = self.end(session) {
            end.on_closed(ending);
        }
    }
}

/// A worker of ours with a device in memory.
pub struct StackHost {
    config: HostConfig,
    worker: TestWorker,
    turn: Turn,
    /// Connections to open, the last first, each with its time.
    to_open: Vec<(Instant, usize)>,
    total: usize,
}

impl StackHost {
    /// The plain turn of a worker.
    pub const TURN: Turn = TestWorker::turn;

    /// A host at `config.side` of the connections of `plans`.
    #[must_use]
    pub fn new(config: HostConfig, plans: &[ConnectionPlan], turn: Turn) -> Self {
        let HostConfig { side, ipv6, .. } = config;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&config.seed.to_le_bytes());
        key[8] = side as u8;
        let local = LocalAddress::owned(address(side, ipv6));
        let worker_config = WorkerConfig {
            capacity: Capacity {
                connections: 2 * plans.len().max(8),
                half_open: 2 * plans.len().max(8),
                time_wait: 2 * plans.len().max(8),
                blocks: config.blocks,
            },
            secret: Secret::new(key),
            addresses: vec![local],
            checksums: ChecksumPolicy::Whole,
            hop_limit: 64,
            source_ports: SOURCE_PORTS,
        };
        let mut ends = ends_of(plans, side);
        if config.peer_forgets {
            ends.iter_mut().for_each(End::bear_forgetting);
        }
        let mut worker = Worker::new(worker_config, TestApp { ends });
        worker.attach(MemoryDevice::new(config.device), mac(side));
        if config.knows_neighbor {
            let other = side.other();
            worker.learn_neighbor(InterfaceId::default(), address(other, ipv6), mac(other));
        }
        let mut to_open = Vec::new();
        if side == Side::Server {
            let endpoint = config.tuple(0).local;
            worker.listen(endpoint, ListenerId(0), config.tcp);
        } else {
            to_open.extend(plans.iter().enumerate().map(|(n, plan)| (plan.start, n)));
            to_open.sort_unstable();
            to_open.reverse();
        }
        Self {
            config,
            worker,
            turn,
            to_open,
            total: plans.len(),
        }
    }

    /// The worker, to look at.
    #[must_use]
    pub const fn worker(&self) -> &TestWorker {
        &self.worker
    }

    fn open_due(&mut self, now: Instant) -> Result<(), String> {
        while let Some((_, number)) = self.to_open.pop_if(|(at, _)| *at <= now) {
            let tuple = self.config.tuple(number);
            let session = Session(Some(number));
            match self.worker.open(now, tuple, self.config.tcp, session) {
                Ok(()) => {}
                Err(OpenError::NeighborUnknown) => {
                    let again = (now + ASK_AGAIN, number);
                    let at = self.to_open.partition_point(|entry| *entry > again);
                    self.to_open.insert(at, again);
                }
                Err(error) => return Err(format!("connection {number}: {error}")),
            }
        }
        Ok(())
    }

    /// Slow readers read again.
    fn wake_due(&mut self, now: Instant) {
        for number in 0..self.total {
            if self.worker.app_mut().ends[number].resume(now) {
                let tuple = self.config.tuple(number);
                self.worker.wake(now, &tuple);
            }
        }
    }

    fn send_all(&mut self, wire: &mut dyn FnMut(WireFrame)) -> bool {
        let Some(device) = self.worker.device_mut(0) else {
            return false;
        };
        let mut sent = false;
        while device.take_sent(|bytes| wire(bytes.to_vec())) {
            sent = true;
        }
        sent
    }

    fn has_received(&mut self) -> bool {
        let device = self.worker.device_mut(0);
        device.is_some_and(|device| device.has_received())
    }
}

impl Host for StackHost {
    fn deliver(&mut self, frame: &[u8]) {
        if let Some(device) = self.worker.device_mut(0) {
            device.deliver(frame);
        }
    }

    fn run(&mut self, now: Instant, wire: &mut dyn FnMut(WireFrame)) -> Result<(), String> {
        self.open_due(now)?;
        self.wake_due(now);
        for _ in 0..MOST_TURNS {
            (self.turn)(&mut self.worker, now).map_err(|error| error.to_string())?;
            self.send_all(wire);
            let timer = self.worker.next_deadline().is_some_and(|at| at <= now);
            if !self.worker.has_work() && !self.has_received() && !timer {
                return Ok(());
            }
        }
        Err("the worker spins".to_owned())
    }

    fn next_wakeup(&self) -> Option<Instant> {
        let resumes = self.ends().iter().filter_map(End::resumes).min();
        let open = self.to_open.last().map(|(at, _)| *at);
        [self.worker.next_deadline(), resumes, open]
            .into_iter()
            .flatten()
            .min()
    }

    fn ends(&self) -> &[End] {
        &self.worker.app().ends
    }

    fn check(&self) -> Result<(), String> {
        if !self.worker.frames_balance() {
            let ledgers: Vec<_> = self.worker.ledgers().collect();
            return Err(format!("frames do not add up: {ledgers:?}"));
        }
        if self.worker.ledgers().any(|ledger| ledger.transmitting > 0) {
            return Err("a frame waits to be flushed, and the worker has no work".to_owned());
        }
        self.worker
            .check()
            .map_err(|(tuple, what)| format!("{tuple}: {what}"))
    }

    fn is_empty(&self) -> bool {
        let held = self.worker.holdings();
        self.to_open.is_empty() && held.open + held.half_open + held.time_wait == 0
    }

    fn check_empty(&self) -> Result<(), String> {
        let held = self.worker.holdings();
        let counters = self.worker.counters();
        if held.blocks != 0 {
            return Err(format!("{} blocks leaked", held.blocks));
        }
        if self.worker.next_deadline().is_some() {
            return Err("a timer is left".to_owned());
        }
        if self
            .worker
            .ledgers()
            .any(|l| l.receiving + l.transmitting != 0)
        {
            return Err("frames are stuck in a ring".to_owned());
        }
        let ended = counters.entered[State::Closed as usize];
        let begun = counters.entered[State::SynSent as usize]
            + counters.entered[State::SynReceived as usize];
        if counters.ledger_errors + counters.invariant_errors != 0 || ended > begun {
            return Err(format!("counters: {counters:?}"));
        }
        Ok(())
    }

    fn retransmissions(&self) -> u64 {
        self.worker.counters().retransmissions
    }

    fn describe(&self) -> Vec<String> {
        let counters = self.worker.counters();
        let table = counters.table().into_iter();
        let counts = table
            .filter(|(.., count)| *count > 0)
            .map(|(name, _, count)| format!("{name} {count}"));
        let drops = counters
            .drops()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("drop {name} {count}"));
        let flows = self.worker.flows().map(|flow| format!("{flow:?}"));
        let held = format!("{:?}", self.worker.holdings());
        counts.chain(drops).chain([held]).chain(flows).collect()
    }
}
