//! How the control thread talks to a worker: a bounded queue of errands there, one-time answers
//! back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use tokio::sync::oneshot;
use wirepath_apps::Services;
use wirepath_device::Ledger;
use wirepath_stack::counters::Counters;
use wirepath_stack::worker::{Holdings, Worker};
use wirepath_tcp::time::Instant;
use wirepath_xdp::{Waker, XdpDevice};

use super::hand_over::Room;
use super::meter::Meter;
use super::place::Queue;

/// A worker with all the services there are.
pub(super) type Served = Worker<XdpDevice, Services>;

/// Errands that wait for one worker; more are refused.
const ERRANDS: usize = 64;
/// Errands that a worker runs in one turn.
const ERRANDS_PER_TURN: usize = 4;
/// How long an answer may take: a worker that is stuck must not hold up whoever asks.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Something to be done on the thread of a worker, between two turns.
type Errand = Box<dyn FnOnce(Instant, &mut Served) + Send>;

enum Command {
    Run(Errand),
    Measure(oneshot::Sender<Meter>),
    End,
}

/// Why a worker has not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Its queue of errands is full.
    #[error("worker {0} has too many errands; try again")]
    Busy(usize),
    /// It has ended.
    #[error("worker {0} has ended")]
    Ended(usize),
    /// It does not answer: something holds it up.
    #[error("worker {0} has not answered for {ANSWER_WITHIN:?}; the log tells when it began")]
    Stuck(usize),
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
    number: usize,
    queues: Arc<[Queue]>,
    mail: Arc<Mail>,
    waker: Waker,
    rooms: Arc<[Room]>,
}

/// What waits for a worker.
#[derive(Debug)]
struct Mail {
    commands: ArrayQueue<Command>,
    /// The worker has ended: nobody carries out more.
    ended: AtomicBool,
}

/// The worker's end.
pub(super) struct Inbox(Arc<Mail>);

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::SeqCst);
        // Whoever waits for an answer hears that there will be none.
        while self.0.commands.pop().is_some() {}
    }
}

/// A mailbox of worker `number`, which owns `queues` and sleeps in `rooms`.
pub(super) fn mailbox(
    number: usize,
    queues: Vec<Queue>,
    waker: Waker,
    rooms: Arc<[Room]>,
) -> (WorkerHandle, Inbox) {
    let mail = Arc::new(Mail {
        commands: ArrayQueue::new(ERRANDS),
        ended: AtomicBool::new(false),
    });
    let handle = WorkerHandle {
        number,
        queues: queues.into(),
        mail: Arc::clone(&mail),
        waker,
        rooms,
    };
    (handle, Inbox(mail))
}

impl WorkerHandle {
    /// Its number, from 0.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// The queues that it owns.
    #[must_use]
    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Its turns so far, and whether it sleeps: read without asking it.
    #[must_use]
    pub fn pulse(&self) -> (u64, bool) {
        self.rooms[self.number].pulse()
    }

    /// Its counters and holdings now.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn snapshot(&self) -> Result<Snapshot, AskError> {
        self.ask(|now, worker| Snapshot {
            counters: worker.counters().clone(),
            holdings: worker.holdings(),
            ledgers: worker.ledgers().collect(),
            frames_balance: worker.frames_balance(),
            now,
        })
        .await
    }

    /// How busy it was so far, and how long its turns took.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn meter(&self) -> Result<Meter, AskError> {
        let (sender, receiver) = oneshot::channel();
        self.await_answer(Command::Measure(sender), receiver).await
    }

    /// What `question` answers, on the worker's thread between two turns. It must be quick: the
    /// connections wait meanwhile.
    ///
    /// # Errors
    /// The worker has ended, has too many errands, or does not answer.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Instant, &mut Served) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked may be gone.
        let errand = move |now, worker: &mut Served| drop(sender.send(question(now, worker)));
        self.await_answer(Command::Run(Box::new(errand)), receiver)
            .await
    }

    async fn await_answer<T>(
        &self,
        command: Command,
        receiver: oneshot::Receiver<T>,
    ) -> Result<T, AskError> {
        let pushed = self.mail.commands.push(command);
        pushed.map_err(|_| AskError::Busy(self.number))?;
        if self.mail.ended.load(Ordering::SeqCst) {
            return Err(AskError::Ended(self.number));
        }
        self.waker.wake();
        match tokio::time::timeout(ANSWER_WITHIN, receiver).await {
            Ok(answer) => answer.map_err(|_| AskError::Ended(self.number)),
            Err(_) => Err(AskError::Stuck(self.number)),
        }
    }

    /// Has it accept no more and close all connections.
    pub(super) fn drain(&self) {
        self.tell(Command::Run(Box::new(|now, worker| worker.drain(now))));
    }

    pub(super) fn abort_all(&self) {
        self.tell(Command::Run(Box::new(|now, worker| worker.abort_all(now))));
    }

    pub(super) fn end(&self) {
        self.tell(Command::End);
    }

    fn tell(&self, command: Command) {
        // These must not be lost: they make room by dropping the oldest question.
        let _ = self.mail.commands.force_push(command);
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
        self.0.commands.is_empty()
    }

    /// Carries out what was asked, so much at a time. Whether the worker goes on.
    pub(super) fn attend(&self, now: Instant, worker: &mut Served, meter: &Meter) -> bool {
        for _ in 0..ERRANDS_PER_TURN {
            match self.0.commands.pop() {
                None => break,
                Some(Command::End) => return false,
                Some(Command::Run(errand)) => errand(now, worker),
                // Whoever asked may be gone.
                Some(Command::Measure(sender)) => drop(sender.send(meter.clone())),
            }
        }
        true
    }
}
