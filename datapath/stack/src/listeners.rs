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

/// What a listener has and did since it began to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Connections and handshakes now.
    pub held: usize,
    /// Connections opened.
    pub opened: u64,
    /// Bytes of text that came in order.
    pub text_in: u64,
    /// Bytes of text that peers have acknowledged.
    pub text_out: u64,
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            held: sum.held + tally.held,
            opened: sum.opened + tally.opened,
            text_in: sum.text_in + tally.text_in,
            text_out: sum.text_out + tally.text_out,
        })
    }
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
    /// By the number of the listener.
    tallies: Vec<Tally>,
}

impl Listeners {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            by_endpoint: HashMap::with_hasher(Keyed(secret)),
            tallies: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, endpoint: Endpoint, listener: Listener) {
        let number = usize::from(listener.id.0);
        if self.tallies.len() <= number {
            self.tallies.resize(number + 1, Tally::default());
        }
        self.by_endpoint.insert(endpoint, listener);
    }

    /// What a listener of this number does is counted from zero.
    pub(crate) fn begin_tally(&mut self, id: ListenerId) {
        if let Some(tally) = self.tallies.get_mut(usize::from(id.0)) {
            *tally = Tally {
                held: tally.held,
                ..Tally::default()
            };
        }
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
        self.tally_mut(listener).held += 1;
    }

    /// And ends.
    pub(crate) fn let_go(&mut self, listener: ListenerId) {
        let held = &mut self.tally_mut(listener).held;
        debug_assert!(*held > 0, "listener {} lets go of too many", listener.0);
        *held = held.saturating_sub(1);
    }

    /// The handshake of a flow of `listener` is done.
    pub(crate) fn count_opened(&mut self, listener: Option<ListenerId>) {
        if let Some(listener) = listener {
            self.tally_mut(listener).opened += 1;
        }
    }

    /// So many bytes of text came and were acknowledged on a flow of `listener`.
    pub(crate) fn count_text(&mut self, listener: Option<ListenerId>, came: u64, went: u64) {
        if let Some(listener) = listener {
            let tally = self.tally_mut(listener);
            tally.text_in += came;
            tally.text_out += went;
        }
    }

    pub(crate) fn tally(&self, listener: ListenerId) -> Tally {
        let tally = self.tallies.get(usize::from(listener.0));
        tally.copied().unwrap_or_default()
    }

    /// Every number that is in use has one.
    fn tally_mut(&mut self, listener: ListenerId) -> &mut Tally {
        &mut self.tallies[usize::from(listener.0)]
    }
}
