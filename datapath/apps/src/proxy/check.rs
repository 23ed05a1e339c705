//! Active health checks: a connection to a backend from time to time, and what it says.

use std::net::IpAddr;
use std::time::Duration;

use wirepath_stack::app::{Request, Socket};
use wirepath_stack::worker::OpenError;
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::settings::{Check, PoolId};
use super::{ProbeId, Proxy, Seat};

/// How soon a backend is asked again whose station the link has not told yet.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// A check that runs.
#[derive(Debug)]
pub(super) struct Probe {
    pool: PoolId,
    backend: Endpoint,
    pub(super) connection: Option<Tuple>,
    /// When it has taken too long; `NEVER` once it is judged.
    until: Instant,
    /// Bytes of the answer that were as expected.
    matched: usize,
}

/// What a check is made with.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) local: Option<IpAddr>,
    pub(super) tcp: Config,
    pub(super) timeout: Duration,
}

impl Proxy {
    /// Begins the checks that are due, and gives up those that take too long. When to come again.
    pub(super) fn run_checks(&mut self, now: Instant) -> Option<Instant> {
        let overdue = self.probes.values().filter(|probe| now >= probe.until);
        let overdue = overdue.filter_map(|probe| probe.connection);
        self.requests.extend(overdue.map(Request::Abort));
        let mut next = Instant::NEVER;
        for (id, pool) in self.pools.iter_mut() {
            let Some((backends, means)) = pool.checked() else {
                continue;
            };
            for backend in backends {
                if backend.health.next <= now {
                    backend.health.next = Instant::NEVER;
                    let remote = backend.settings.endpoint;
                    let probe = self.probes.insert(Probe {
                        pool: id,
                        backend: remote,
                        connection: None,
                        until: now + means.timeout,
                        matched: 0,
                    });
                    self.requests.push_back(Request::Connect {
                        local: means.local,
                        remote,
                        config: means.tcp,
                        session: Seat::Check(probe),
                        partner: None,
                    });
                }
                next = next.min(backend.health.next);
            }
        }
        let ends = self.probes.values().map(|probe| probe.until);
        let next = ends.fold(next, Instant::min);
        (next != Instant::NEVER).then_some(next)
    }

    /// The worker could not open the connection of a check.
    pub(super) fn on_check_not_open(&mut self, now: Instant, id: ProbeId, error: OpenError) {
        let Some(probe) = self.probes.get(id) else {
            return;
        };
        let (pool, endpoint) = (probe.pool, probe.backend);
        let backend = self.pools.get_mut(pool).and_then(|it| it.backend(endpoint));
        let asked = backend.filter(|_| error == OpenError::NeighborUnknown);
        let Some(health) = asked.and_then(|backend| backend.health.await_station(now)) else {
            return self.on_check_closed(now, id);
        };
        // The link was asked only now.
        health.next = now + ASK_AGAIN;
        self.looks.look_by(health.next);
        self.probes.remove(id);
    }

    /// The backend has answered the SYN of a check.
    pub(super) fn on_check_open(&mut self, socket: &mut Socket<'_>, id: ProbeId) {
        let Some(check) = self.check_of(id) else {
            return socket.abort();
        };
        let is_sent = socket.send(&check.send) == check.send.len();
        if check.expect.is_empty() || !is_sent {
            self.conclude(socket.now(), id, is_sent);
            socket.abort();
        }
    }

    /// A backend says something; returns how much of it was taken.
    pub(super) fn on_check_text(
        &mut self,
        socket: &mut Socket<'_>,
        id: ProbeId,
        text: &[u8],
    ) -> usize {
        let Some(verdict) = self.compare(id, text) else {
            return text.len();
        };
        self.conclude(socket.now(), id, verdict);
        socket.abort();
        text.len()
    }

    /// Whether the answer is as expected, as soon as that can be told.
    fn compare(&mut self, id: ProbeId, text: &[u8]) -> Option<bool> {
        let probe = self.probes.get_mut(id)?;
        let expect = &self.pools.get(probe.pool)?.settings.check.as_ref()?.expect;
        let wanted = expect.get(probe.matched..)?;
        let len = wanted.len().min(text.len());
        probe.matched += len;
        let is_as_expected = wanted[..len] == text[..len];
        (!is_as_expected || probe.matched == expect.len()).then_some(is_as_expected)
    }

    /// The connection of a check is gone, or was never to be had.
    pub(super) fn on_check_closed(&mut self, now: Instant, id: ProbeId) {
        self.conclude(now, id, false);
        self.probes.remove(id);
    }

    fn check_of(&self, id: ProbeId) -> Option<&Check> {
        let pool = self.pools.get(self.probes.get(id)?.pool)?;
        pool.settings.check.as_ref()
    }

    /// The check has an answer. What comes after the first counts no more.
    fn conclude(&mut self, now: Instant, id: ProbeId, good: bool) {
        let Some(probe) = self.probes.get_mut(id) else {
            return;
        };
        if std::mem::replace(&mut probe.until, Instant::NEVER) == Instant::NEVER {
            return;
        }
        let (id, endpoint) = (probe.pool, probe.backend);
        if let Some(pool) = self.pools.get_mut(id) {
            let next = pool.conclude(now, endpoint, good);
            self.looks.look_by(next);
            self.serve_queue(now, id);
        }
    }
}
