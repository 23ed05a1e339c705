//! What takes too long: clients without a backend, pairs on which nothing comes.

use std::collections::VecDeque;
use std::time::Duration;

use wirepath_stack::app::Request;
use wirepath_tcp::time::Instant;

use super::backend::Failure;
use super::pair::{Pair, Stage};
use super::report::Cause;
use super::settings::PoolSettings;
use super::{PairId, Proxy};

/// How often pairs without a backend are looked at.
const LOOK_AT_WAITING: Duration = Duration::from_millis(10);
/// How often some of the others are.
const LOOK_AT_IDLE: Duration = Duration::from_millis(100);
/// How many of them at a time, or else an eighth: each has its turn in a second or two.
const IDLE_PER_LOOK: usize = 4_096;

/// Whom to look at, and when.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// When to look; `None` when there is nothing to look at.
    at: Option<Instant>,
    /// Pairs that have no backend yet, or had none a moment ago.
    waiting: Vec<PairId>,
    /// All pairs, whoever comes next first; some may be over.
    all: VecDeque<PairId>,
    /// When to look at some of them.
    idle_at: Option<Instant>,
}

impl Looks {
    /// Takes memory for so many pairs.
    pub(super) fn reserve(&mut self, pairs: usize) {
        self.waiting.reserve(pairs);
        self.all.reserve(2 * pairs);
    }

    /// A pair begins.
    pub(super) fn begin(&mut self, now: Instant, id: PairId) {
        self.waiting.push(id);
        self.all.push_back(id);
        self.look_by(now + LOOK_AT_WAITING);
    }

    /// Looks at `at` at the latest.
    pub(super) fn look_by(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |before| before.min(at)));
    }
}

impl Proxy {
    /// When there is something to look at.
    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.looks.at
    }

    /// Looks at what takes too long, and at what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        self.looks.at = None;
        let mut waiting = std::mem::take(&mut self.looks.waiting);
        waiting.retain(|&id| self.look_at_waiting(now, id));
        waiting.append(&mut self.looks.waiting);
        self.looks.waiting = waiting;
        if !self.looks.waiting.is_empty() {
            self.looks.look_by(now + LOOK_AT_WAITING);
        }
        self.look_at_idle(now);
        if let Some(next) = self.run_checks(now) {
            self.looks.look_by(next);
        }
        // An ejection may have ended.
        for pool in self.pools.ids() {
            self.serve_queue(now, pool);
        }
    }

    /// Whether it still waits.
    fn look_at_waiting(&mut self, now: Instant, id: PairId) -> bool {
        let Some(pair) = self.pairs.get(id).filter(|pair| pair.waits()) else {
            return false;
        };
        let Some(pool) = self.pools.get_mut(pair.pool) else {
            return false;
        };
        if now.since(pair.opened) >= pool.settings.connect_timeout {
            // Whatever it waits for, no backend is to blame for the whole time.
            self.requests.extend(pair.back.map(Request::Abort));
            self.refuse(id, Cause::TimedOut);
            return false;
        }
        let is_late = now.since(pair.attempted) >= pool.settings.attempt_timeout;
        match pair.stage {
            Stage::Asking if is_late => self.fail_attempt(now, id, Some(Failure::TimedOut)),
            Stage::Asking => self.ask(id),
            Stage::Opening if is_late => self.requests.extend(pair.back.map(Request::Abort)),
            _ => {}
        }
        true
    }

    /// Resets pairs on which nothing has come for too long; looks at some at a time.
    fn look_at_idle(&mut self, now: Instant) {
        if self.looks.all.is_empty() {
            self.looks.idle_at = None;
            return;
        }
        let due = *self.looks.idle_at.get_or_insert(now + LOOK_AT_IDLE);
        if now < due {
            return self.looks.look_by(due);
        }
        // Faster than others come, so that those that are over do not gather.
        let all = self.looks.all.len();
        for _ in 0..IDLE_PER_LOOK.max(all / 8).min(all) {
            let Some(id) = self.looks.all.pop_front() else {
                break;
            };
            let Some(pair) = self.pairs.get(id) else {
                continue;
            };
            let pool = self.pools.get(pair.pool);
            let is_over = pool.is_some_and(|pool| is_silent(now, pair, &pool.settings));
            if pair.stage == Stage::Relaying && is_over {
                self.requests.push_back(Request::Abort(pair.front));
            }
            self.looks.all.push_back(id);
        }
        self.looks.idle_at = Some(now + LOOK_AT_IDLE);
        self.looks.look_by(now + LOOK_AT_IDLE);
    }
}

/// Whether nothing has come for too long: from either side, or from one. Who has closed says no
/// more.
fn is_silent(now: Instant, pair: &Pair, settings: &PoolSettings) -> bool {
    let is_past =
        |since: Instant, limit: Duration| limit > Duration::ZERO && now.since(since) >= limit;
    let [client, backend] = pair.heard;
    let mut sides = (0..2).filter(|&side| !pair.closed[side]);
    is_past(client.max(backend), settings.idle_timeout)
        || sides.any(|side| is_past(pair.heard[side], settings.silence[side]))
}
