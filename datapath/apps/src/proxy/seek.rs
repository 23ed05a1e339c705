//! From a client to a backend that takes it: admission, choice, attempts, and the queue.

use wirepath_stack::app::Request;
use wirepath_stack::worker::OpenError;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::backend::Failure;
use super::header::{self, Greeting};
use super::pair::{Pair, Stage, TRIES};
use super::pool::Place;
use super::report::Cause;
use super::settings::{PoolId, Refusal};
use super::{PairId, Proxy, Seat};

impl Proxy {
    /// A client of a pool has come. `None` if it is to be refused.
    pub(super) fn admit(&mut self, now: Instant, pool: PoolId, front: Tuple) -> Option<PairId> {
        let source = front.remote.address;
        let known = self.pools.get_mut(pool)?;
        let is_greeted = known.is_greeted_by(source);
        let mut pair = Pair::new(now, pool, front);
        if let Err(cause) = known.admit(source) {
            known.refusals.count(cause);
            pair.refused = Some(cause);
            self.log.note(now, &pair);
            return None;
        }
        if is_greeted {
            pair.stage = Stage::Greeted;
        }
        let id = self.pairs.insert(pair);
        self.looks.begin(now, id);
        if !is_greeted {
            self.seek(now, id);
        }
        Some(id)
    }

    /// The first text of a client whose connection begins with a header; returns how much of it
    /// that took.
    pub(super) fn greet(&mut self, now: Instant, id: PairId, text: &[u8]) -> usize {
        let Some(pair) = self.pairs.get_mut(id) else {
            return text.len();
        };
        let Some(pool) = self.pools.get_mut(pair.pool) else {
            return text.len();
        };
        let (len, ends) = match header::read(text) {
            Greeting::Unfinished => return 0,
            Greeting::Wrong => {
                self.refuse(id, Cause::BadHeader);
                return text.len();
            }
            Greeting::Header(len, ends) => (len, ends),
        };
        let mut admitted = Ok(());
        if let Some(ends) = ends {
            pool.let_go(pair.ends.client.address);
            admitted = pool.admit(ends.client.address);
            pair.admitted = admitted.is_ok();
            pair.ends = ends;
        }
        pair.stage = Stage::Seeking;
        match admitted {
            Ok(()) => self.seek(now, id),
            Err(cause) => self.refuse(id, cause),
        }
        len
    }

    /// Looks for a backend for a client that has none.
    pub(super) fn seek(&mut self, now: Instant, id: PairId) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let Some(pool) = self.pools.get_mut(pair.pool) else {
            return self.refuse(id, Cause::NoBackend);
        };
        match pool.place(now, pair.ends.client.address, &pair.tried) {
            Place::At(endpoint) => self.attempt(now, id, endpoint),
            Place::Full if pool.queue.len() < pool.settings.queue => {
                pair.stage = Stage::Queued;
                pool.queue.push_back(id);
            }
            Place::Full => self.refuse(id, Cause::QueueFull),
            Place::Nowhere => self.refuse(id, Cause::NoBackend),
        }
    }

    /// Tries the backend that was chosen, where a place is held for the client.
    fn attempt(&mut self, now: Instant, id: PairId, endpoint: Endpoint) {
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.backend = Some(endpoint);
            pair.attempted = now;
        }
        self.ask(id);
    }

    /// Asks the worker for a connection to the backend that was chosen.
    pub(super) fn ask(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let (Some(pool), Some(remote)) = (self.pools.get(pair.pool), pair.backend) else {
            return;
        };
        pair.stage = Stage::Opening;
        self.requests.push_back(Request::Connect {
            local: pool.settings.local,
            remote,
            config: pool.settings.tcp,
            session: Seat::Back(id),
            partner: Some(pair.front),
        });
    }

    /// The worker could not open the connection.
    pub(crate) fn on_open_failed(&mut self, now: Instant, seat: Seat, error: OpenError) {
        if let Seat::Back(id) = seat
            && self.pairs.get(id).is_none_or(|pair| pair.refused.is_some())
        {
            return;
        }
        match (seat, error) {
            (Seat::Back(id), OpenError::NeighborUnknown) => {
                // The link was asked; until it answers, or the attempt has taken too long.
                if let Some(pair) = self.pairs.get_mut(id) {
                    pair.stage = Stage::Asking;
                }
            }
            // There is no way to it from here, by nobody's fault; there may be to another.
            (Seat::Back(id), OpenError::OtherInterface) => self.fail_attempt(now, id, None),
            // No backend is to blame, and no other one would be better off.
            (Seat::Back(id), _) => self.refuse(id, Cause::NoRoom),
            (Seat::Check(id), error) => self.on_check_not_open(now, id, error),
            (Seat::None | Seat::Front(_), _) => {}
        }
    }

    /// An attempt has failed, by the backend's fault or by nobody's: another one, or none.
    pub(super) fn fail_attempt(&mut self, now: Instant, id: PairId, failure: Option<Failure>) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let (Some(pool), Some(endpoint)) = (self.pools.get_mut(pair.pool), pair.backend.take())
        else {
            return;
        };
        let is_refused = pair.refused.is_some();
        pair.stage = if is_refused {
            Stage::Refused
        } else {
            Stage::Seeking
        };
        pair.back = None;
        let tries = pair.note_tried(endpoint);
        if let Some(failure) = failure {
            pool.fail(now, endpoint, failure);
        }
        let pool_id = pair.pool;
        if is_refused {
            return self.give_back(now, pool_id, endpoint);
        }
        // Its own place is free for it.
        pool.give_back(endpoint);
        if tries <= usize::from(pool.settings.retries).min(TRIES - 1) {
            self.seek(now, id);
        } else {
            self.refuse(id, Cause::NoBackend);
        }
        self.serve_queue(now, pool_id);
    }

    /// A place at a backend is free again.
    pub(super) fn give_back(&mut self, now: Instant, id: PoolId, endpoint: Endpoint) {
        if let Some(pool) = self.pools.get_mut(id) {
            pool.give_back(endpoint);
        }
        self.serve_queue(now, id);
    }

    /// Gives places to those who wait for one, the first first.
    pub(super) fn serve_queue(&mut self, now: Instant, id: PoolId) {
        let mut at = 0;
        while let Some(pool) = self.pools.get_mut(id)
            && let Some(&next) = pool.queue.get(at)
            && pool.has_room(now)
        {
            let pair = self.pairs.get_mut(next);
            let Some(pair) = pair.filter(|pair| pair.stage == Stage::Queued) else {
                pool.queue.remove(at);
                continue;
            };
            match pool.place(now, pair.ends.client.address, &pair.tried) {
                Place::At(endpoint) => {
                    pool.queue.remove(at);
                    self.attempt(now, next, endpoint);
                }
                // It has tried those in vain that have room: the next one may not have.
                Place::Full | Place::Nowhere => at += 1,
            }
        }
    }

    /// A client waits no more: its place in the queue is another's.
    pub(super) fn leave_queue(&mut self, id: PairId) {
        let pair = self.pairs.get(id);
        let Some(pair) = pair.filter(|pair| pair.stage == Stage::Queued) else {
            return;
        };
        if let Some(pool) = self.pools.get_mut(pair.pool) {
            pool.queue.retain(|&queued| queued != id);
        }
    }

    /// The client gets none.
    pub(super) fn refuse(&mut self, id: PairId, cause: Cause) {
        self.leave_queue(id);
        let pair = self.pairs.get_mut(id);
        // One that was asked for in vain meanwhile is refused once.
        let Some(pair) = pair.filter(|pair| pair.refused.is_none()) else {
            return;
        };
        pair.stage = Stage::Refused;
        pair.refused = Some(cause);
        let pool = self.pools.get_mut(pair.pool);
        let refusal = pool.map(|pool| {
            pool.refusals.count(cause);
            pool.settings.refusal
        });
        let refusal = refusal.unwrap_or_default();
        self.requests.push_back(match refusal {
            Refusal::Reset => Request::Abort(pair.front),
            Refusal::Close => Request::Close(pair.front),
        });
    }
}
