//! A proxy: a client's connection and one to a backend, each the other's partner. What comes on
//! one goes out on the other in the same call; what finds no room stays in the receive buffer of
//! its side, and so slows that side down.

mod backend;
mod balance;
mod check;
mod header;
mod log;
mod look;
mod pair;
mod pool;
mod pools;
mod relay;
mod report;
mod seek;
mod settings;

pub use balance::MaglevTable;
pub use log::AccessRecord;
pub use report::{BackendReport, Cause, PoolReport, Refusals, Standing, Tally};
pub use settings::{
    Admin, BackendSettings, Balance, Check, Ejection, PoolId, PoolSettings, Refusal, Version,
};

use std::collections::VecDeque;

use slotmap::SlotMap;
use wirepath_stack::app::Request;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use check::Probe;
use log::Log;
use look::Looks;
use pair::Pair;
use pool::Pool;
use pools::Pools;

slotmap::new_key_type! {
    /// The name of a pair, which no later one has.
    pub struct PairId;
    /// The name of a check that runs.
    pub struct ProbeId;
}

/// What a connection is to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seat {
    /// Nothing yet.
    #[default]
    None,
    /// The client of a pair.
    Front(PairId),
    /// Its backend.
    Back(PairId),
    /// A backend that is asked whether it lives.
    Check(ProbeId),
}

/// All pools of a worker, and all pairs.
#[derive(Debug, Default)]
pub struct Proxy {
    pools: Pools,
    pairs: SlotMap<PairId, Pair>,
    probes: SlotMap<ProbeId, Probe>,
    requests: VecDeque<Request<Seat>>,
    looks: Looks,
    log: Log,
    /// Connections that the worker may have.
    connections: usize,
}

/// Requests that there is room for at first: those of several turns.
const REQUESTS: usize = 1_024;

impl Proxy {
    /// One on a worker that may have so many connections. Memory is taken when there is a pool.
    #[must_use]
    pub fn with_capacity(connections: usize) -> Self {
        Self {
            connections,
            ..Self::default()
        }
    }

    /// Gives a pool its settings. What has connections to a backend that is now disabled is reset.
    pub fn set_pool(&mut self, now: Instant, id: PoolId, settings: PoolSettings) {
        if self.pairs.capacity() < self.connections / 2 {
            self.pairs.reserve(self.connections / 2);
            self.looks.reserve(self.connections / 2);
            self.requests.reserve(REQUESTS);
        }
        match self.pools.place(id) {
            Some(pool) => pool.become_of(settings),
            none => *none = Some(Pool::new(settings)),
        }
        self.reset_disabled(id);
        self.serve_queue(now, id);
        // Its checks are due.
        self.looks.look_by(now);
    }

    /// A pool gets no more clients; those it has go on.
    pub fn retire_pool(&mut self, id: PoolId) {
        if let Some(pool) = self.pools.get_mut(id) {
            pool.retire();
        }
    }

    /// What is known of a pool; `None` of one that there never was.
    #[must_use]
    pub fn report(&self, now: Instant, id: PoolId) -> Option<PoolReport> {
        self.pools.get(id).map(|pool| pool.report(now))
    }

    /// Exchanges the records of connections that are over for an empty buffer, whose capacity is
    /// how many the next ones can be; and how many were lost for want of room. None are kept before
    /// the first time.
    pub fn exchange_log(&mut self, empty: Vec<AccessRecord>) -> (Vec<AccessRecord>, u64) {
        self.log.exchange(empty)
    }

    /// Changes what a backend may be given. Whether there is such a backend.
    pub fn set_admin(
        &mut self,
        now: Instant,
        (id, backend): (PoolId, Endpoint),
        admin: Admin,
    ) -> bool {
        let pool = self.pools.get_mut(id);
        let is_known = pool.is_some_and(|pool| pool.set_admin(backend, admin));
        self.reset_disabled(id);
        self.serve_queue(now, id);
        is_known
    }

    /// What the worker was asked for is on its way.
    pub(crate) fn on_opening(&mut self, tuple: &Tuple, seat: Seat) {
        match seat {
            Seat::Back(id) => {
                if let Some(pair) = self.pairs.get_mut(id) {
                    pair.back = Some(*tuple);
                }
            }
            Seat::Check(id) => {
                if let Some(probe) = self.probes.get_mut(id) {
                    probe.connection = Some(*tuple);
                }
            }
            Seat::None | Seat::Front(_) => {}
        }
    }

    /// The next thing to ask the worker for.
    pub(crate) fn poll_request(&mut self) -> Option<Request<Seat>> {
        self.requests.pop_front()
    }

    /// Whether there is something to ask the worker for.
    pub(crate) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    fn reset_disabled(&mut self, id: PoolId) {
        let Some(pool) = self.pools.get(id) else {
            return;
        };
        let hit = self.pairs.values().filter(|pair| {
            let is_disabled = pair.backend.is_some_and(|at| pool.is_disabled(at));
            pair.pool == id && pair.stage == pair::Stage::Relaying && is_disabled
        });
        self.requests
            .extend(hit.map(|pair| Request::Abort(pair.front)));
    }
}
