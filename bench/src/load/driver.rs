//! The load as a client carries it out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use wirepath_stack::clock::MonotonicClock;
use wirepath_tcp::time::Instant;

use super::exchange::Exchange;
use super::pattern::Pattern;
use super::schedule::Schedule;
use super::{Load, Pace, Tally, Task};

/// Connections that are being opened at a time: no server's backlog is smaller.
const OPENING: usize = 64;
/// How long all connections may take to open, and each of them beside that.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_EACH: Duration = Duration::from_micros(100);
/// Decides the gaps of an open loop.
const SEED: u64 = 1;

/// What to do with a connection next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send what is unsent, if anything.
    Send,
    /// Close it.
    Close,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// We closed it, and both sides know.
    AsMeant,
    /// The server closed it.
    ByServer,
    /// It broke, as our stack or the kernel calls it.
    Broken(&'static str),
    Error(rustix::io::Errno),
}

/// Called when the time that counts begins and ends.
pub(crate) trait Window: Send {
    fn opens(&mut self);
    fn closes(&mut self);
}

/// The load, and how far it has come.
pub(crate) struct Driver {
    load: Load,
    clock: MonotonicClock,
    exchanges: Vec<Exchange>,
    /// `None` until all connections are open.
    measured: Option<(Tally, Schedule)>,
    /// Whether that has just changed.
    begins: bool,
    /// Connections that are to be opened.
    to_open: VecDeque<usize>,
    opening: usize,
    /// When a connection of one message was asked for.
    began: Vec<Instant>,
    window: Option<Box<dyn Window>>,
    stage: Stage,
    started: Instant,
    /// Whether all connections are open; and those of the other threads.
    is_ready: bool,
    gate: Gate,
    seed: u64,
    random: fastrand::Rng,
    failure: Option<String>,
}

/// Opens when all threads that share a load are there: then their time begins.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<AtomicUsize>);

impl Gate {
    pub(crate) fn of(threads: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(threads)))
    }

    fn enter(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

/// Where the measurement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Within,
    After,
}

impl Driver {
    /// A driver that is alone. `window` hears when the time that counts begins and ends.
    pub(crate) fn new(load: Load, window: Option<Box<dyn Window>>) -> Self {
        Self::of_several(load, window, (&Gate::of(1), 0))
    }

    /// The `number`th of those that meet at a gate.
    pub(crate) fn of_several(
        load: Load,
        window: Option<Box<dyn Window>>,
        (gate, number): (&Gate, u64),
    ) -> Self {
        let clock = MonotonicClock::start();
        Self {
            load,
            clock,
            exchanges: (0..load.connections).map(|_| Exchange::default()).collect(),
            measured: None,
            begins: false,
            to_open: (0..load.connections).collect(),
            opening: 0,
            began: vec![Instant::ZERO; load.connections],
            window,
            stage: Stage::Before,
            started: clock.now(),
            is_ready: false,
            gate: gate.clone(),
            seed: SEED + number,
            random: fastrand::Rng::with_seed(SEED + number),
            failure: None,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Whether the measurement is over, well or badly.
    pub(crate) fn is_over(&mut self, now: Instant) -> bool {
        if self.failure.is_some() {
            return true;
        }
        if self.is_ready && self.measured.is_none() && self.gate.is_open() {
            self.begin();
        }
        let Some((tally, _)) = &self.measured else {
            let each = PATIENCE_EACH.mul_f64(self.load.connections as f64);
            if now.since(self.started) > PATIENCE + each {
                let open = self.load.connections - self.to_open.len() - self.opening;
                self.fail(format!("only {open} connections have opened"));
            }
            return self.failure.is_some();
        };
        let (counts, over) = (tally.counts(now), tally.is_over(now));
        if self.stage == Stage::Before && counts {
            self.stage = Stage::Within;
            self.window.iter_mut().for_each(|window| window.opens());
        }
        if self.stage == Stage::Within && over {
            self.stage = Stage::After;
            self.window.iter_mut().for_each(|window| window.closes());
        }
        over
    }

    /// The next connection that is to be opened.
    pub(crate) fn next_to_open(&mut self) -> Option<usize> {
        if self.opening >= OPENING {
            return None;
        }
        let connection = self.to_open.pop_front()?;
        self.opening += 1;
        self.began[connection] = self.clock.now();
        Some(connection)
    }

    /// It could not be opened now, and is to be tried again.
    pub(crate) fn on_refused(&mut self, connection: usize) {
        self.opening -= 1;
        self.to_open.push_front(connection);
    }

    pub(crate) fn on_open(&mut self, connection: usize) {
        self.opening -= 1;
        if self.load.task == Task::Connect {
            self.ask(connection, self.began[connection]);
        } else if self.has_churn() && self.measured.is_some() {
            self.ask(connection, self.clock.now());
        }
        if !self.is_ready && self.may_begin() {
            self.is_ready = true;
            self.gate.enter();
        }
    }

    /// Whether the requests may begin: with connections for each message they are the requests.
    fn may_begin(&self) -> bool {
        self.load.task == Task::Connect || self.to_open.is_empty() && self.opening == 0
    }

    /// All connections are open, so the clock of the measurement starts.
    fn begin(&mut self) {
        let start = self.clock.now();
        match Tally::new(start, self.load.warm_up, self.load.span) {
            Ok(tally) => {
                let schedule = Schedule::new(start, self.load.pace, self.load.active, self.seed);
                self.measured = Some((tally, schedule));
                self.begins = true;
            }
            Err(error) => self.fail(error.to_string()),
        }
        match (self.load.task, self.load.pace) {
            (Task::Exchange, Pace::Closed { depth, .. }) => {
                for connection in 0..self.load.active {
                    (0..depth).for_each(|_| self.ask(connection, start));
                }
            }
            (Task::Upload, _) => self.exchanges.iter_mut().for_each(Exchange::ask_for_ever),
            _ => {}
        }
    }

    /// Whether the measurement has just begun, so that any connection may have something to send.
    pub(crate) fn take_begin(&mut self) -> bool {
        std::mem::take(&mut self.begins)
    }

    pub(crate) const fn connections(&self) -> usize {
        self.load.connections
    }

    /// Whether connections are closed and opened all the time.
    fn has_churn(&self) -> bool {
        self.load.mix.is_some_and(|mix| mix.churn > 0.0)
    }

    fn ask(&mut self, connection: usize, due: Instant) {
        let most = self.load.size;
        let mix = self.load.mix;
        let size = mix.map_or(most, |mix| mix.draw(&mut self.random, most));
        self.exchanges[connection].ask(due, size);
    }

    /// The next connection on which a request is due now.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<usize> {
        let (_, schedule) = self.measured.as_mut()?;
        let (due, connection) = schedule.next_due(now)?;
        self.ask(connection, due);
        Some(connection)
    }

    /// What is to be sent on a connection next, a piece of it.
    pub(crate) fn unsent(&self, connection: usize) -> &'static [u8] {
        self.exchanges[connection].unsent()
    }

    pub(crate) fn note_sent(&mut self, connection: usize, bytes: usize) {
        self.exchanges[connection].note_sent(bytes);
        if self.load.task == Task::Upload
            && let Some((tally, _)) = &mut self.measured
        {
            tally.note_bytes(self.clock.now(), bytes);
        }
    }

    /// Text has come.
    pub(crate) fn on_text(&mut self, connection: usize, text: &[u8]) -> Next {
        let now = self.clock.now();
        let pattern = match self.load.task {
            Task::Download => Pattern::characters(),
            _ => Pattern::messages(),
        };
        let exchange = &mut self.exchanges[connection];
        if !exchange.take(text, pattern) {
            self.fail(format!(
                "connection {connection} got other bytes than it should"
            ));
            return Next::Send;
        }
        let Some((tally, schedule)) = &mut self.measured else {
            return Next::Send;
        };
        tally.note_bytes(now, text.len());
        let churn = self.load.mix.map_or(0.0, |mix| mix.churn);
        let mut asks = 0_usize;
        while let Some(due) = exchange.next_answered() {
            tally.note_done(now, due);
            let done = self.load.task == Task::Connect || self.random.f64() < churn;
            if done {
                return Next::Close;
            }
            asks += usize::from(schedule.on_answer(now, connection));
        }
        (0..asks).for_each(|_| self.ask(connection, now));
        Next::Send
    }

    /// A connection is gone. One that was closed as it should is followed by another; the others
    /// must stay.
    pub(crate) fn on_closed(&mut self, connection: usize, end: Ended) {
        let closes = self.load.task == Task::Connect || self.has_churn();
        match end {
            Ended::AsMeant if closes && self.failure.is_none() => {
                self.exchanges[connection] = Exchange::default();
                self.to_open.push_back(connection);
            }
            _ if self.stage == Stage::After => {}
            end => self.fail(format!("connection {connection} ended: {end:?}")),
        }
    }

    /// Nothing more can be measured.
    pub(crate) fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    /// What was measured. Requests without an answer count as having taken until the end, in an
    /// open loop all, else those that waited longer than any that was answered.
    ///
    /// # Errors
    /// Why it failed, or that nothing was done in the time that counts.
    pub(crate) fn finish(self) -> anyhow::Result<Tally> {
        if let Some(failure) = self.failure {
            bail!("{failure}");
        }
        let Some((mut tally, _)) = self.measured else {
            bail!("it ended before all connections were open");
        };
        let is_open_loop = matches!(self.load.pace, Pace::Open { .. });
        let longer_than = if is_open_loop {
            0
        } else {
            tally.latencies().max()
        };
        for due in self.exchanges.iter().flat_map(Exchange::unanswered) {
            tally.note_unanswered(due, longer_than);
        }
        let bulk = matches!(self.load.task, Task::Upload | Task::Download);
        if bulk && tally.bytes() == 0 || !bulk && tally.latencies().is_empty() {
            bail!("nothing was answered in the time that counts");
        }
        Ok(tally)
    }
}
