//! Who waits for connections, and with which settings.

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;
use std::hash::BuildHasher;
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_wire::tuple::Endpoint;

/// The number of a listener; the same in every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(pub u16);

/// A passive open: RFC 9293 3.10.1.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// Its number.
    pub id: ListenerId,
    /// Settings of the connections it accepts.
    pub config: Config,
    /// Whether it accepts more; one that does not still ends the handshakes that it has begun.
    pub(crate) accepts: bool,
}

/// Builds the keyed hash of a worker's tables, against chosen keys.
#[derive(Debug, Clone)]
pub(crate) struct Keyed(pub(crate) Secret);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(self.0.key())
    }
}

/// The listeners of one worker, by the endpoint they wait at.
#[derive(Debug)]
pub(crate) struct Listeners {
    by_endpoint: HashMap<Endpoint, Listener, Keyed>,
    /// Connections and handshakes of each, by its number.
    held: Vec<usize>,
    /// Connections that each has opened, by its number.
    opened: Vec<u64>,
}

impl Listeners {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            by_endpoint: HashMap::with_hasher(Keyed(secret)),
            held: Vec::new(),
            opened: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, endpoint: Endpoint, listener: Listener) {
        let number = usize::from(listener.id.0);
        if self.held.len() <= number {
            self.held.resize(number + 1, 0);
            self.opened.resize(number + 1, 0);
        }
        // A number is given again, once nobody has it.
        if !self.by_endpoint.contains_key(&endpoint) {
            self.opened[number] = 0;
        }
        self.by_endpoint.insert(endpoint, listener);
    }

    /// Accepts no more. Whether it did.
    pub(crate) fn close(&mut self, endpoint: &Endpoint) -> bool {
        let listener = self.by_endpoint.get_mut(endpoint);
        listener.is_some_and(|listener| std::mem::take(&mut listener.accepts))
    }

    pub(crate) fn remove(&mut self, endpoint: &Endpoint) {
        self.by_endpoint.remove(endpoint);
    }

    pub(crate) fn clear(&mut self) {
        self.by_endpoint.clear();
    }

    pub(crate) fn find(&self, endpoint: &Endpoint) -> Option<&Listener> {
        self.by_endpoint.get(endpoint)
    }

    /// Whether somebody waits at `endpoint` for connections.
    pub(crate) fn accepts(&self, endpoint: &Endpoint) -> bool {
        self.find(endpoint).is_some_and(|listener| listener.accepts)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Endpoint, &Listener)> {
        self.by_endpoint.iter()
    }

    /// A flow of `listener` begins.
    pub(crate) fn hold(&mut self, listener: ListenerId) {
        if let Some(held) = self.held.get_mut(usize::from(listener.0)) {
            *held += 1;
        }
    }

    /// And ends.
    pub(crate) fn let_go(&mut self, listener: ListenerId) {
        if let Some(held) = self.held.get_mut(usize::from(listener.0)) {
            debug_assert!(*held > 0, "listener {} lets go of too many", listener.0);
            *held = held.saturating_sub(1);
        }
    }

    /// How many flows it has.
    pub(crate) fn held(&self, listener: ListenerId) -> usize {
        let held = self.held.get(usize::from(listener.0));
        held.copied().unwrap_or_default()
    }

    /// The handshake of a flow of `listener` is done.
    pub(crate) fn count_opened(&mut self, listener: Option<ListenerId>) {
        let opened = listener.and_then(|id| self.opened.get_mut(usize::from(id.0)));
        if let Some(opened) = opened {
            *opened += 1;
        }
    }

    /// How many connections it has opened.
    pub(crate) fn opened(&self, listener: ListenerId) -> u64 {
        let opened = self.opened.get(usize::from(listener.0));
        opened.copied().unwrap_or_default()
    }
}
