//! The clock: two hosts, two paths, and whoever has something to do next.

use std::hash::Hasher;
use std::time::Duration;

use fastrand::Rng;
use siphasher::sip::SipHasher13;
use wirepath_tcp::time::Instant;

use crate::checker::Checker;
use crate::end::End;
use crate::host::{Host, HostConfig, SmolHost, StackHost, Turn};
use crate::monitor::Monitor;
use crate::node::{Path, WireFrame};
use crate::plan::Side;
use crate::scenario::Scenario;
use crate::trace::Sighting;

/// Virtual time after which a run must be over.
const MOST_TIME: Duration = Duration::from_secs(4 * 3_600);

/// Steps in a row that may happen at one instant.
const MOST_STILL: u32 = 10_000;

/// What a run was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Virtual time it took.
    pub time: Duration,
    /// Times that the clock moved.
    pub steps: u64,
    /// Frames sent.
    pub frames: u64,
    /// Bytes of text delivered.
    pub bytes: u64,
    /// Segments that our stacks sent again.
    pub retransmissions: u64,
    /// A hash over every frame sent and its time.
    pub trace: u64,
}

/// A run that went wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("seed {seed}: {what}, at {at:?}")]
pub struct Failure {
    /// The seed of the scenario.
    pub seed: u64,
    /// When it was noticed, in virtual time.
    pub at: Duration,
    /// What went wrong.
    pub what: String,
    /// What the hosts held then.
    pub hosts: Vec<String>,
}

/// A scenario being played.
pub struct Simulation<'a> {
    now: Instant,
    hosts: [Box<dyn Host>; 2],
    paths: [Path; 2],
    checker: Checker,
    monitor: Monitor,
    seed: u64,
    steps: u64,
    /// Steps since the clock last moved.
    still: u32,
    frames: u64,
    trace: SipHasher13,
    observer: &'a mut dyn FnMut(&Sighting<'_>),
    outbox: Vec<WireFrame>,
}

/// Plays a scenario to its end.
///
/// # Errors
/// The first thing that went wrong.
pub fn play(scenario: &Scenario) -> Result<Report, Box<Failure>> {
    Simulation::new(scenario, StackHost::TURN, &mut |_| {}).run()
}

impl<'a> Simulation<'a> {
    /// A simulation at the start of `scenario`, whose workers are turned by `turn`. The observer
    /// is shown every frame that leaves a host or comes to one.
    #[must_use]
    pub fn new(
        scenario: &Scenario,
        turn: Turn,
        observer: &'a mut dyn FnMut(&Sighting<'_>),
    ) -> Self {
        let mut rng = Rng::with_seed(!scenario.seed);
        let faults = &scenario.faults;
        Self {
            now: Instant::ZERO,
            paths: [faults[0].path(&mut rng), faults[1].path(&mut rng)],
            hosts: [Side::Client, Side::Server].map(|side| host(scenario, side, turn)),
            checker: Checker::new(scenario),
            monitor: Monitor::new(scenario),
            seed: scenario.seed,
            steps: 0,
            still: 0,
            frames: 0,
            trace: SipHasher13::new(),
            observer,
            outbox: Vec::new(),
        }
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn run(mut self) -> Result<Report, Box<Failure>> {
        self.run_to_end().map_err(|what| self.failure(what))?;
        let ends = self.hosts.iter().flat_map(|host| host.ends());
        Ok(Report {
            time: self.now.since(Instant::ZERO),
            steps: self.steps,
            frames: self.frames,
            bytes: ends.map(End::received).sum(),
            retransmissions: self.hosts.iter().map(|host| host.retransmissions()).sum(),
            trace: self.trace.finish(),
        })
    }

    /// Plays it until the next event would be later than `until`.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn run_until(&mut self, until: Instant) -> Result<(), Box<Failure>> {
        let outcome = self.advance(until);
        outcome.map(|_| ()).map_err(|what| self.failure(what))
    }

    /// Bytes of text that the applications at one side have taken.
    #[must_use]
    pub fn received(&self, side: Side) -> u64 {
        let ends = self.hosts[side as usize].ends().iter();
        ends.map(End::received).sum()
    }

    fn failure(&self, what: String) -> Box<Failure> {
        let hosts = self.hosts.iter().flat_map(|host| host.describe());
        Box::new(Failure {
            seed: self.seed,
            at: self.now.since(Instant::ZERO),
            what,
            hosts: hosts.collect(),
        })
    }

    fn run_to_end(&mut self) -> Result<(), String> {
        if self.advance(Instant::ZERO + MOST_TIME)? {
            return Err("it takes too long".to_owned());
        }
        self.checker.check_end(&self.hosts)
    }

    /// Goes on until nothing is left to do at `until` or before; whether there is later.
    fn advance(&mut self, until: Instant) -> Result<bool, String> {
        loop {
            self.step()?;
            self.checker.check(self.now, &self.hosts)?;
            let Some(next) = self.wakeups().into_iter().flatten().min() else {
                return Ok(false);
            };
            if next > until {
                return Ok(true);
            }
            self.still = if next > self.now { 0 } else { self.still + 1 };
            if self.still > MOST_STILL {
                return Err("time stands still".to_owned());
            }
            self.now = next.max(self.now);
            self.steps += 1;
        }
    }

    fn wakeups(&self) -> [Option<Instant>; 4] {
        [
            self.paths[0].next_wakeup(self.now),
            self.paths[1].next_wakeup(self.now),
            self.hosts[0].next_wakeup(),
            self.hosts[1].next_wakeup(),
        ]
    }

    /// All that happens at this instant.
    fn step(&mut self) -> Result<(), String> {
        for path in 0..2 {
            self.paths[path].advance(self.now);
            for frame in self.paths[path].returned() {
                self.paths[1 - path].send(self.now, frame);
            }
        }
        for (path, from) in self.paths.iter_mut().zip([Side::Client, Side::Server]) {
            let receiver = &mut self.hosts[from.other() as usize];
            for frame in path.arrivals() {
                (self.observer)(&Sighting {
                    at: self.now,
                    from,
                    arrived: true,
                    frame: &frame,
                });
                receiver.deliver(&frame);
            }
        }
        for from in [Side::Client, Side::Server] {
            let outbox = &mut self.outbox;
            self.hosts[from as usize].run(self.now, &mut |frame| outbox.push(frame))?;
            self.send_all(from)?;
        }
        Ok(())
    }

    fn send_all(&mut self, from: Side) -> Result<(), String> {
        for frame in self.outbox.drain(..) {
            self.frames += 1;
            self.trace.write_u64(self.now.as_nanos());
            self.trace.write_u8(from as u8);
            self.trace.write(&frame);
            (self.observer)(&Sighting {
                at: self.now,
                from,
                arrived: false,
                frame: &frame,
            });
            self.monitor.on_sent(from, &frame)?;
            self.paths[from as usize].send(self.now, frame);
        }
        Ok(())
    }
}

fn host(scenario: &Scenario, side: Side, turn: Turn) -> Box<dyn Host> {
    let config = HostConfig {
        side,
        ipv6: scenario.ipv6,
        own_ports: scenario.is_smol(Side::Server),
        peer_forgets: scenario.is_smol(side.other()),
        tcp: *scenario.config(side),
        device: scenario.device,
        blocks: scenario.blocks,
        knows_neighbor: !scenario.asks_neighbor,
        seed: scenario.seed,
    };
    if scenario.is_smol(side) {
        Box::new(SmolHost::new(config, &scenario.connections))
    } else {
        Box::new(StackHost::new(config, &scenario.connections, turn))
    }
}
