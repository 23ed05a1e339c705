//! The hosts of backends, and the stations on the link that they are reached by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rtnetlink::Handle;
use tokio::sync::Notify;
use wirepath_apps::proxy::PoolSettings;
use wirepath_stack::link::{InterfaceId, LocalAddress, Way};
use wirepath_wire::ip;

use super::mailbox::{AskError, Served};
use super::next_hop::{self, NextHop};
use super::{ControlPlane, ListenError, PoolOptions, StartError};

/// How hosts are reached; `None` where the kernel has never known a way by an interface of ours.
type Ways = Vec<(IpAddr, Option<Way>)>;

/// How often the kernel is asked where backends are, and how soon first while it does not know.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const ASK_SOON: Duration = Duration::from_millis(5);

/// The hosts of all backends, and how each is reached.
#[derive(Debug, Default)]
pub(super) struct Backends {
    hosts: Mutex<BTreeMap<IpAddr, Option<Way>>>,
    /// Held from a change of them until all workers have heard: what is told last is what is known.
    telling: tokio::sync::Mutex<()>,
    /// There are others.
    changed: Notify,
}

impl Backends {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<IpAddr, Option<Way>>) -> T) -> T {
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
        let interfaces = self.site.indexes();
        let mut ways = Vec::new();
        for host in hosts(pools) {
            let hop = next_hop::find(handle, &interfaces, host).await;
            let hop = hop.map_err(|source| self.netlink_error(source))?;
            ways.push((host, self.check_backend(pools, host, hop)?));
        }
        Ok(ways)
    }

    /// Whether the kernel had a way to this host, and has none any more.
    pub(super) fn is_lost(&self, host: IpAddr) -> bool {
        self.backends
            .with(|known| known.get(&host) == Some(&Some(Way::Nowhere)))
    }

    /// Tells workers how backends are reached.
    async fn tell_ways(&self, ways: Ways) -> Result<(), AskError> {
        let ways: Arc<[(IpAddr, Option<Way>)]> = ways.into();
        for worker in &self.workers {
            let ways = Arc::clone(&ways);
            let tell = move |_, worker: &mut Served| {
                for &(host, way) in ways.iter() {
                    if !worker.set_way(host, way) {
                        tracing::error!("no room to remember the way to backend {host}");
                    }
                }
            };
            worker.ask(tell).await?;
        }
        Ok(())
    }

    /// The way to a backend, which must be another host that something served can connect to.
    fn check_backend(
        &self,
        pools: &[PoolOptions],
        host: IpAddr,
        hop: NextHop,
    ) -> Result<Option<Way>, StartError> {
        if self.addresses().iter().any(|local| local.address == host) {
            return Err(StartError::BackendIsHere(host));
        }
        match hop {
            NextHop::Here => Err(StartError::BackendIsHere(host)),
            NextHop::Neighbor(interface, _) => {
                self.check_source(pools, host, Some(interface))?;
                Ok(Some(Way::By(interface, None)))
            }
            NextHop::Elsewhere => {
                self.check_source(pools, host, None)?;
                Ok(None)
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
            is_there && reaches(local, host)
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

    /// Takes note of the hosts of backends, whose stations are looked for from now on. Workers
    /// know how they are reached, and forget those that are no more.
    pub(super) async fn keep_backends(&self, mut ways: Ways) -> Result<(), AskError> {
        let _telling = self.backends.telling.lock().await;
        self.backends.with(|known| {
            let mut gone = std::mem::take(known);
            for (host, way) in &mut ways {
                let before = gone.remove(host).flatten();
                *way = with_station(before, with_past(before, *way));
                self.tell_of_move(*host, before, *way);
                if way.is_none() {
                    self.tell_of_search(*host);
                }
                known.insert(*host, *way);
            }
            ways.extend(gone.into_keys().map(|host| (host, None)));
        });
        self.tell_ways(ways).await?;
        self.backends.changed.notify_one();
        Ok(())
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
            let (mut pause, mut before) = (ASK_SOON, 0);
            loop {
                self.ask_for_next_hops(&handle).await;
                let unknown = self
                    .backends
                    .with(|it| it.values().filter(is_unknown).count());
                pause = match unknown {
                    0 => ASK_AGAIN,
                    // Others than a moment ago may be found at once.
                    _ if unknown != before => ASK_SOON,
                    _ => ASK_AGAIN.min(2 * pause),
                };
                before = unknown;
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
        let found = next_hop::ways(handle, &self.site.indexes(), &hosts).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => return tracing::debug!(%error, "cannot ask the kernel for next hops"),
        };
        let _telling = self.backends.telling.lock().await;
        let ways = self.backends.with(|known| {
            let mut ways = Vec::with_capacity(found.len());
            for (host, way) in found {
                // It may be wanted no more.
                let Some(known) = known.get_mut(&host) else {
                    continue;
                };
                let way = with_past(*known, way);
                self.tell_of_move(host, *known, way);
                *known = way;
                ways.push((host, way));
            }
            ways
        });
        if let Err(error) = self.tell_ways(ways).await {
            tracing::warn!(%error, "the ways to backends");
        }
    }

    fn tell_of_search(&self, host: IpAddr) {
        tracing::warn!(
            "the kernel does not reach backend {host} by {}: it is looked for on the link",
            self.site.names()
        );
    }

    fn tell_of_move(&self, host: IpAddr, from: Option<Way>, to: Option<Way>) {
        let name = |id| &self.site.place(id).interface;
        match (from, to) {
            (Some(Way::By(from, _)), Some(Way::By(to, _))) if from != to => {
                let (from, to) = (name(from), name(to));
                tracing::warn!("backend {host} is reached by {to} from now on, not by {from}");
            }
            (Some(Way::By(from, _)), Some(Way::Nowhere)) => {
                let from = name(from);
                tracing::warn!("the kernel has no way to backend {host} any more; it was {from}");
            }
            (Some(Way::Nowhere), Some(Way::By(to, _))) => {
                tracing::info!("backend {host} is reached by {} again", name(to));
            }
            _ => {}
        }
    }

    fn netlink_error(&self, source: rtnetlink::Error) -> StartError {
        StartError::Netlink {
            interface: self.site.names(),
            source,
        }
    }
}

/// The way that the kernel tells of now. Who was once reached is not to be looked for on any link.
fn with_past(before: Option<Way>, now: Option<Way>) -> Option<Way> {
    now.or_else(|| before.map(|_| Way::Nowhere))
}

/// A way with the station that is known, where it is still by the same interface.
fn with_station(before: Option<Way>, now: Option<Way>) -> Option<Way> {
    match (before, now) {
        (Some(Way::By(one, _)), Some(Way::By(other, None))) if one == other => before,
        _ => now,
    }
}

/// Whether its station is yet to be found.
fn is_unknown(way: &&Option<Way>) -> bool {
    !matches!(way, Some(Way::By(_, Some(_))))
}

fn has_host(pool: &PoolSettings, host: IpAddr) -> bool {
    let mut backends = pool.backends.iter();
    backends.any(|backend| backend.endpoint.address == host)
}

/// Whether connections from an address can reach a host, as far as the two tell.
pub(super) fn reaches(local: &LocalAddress, host: IpAddr) -> bool {
    let is_far = !ip::is_link_local(host);
    let is_of_link = ip::is_link_local(local.address);
    local.address.is_ipv4() == host.is_ipv4() && !(is_far && is_of_link)
}

/// The hosts of all backends.
pub(super) fn hosts(pools: &[PoolOptions]) -> BTreeSet<IpAddr> {
    let backends = pools.iter().flat_map(|pool| &pool.settings.backends);
    backends.map(|it| it.endpoint.address).collect()
}

const fn netlink_socket(source: std::io::Error) -> StartError {
    StartError::System {
        what: "open a netlink socket",
        source,
    }
}
