//! Active health checks: a connection to a backend from time to time, and what it says.

use slab::Slab;
use wirepath_stack::app::{Request, Socket};
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::settings::{Check, PoolId};
use super::{Proxy, Seat};

/// A check that runs.
#[derive(Debug)]
pub(super) struct Probe {
    pool: PoolId,
    backend: Endpoint,
    pub(super) connection: Option<Tuple>,
    /// When it has taken too long.
    until: Instant,
    /// Bytes of the answer that were as expected.
    matched: usize,
}

impl Proxy {
    /// Begins the checks that are due, and gives up those that take too long. When to come again.
    pub(super) fn run_checks(&mut self, now: Instant) -> Option<Instant> {
        let overdue = self.probes.iter().filter(|(_, probe)| now >= probe.until);
        let overdue = overdue.filter_map(|(_, probe)| probe.connection);
        self.requests.extend(overdue.map(Request::Abort));
        let mut next = self.probes.iter().map(|(_, probe)| probe.until).min();
        for (at, pool) in self.pools.iter_mut().enumerate() {
            let Some((pool, check)) = pool.as_mut().and_then(|it| it.checked()) else {
                continue;
            };
            let id = PoolId(at as u16);
            for backend in pool.iter_mut() {
                if backend.health.next <= now {
                    backend.health.next = Instant::NEVER;
                    let until = now + check.timeout;
                    let endpoint = backend.settings.endpoint;
                    let session = probe(&mut self.probes, (id, endpoint), until);
                    self.requests.push_back(Request::Connect {
                        local: check.local,
                        remote: endpoint,
                        config: check.tcp,
                        session,
                        partner: None,
                    });
                }
                next = next.into_iter().chain([backend.health.next]).min();
            }
        }
        next.filter(|&at| at != Instant::NEVER)
    }

    /// The backend has answered the SYN of a check.
    pub(super) fn on_check_open(&mut self, socket: &mut Socket<'_>, number: u32) {
        let Some(check) = self.check_of(number) else {
            return socket.abort();
        };
        // A new connection has room for a question of any sensible length.
        socket.send(&check.send);
        if check.expect.is_empty() {
            self.conclude(socket.now(), number, true);
            socket.close();
        }
    }

    /// A backend says something; returns how much of it was taken.
    pub(super) fn on_check_text(
        &mut self,
        socket: &mut Socket<'_>,
        number: u32,
        text: &[u8],
    ) -> usize {
        let Some(expect) = self.check_of(number).map(|check| check.expect.clone()) else {
            return text.len();
        };
        let Some(probe) = self.probes.get_mut(number as usize) else {
            return text.len();
        };
        let wanted = &expect[probe.matched.min(expect.len())..];
        let len = wanted.len().min(text.len());
        probe.matched += len;
        let is_as_expected = wanted[..len] == text[..len];
        if !is_as_expected || probe.matched == expect.len() {
            self.conclude(socket.now(), number, is_as_expected);
            socket.abort();
        }
        text.len()
    }

    /// The connection of a check is gone, or was never to be had.
    pub(super) fn on_check_closed(&mut self, now: Instant, number: u32) {
        self.conclude(now, number, false);
        self.probes.try_remove(number as usize);
    }

    fn check_of(&self, number: u32) -> Option<&Check> {
        let probe = self.probes.get(number as usize)?;
        let pool = self.pools.get(usize::from(probe.pool.0))?.as_ref()?;
        pool.settings.check.as_ref()
    }

    /// The check has an answer. What comes after the first counts no more.
    fn conclude(&mut self, now: Instant, number: u32, good: bool) {
        let Some(probe) = self.probes.get_mut(number as usize) else {
            return;
        };
        // There is nothing more to wait for but its end.
        if std::mem::replace(&mut probe.until, Instant::NEVER) == Instant::NEVER {
            return;
        }
        let pool = self.pools.get_mut(usize::from(probe.pool.0));
        if let Some(pool) = pool.and_then(Option::as_mut) {
            let next = pool.conclude(now, probe.backend, good);
            self.look_by(next);
        }
    }
}

fn probe(probes: &mut Slab<Probe>, (pool, backend): (PoolId, Endpoint), until: Instant) -> Seat {
    let number = probes.insert(Probe {
        pool,
        backend,
        connection: None,
        until,
        matched: 0,
    });
    Seat::Check(number as u32)
}

/// What a check is made with.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) local: Option<std::net::IpAddr>,
    pub(super) tcp: Config,
    pub(super) timeout: std::time::Duration,
}
