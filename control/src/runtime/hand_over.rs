//! Frames from worker to worker: bounded queues of copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use wirepath_stack::link::InterfaceId;
use wirepath_stack::peers::{Claim, Peers, WorkerId};
use wirepath_xdp::Waker;

use super::directory::Directory;

/// Frames that wait for one worker; more are dropped, as a full ring drops them.
const WAITING: usize = 512;

/// A copy of a frame.
struct Parcel {
    from: InterfaceId,
    bytes: Box<[u8]>,
    len: usize,
}

/// What the other threads see of a worker.
pub(super) struct Room {
    waiting: ArrayQueue<Parcel>,
    /// Memory for parcels to this worker, taken at the start.
    empty: ArrayQueue<Box<[u8]>>,
    waker: Waker,
    /// Whether it sleeps, or is about to.
    sleeps: CachePadded<AtomicBool>,
    /// Its turns, so that one that is stuck can be told.
    turns: CachePadded<AtomicU64>,
}

impl Room {
    /// The room of the worker that `waker` wakes, for frames of at most `longest` bytes.
    pub(super) fn new(waker: Waker, longest: usize) -> Self {
        let empty = ArrayQueue::new(WAITING);
        for _ in 0..WAITING {
            let _ = empty.push(vec![0; longest].into_boxed_slice());
        }
        Self {
            waiting: ArrayQueue::new(WAITING),
            empty,
            waker,
            sleeps: CachePadded::new(AtomicBool::new(false)),
            turns: CachePadded::new(AtomicU64::new(0)),
        }
    }

    /// The worker takes another turn.
    pub(super) fn note_turn(&self) {
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns + 1, Ordering::Relaxed);
    }

    /// Its turns so far, and whether it sleeps.
    pub(super) fn pulse(&self) -> (u64, bool) {
        let turns = self.turns.load(Ordering::Relaxed);
        (turns, self.sleeps.load(Ordering::Relaxed))
    }

    /// Whether the worker may sleep: from now on who brings a parcel wakes it.
    pub(super) fn lie_down(&self) -> bool {
        self.sleeps.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.waiting.is_empty()
    }

    /// It sleeps no more.
    pub(super) fn get_up(&self) {
        self.sleeps.store(false, Ordering::Relaxed);
    }

    /// Copies `frame` here. Whether there was room.
    fn bring(&self, from: InterfaceId, frame: &[u8]) -> bool {
        let Some(mut bytes) = self.empty.pop() else {
            return false;
        };
        let len = frame.len();
        let Some(target) = bytes.get_mut(..len) else {
            let _ = self.empty.push(bytes);
            return false;
        };
        target.copy_from_slice(frame);
        // There are no more parcels than places.
        let _ = self.waiting.push(Parcel { from, bytes, len });
        fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::SeqCst) {
            self.waker.wake();
        }
        true
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({} waiting)", self.waiting.len())
    }
}

/// The other workers, as worker `me` sees them.
#[derive(Debug)]
pub(super) struct Colleagues {
    pub(super) me: WorkerId,
    pub(super) rooms: Arc<[Room]>,
    pub(super) directory: Arc<Directory>,
}

impl Peers for Colleagues {
    fn claim(&mut self, key: u64) -> Claim {
        self.directory.claim(key, self.me)
    }

    fn release(&mut self, key: u64) {
        self.directory.release(key, self.me);
    }

    fn owner(&self, key: u64) -> Option<WorkerId> {
        self.directory.owner(key).filter(|&owner| owner != self.me)
    }

    fn hand_over(&mut self, to: WorkerId, from: InterfaceId, frame: &[u8]) -> bool {
        let room = self.rooms.get(usize::from(to.0));
        room.is_some_and(|room| room.bring(from, frame))
    }

    fn take(&mut self, buffer: &mut [u8]) -> Option<(InterfaceId, usize)> {
        let room = &self.rooms[usize::from(self.me.0)];
        let Parcel { from, bytes, len } = room.waiting.pop()?;
        buffer.get_mut(..len)?.copy_from_slice(&bytes[..len]);
        let _ = room.empty.push(bytes);
        Some((from, len))
    }
}
