//! Pools of backends: their numbers, and what workers are told of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::PoisonError;

use wirepath_apps::proxy::{AccessRecord, Admin, PoolId, PoolReport, PoolSettings, Standing};
use wirepath_tcp::time::Instant;

use super::mailbox::Served;
use super::{AskError, ControlPlane, ListenError, StartError, source_ports};

/// A pool that a server is to have.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolOptions {
    /// What listeners call it.
    pub name: String,
    /// What it does.
    pub settings: PoolSettings,
}

/// The numbers of pools: a name keeps its number for as long as the server runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolNumbers(Vec<String>);

impl PoolNumbers {
    /// Numbers for these pools.
    #[must_use]
    pub fn of(pools: &[PoolOptions]) -> Self {
        Self::default().with(pools)
    }

    /// The same with those of these pools.
    #[must_use]
    pub fn with(mut self, pools: &[PoolOptions]) -> Self {
        for pool in pools {
            if self.find(&pool.name).is_none() {
                self.0.push(pool.name.clone());
            }
        }
        self
    }

    /// The number of the pool of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PoolId> {
        let at = self.0.iter().position(|known| known == name)?;
        u16::try_from(at).ok().map(PoolId)
    }

    /// Numbers for pools of these names.
    #[cfg(test)]
    pub(crate) fn named(names: &[&str]) -> Self {
        Self(names.iter().map(ToString::to_string).collect())
    }

    /// The name of the pool of this number.
    #[must_use]
    pub fn name(&self, id: PoolId) -> Option<&str> {
        self.0.get(usize::from(id.0)).map(String::as_str)
    }

    /// All names, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (PoolId, &str)> {
        let names = self.0.iter().map(String::as_str);
        (0..).map(PoolId).zip(names)
    }
}

impl ControlPlane {
    /// The numbers of the pools that there are, or were.
    #[must_use]
    pub fn pool_numbers(&self) -> PoolNumbers {
        let numbers = self.pools.lock();
        numbers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives pools their settings, on every worker. Returns the numbers they have from now on.
    ///
    /// # Errors
    /// A backend is an address of this host, the ports of connections to backends are the
    /// kernel's, or a worker did not answer.
    pub async fn set_pools(&self, pools: Vec<PoolOptions>) -> Result<PoolNumbers, ListenError> {
        let numbers = self.pool_numbers().with(&pools);
        if pools.is_empty() {
            self.keep_backends(Vec::new()).await?;
            return Ok(numbers);
        }
        self.check_source_ports()?;
        let ways = self.find_backends(&pools).await?;
        self.keep_backends(ways).await?;
        for place in &self.site.places {
            let ports = self.site.source_ports.clone();
            place.steering.set_port_range(Some(ports))?;
        }
        for PoolOptions { name, settings } in pools {
            let Some(id) = numbers.find(&name) else {
                continue;
            };
            for worker in &self.workers {
                let settings = settings.clone();
                let set = move |now, worker: &mut Served| {
                    worker.app_mut().proxy_mut().set_pool(now, id, settings);
                };
                worker.ask(set).await?;
            }
        }
        *self.pools.lock().unwrap_or_else(PoisonError::into_inner) = numbers.clone();
        Ok(numbers)
    }

    /// Says whether these pools could be had, as far as that can be known beforehand.
    ///
    /// # Errors
    /// As [`set_pools`](Self::set_pools).
    pub async fn check_pools(&self, pools: &[PoolOptions]) -> Result<(), ListenError> {
        if pools.is_empty() {
            return Ok(());
        }
        self.check_source_ports()?;
        self.find_backends(pools).await.map(drop)
    }

    fn check_source_ports(&self) -> Result<(), StartError> {
        source_ports::check(&self.site.source_ports, self.addresses())
    }

    /// Pools that are none of these get no more clients.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn retire_other_pools(&self, wanted: &[PoolOptions]) -> Result<(), AskError> {
        for (id, name) in self.pool_numbers().iter() {
            if wanted.iter().any(|pool| pool.name == name) {
                continue;
            }
            for worker in &self.workers {
                let retire = move |_, worker: &mut Served| {
                    worker.app_mut().proxy_mut().retire_pool(id);
                };
                worker.ask(retire).await?;
            }
        }
        Ok(())
    }

    /// Changes what a backend may be given, until the file says otherwise than now. Whether there
    /// is such a backend.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn set_admin(
        &self,
        pool: &str,
        backend: SocketAddr,
        admin: Admin,
    ) -> Result<bool, AskError> {
        let Some(id) = self.pool_numbers().find(pool) else {
            return Ok(false);
        };
        let mut is_known = false;
        for worker in &self.workers {
            let set = move |now, worker: &mut Served| {
                let proxy = worker.app_mut().proxy_mut();
                proxy.set_admin(now, (id, backend.into()), admin)
            };
            is_known |= worker.ask(set).await?;
        }
        Ok(is_known)
    }

    /// Exchanges what each worker has logged for an empty buffer, of `empty`; gives it back with
    /// how many records were lost, and with the worker's clock.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn exchange_logs(
        &self,
        empty: &mut Vec<Vec<AccessRecord>>,
        mut take: impl FnMut(Vec<AccessRecord>, u64, Instant),
    ) -> Result<(), AskError> {
        let mut failed = Ok(());
        for worker in &self.workers {
            let buffer = empty.pop().unwrap_or_default();
            let exchange = move |now, worker: &mut Served| {
                let (records, lost) = worker.app_mut().proxy_mut().exchange_log(buffer);
                (records, lost, now)
            };
            match worker.ask(exchange).await {
                Ok((records, lost, now)) => take(records, lost, now),
                // Others still have what they have.
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed
    }

    /// What all workers together know of each pool that has backends or clients, by name.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn pools(&self) -> Result<BTreeMap<String, PoolReport>, AskError> {
        let mut reports = BTreeMap::new();
        for (id, name) in self.pool_numbers().iter() {
            let mut whole = PoolReport::default();
            for worker in &self.workers {
                let ask = move |now, worker: &mut Served| worker.app().proxy().report(now, id);
                if let Some(report) = worker.ask(ask).await? {
                    whole.add(&report);
                }
            }
            for backend in &mut whole.backends {
                if self.is_lost(backend.endpoint.address) {
                    backend.standing = backend.standing.max(Standing::Unrouted);
                }
            }
            if !whole.backends.is_empty() || whole.clients > 0 {
                reports.insert(name.to_owned(), whole);
            }
        }
        Ok(reports)
    }
}
