//! The hosts of backends, and the stations on the link that they are reached by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rtnetlink::Handle;
use tokio::sync::Notify;
use wirepath_apps::proxy::PoolSettings;
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_wire::ip;

use super::mailbox::{AskError, Served};
use super::next_hop::{self, NextHop, Reach};
use super::{ControlPlane, ListenError, PoolOptions, StartError};

/// By which interface hosts are reached; `None` where the kernel knows none of ours.
type Ways = Vec<(IpAddr, Option<InterfaceId>)>;

/// How often the kernel is asked where backends are, and how soon first while it does not know.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const ASK_SOON: Duration = Duration::from_millis(5);

/// The hosts of all backends, and how each is reached.
#[derive(Debug, Default)]
pub(super) struct Backends {
    hosts: Mutex<BTreeMap<IpAddr, Reach>>,
    /// There are others.
    changed: Notify,
}

impl Backends {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<IpAddr, Reach>) -> T) -> T {
        let hosts = self.hosts.lock();
        act(&mut hosts.unwrap_or_else(PoisonError::into_inner))
    }
}

impl ControlPlane {
    /// Looks by which interfaces the hosts of backends are reached, which must be others, and for
    /// who may connect to them.
    pub(super) async fn find_backends(&self, pools: &[PoolOptions]) -> Result<Ways, ListenError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(netlink_socket)?;
        let connection = tokio::spawn(connection);
        let found = self.find_each(&handle, pools).await;
        connection.abort();
        Ok(found?)
    }

    async fn find_each(&self, handle: &Handle, pools: &[PoolOptions]) -> Result<Ways, StartError> {
        let mut ways = Vec::new();
        for host in hosts(pools) {
            ways.push((host, self.find_backend(handle, pools, host).await?));
        }
        Ok(ways)
    }

    /// Tells workers by which interfaces backends are reached, before they need to know.
    pub(super) async fn tell_ways(&self, ways: Ways) -> Result<(), AskError> {
        let ways: Arc<[(IpAddr, Option<InterfaceId>)]> = ways.into();
        for worker in &self.workers {
            let ways = Arc::clone(&ways);
            let tell = move |_, worker: &mut Served| {
                for &(host, way) in ways.iter() {
                    worker.set_way(host, way);
                }
            };
            worker.ask(tell).await?;
        }
        Ok(())
    }

    async fn find_backend(
        &self,
        handle: &Handle,
        pools: &[PoolOptions],
        host: IpAddr,
    ) -> Result<Option<InterfaceId>, StartError> {
        let hop = next_hop::find(handle, &self.site.indexes(), host).await;
        match hop.map_err(|source| self.netlink_error(source))? {
            NextHop::Here => Err(StartError::BackendIsHere(host)),
            NextHop::Neighbor(interface, _) => {
                let way = Some(interface);
                self.check_source(pools, host, way).map(|()| way)
            }
            NextHop::Elsewhere => {
                tracing::warn!(
                    "the kernel does not reach backend {host} by {}: it is looked for on the link",
                    self.site.names()
                );
                self.check_source(pools, host, None).map(|()| None)
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
            let reaches = !ip::is_link_local(local.address) || ip::is_link_local(host);
            is_there && reaches && local.address.is_ipv4() == host.is_ipv4()
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
        self.backends.with(|known| {
            known.retain(|host, _| hosts.contains(host));
            for host in hosts {
                known.entry(host).or_default();
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
                let knows = |reach: &Reach| reach.station.is_some();
                let knows_all = self.backends.with(|it| it.values().all(knows));
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
        let hosts: Vec<IpAddr> = self.backends.with(|known| known.keys().copied().collect());
        if hosts.is_empty() {
            return;
        }
        let found = next_hop::reach(handle, &self.site.indexes(), &hosts).await;
        let found: Arc<[(IpAddr, Reach)]> = match found {
            Ok(found) => found.into(),
            Err(error) => return tracing::debug!(%error, "cannot ask the kernel for next hops"),
        };
        for worker in &self.workers {
            let found = Arc::clone(&found);
            let tell = move |_, worker: &mut Served| {
                for &(host, reach) in found.iter() {
                    learn(worker, host, reach);
                }
            };
            if let Err(error) = worker.ask(tell).await {
                tracing::warn!(%error, "the stations of backends");
            }
        }
        self.backends.with(|known| {
            for (host, reach) in found.iter() {
                if let Some(known) = known.get_mut(host) {
                    self.tell_of_move(*host, (known.way, reach.way));
                    *known = *reach;
                }
            }
        });
    }

    fn tell_of_move(&self, host: IpAddr, moved: (Option<InterfaceId>, Option<InterfaceId>)) {
        if let (Some(from), Some(to)) = moved
            && from != to
        {
            let [from, to] = [from, to].map(|id| &self.site.place(id).interface);
            tracing::warn!("backend {host} is reached by {to} from now on, not by {from}");
        }
    }

    fn netlink_error(&self, source: rtnetlink::Error) -> StartError {
        StartError::Netlink {
            interface: self.site.names(),
            source,
        }
    }
}

/// Where the kernel knows no station on the way, none is to be used: not that of an old way, nor one
/// that somebody else tells.
fn learn(worker: &mut Served, host: IpAddr, reach: Reach) {
    worker.set_way(host, reach.way);
    match (reach.way, reach.station) {
        (Some(way), Some(station)) => worker.learn_neighbor(way, host, station),
        (Some(way), None) => worker.forget_neighbor(way, host),
        (None, _) => {}
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
