//! From a client to a backend that takes it: choice, attempts, the queue, and what takes too long.

use std::time::Duration;

use wirepath_stack::app::Request;
use wirepath_stack::worker::OpenError;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::backend::Failure;
use super::pair::{Pair, Stage};
use super::pool::Place;
use super::settings::{PoolId, Refusal};
use super::{Proxy, Seat};

/// How often pairs without a backend are looked at.
const LOOK_AT_WAITING: Duration = Duration::from_millis(10);
/// How often the others are.
const LOOK_AT_IDLE: Duration = Duration::from_millis(250);

impl Proxy {
    /// A client of a pool has come. `None` if it is to be refused.
    pub(super) fn admit(&mut self, now: Instant, id: PoolId, front: Tuple) -> Option<u32> {
        let source = front.remote.address;
        if !self.pool(id)?.admit(source) {
            return None;
        }
        let number = self.pairs.insert(Pair::new(now, id, front)) as u32;
        self.waiting.push(number);
        self.look_by(now + LOOK_AT_WAITING);
        self.seek(now, number);
        Some(number)
    }

    /// Looks for a backend for a client that has none.
    pub(super) fn seek(&mut self, now: Instant, number: u32) {
        let Some(pair) = self.pairs.get_mut(number as usize) else {
            return;
        };
        let pool = self.pools.get_mut(usize::from(pair.pool.0));
        let Some(pool) = pool.and_then(Option::as_mut) else {
            return self.refuse(number);
        };
        match pool.place(now, pair.source, &pair.tried()) {
            Place::At(endpoint) => {
                pair.backend = Some(endpoint);
                pair.attempted = now;
                self.ask(number);
            }
            Place::Full
                if pair.stage == Stage::Queued && pool.queue.len() < pool.settings.queue =>
            {
                pool.queue.push_back(number);
            }
            Place::Full => {
                pool.refusals.queue_full += 1;
                self.refuse(number);
            }
            Place::Nowhere => {
                pool.refusals.no_backend += 1;
                self.refuse(number);
            }
        }
    }

    /// Asks the worker for a connection to the backend that was chosen.
    fn ask(&mut self, number: u32) {
        let Some(pair) = self.pairs.get_mut(number as usize) else {
            return;
        };
        let pool = self.pools.get(usize::from(pair.pool.0));
        let (Some(pool), Some(remote)) = (pool.and_then(Option::as_ref), pair.backend) else {
            return;
        };
        pair.stage = Stage::Opening;
        self.requests.push_back(Request::Connect {
            local: pool.settings.local,
            remote,
            config: pool.settings.tcp,
            session: Seat::Back(number),
            partner: Some(pair.front),
        });
    }

    /// The worker could not open the connection.
    pub(crate) fn on_open_failed(&mut self, now: Instant, seat: Seat, error: OpenError) {
        match (seat, error) {
            (Seat::Back(number), OpenError::NeighborUnknown) => {
                // The link was asked; until it answers, or the attempt has taken too long.
                if let Some(pair) = self.pair(number) {
                    pair.stage = Stage::Asking;
                }
            }
            (Seat::Back(number), _) => self.fail_attempt(now, number, Failure::Other),
            (Seat::Check(number), _) => self.on_check_closed(now, number),
            (Seat::None | Seat::Front(_), _) => {}
        }
    }

    /// An attempt has failed: another backend, or none.
    pub(super) fn fail_attempt(&mut self, now: Instant, number: u32, failure: Failure) {
        let Some(pair) = self.pairs.get_mut(number as usize) else {
            return;
        };
        let pool = self.pools.get_mut(usize::from(pair.pool.0));
        let (Some(pool), Some(endpoint)) = (pool.and_then(Option::as_mut), pair.backend.take())
        else {
            return;
        };
        pair.stage = Stage::Queued;
        pair.back = None;
        pool.fail(now, endpoint, failure);
        let (id, tries) = (pair.pool, pair.note_tried(endpoint));
        let may_try = tries <= usize::from(pool.settings.retries);
        if !may_try {
            pool.refusals.no_backend += 1;
        }
        self.give_back(now, id, endpoint);
        if may_try {
            self.seek(now, number);
        } else {
            self.refuse(number);
        }
    }

    /// A place at a backend is free again: whoever waits first gets it.
    pub(super) fn give_back(&mut self, now: Instant, id: PoolId, endpoint: Endpoint) {
        if let Some(pool) = self.pool(id) {
            pool.give_back(endpoint);
        }
        while let Some(next) = self.pool(id).and_then(|pool| pool.queue.pop_front()) {
            if self
                .pair(next)
                .is_some_and(|pair| pair.stage == Stage::Queued)
            {
                return self.seek(now, next);
            }
        }
    }

    pub(super) fn refuse(&mut self, number: u32) {
        let Some(pair) = self.pairs.get_mut(number as usize) else {
            return;
        };
        pair.stage = Stage::Refused;
        let pool = self.pools.get(usize::from(pair.pool.0));
        let refusal = pool.and_then(Option::as_ref).map(|it| it.settings.refusal);
        self.requests.push_back(match refusal.unwrap_or_default() {
            Refusal::Reset => Request::Abort(pair.front),
            Refusal::Close => Request::Close(pair.front),
        });
    }

    /// Looks at `at` at the latest.
    pub(super) fn look_by(&mut self, at: Instant) {
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    /// When there is something to look at.
    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Looks at what takes too long.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        self.look_at = None;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&number| self.look_at_waiting(now, number));
        // Whoever began to wait meanwhile.
        waiting.append(&mut self.waiting);
        self.waiting = waiting;
        self.look_at_idle(now);
        if let Some(next) = self.run_checks(now) {
            self.look_by(next);
        }
        if !self.waiting.is_empty() {
            self.look_by(now + LOOK_AT_WAITING);
        } else if !self.pairs.is_empty() {
            self.look_by(now + LOOK_AT_IDLE);
        }
    }

    /// Whether it still waits.
    fn look_at_waiting(&mut self, now: Instant, number: u32) -> bool {
        let Some(pair) = self.pairs.get(number as usize).filter(|pair| pair.waits()) else {
            return false;
        };
        let pool = self.pools.get_mut(usize::from(pair.pool.0));
        let Some(pool) = pool.and_then(Option::as_mut) else {
            return false;
        };
        let (stage, settings) = (pair.stage, &pool.settings);
        let all = now.since(pair.opened) >= settings.connect_timeout;
        let attempt = now.since(pair.attempted) >= settings.attempt_timeout;
        match stage {
            Stage::Queued if all => {
                pool.refusals.timed_out += 1;
                self.refuse(number);
                false
            }
            Stage::Asking if all || attempt => {
                self.fail_attempt(now, number, Failure::TimedOut);
                true
            }
            Stage::Asking => {
                self.ask(number);
                true
            }
            Stage::Opening if all || attempt => {
                self.requests.extend(pair.back.map(Request::Abort));
                true
            }
            _ => true,
        }
    }

    /// Resets pairs on which nothing has come for too long.
    fn look_at_idle(&mut self, now: Instant) {
        let pools = &self.pools;
        let is_over = |pair: &Pair| {
            let pool = pools.get(usize::from(pair.pool.0)).and_then(Option::as_ref);
            let limit = pool.map_or(Duration::ZERO, |pool| pool.settings.idle_timeout);
            let heard = pair.heard[0].max(pair.heard[1]);
            limit > Duration::ZERO && now.since(heard) >= limit
        };
        let relaying = self.pairs.iter().map(|(_, pair)| pair);
        let over = relaying.filter(|pair| pair.stage == Stage::Relaying && is_over(pair));
        self.requests
            .extend(over.map(|pair| Request::Abort(pair.front)));
    }
}
