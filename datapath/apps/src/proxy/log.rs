//! What there is to tell of connections that are over: the access log.

use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::pair::Pair;
use super::report::Cause;
use super::settings::PoolId;

/// A client's connection that is over, with what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRecord {
    /// The client's connection.
    pub front: Tuple,
    /// The client's address, which is not its tuple's when another proxy told us of it.
    pub source: std::net::IpAddr,
    /// The pool that served it.
    pub pool: PoolId,
    /// The backend that had it, or was tried last.
    pub backend: Option<Endpoint>,
    /// Bytes from the client and from the backend.
    pub bytes: [u64; 2],
    /// When the client's connection was opened, on the worker's clock.
    pub opened: Instant,
    /// When that to the backend was.
    pub connected: Option<Instant>,
    /// When the backend's first byte came.
    pub first_byte: Option<Instant>,
    /// When both were over.
    pub ended: Instant,
    /// How each side ended, the client first.
    pub ends: [Option<CloseReason>; 2],
    /// Why it got no backend, if it was refused.
    pub refused: Option<Cause>,
}

/// Records of one worker, until somebody fetches them.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Its capacity is its bound; it has none until somebody wants records.
    records: Vec<AccessRecord>,
    lost: u64,
}

impl Log {
    /// The records since the last time for an empty buffer, and how many were lost.
    pub(super) fn exchange(&mut self, empty: Vec<AccessRecord>) -> (Vec<AccessRecord>, u64) {
        let lost = std::mem::take(&mut self.lost);
        (std::mem::replace(&mut self.records, empty), lost)
    }

    pub(super) fn note(&mut self, now: Instant, pair: &Pair) {
        if self.records.len() == self.records.capacity() {
            self.lost += u64::from(self.records.capacity() > 0);
            return;
        }
        self.records.push(AccessRecord {
            front: pair.front,
            source: pair.ends.client.address,
            pool: pair.pool,
            backend: pair.last_backend(),
            bytes: pair.bytes,
            opened: pair.opened,
            connected: pair.connected,
            first_byte: pair.first_byte,
            ended: now,
            ends: pair.reasons,
            refused: pair.refused,
        });
    }
}
