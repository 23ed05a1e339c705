//! How the control thread talks to a worker: bounded queues there, one-time answers back.

use std::io;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use tokio::sync::oneshot;
use wirepath_apps::Services;
use wirepath_device::{Device, Ledger};
use wirepath_stack::counters::Counters;
use wirepath_stack::worker::{FlowInfo, Holdings, Worker};
use wirepath_tcp::time::Instant;
use wirepath_xdp::Waker;

/// A worker with all the services there are.
pub(super) type Served<D> = Worker<D, Services>;

/// Commands that wait for one worker; more are refused.
const COMMANDS: usize = 64;
/// Commands that a worker carries out in one turn.
const COMMANDS_PER_TURN: usize = 4;

/// What a worker is asked to do.
pub(super) enum Command {
    Snapshot(oneshot::Sender<Snapshot>),
    Flows(oneshot::Sender<Vec<FlowInfo>>),
    Drain,
    AbortAll,
    End,
}

/// What a worker says of itself.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What it counted since it started.
    pub counters: Counters,
    /// How much it holds now.
    pub holdings: Holdings,
    /// The frames of its devices.
    pub ledgers: Vec<Ledger>,
    /// Whether all frames are accounted for.
    pub frames_balance: bool,
    /// Its clock.
    pub now: Instant,
}

/// A worker, seen from the control thread.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    commands: Arc<ArrayQueue<Command>>,
    waker: Waker,
}

/// The worker's end.
pub(super) struct Inbox(Arc<ArrayQueue<Command>>);

/// A mailbox of a worker that `waker` wakes.
pub(super) fn mailbox(waker: Waker) -> (WorkerHandle, Inbox) {
    let commands = Arc::new(ArrayQueue::new(COMMANDS));
    (
        WorkerHandle {
            commands: Arc::clone(&commands),
            waker,
        },
        Inbox(commands),
    )
}

impl WorkerHandle {
    /// Its counters and holdings now.
    ///
    /// # Errors
    /// The worker has ended, or has too many commands to carry out.
    pub async fn snapshot(&self) -> io::Result<Snapshot> {
        self.ask(Command::Snapshot).await
    }

    /// All its flows now.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub async fn flows(&self) -> io::Result<Vec<FlowInfo>> {
        self.ask(Command::Flows).await
    }

    /// Has it accept no more and close all connections.
    pub(super) fn drain(&self) {
        self.tell(Command::Drain);
    }

    pub(super) fn abort_all(&self) {
        self.tell(Command::AbortAll);
    }

    pub(super) fn end(&self) {
        self.tell(Command::End);
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> io::Result<T> {
        let (sender, receiver) = oneshot::channel();
        if self.commands.push(command(sender)).is_err() {
            return Err(io::Error::other(
                "the worker has too many commands to carry out",
            ));
        }
        self.waker.wake();
        receiver
            .await
            .map_err(|_| io::Error::other("the worker has ended"))
    }

    fn tell(&self, command: Command) {
        // These must not be lost: they make room by dropping the oldest question.
        let _ = self.commands.force_push(command);
        self.waker.wake();
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Inbox {
    /// Whether nothing waits to be carried out.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Carries out what was asked, so much at a time. Whether the worker goes on.
    pub(super) fn attend<D: Device>(&self, now: Instant, worker: &mut Served<D>) -> bool {
        for _ in 0..COMMANDS_PER_TURN {
            match self.0.pop() {
                None => break,
                Some(Command::End) => return false,
                Some(Command::Drain) => worker.drain(now),
                Some(Command::AbortAll) => worker.abort_all(now),
                // Whoever asked may be gone.
                Some(Command::Snapshot(answer)) => drop(answer.send(snapshot(now, worker))),
                Some(Command::Flows(answer)) => drop(answer.send(worker.flows().collect())),
            }
        }
        true
    }
}

fn snapshot<D: Device>(now: Instant, worker: &Served<D>) -> Snapshot {
    Snapshot {
        counters: worker.counters().clone(),
        holdings: worker.holdings(),
        ledgers: worker.ledgers().collect(),
        frames_balance: worker.frames_balance(),
        now,
    }
}
