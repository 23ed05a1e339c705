//! A client and its backend.

use std::net::IpAddr;

use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::settings::PoolId;

/// Backends that one client may be tried at.
pub(super) const TRIES: usize = 8;

/// A client, and the backend it has or is to get.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) stage: Stage,
    /// When text last came, from the client and from the backend.
    pub(super) heard: [Instant; 2],
    pub(super) front: Tuple,
    /// The connection to the backend, from its SYN on.
    pub(super) back: Option<Tuple>,
    pub(super) pool: PoolId,
    /// The client's address, which is not its tuple's when another proxy told us of it.
    pub(super) source: IpAddr,
    /// The backend that has, or is to have it.
    pub(super) backend: Option<Endpoint>,
    /// Backends that were tried in vain.
    tried: [Option<Endpoint>; TRIES],
    /// The client has closed before there was a backend.
    pub(super) front_closed: bool,
    pub(super) opened: Instant,
    /// When the present attempt began.
    pub(super) attempted: Instant,
    pub(super) connected: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
    /// How each side ended, the client first.
    pub(super) ends: [Option<CloseReason>; 2],
    /// Bytes from the client and from the backend.
    pub(super) bytes: [u64; 2],
}

/// How far a pair has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// All backends are full.
    Queued,
    /// The worker is asked for a connection, or the link for the backend's address.
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
            stage: Stage::Queued,
            heard: [now; 2],
            front,
            back: None,
            pool,
            source: front.remote.address,
            backend: None,
            tried: [None; TRIES],
            front_closed: false,
            opened: now,
            attempted: now,
            connected: None,
            first_byte: None,
            ends: [None; 2],
            bytes: [0; 2],
        }
    }

    /// Whether it still waits for its backend.
    pub(super) const fn waits(&self) -> bool {
        matches!(self.stage, Stage::Queued | Stage::Asking | Stage::Opening)
    }

    /// Whether neither side has a connection any more.
    pub(super) const fn is_over(&self) -> bool {
        let [front, back] = &self.ends;
        front.is_some() && (back.is_some() || self.back.is_none())
    }

    pub(super) fn tried(&self) -> Vec<Endpoint> {
        self.tried.iter().flatten().copied().collect()
    }

    /// Takes note that `endpoint` was tried in vain; how many were by now.
    pub(super) fn note_tried(&mut self, endpoint: Endpoint) -> usize {
        if let Some(free) = self.tried.iter_mut().find(|it| it.is_none()) {
            *free = Some(endpoint);
        }
        self.tried.iter().flatten().count()
    }
}
