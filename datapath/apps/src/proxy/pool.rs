//! A pool as a worker knows it: its backends, who waits for one, and who has how many.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Endpoint;

use super::PairId;
use super::backend::{Backend, Failure};
use super::balance::Chooser;
use super::check::Means;
use super::report::{BackendReport, Cause, PoolReport, Refusals, Standing};
use super::settings::{Admin, BackendSettings, PoolSettings};

/// A pool.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) settings: PoolSettings,
    /// Those of the settings, in their order.
    pub(super) backends: Vec<Backend>,
    /// Those that are no longer in the settings, until their last connection has ended.
    former: Vec<Backend>,
    chooser: Chooser,
    /// Pairs that wait for a backend to have room.
    pub(super) queue: VecDeque<PairId>,
    /// Connections that clients have, all and by address.
    clients: usize,
    by_source: HashMap<IpAddr, usize>,
    pub(super) refusals: Refusals,
}

/// Where a client is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    At(Endpoint),
    /// Some are usable and all of them full.
    Full,
    Nowhere,
}

impl Pool {
    pub(super) fn new(settings: PoolSettings) -> Self {
        let backends: Vec<Backend> = fresh(&settings.backends).collect();
        Self {
            chooser: Chooser::new(&settings),
            settings,
            backends,
            former: Vec::new(),
            queue: VecDeque::new(),
            clients: 0,
            by_source: HashMap::new(),
            refusals: Refusals::default(),
        }
    }

    /// Takes on other settings. Backends that stay keep what is known of them.
    pub(super) fn become_of(&mut self, settings: PoolSettings) {
        let mut known: Vec<Backend> = self
            .backends
            .drain(..)
            .chain(self.former.drain(..))
            .collect();
        for mut backend in fresh(&settings.backends) {
            let endpoint = backend.settings.endpoint;
            let at = known.iter().position(|it| it.settings.endpoint == endpoint);
            if let Some(at) = at {
                let mut settings = backend.settings;
                backend = known.swap_remove(at);
                if self.said(endpoint) == Some(settings.admin) {
                    // What an operator has said since holds on.
                    settings.admin = backend.settings.admin;
                }
                backend.settings = settings;
            }
            self.backends.push(backend);
        }
        known.retain(|backend| backend.held > 0);
        self.former = known;
        if self.settings.check.is_none() || settings.check.is_none() {
            // What nobody asks for, or asked for until now, is not known.
            self.backends.iter_mut().for_each(Backend::forget_health);
        }
        if !self.chooser.is_for(&settings) {
            self.chooser = Chooser::new(&settings);
        }
        self.settings = settings;
    }

    /// What the settings say that a backend may be given.
    fn said(&self, endpoint: Endpoint) -> Option<Admin> {
        let mut backends = self.settings.backends.iter();
        let backend = backends.find(|it| it.endpoint == endpoint);
        backend.map(|backend| backend.admin)
    }

    /// Changes what a backend may be given, until settings come that say otherwise than now.
    /// Whether it has it.
    pub(super) fn set_admin(&mut self, endpoint: Endpoint, admin: Admin) -> bool {
        let mut backends = self.backends.iter_mut();
        let backend = backends.find(|it| it.settings.endpoint == endpoint);
        backend.map(|it| it.settings.admin = admin).is_some()
    }

    /// Has no backends any more, for new clients.
    pub(super) fn retire(&mut self) {
        let settings = PoolSettings {
            backends: Vec::new(),
            check: None,
            ..self.settings.clone()
        };
        self.become_of(settings);
    }

    /// Counts another client of this address, or says why it may not come.
    pub(super) fn admit(&mut self, source: IpAddr) -> Result<(), Cause> {
        let PoolSettings {
            max_connections,
            max_per_source,
            ..
        } = self.settings;
        if max_connections > 0 && self.clients >= max_connections {
            return Err(Cause::TooMany);
        }
        // Counted without a limit too: there may be one before it is gone.
        let held = self.by_source.entry(source).or_default();
        if max_per_source > 0 && *held >= max_per_source {
            return Err(Cause::TooManyOfSource);
        }
        *held += 1;
        self.clients += 1;
        Ok(())
    }

    /// A client that was admitted is gone.
    pub(super) fn let_go(&mut self, source: IpAddr) {
        self.clients -= 1;
        if let Some(held) = self.by_source.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    /// Whether connections of this address begin with a header that tells of the client.
    pub(super) fn is_greeted_by(&self, source: IpAddr) -> bool {
        let mut networks = self.settings.header_from.iter();
        networks.any(|network| network.contains(&source))
    }

    /// Whether some backend has room for another client.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let usable = self.usable(now);
        let mut backends = self.backends.iter();
        backends.any(|backend| usable(backend) && backend.has_room())
    }

    /// Which backends may be given connections, were there room. Where all of them are ejected, one
    /// that may answer is better than none.
    fn usable(&self, now: Instant) -> impl Fn(&Backend) -> bool + use<> {
        let all_ejected = !self.backends.iter().any(|it| it.is_usable(now));
        move |backend| backend.is_usable(now) || all_ejected && backend.is_wanted()
    }

    /// Whether the backend there gets no connections, and those it has are reset.
    pub(super) fn is_disabled(&self, endpoint: Endpoint) -> bool {
        let mut backends = self.backends.iter().map(|backend| backend.settings);
        backends.any(|it| it.endpoint == endpoint && it.admin == Admin::Disabled)
    }

    /// Chooses a backend for a client, and holds a place there. Those that were tried come last.
    pub(super) fn place(
        &mut self,
        now: Instant,
        source: IpAddr,
        tried: &[Option<Endpoint>],
    ) -> Place {
        let is_usable = self.usable(now);
        let backends = &self.backends;
        let usable = |at: usize| is_usable(&backends[at]);
        let untried = |at: usize| !tried.contains(&Some(backends[at].settings.endpoint));
        let all_tried = !(0..backends.len()).any(|at| usable(at) && untried(at));
        let meant = |at: usize| usable(at) && (all_tried || untried(at));
        let slow_start = self.settings.slow_start;
        let share = |at: usize| backends[at].share(now, slow_start);
        let open = |at: usize| meant(at) && backends[at].has_room();
        if let Some(at) = self.chooser.choose(backends, source, open, share) {
            self.backends[at].held += 1;
            return Place::At(self.backends[at].settings.endpoint);
        }
        let is_full = (0..backends.len()).any(meant);
        if is_full { Place::Full } else { Place::Nowhere }
    }

    /// Gives back a place that [`place`](Self::place) has held.
    pub(super) fn give_back(&mut self, endpoint: Endpoint) {
        if let Some(backend) = self.backend(endpoint) {
            backend.held -= 1;
        }
        self.former.retain(|backend| backend.held > 0);
    }

    pub(super) fn fail(&mut self, now: Instant, endpoint: Endpoint, failure: Failure) {
        let ejection = self.settings.ejection;
        if let Some(backend) = self.backend(endpoint) {
            backend.fail(now, failure, &ejection);
        }
    }

    /// Its backends and how to check them, if they are to be checked.
    pub(super) fn checked(&mut self) -> Option<(&mut [Backend], Means)> {
        let means = Means {
            local: self.settings.local,
            tcp: self.settings.tcp,
            timeout: self.settings.check.as_ref()?.timeout,
        };
        Some((&mut self.backends, means))
    }

    /// A check of a backend has an answer. When the next is due.
    pub(super) fn conclude(&mut self, now: Instant, endpoint: Endpoint, good: bool) -> Instant {
        let Some(check) = &self.settings.check else {
            return Instant::NEVER;
        };
        let needed = if good { check.rise } else { check.fall };
        let next = now + check.interval;
        if let Some(backend) = self.backend(endpoint) {
            backend.checked(now, good, needed);
            backend.health.next = next;
        }
        next
    }

    /// The backend there, or that was there.
    pub(super) fn backend(&mut self, endpoint: Endpoint) -> Option<&mut Backend> {
        let all = self.backends.iter_mut().chain(&mut self.former);
        all.into_iter().find(|it| it.settings.endpoint == endpoint)
    }

    pub(super) fn report(&self, now: Instant) -> PoolReport {
        let former = self.former.iter();
        let former = former.map(|backend| (backend, Standing::Removed));
        let present = self.backends.iter();
        let present = present.map(|backend| (backend, backend.standing(now)));
        let backends = present.chain(former);
        let backends = backends.map(|(backend, standing)| BackendReport {
            endpoint: backend.settings.endpoint,
            standing,
            held: backend.held,
            tally: backend.tally,
        });
        PoolReport {
            clients: self.clients,
            queued: self.queue.len(),
            refusals: self.refusals,
            backends: backends.collect(),
        }
    }
}

fn fresh(backends: &[BackendSettings]) -> impl Iterator<Item = Backend> {
    backends.iter().copied().map(Backend::new)
}
