//! The control plane of a running server: who listens, and the workers to be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::Mutex;
use wirepath_apps::Role;
use wirepath_bpf::{Mode, SteerError, Steering};
use wirepath_stack::link::LocalAddress;
use wirepath_stack::listeners::{ListenerId, Tally};
use wirepath_tcp::config::Config;
use wirepath_wire::tuple::Endpoint;

use super::backends::Backends;
use super::directory::Directory;
use super::mailbox::{AskError, WorkerHandle};
use super::place::{Site, served};
use super::reservation::Reservation;
use super::{Access, PoolNumbers, Snapshot, StartError};

/// Why a listener could not be added or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address is none that this server serves.
    #[error(
        "{0} is not served here: the server's addresses are {1}; to serve another as one of your \
         own start it with --address {ip}, or name that in the configuration's addresses",
        ip = .0.ip()
    )]
    NotServed(SocketAddr, String),
    /// Somebody listens there already.
    #[error("{0} is listened at already, by {1}")]
    Taken(SocketAddr, &'static str),
    /// No listener is added any more.
    #[error("the server is ending")]
    Ending,
    /// Nobody listens there.
    #[error("nobody listens at {0}")]
    Unknown(SocketAddr),
    /// There are as many as there can be.
    #[error("there are {0} listeners, and can be no more")]
    TooMany(usize),
    /// The kernel would not let us have the port.
    #[error(transparent)]
    Reserve(#[from] StartError),
    /// A worker did not answer.
    #[error(transparent)]
    Worker(#[from] AskError),
    /// The XDP program could not be told.
    #[error(transparent)]
    Steering(#[from] SteerError),
}

/// What a listener gives to the connections that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// What it does with them.
    pub role: Role,
    /// Settings of the connections.
    pub tcp: Config,
    /// Who may connect.
    pub access: Access,
}

/// Listeners by the endpoint they wait at.
pub(super) type ByEndpoint = BTreeMap<SocketAddr, Listening>;

/// One endpoint that is listened at, or was.
#[derive(Debug)]
pub(super) struct Listening {
    id: ListenerId,
    pub(super) settings: ListenerSettings,
    /// Numbers under which the endpoint had other roles: connections keep theirs.
    former: Vec<(Role, ListenerId)>,
    /// Accepts no more, and waits for its connections to end.
    pub(super) closing: bool,
    /// Keeps the kernel off the port.
    _reservation: Option<Reservation>,
}

impl Listening {
    /// Takes on other settings. `free` is a number to be had, should the role be a new one here.
    pub(super) fn become_of(&mut self, settings: ListenerSettings, free: ListenerId) {
        let (before, after) = (self.settings.role, settings.role);
        if before != after {
            let known = self.former.iter().position(|&(role, _)| role == after);
            let id = known.map_or(free, |at| self.former.swap_remove(at).1);
            self.former.push((before, self.id));
            self.id = id;
        }
        self.settings = settings;
    }

    /// All the numbers that connections of the endpoint may have.
    fn ids(&self) -> Vec<ListenerId> {
        let former = self.former.iter().map(|&(_, id)| id);
        former.chain([self.id]).collect()
    }
}

/// A listener, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerInfo {
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// What it does with its connections.
    pub role: Role,
    /// Whether it accepts no more, and waits for its connections to end.
    pub closing: bool,
    /// What it has and did, on all workers.
    pub tally: Tally,
}

/// What can be asked of a running server, and changed while it runs.
#[derive(Debug)]
pub struct ControlPlane {
    pub(super) site: Site,
    /// Settings of connections whose listener says nothing.
    pub(super) tcp: std::sync::Mutex<Config>,
    pub(super) workers: Vec<WorkerHandle>,
    pub(super) directory: Arc<Directory>,
    pub(super) pools: std::sync::Mutex<PoolNumbers>,
    pub(super) backends: Backends,
    /// Times that a worker was stuck.
    stalls: AtomicU64,
    /// Whether it closes its connections and ends.
    ending: AtomicBool,
    /// Held over every change, so that changes come one after the other.
    pub(super) listening: Mutex<ByEndpoint>,
}

impl ControlPlane {
    pub(super) fn new(
        site: Site,
        tcp: Config,
        (workers, directory): (Vec<WorkerHandle>, Arc<Directory>),
    ) -> Self {
        Self {
            site,
            tcp: std::sync::Mutex::new(tcp),
            workers,
            directory,
            pools: std::sync::Mutex::default(),
            backends: Backends::default(),
            stalls: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            listening: Mutex::default(),
        }
    }

    /// The first interface it serves on.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.site.places[0].interface
    }

    /// The interface of an address that is served, and where the XDP program runs there.
    #[must_use]
    pub fn interface_of(&self, address: IpAddr) -> Option<(&str, Mode)> {
        let place = self.site.place_of(address)?;
        Some((&place.interface, place.mode))
    }

    /// All interfaces, and where the XDP program of each runs.
    pub fn interfaces(&self) -> impl Iterator<Item = (&str, Mode)> {
        let places = self.site.places.iter();
        places.map(|place| (&*place.interface, place.mode))
    }

    /// The addresses it serves.
    pub(super) fn addresses(&self) -> &[LocalAddress] {
        &self.site.addresses
    }

    /// How many endpoints the XDP programs claim.
    #[must_use]
    pub fn claimed_endpoints(&self) -> usize {
        let places = self.site.places.iter();
        places.map(|place| place.steering.listener_count()).sum()
    }

    /// The workers, to be asked.
    #[must_use]
    pub fn workers(&self) -> &[WorkerHandle] {
        &self.workers
    }

    /// Connections whose owner other workers can find: those of several workers.
    #[must_use]
    pub fn known_connections(&self) -> usize {
        self.directory.len()
    }

    /// Times that a worker was stuck.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::Relaxed)
    }

    pub(super) fn count_stall(&self) {
        self.stalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Counters and holdings of each worker now.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, AskError> {
        let mut snapshots = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            snapshots.push(worker.snapshot().await?);
        }
        Ok(snapshots)
    }

    /// Settings of connections whose listener says nothing.
    #[must_use]
    pub fn tcp(&self) -> Config {
        *self.tcp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has somebody of this role wait at `endpoint`, with the settings of connections whose
    /// listener says nothing.
    ///
    /// # Errors
    /// As [`listen_with`](Self::listen_with).
    pub async fn listen(&self, endpoint: SocketAddr, role: Role) -> Result<(), ListenError> {
        let tcp = self.tcp();
        let access = Access::default();
        self.listen_with(endpoint, ListenerSettings { role, tcp, access })
            .await
    }

    /// No listener is added from now on.
    pub(super) async fn take_no_more(&self) {
        // Not in the middle of a change.
        let _listening = self.listening.lock().await;
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Has somebody wait at `endpoint`. When it returns every worker knows, and after them the
    /// XDP program: no SYN is refused that comes later.
    ///
    /// # Errors
    /// See [`ListenError`]; nothing has changed in that case.
    pub async fn listen_with(
        &self,
        endpoint: SocketAddr,
        settings: ListenerSettings,
    ) -> Result<(), ListenError> {
        let mut listening = self.listening.lock().await;
        self.open(&mut listening, endpoint, settings).await
    }

    pub(super) async fn open(
        &self,
        listening: &mut ByEndpoint,
        endpoint: SocketAddr,
        settings: ListenerSettings,
    ) -> Result<(), ListenError> {
        if self.ending.load(Ordering::Relaxed) {
            return Err(ListenError::Ending);
        }
        let known = listening.get(&endpoint);
        if let Some(known) = known.filter(|known| !known.closing) {
            return Err(ListenError::Taken(endpoint, known.settings.role.name()));
        }
        let local = served(&self.site.addresses, endpoint)?;
        let free = free_id(listening)?;
        if let Some(known) = listening.get_mut(&endpoint) {
            known.become_of(settings, free);
            known.closing = false;
        } else {
            let reservation = match local.owned {
                true => None,
                false => Some(Reservation::take(endpoint)?),
            };
            let entry = Listening {
                id: free,
                settings,
                former: Vec::new(),
                closing: false,
                _reservation: reservation,
            };
            listening.insert(endpoint, entry);
        }
        let told = self.tell_listen(listening, endpoint, free).await;
        let done = match told {
            Ok(()) => self
                .restrict(listening, endpoint)
                .and_then(|()| Ok(self.steering_at(endpoint)?.add_listener(endpoint)?)),
            Err(error) => Err(error.into()),
        };
        if done.is_err() {
            self.close(listening, endpoint).await;
        }
        done
    }

    /// Has the XDP program let those in who may connect, and nobody else.
    pub(super) fn restrict(
        &self,
        listening: &ByEndpoint,
        endpoint: SocketAddr,
    ) -> Result<(), ListenError> {
        let entry = listening.get(&endpoint);
        let rules = entry.map(|entry| entry.settings.access.rules());
        let steering = self.steering_at(endpoint)?;
        Ok(steering.restrict(endpoint, &rules.unwrap_or_default())?)
    }

    /// The XDP program that has what is for an endpoint of an address that is served.
    fn steering_at(&self, endpoint: SocketAddr) -> Result<&Steering, ListenError> {
        let local = served(&self.site.addresses, endpoint)?;
        Ok(&self.site.place(local.interface).steering)
    }

    /// Has nobody wait at `endpoint` any more: SYNs are refused from now on, and connections go on
    /// until they end.
    ///
    /// # Errors
    /// Nobody listens there, or a worker did not answer.
    pub async fn unlisten(&self, endpoint: SocketAddr) -> Result<(), ListenError> {
        let mut listening = self.listening.lock().await;
        let known = listening.get(&endpoint);
        if known.is_none_or(|known| known.closing) {
            return Err(ListenError::Unknown(endpoint));
        }
        self.close(&mut listening, endpoint).await;
        self.forget_closed(&mut listening).await;
        Ok(())
    }

    /// Who listens, in the order of addresses and ports.
    ///
    /// # Errors
    /// A worker did not answer.
    pub async fn listeners(&self) -> Result<Vec<ListenerInfo>, AskError> {
        let listening = self.listening.lock().await;
        let mut listeners = Vec::with_capacity(listening.len());
        for (&endpoint, entry) in listening.iter() {
            listeners.push(ListenerInfo {
                endpoint,
                role: entry.settings.role,
                closing: entry.closing,
                tally: self.tally(entry.ids()).await?,
            });
        }
        Ok(listeners)
    }

    /// Lets go of the ports that nobody listens at and that have no connection left.
    pub(super) async fn tidy_up(&self) {
        let mut listening = self.listening.lock().await;
        self.forget_closed(&mut listening).await;
    }

    /// Has every worker listen at `endpoint` as it stands in `listening`; connections go on. One
    /// that does not answer does not keep the others from hearing of it. `free` is a number that
    /// nobody had: what its listener does is counted from zero.
    pub(super) async fn tell_listen(
        &self,
        listening: &ByEndpoint,
        endpoint: SocketAddr,
        free: ListenerId,
    ) -> Result<(), AskError> {
        let Some(entry) = listening.get(&endpoint) else {
            return Ok(());
        };
        let (id, ListenerSettings { role, tcp, .. }) = (entry.id, &entry.settings);
        let (role, tcp) = (*role, *tcp);
        let mut told = Ok(());
        for worker in &self.workers {
            let listen = move |_, worker: &mut super::mailbox::Served| {
                if id == free {
                    worker.begin_tally(id);
                }
                worker.app_mut().set(id, role);
                worker.listen(Endpoint::from(endpoint), id, tcp);
            };
            told = told.and(worker.ask(listen).await);
        }
        told
    }

    /// No worker accepts more at `endpoint`. One that does not answer is told all the same.
    pub(super) async fn close(&self, listening: &mut ByEndpoint, endpoint: SocketAddr) {
        if let Some(entry) = listening.get_mut(&endpoint) {
            entry.closing = true;
        }
        for worker in &self.workers {
            let unlisten = move |_, worker: &mut super::mailbox::Served| {
                worker.unlisten(&Endpoint::from(endpoint))
            };
            if let Err(error) = worker.ask(unlisten).await {
                tracing::warn!(%error, %endpoint, "a listener that is removed");
            }
        }
    }

    pub(super) async fn forget_closed(&self, listening: &mut ByEndpoint) {
        let closing = listening.iter().filter(|(_, entry)| entry.closing);
        let closing: Vec<_> = closing
            .map(|(&endpoint, entry)| (endpoint, entry.ids()))
            .collect();
        for (endpoint, ids) in closing {
            let tally = self.tally(ids).await;
            if tally.map_or(true, |tally| tally.held > 0) {
                continue;
            }
            // The segments of its connections were ours up to here; now they are the kernel's.
            let removed = self
                .steering_at(endpoint)
                .and_then(|steering| Ok(steering.remove_listener(endpoint)?));
            if let Err(error) = removed {
                tracing::warn!(%error, %endpoint, "a listener that is removed");
                continue;
            }
            for worker in &self.workers {
                let forget = move |_, worker: &mut super::mailbox::Served| {
                    worker.forget_listener(&Endpoint::from(endpoint));
                };
                // Who does not answer forgets it later: the errand stays.
                let _ = worker.ask(forget).await;
            }
            listening.remove(&endpoint);
        }
    }

    /// What all workers count of the listeners of these numbers together.
    async fn tally(&self, ids: Vec<ListenerId>) -> Result<Tally, AskError> {
        let ids: Arc<[ListenerId]> = ids.into();
        let mut tallies = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let ids = Arc::clone(&ids);
            let all = move |_, worker: &mut super::mailbox::Served| -> Tally {
                ids.iter().map(|&id| worker.tally(id)).sum()
            };
            tallies.push(worker.ask(all).await?);
        }
        Ok(tallies.into_iter().sum())
    }
}

/// The least number that no listener has.
pub(super) fn free_id(listening: &ByEndpoint) -> Result<ListenerId, ListenError> {
    let taken = listening.values().flat_map(Listening::ids);
    let taken: BTreeSet<u16> = taken.map(|id| id.0).collect();
    let free = (0..u16::MAX).find(|id| !taken.contains(id));
    free.map(ListenerId)
        .ok_or(ListenError::TooMany(listening.len()))
}
