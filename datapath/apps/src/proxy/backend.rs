//! A backend as a worker knows it.

use std::time::Duration;

use wirepath_tcp::time::Instant;

use super::report::{Standing, Tally};
use super::settings::{Admin, BackendSettings, Ejection};

/// Whole share of a backend of weight 1.
const SHARE: i64 = 1_000;

/// A backend, what it has, and how it does.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) settings: BackendSettings,
    /// Connections and attempts now.
    pub(super) held: usize,
    pub(super) tally: Tally,
    /// Failures one after the other.
    failures: u32,
    /// How often it was left out, one after the other.
    ejections: u32,
    /// Until when it is left out.
    ejected_until: Instant,
    /// Since when it is given connections again.
    back_since: Instant,
    pub(super) health: Health,
}

/// What active checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) up: bool,
    /// Checks one after the other that said otherwise.
    against: u32,
    /// When the next is due; `NEVER` while one runs.
    pub(super) next: Instant,
    /// Since when the link is asked for its station; `NEVER` when it has answered.
    asked: Instant,
}

/// How long the link may take to tell of a backend's station before its checks fail.
const FOUND_WITHIN: Duration = Duration::from_secs(1);

impl Health {
    const fn new() -> Self {
        Self {
            up: true,
            against: 0,
            next: Instant::ZERO,
            asked: Instant::NEVER,
        }
    }

    /// The link does not know its station: `None` when it has had the time to come to know it.
    pub(super) fn await_station(&mut self, now: Instant) -> Option<&mut Self> {
        self.asked = self.asked.min(now);
        (now.since(self.asked) < FOUND_WITHIN).then_some(self)
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Refused,
    TimedOut,
    Other,
}

impl Backend {
    pub(super) fn new(settings: BackendSettings) -> Self {
        Self {
            settings,
            held: 0,
            tally: Tally::default(),
            failures: 0,
            ejections: 0,
            ejected_until: Instant::ZERO,
            back_since: Instant::ZERO,
            health: Health::new(),
        }
    }

    /// What checks said counts no more.
    pub(super) const fn forget_health(&mut self) {
        self.health = Health::new();
    }

    /// Whether it may be given connections, were there room.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        self.is_wanted() && now >= self.ejected_until
    }

    /// The same, but for what attempts have said.
    pub(super) fn is_wanted(&self) -> bool {
        self.settings.admin == Admin::Ready && self.settings.weight > 0 && self.health.up
    }

    pub(super) const fn has_room(&self) -> bool {
        let most = self.settings.max_connections;
        most == 0 || self.held < most
    }

    /// What it is to get, beside the others: less while it has just come back.
    pub(super) fn share(&self, now: Instant, slow_start: Duration) -> i64 {
        let whole = i64::from(self.settings.weight) * SHARE;
        let back_for = now.since(self.back_since);
        if self.back_since == Instant::ZERO || back_for >= slow_start {
            return whole;
        }
        let part = back_for.as_nanos() as i64 * 100 / (slow_start.as_nanos() as i64).max(1);
        (whole * part.max(1) / 100).max(1)
    }

    /// It has answered, perhaps although it is left out.
    pub(super) fn succeed(&mut self, now: Instant) {
        self.failures = 0;
        self.ejections = 0;
        if now < self.ejected_until {
            (self.ejected_until, self.back_since) = (now, now);
        }
    }

    /// It has not answered as it should.
    pub(super) fn fail(&mut self, now: Instant, failure: Failure, ejection: &Ejection) {
        let count = match failure {
            Failure::Refused => &mut self.tally.refused,
            Failure::TimedOut => &mut self.tally.timed_out,
            Failure::Other => &mut self.tally.failed,
        };
        *count += 1;
        self.failures = self.failures.saturating_add(1);
        // Attempts that had begun before say nothing new.
        if ejection.failures == 0 || self.failures < ejection.failures || now < self.ejected_until {
            return;
        }
        let span = ejection.first.saturating_mul(1 << self.ejections.min(20));
        self.ejected_until = now + span.min(ejection.most);
        self.back_since = self.ejected_until;
        self.ejections += 1;
        // When it comes back, one failure is enough.
        self.failures = ejection.failures - 1;
        self.tally.ejected += 1;
    }

    /// An active check has ended.
    pub(super) fn checked(&mut self, now: Instant, good: bool, needed: u32) {
        if good {
            self.health.asked = Instant::NEVER;
        }
        if good == self.health.up {
            self.health.against = 0;
            return;
        }
        self.health.against += 1;
        if self.health.against < needed.max(1) {
            return;
        }
        self.health.up = good;
        self.health.against = 0;
        if good {
            self.back_since = now;
            self.ejected_until = Instant::ZERO;
        }
    }

    /// How it stands, as people are told.
    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.settings.admin {
            Admin::Drain => Standing::Draining,
            Admin::Disabled => Standing::Disabled,
            Admin::Ready if !self.health.up => Standing::Down,
            Admin::Ready if now < self.ejected_until => Standing::Ejected,
            Admin::Ready => Standing::Up,
        }
    }
}

#[cfg(test)]
mod tests {
    use wirepath_wire::tuple::Endpoint;

    use super::*;

    const EJECTION: Ejection = Ejection {
        failures: 3,
        first: Duration::from_secs(1),
        most: Duration::from_secs(3),
    };

    fn backend() -> Backend {
        Backend::new(BackendSettings {
            endpoint: Endpoint::new([10, 0, 0, 1].into(), 80),
            weight: 1,
            max_connections: 2,
            admin: Admin::Ready,
        })
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(1_000 * seconds)
    }

    /// Whether it is left out once more by a failure.
    fn is_ejected_by(backend: &mut Backend, now: Instant, failure: Failure) -> bool {
        let before = backend.tally.ejected;
        backend.fail(now, failure, &EJECTION);
        backend.tally.ejected > before
    }

    #[test]
    fn it_is_left_out_after_failures_in_a_row_each_time_for_longer() {
        let mut backend = backend();
        for _ in 0..2 {
            assert!(!is_ejected_by(&mut backend, at(1), Failure::Refused));
        }
        backend.succeed(at(1));
        for _ in 0..2 {
            assert!(!is_ejected_by(&mut backend, at(1), Failure::Refused));
        }
        assert!(is_ejected_by(&mut backend, at(1), Failure::TimedOut));
        assert!(!backend.is_usable(at(1)));
        assert_eq!(backend.standing(at(1)), Standing::Ejected);
        assert!(backend.is_usable(at(2)));
        // Attempts from before it was left out fail late.
        assert!(!is_ejected_by(
            &mut backend,
            Instant::from_millis(1_500),
            Failure::Refused
        ));
        let mut now = at(2);
        for span in [2, 3, 3] {
            assert!(is_ejected_by(&mut backend, now, Failure::Refused));
            assert!(!backend.is_usable(now + Duration::from_millis(1_000 * span - 1)));
            now = now + Duration::from_secs(span);
            assert!(backend.is_usable(now));
        }
        assert_eq!(backend.tally.ejected, 4);
        assert_eq!((backend.tally.refused, backend.tally.timed_out), (8, 1));
    }

    #[test]
    fn checks_turn_it_down_and_up_only_several_at_a_time() {
        let mut backend = backend();
        let seen: Vec<bool> = [false, true, false, false, true, true]
            .into_iter()
            .map(|good| {
                backend.checked(at(1), good, 2);
                backend.is_usable(at(1))
            })
            .collect();
        assert_eq!(seen, [true, true, true, false, false, true]);
    }

    #[test]
    fn what_has_come_back_gets_its_share_step_by_step() {
        let mut backend = backend();
        let slow = Duration::from_secs(10);
        assert_eq!(backend.share(at(1), slow), 1_000);
        backend.checked(at(1), false, 1);
        backend.checked(at(100), true, 1);
        let shares = [100, 101, 105, 110].map(|second| backend.share(at(second), slow));
        assert_eq!(shares, [10, 100, 500, 1_000]);
    }

    #[test]
    fn what_is_full_has_no_room() {
        let mut backend = backend();
        backend.held = 2;
        assert!(!backend.has_room());
        backend.settings.max_connections = 0;
        assert!(backend.has_room());
    }
}
