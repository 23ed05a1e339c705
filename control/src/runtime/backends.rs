//! The hosts of backends, and the stations on the link that they are reached by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rtnetlink::Handle;
use tokio::sync::Notify;
use wirepath_apps::proxy::PoolSettings;
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_wire::ethernet::MacAddr;

use super::mailbox::Served;
use super::next_hop::{self, NextHop};
use super::{ControlPlane, ListenError, PoolOptions, StartError};

/// How often the kernel is asked where backends are, and how soon first while it does not know.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const ASK_SOON: Duration = Duration::from_millis(5);

/// The hosts of all backends, and which station each is reached by.
#[derive(Debug, Default)]
pub(super) struct Backends {
    stations: Mutex<BTreeMap<IpAddr, Option<MacAddr>>>,
    /// There are others.
    changed: Notify,
}

impl Backends {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<IpAddr, Option<MacAddr>>) -> T) -> T {
        let stations = self.stations.lock();
        act(&mut stations.unwrap_or_else(PoisonError::into_inner))
    }
}

impl ControlPlane {
    /// Looks for the hosts of backends, which must be others, and for who may connect to them.
    pub(super) async fn find_backends(&self, pools: &[PoolOptions]) -> Result<(), ListenError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(netlink_socket)?;
        let connection = tokio::spawn(connection);
        let mut found = Ok(());
        for host in hosts(pools) {
            let looked = self.find_backend(&handle, pools, host).await;
            found = found.and(looked);
        }
        connection.abort();
        Ok(found?)
    }

    async fn find_backend(
        &self,
        handle: &Handle,
        pools: &[PoolOptions],
        host: IpAddr,
    ) -> Result<(), StartError> {
        let hop = next_hop::find(handle, &self.site.indexes(), host).await;
        match hop.map_err(|source| self.netlink_error(source))? {
            NextHop::Here => Err(StartError::BackendIsHere(host)),
            NextHop::Neighbor(interface, _) => self.check_source(pools, host, Some(interface)),
            NextHop::Elsewhere => {
                tracing::warn!(
                    "the kernel does not reach backend {host} by {}: it is looked for on the link",
                    self.site.names()
                );
                self.check_source(pools, host, None)
            }
        }
    }

    /// Says whether something is served that connections to a backend can come from: there, where
    /// it is known by which interface it is reached.
    fn check_source(
        &self,
        pools: &[PoolOptions],
        host: IpAddr,
        interface: Option<InterfaceId>,
    ) -> Result<(), StartError> {
        let suits = |local: &&LocalAddress| {
            let is_there = interface.is_none_or(|interface| local.interface == interface);
            is_there && local.address.is_ipv4() == host.is_ipv4()
        };
        let sources = self.addresses().iter().filter(suits);
        let sources: Vec<IpAddr> = sources.map(|local| local.address).collect();
        let by = || match interface {
            Some(id) => self.site.place(id).interface.to_string(),
            None => self.site.names(),
        };
        if sources.is_empty() {
            let interface = by();
            return Err(StartError::NoSource { host, interface });
        }
        let settings = pools.iter().map(|pool| &pool.settings);
        let mut of_host = settings.filter(|pool| has_host(pool, host));
        let wrong = of_host.find_map(|pool| pool.local.filter(|it| !sources.contains(it)));
        match wrong {
            None => Ok(()),
            Some(address) => Err(StartError::OtherSource {
                host,
                address,
                interface: by(),
            }),
        }
    }

    /// Takes note of the hosts of backends, whose stations are looked for from now on.
    pub(super) fn keep_backends(&self, pools: &[PoolOptions]) {
        let hosts = hosts(pools);
        self.backends.with(|stations| {
            stations.retain(|host, _| hosts.contains(host));
            for host in hosts {
                stations.entry(host).or_default();
            }
        });
        self.backends.changed.notify_one();
    }

    /// Tells workers which stations backends are reached by, as the kernel knows it, until the end.
    pub(super) async fn mind_next_hops(&self) {
        let opened = rtnetlink::new_connection().map_err(netlink_socket);
        let (connection, handle, _) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!("{error}: backends are looked for on the link alone");
                return std::future::pending().await;
            }
        };
        tokio::join!(connection, async {
            let mut pause = ASK_SOON;
            loop {
                self.ask_for_next_hops(&handle).await;
                let knows_all = self.backends.with(|it| it.values().all(Option::is_some));
                pause = if knows_all {
                    ASK_AGAIN
                } else {
                    ASK_AGAIN.min(2 * pause)
                };
                tokio::select! {
                    () = self.backends.changed.notified() => pause = ASK_SOON,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    /// Tells the workers all that the kernel knows, whatever they know: they may have learned
    /// otherwise, or forgotten.
    async fn ask_for_next_hops(&self, handle: &Handle) {
        let hosts: Vec<IpAddr> = self
            .backends
            .with(|stations| stations.keys().copied().collect());
        if hosts.is_empty() {
            return;
        }
        let found = next_hop::stations(handle, &self.site.indexes(), &hosts).await;
        let found: Arc<[(InterfaceId, IpAddr, MacAddr)]> = match found {
            Ok(found) => found.into(),
            Err(error) => return tracing::debug!(%error, "cannot ask the kernel for next hops"),
        };
        for worker in &self.workers {
            let found = Arc::clone(&found);
            let learn = move |_, worker: &mut Served| {
                for &(interface, host, station) in found.iter() {
                    worker.learn_neighbor(interface, host, station);
                }
            };
            if let Err(error) = worker.ask(learn).await {
                tracing::warn!(%error, "the stations of backends");
            }
        }
        self.backends.with(|stations| {
            for (_, host, station) in found.iter() {
                if let Some(known) = stations.get_mut(host) {
                    *known = Some(*station);
                }
            }
        });
    }

    fn netlink_error(&self, source: rtnetlink::Error) -> StartError {
        StartError::Netlink {
            interface: self.site.names(),
            source,
        }
    }
}

fn has_host(pool: &PoolSettings, host: IpAddr) -> bool {
    let mut backends = pool.backends.iter();
    backends.any(|backend| backend.endpoint.address == host)
}

fn hosts(pools: &[PoolOptions]) -> BTreeSet<IpAddr> {
    let backends = pools.iter().flat_map(|pool| &pool.settings.backends);
    backends.map(|it| it.endpoint.address).collect()
}

const fn netlink_socket(source: std::io::Error) -> StartError {
    StartError::System {
        what: "open a netlink socket",
        source,
    }
}
