//! What the control thread notices and says aloud.

use std::time::Duration;

use tokio::time::Instant;
use wirepath_wire::Error;

use super::{ControlPlane, Queue, WorkerHandle};

/// How often it takes the workers' pulse.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long a worker may be in one turn before it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(1);
/// How often it asks the workers.
const QUESTIONS: Duration = Duration::from_secs(1);

/// Whether a worker gets on, by its turns.
#[derive(Debug)]
struct Pulse {
    turns: u64,
    /// When its turns were last seen to go on, or it slept.
    since: Instant,
    stuck: bool,
}

impl Pulse {
    fn new() -> Self {
        Self {
            turns: 0,
            since: Instant::now(),
            stuck: false,
        }
    }

    /// Takes its pulse; says when it gets stuck, and when it goes on.
    fn take(&mut self, worker: &WorkerHandle) -> bool {
        let (turns, sleeps) = worker.pulse();
        let number = worker.number();
        let held_up = self.since.elapsed();
        if turns != self.turns || sleeps {
            if self.stuck {
                tracing::warn!("worker {number} goes on after {held_up:.1?}");
            }
            *self = Self {
                turns,
                ..Self::new()
            };
        } else if held_up >= STUCK_AFTER && !self.stuck {
            self.stuck = true;
            let queues: Vec<String> = worker.queues().iter().map(Queue::to_string).collect();
            tracing::error!(
                "worker {number} (queues {}) has been in one turn for {held_up:.1?}: its \
                 connections wait; something on its core holds it up",
                queues.join(", ")
            );
            return true;
        }
        false
    }
}

impl ControlPlane {
    /// Looks for what a person should know, and lets go of what is over, until the end.
    pub async fn watch(&self) {
        // A worker that is stuck does not answer, and who asks it must not keep the watchdog.
        tokio::join!(
            self.watch_pulses(),
            self.ask_around(),
            self.mind_next_hops()
        );
    }

    async fn watch_pulses(&self) {
        let mut pulses: Vec<Pulse> = self.workers().iter().map(|_| Pulse::new()).collect();
        loop {
            tokio::time::sleep(INTERVAL).await;
            for (worker, pulse) in self.workers().iter().zip(&mut pulses) {
                if pulse.take(worker) {
                    self.count_stall();
                }
            }
        }
    }

    async fn ask_around(&self) {
        let mut told = false;
        loop {
            tokio::time::sleep(QUESTIONS).await;
            told = told || self.tell_of_partial_checksums().await;
            self.tidy_up().await;
        }
    }

    /// Says once when no segment comes with a whole checksum. Whether it did.
    async fn tell_of_partial_checksums(&self) -> bool {
        for worker in self.workers() {
            let Ok(snapshot) = worker.snapshot().await else {
                continue;
            };
            let counters = &snapshot.counters;
            let partial = counters.malformed[Error::TcpChecksumPartial.index()];
            if partial > 0 && counters.segments_in == 0 {
                tracing::warn!(
                    "all {partial} segments came with unfinished checksums: the peer leaves them \
                     to an offload that this link has not; on the peer's end of a veth pair run \
                     `ethtool -K IFACE tx off`, or start with --rx-checksum partial-ok"
                );
                return true;
            }
        }
        false
    }
}
