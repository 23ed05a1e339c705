//! Kinds of work of the stack, each the same again and again.

use std::ops::Range;
use std::time::{Duration, Instant};

use wirepath_apps::Service;

use super::Scene;

/// Connections that have something to do in a turn.
const BATCH: usize = 64;
const MESSAGE: usize = 64;
const SEGMENT: usize = 1_448;
/// Milliseconds in which all timers of a round must have fired.
const TIME_TO_TIMERS: usize = 2_000;
/// Milliseconds of silence after which all rest, however often they did.
const SILENCE: usize = 20_000;
/// How long a kind is measured.
const SPAN: Duration = Duration::from_millis(500);

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Work {
    /// A message of 64 bytes comes and goes back.
    Echo,
    /// A full segment of text comes, and every second one is acknowledged.
    TextIn,
    /// A full segment of text goes, and every second one is acknowledged.
    TextOut,
    /// A connection is opened by a peer, and closed.
    OpenAndClose,
    /// A retransmission timer fires, and a segment goes again.
    Timer,
    /// A silent connection comes to rest, and goes on with an echo.
    Rest,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Echo,
        Self::TextIn,
        Self::TextOut,
        Self::OpenAndClose,
        Self::Timer,
        Self::Rest,
    ];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::TextIn => "text in",
            Self::TextOut => "text out",
            Self::OpenAndClose => "open and close",
            Self::Timer => "timer",
            Self::Rest => "rest, and echo",
        }
    }

    /// Nanoseconds that it takes with so many connections open.
    #[must_use]
    pub fn nanos(self, connections: usize) -> f64 {
        let mut play = Play::new(self, connections);
        // The memory that all of them need is touched once, and the caches are warm.
        play.go_on(connections, SPAN / 5);
        let (done, took) = play.go_on(1, SPAN);
        took.as_nanos() as f64 / done.max(1) as f64
    }

    /// Does so many rounds; returns how often the work was done.
    pub(super) fn rounds(self, connections: usize, rounds: u32) -> usize {
        let mut play = Play::new(self, connections);
        (0..rounds).map(|_| play.round().0).sum()
    }
}

/// Work that goes on, among connections that are open.
pub struct Play {
    work: Work,
    scene: Scene,
    /// Those that it is done on: all, or some that are there for it.
    active: Range<usize>,
    round: usize,
}

impl Play {
    /// A worker with so many connections that are ready for the work.
    #[must_use]
    pub fn new(work: Work, connections: usize) -> Self {
        let mut scene = Scene::new(connections);
        let active = match work {
            Work::Echo | Work::OpenAndClose | Work::Timer | Work::Rest => 0..connections,
            Work::TextIn => scene.open_more(Service::Discard, BATCH),
            Work::TextOut => scene.open_more(Service::Chargen, BATCH),
        };
        Self {
            work,
            scene,
            active,
            round: 0,
        }
    }

    /// Does rounds of it, until it was done so often at least and so much time is over, or one
    /// comes to nothing.
    fn go_on(&mut self, least: usize, span: Duration) -> (usize, Duration) {
        let (mut done, mut took, began) = (0, Duration::ZERO, Instant::now());
        while done < least || began.elapsed() < span {
            let (times, span) = self.round();
            done += times;
            took += span;
            if times == 0 {
                break;
            }
        }
        (done, took)
    }

    /// Does a round of it; returns how often it was done, and the time that the stack took.
    pub fn round(&mut self) -> (usize, Duration) {
        self.round += 1;
        match self.work {
            Work::Echo => self.texts(MESSAGE),
            Work::TextIn => self.texts(SEGMENT),
            Work::TextOut => {
                let acks = self.peers().map(|peer| self.scene.ack(peer)).collect();
                let took = self.timed(acks);
                (self.scene.hear(), took)
            }
            Work::OpenAndClose => {
                let number = self.active.end;
                let before = self.scene.taken();
                let peer = self.scene.open(Service::Echo, number);
                self.scene.close(peer);
                (1, self.scene.taken() - before)
            }
            Work::Timer => self.time_out(),
            Work::Rest => self.rest_and_go_on(),
        }
    }

    /// Those whose turn it is, far from each other: what is near in numbers is near in memory.
    fn peers(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.active.start, self.active.len());
        let (batch, round) = (BATCH.min(count), self.round);
        (0..batch).map(move |at| first + (at * (count / batch) + round) % count)
    }

    /// Text from each of them.
    fn texts(&mut self, len: usize) -> (usize, Duration) {
        let frames: Vec<_> = self
            .peers()
            .map(|peer| self.scene.text(peer, len))
            .collect();
        let done = frames.len();
        let took = self.timed(frames);
        self.scene.hear();
        (done, took)
    }

    fn timed(&mut self, frames: Vec<Vec<u8>>) -> Duration {
        let began = Instant::now();
        self.scene.counted_turn(&frames);
        began.elapsed()
    }

    /// All that was heard is acknowledged.
    fn acknowledge(&mut self) {
        let acks: Vec<_> = self.peers().map(|peer| self.scene.ack(peer)).collect();
        self.scene.quiet_turn(&acks);
    }

    /// Those that asked last are silent until they rest, and others ask.
    fn rest_and_go_on(&mut self) -> (usize, Duration) {
        let before = self.scene.taken();
        (0..SILENCE).for_each(|_| self.scene.pass());
        let rested = self.scene.taken() - before;
        let (done, took) = self.texts(MESSAGE);
        self.acknowledge();
        (done, rested + took)
    }

    /// Each of them asks, and does not acknowledge the answer before it came again.
    fn time_out(&mut self) -> (usize, Duration) {
        for _ in 0..2 {
            // The first gives a round-trip time again: RFC 6298 5.
            self.acknowledge();
            let asked: Vec<_> = self
                .peers()
                .map(|peer| self.scene.text(peer, MESSAGE))
                .collect();
            self.scene.quiet_turn(&asked);
            self.scene.hear();
        }
        let (all, mut fired, mut took) = (self.peers().count(), 0, Duration::ZERO);
        for _ in 0..TIME_TO_TIMERS {
            let before = self.scene.taken();
            self.scene.pass();
            let sent = self.scene.hear();
            // Others come to rest meanwhile.
            if sent > 0 {
                took += self.scene.taken() - before;
            }
            fired += sent;
            if fired >= all {
                break;
            }
        }
        self.acknowledge();
        (fired, took)
    }
}
