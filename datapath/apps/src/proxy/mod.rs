//! A proxy: a client's connection and one to a backend, each the other's partner. What comes on
//! one goes out on the other in the same call; what finds no room stays in the receive buffer of
//! its side, and so slows that side down.

mod backend;
mod balance;
mod check;
mod header;
mod log;
mod pair;
mod pool;
mod relay;
mod report;
mod seek;
mod settings;

pub use log::AccessRecord;
pub use report::{BackendReport, PoolReport, Refusals, Standing, Tally};
pub use settings::{
    Admin, BackendSettings, Balance, Check, Ejection, PoolId, PoolSettings, Refusal, Version,
};

use std::collections::VecDeque;

use slab::Slab;
use wirepath_stack::app::Request;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use check::Probe;
use log::Log;
use pair::Pair;
use pool::Pool;

/// What a connection is to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seat {
    /// Nothing yet.
    #[default]
    None,
    /// The client of the pair of this number.
    Front(u32),
    /// Its backend.
    Back(u32),
    /// A backend that is asked whether it lives.
    Check(u32),
}

/// All pools of a worker, and all pairs.
#[derive(Debug, Default)]
pub struct Proxy {
    pools: Vec<Option<Pool>>,
    pairs: Slab<Pair>,
    requests: VecDeque<Request<Seat>>,
    probes: Slab<Probe>,
    /// Pairs that have no backend yet.
    waiting: Vec<u32>,
    /// When to look at what takes too long; `None` when there is nothing to look at.
    look_at: Option<Instant>,
    log: Log,
}

impl Proxy {
    /// Gives a pool its settings. What has connections to a backend that is now disabled is reset.
    pub fn set_pool(&mut self, id: PoolId, settings: PoolSettings) {
        let at = usize::from(id.0);
        if self.pools.len() <= at {
            self.pools.resize_with(at + 1, || None);
        }
        match &mut self.pools[at] {
            Some(pool) => pool.become_of(settings),
            none => *none = Some(Pool::new(settings)),
        }
        self.reset_disabled(id);
        // Its checks are due.
        self.look_at = Some(Instant::ZERO);
    }

    /// A pool gets no more clients; those it has go on.
    pub fn retire_pool(&mut self, id: PoolId) {
        if let Some(pool) = self.pool(id) {
            pool.retire();
        }
    }

    /// What is known of a pool; `None` of one that there never was.
    #[must_use]
    pub fn report(&self, now: Instant, id: PoolId) -> Option<PoolReport> {
        let pool = self.pools.get(usize::from(id.0))?.as_ref()?;
        Some(pool.report(now))
    }

    /// Records of connections that are over, and how many were lost for want of room, since the
    /// last time. None are kept before the first time.
    pub fn fetch_log(&mut self) -> (Vec<AccessRecord>, u64) {
        self.log.fetch()
    }

    /// Pairs now.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    fn pool(&mut self, id: PoolId) -> Option<&mut Pool> {
        self.pools.get_mut(usize::from(id.0))?.as_mut()
    }

    fn pair(&mut self, number: u32) -> Option<&mut Pair> {
        self.pairs.get_mut(number as usize)
    }

    /// What the worker was asked for is on its way.
    pub(crate) fn on_opening(&mut self, tuple: &Tuple, seat: Seat) {
        match seat {
            Seat::Back(number) => {
                if let Some(pair) = self.pair(number) {
                    pair.back = Some(*tuple);
                }
            }
            Seat::Check(number) => {
                if let Some(probe) = self.probes.get_mut(number as usize) {
                    probe.connection = Some(*tuple);
                }
            }
            Seat::None | Seat::Front(_) => {}
        }
    }

    fn reset_disabled(&mut self, id: PoolId) {
        let Some(pool) = self.pools.get(usize::from(id.0)).and_then(Option::as_ref) else {
            return;
        };
        let disabled = pool.backends.iter().map(|backend| backend.settings);
        let disabled = disabled.filter(|it| it.admin == Admin::Disabled);
        let disabled: Vec<_> = disabled.map(|it| Some(it.endpoint)).collect();
        let hit =
            self.pairs.iter().map(|(_, pair)| pair).filter(|pair| {
                pair.pool == id && !pair.waits() && disabled.contains(&pair.backend)
            });
        self.requests
            .extend(hit.map(|pair| Request::Abort(pair.front)));
    }
}
