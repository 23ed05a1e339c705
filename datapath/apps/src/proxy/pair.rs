//! A client and its backend.

use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::header::Ends;
use super::report::Cause;
use super::settings::PoolId;

/// Attempts for one client at most.
pub(super) const TRIES: usize = 8;

/// Which side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Front = 0,
    Back = 1,
}

/// A client, and the backend it has or is to get.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) stage: Stage,
    /// When text last came, from the client and from the backend.
    pub(super) heard: [Instant; 2],
    /// Which side has closed, and the other was told.
    pub(super) closed: [bool; 2],
    pub(super) front: Tuple,
    /// The connection to the backend, from its SYN on.
    pub(super) back: Option<Tuple>,
    pub(super) pool: PoolId,
    /// The client and where it went, which are not the tuple's when another proxy told us of them.
    pub(super) ends: Ends,
    /// The backend where a place is held for it.
    pub(super) backend: Option<Endpoint>,
    /// Where it was tried in vain, the last time last.
    pub(super) tried: [Option<Endpoint>; TRIES],
    /// Whether the pool counts it among its clients.
    pub(super) admitted: bool,
    /// Why it gets no backend.
    pub(super) refused: Option<Cause>,
    pub(super) opened: Instant,
    /// When the present attempt began.
    pub(super) attempted: Instant,
    pub(super) connected: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
    /// How each side ended, the client first.
    pub(super) reasons: [Option<CloseReason>; 2],
    /// Bytes from the client and from the backend.
    pub(super) bytes: [u64; 2],
}

/// How far a pair has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The header that tells of the client has not come.
    Greeted,
    /// A backend is looked for.
    Seeking,
    /// All backends are full: it stands in the queue of its pool.
    Queued,
    /// The link is asked for the backend's address.
    Asking,
    /// The connection to the backend is being opened.
    Opening,
    Relaying,
    /// There is no backend, and will be none.
    Refused,
}

impl Pair {
    pub(super) const fn new(now: Instant, pool: PoolId, front: Tuple) -> Self {
        Self {
            stage: Stage::Seeking,
            heard: [now; 2],
            closed: [false; 2],
            front,
            back: None,
            pool,
            ends: Ends {
                client: front.remote,
                server: front.local,
            },
            backend: None,
            tried: [None; TRIES],
            admitted: true,
            refused: None,
            opened: now,
            attempted: now,
            connected: None,
            first_byte: None,
            reasons: [None; 2],
            bytes: [0; 2],
        }
    }

    /// Whether it still waits for its backend.
    pub(super) const fn waits(&self) -> bool {
        !matches!(self.stage, Stage::Relaying | Stage::Refused)
    }

    /// Whether neither side has a connection any more.
    pub(super) const fn is_over(&self) -> bool {
        let [front, back] = &self.reasons;
        front.is_some() && (back.is_some() || self.back.is_none())
    }

    /// Takes note that `endpoint` was tried in vain; how many were by now.
    pub(super) fn note_tried(&mut self, endpoint: Endpoint) -> usize {
        if let Some(free) = self.tried.iter_mut().find(|it| it.is_none()) {
            *free = Some(endpoint);
        }
        self.tried.iter().flatten().count()
    }

    /// The backend that has it, or was tried last.
    pub(super) fn last_backend(&self) -> Option<Endpoint> {
        let tried = self.tried.iter().flatten().last().copied();
        self.backend.or(tried)
    }
}
