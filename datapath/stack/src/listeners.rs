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
pub(crate) struct Listeners(HashMap<Endpoint, Listener, Keyed>);

impl Listeners {
    pub(crate) fn new(secret: Secret) -> Self {
        Self(HashMap::with_hasher(Keyed(secret)))
    }

    pub(crate) fn add(&mut self, endpoint: Endpoint, listener: Listener) {
        self.0.insert(endpoint, listener);
    }

    pub(crate) fn remove(&mut self, endpoint: &Endpoint) -> bool {
        self.0.remove(endpoint).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn find(&self, endpoint: &Endpoint) -> Option<&Listener> {
        self.0.get(endpoint)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Endpoint, &Listener)> {
        self.0.iter()
    }
}
