//! The link layer as a flow sees it: where its frames go.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::MacAddr;

use crate::limits;
use crate::listeners::Keyed;

/// An interface of this host: the number under which a worker was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct InterfaceId(pub u8);

/// How to reach a peer on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The station to send to: the peer, or a router.
    pub station: MacAddr,
    /// 802.1Q tag control information, kept on replies.
    pub vlan: Option<u16>,
    /// Which device of the worker.
    pub device: u16,
}

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub address: IpAddr,
    /// Where it is.
    pub interface: InterfaceId,
    /// Whether ARP, NDP, ICMP and closed ports of it are ours to answer; when not, the kernel has
    /// the address too and answers them.
    pub owned: bool,
}

impl LocalAddress {
    /// An address of the first interface that is ours alone.
    #[must_use]
    pub const fn owned(address: IpAddr) -> Self {
        Self {
            address,
            interface: InterfaceId(0),
            owned: true,
        }
    }
}

/// How a host is reached, as the kernel tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By an interface, and a station there once that is known: the host itself, or a router.
    By(InterfaceId, Option<MacAddr>),
    /// By no interface of ours.
    Nowhere,
}

/// What is known of the link: the ways to hosts that were told, and the stations of neighbors that
/// were learned from their answers.
#[derive(Debug)]
pub(crate) struct Neighbors {
    /// What is told goes before what is learned.
    ways: HashMap<IpAddr, Way, Keyed>,
    /// An answer that comes by one interface says nothing of another.
    stations: HashMap<(InterfaceId, IpAddr), Neighbor, Keyed>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Neighbor {
    station: Option<MacAddr>,
    /// Whether it was asked and has not answered.
    asked: bool,
    /// When it may be asked again.
    again: Instant,
}

/// How long a neighbor has to answer before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Neighbors {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            ways: HashMap::with_hasher(Keyed(secret)),
            stations: HashMap::with_capacity_and_hasher(2 * limits::NEIGHBORS, Keyed(secret)),
        }
    }

    /// Takes note of the way to a host, or that none is told. Whether there was room.
    pub(crate) fn set_way(&mut self, host: IpAddr, way: Option<Way>) -> bool {
        let Some(way) = way else {
            self.ways.remove(&host);
            return true;
        };
        let has_room = self.ways.len() < limits::TOLD_HOSTS || self.ways.contains_key(&host);
        if has_room {
            self.ways.insert(host, way);
        }
        has_room
    }

    /// The way to a host, where it was told.
    pub(crate) fn way(&self, host: &IpAddr) -> Option<Way> {
        self.ways.get(host).copied()
    }

    /// Whether the link may be asked for a neighbor now; counts as asking if so.
    pub(crate) fn is_due(&mut self, now: Instant, on: InterfaceId, address: IpAddr) -> bool {
        let Some(neighbor) = self.entry(on, address) else {
            return false;
        };
        let is_due = now >= neighbor.again;
        if is_due {
            neighbor.again = now + ASK_AGAIN;
        }
        is_due
    }

    /// Takes note that the link was asked for a neighbor.
    pub(crate) fn ask(&mut self, on: InterfaceId, address: IpAddr) {
        if let Some(neighbor) = self.entry(on, address) {
            neighbor.asked = true;
        }
    }

    /// Whether the neighbor was asked and has not answered.
    pub(crate) fn is_asked(&self, on: InterfaceId, address: IpAddr) -> bool {
        let neighbor = self.stations.get(&(on, address));
        neighbor.is_some_and(|neighbor| neighbor.asked)
    }

    /// Remembers a neighbor; one too many is left out.
    pub(crate) fn learn(&mut self, on: InterfaceId, address: IpAddr, station: MacAddr) {
        if let Some(neighbor) = self.entry(on, address) {
            *neighbor = Neighbor {
                station: Some(station),
                asked: false,
                again: neighbor.again,
            };
        }
    }

    pub(crate) fn forget(&mut self, on: InterfaceId, address: IpAddr) {
        self.stations.remove(&(on, address));
    }

    pub(crate) fn find(&self, on: InterfaceId, address: IpAddr) -> Option<MacAddr> {
        self.stations.get(&(on, address))?.station
    }

    /// The entry of a neighbor, if there is one or room for one. Those that never answered make
    /// room.
    fn entry(&mut self, on: InterfaceId, address: IpAddr) -> Option<&mut Neighbor> {
        let key = (on, address);
        if self.stations.len() >= limits::NEIGHBORS && !self.stations.contains_key(&key) {
            self.stations
                .retain(|_, neighbor| neighbor.station.is_some());
        }
        let has_room = self.stations.len() < limits::NEIGHBORS || self.stations.contains_key(&key);
        has_room.then(|| self.stations.entry(key).or_default())
    }
}
