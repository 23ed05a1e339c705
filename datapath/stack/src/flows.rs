//! All flows of a worker, by tuple: half-open, open, and in TIME-WAIT.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use hashbrown::HashTable;
use wirepath_tcp::buffer::BlockPool;
use wirepath_tcp::connection::{Connection, Resting};
use wirepath_tcp::half_open::HalfOpen;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_tcp::time_wait::TimeWait;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tuple::Tuple;

use crate::flight::RingId;
use crate::limits::Capacity;
use crate::link::Link;
use crate::listeners::{Keyed, ListenerId};
use crate::patience::Patience;
use crate::settings::{SettingsId, SharedSettings};
use crate::slab::Slab;
use crate::socket::{Calls, Partner, Socket};
use crate::wheel::TimerId;

/// What kind of state a flow has, and its number among those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlowRef {
    HalfOpen(u32),
    Open(u32),
    TimeWait(u32),
    /// Open, with nothing under way.
    Resting(u32),
}

impl FlowRef {
    /// As one number, for the tables and the wheel.
    pub(crate) const fn pack(self) -> u32 {
        match self {
            Self::HalfOpen(number) => number,
            Self::Open(number) => number | 1 << 30,
            Self::TimeWait(number) => number | 2 << 30,
            Self::Resting(number) => number | 3 << 30,
        }
    }

    pub(crate) const fn unpack(packed: u32) -> Self {
        let number = packed & ((1 << 30) - 1);
        match packed >> 30 {
            0 => Self::HalfOpen(number),
            1 => Self::Open(number),
            2 => Self::TimeWait(number),
            _ => Self::Resting(number),
        }
    }
}

/// A flow whose handshake is not over.
#[derive(Debug)]
pub(crate) struct HalfOpenFlow {
    pub(crate) tuple: Tuple,
    pub(crate) link: Link,
    pub(crate) listener: ListenerId,
    pub(crate) timer: TimerId,
    pub(crate) half_open: HalfOpen,
}

/// A flow with a connection and the application's session.
#[derive(Debug)]
pub(crate) struct OpenFlow<S> {
    pub(crate) tuple: Tuple,
    pub(crate) link: Link,
    /// The listener that accepted it; `None` for an active open.
    pub(crate) listener: Option<ListenerId>,
    pub(crate) timer: TimerId,
    /// Whether it stands in the list of those that may have something to send.
    pub(crate) dirty: bool,
    /// Whether it was opened by a SYN alone, and the handshake is not done.
    pub(crate) early: bool,
    pub(crate) patience: Patience,
    pub(crate) ring: RingId,
    /// The number of the flow that it is paired with.
    pub(crate) partner: Option<u32>,
    pub(crate) connection: Connection,
    pub(crate) session: S,
}

impl<S> OpenFlow<S> {
    /// A flow that stands in no table, list or wheel yet.
    pub(crate) fn new(
        tuple: Tuple,
        link: Link,
        listener: Option<ListenerId>,
        connection: Connection,
        session: S,
    ) -> Self {
        Self {
            tuple,
            link,
            listener,
            timer: TimerId::NONE,
            dirty: false,
            early: false,
            patience: Patience::default(),
            ring: RingId::NONE,
            partner: None,
            connection,
            session,
        }
    }
}

/// An open flow on which nothing is under way, without a partner.
#[derive(Debug)]
pub(crate) struct RestingFlow<S> {
    pub(crate) tuple: Tuple,
    pub(crate) link: Link,
    pub(crate) listener: Option<ListenerId>,
    pub(crate) timer: Option<TimerId>,
    pub(crate) patience: Patience,
    pub(crate) ring: RingId,
    pub(crate) settings: SettingsId,
    pub(crate) connection: Resting,
    pub(crate) session: S,
}

/// An open flow as its application sees it, for one call, and the application's session.
pub(crate) type Served<'a, S> = (Socket<'a>, &'a mut S);

/// A flow that is over but for the last segments.
#[derive(Debug)]
pub(crate) struct TimeWaitFlow {
    pub(crate) tuple: Tuple,
    pub(crate) timer: TimerId,
    pub(crate) time_wait: TimeWait,
}

/// What a tuple is to a new connection of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nobody has it.
    Free,
    /// The flow of that number in TIME-WAIT makes way; the new ISN must lie after this.
    Left(u32, SeqNum),
    /// It is not to be had.
    Taken,
}

/// The flows. The table holds references only; tuples are compared where they lie.
#[derive(Debug)]
pub(crate) struct Flows<S> {
    table: HashTable<u32>,
    keyed: Keyed,
    pub(crate) half_open: Slab<HalfOpenFlow>,
    pub(crate) open: Slab<OpenFlow<S>>,
    pub(crate) time_wait: Slab<TimeWaitFlow>,
    pub(crate) resting: Slab<RestingFlow<S>>,
    /// Settings of those that rest.
    pub(crate) settings: SharedSettings,
}

impl<S> Flows<S> {
    pub(crate) fn new(capacity: &Capacity, secret: Secret) -> Self {
        let all = capacity.connections + capacity.half_open + capacity.time_wait;
        Self {
            // Twice the room: the table then cleans up after removals without allocating.
            table: HashTable::with_capacity(2 * all),
            keyed: Keyed(secret),
            half_open: Slab::with_capacity(capacity.half_open),
            open: Slab::with_capacity(capacity.connections),
            time_wait: Slab::with_capacity(capacity.time_wait),
            resting: Slab::with_capacity(capacity.connections),
            settings: SharedSettings::new(),
        }
    }

    /// How many connections there are, those that rest included.
    pub(crate) fn connections(&self) -> usize {
        self.open.len() + self.resting.len()
    }

    /// What stands for a tuple where several workers meet.
    pub(crate) fn key(&self, tuple: &Tuple) -> u64 {
        hash(&self.keyed, tuple)
    }

    /// The open flow of this number as its application sees it.
    pub(crate) fn socket<'a>(
        &'a mut self,
        now: Instant,
        number: u32,
        pool: &'a mut BlockPool,
    ) -> Option<Served<'a, S>> {
        let (flow, partner) = self.open.get_with(number, |flow| flow.partner)?;
        let partner = partner.zip(flow.partner).map(|(other, number)| Partner {
            number,
            tuple: &other.tuple,
            listener: other.listener,
            before: other.connection.state(),
            connection: &mut other.connection,
            calls: Calls::default(),
        });
        let socket = Socket {
            now,
            tuple: &flow.tuple,
            listener: flow.listener,
            connection: &mut flow.connection,
            partner,
            pool,
            closes: false,
            shows: false,
            calls: Calls::default(),
        };
        Some((socket, &mut flow.session))
    }

    /// The flow of this tuple.
    pub(crate) fn find(&self, tuple: &Tuple) -> Option<FlowRef> {
        let hash = hash(&self.keyed, tuple);
        let found = self
            .table
            .find(hash, |&packed| self.tuple(packed) == Some(tuple));
        found.map(|&packed| FlowRef::unpack(packed))
    }

    /// Whether a new connection of ours may have this tuple; `stamped` if it offers timestamps.
    pub(crate) fn find_place(&self, now: Instant, tuple: &Tuple, stamped: bool) -> Place {
        let left = |number| {
            if !stamped {
                return None;
            }
            let flow = self.time_wait.get(number)?;
            let end = flow.time_wait.makes_way(now)?;
            Some(Place::Left(number, end))
        };
        match self.find(tuple) {
            None => Place::Free,
            Some(FlowRef::TimeWait(number)) => left(number).unwrap_or(Place::Taken),
            Some(_) => Place::Taken,
        }
    }

    /// Makes `flow` findable by its tuple, which no other flow has.
    pub(crate) fn enter(&mut self, flow: FlowRef) {
        let Some(&tuple) = self.tuple(flow.pack()) else {
            return;
        };
        let (keyed, half_open, open) = (&self.keyed, &self.half_open, &self.open);
        let (time_wait, resting) = (&self.time_wait, &self.resting);
        self.table
            .insert_unique(hash(keyed, &tuple), flow.pack(), |&packed| {
                let tuple = tuple_of(half_open, open, time_wait, resting, packed);
                tuple.map_or(0, |tuple| hash(keyed, tuple))
            });
    }

    /// Who looks for `tuple` finds `to` from now on, and not `from`. The table stays as it is: to
    /// leave and to enter would have it cleaned up again and again.
    pub(crate) fn replace(&mut self, tuple: &Tuple, from: FlowRef, to: FlowRef) {
        let (hash, from) = (hash(&self.keyed, tuple), from.pack());
        if let Some(entry) = self.table.find_mut(hash, |&entry| entry == from) {
            *entry = to.pack();
        }
    }

    /// Makes `flow` unfindable; to be called before it is removed from its slab.
    pub(crate) fn leave(&mut self, flow: FlowRef) {
        let packed = flow.pack();
        let Some(&tuple) = self.tuple(packed) else {
            return;
        };
        let hash = hash(&self.keyed, &tuple);
        if let Ok(entry) = self.table.find_entry(hash, |&entry| entry == packed) {
            entry.remove();
        }
    }

    fn tuple(&self, packed: u32) -> Option<&Tuple> {
        let (half_open, open) = (&self.half_open, &self.open);
        tuple_of(half_open, open, &self.time_wait, &self.resting, packed)
    }
}

fn tuple_of<'a, S>(
    half_open: &'a Slab<HalfOpenFlow>,
    open: &'a Slab<OpenFlow<S>>,
    time_wait: &'a Slab<TimeWaitFlow>,
    resting: &'a Slab<RestingFlow<S>>,
    packed: u32,
) -> Option<&'a Tuple> {
    match FlowRef::unpack(packed) {
        FlowRef::HalfOpen(number) => half_open.get(number).map(|flow| &flow.tuple),
        FlowRef::Open(number) => open.get(number).map(|flow| &flow.tuple),
        FlowRef::TimeWait(number) => time_wait.get(number).map(|flow| &flow.tuple),
        FlowRef::Resting(number) => resting.get(number).map(|flow| &flow.tuple),
    }
}

/// The keyed hash of a tuple, over its bytes in one piece.
fn hash(keyed: &Keyed, tuple: &Tuple) -> u64 {
    let mut hasher = keyed.build_hasher();
    let ports = u32::from(tuple.local.port) << 16 | u32::from(tuple.remote.port);
    match (tuple.local.address, tuple.remote.address) {
        (IpAddr::V4(local), IpAddr::V4(remote)) => {
            let addresses = u64::from(local.to_bits()) << 32 | u64::from(remote.to_bits());
            let whole = u128::from(addresses) << 32 | u128::from(ports);
            hasher.hash(&whole.to_ne_bytes())
        }
        (local, remote) => {
            for address in [local, remote] {
                match address {
                    IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
                    IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
                }
            }
            hasher.write_u32(ports);
            hasher.finish()
        }
    }
}
