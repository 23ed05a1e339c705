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

/// What is known of the link: by which interface hosts are reached, as the kernel tells it, and
/// the stations of neighbors, told by the kernel or learned from their answers.
#[derive(Debug)]
pub(crate) struct Neighbors {
    ways: HashMap<IpAddr, InterfaceId, Keyed>,
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
        let keyed = || Keyed(secret);
        Self {
            ways: HashMap::with_capacity_and_hasher(limits::NEIGHBORS, keyed()),
            stations: HashMap::with_capacity_and_hasher(2 * limits::NEIGHBORS, keyed()),
        }
    }

    /// By which interface a host is reached from now on; `None` when nobody knows.
    pub(crate) fn set_way(&mut self, host: IpAddr, way: Option<InterfaceId>) {
        if self.ways.len() >= limits::NEIGHBORS && !self.ways.contains_key(&host) {
            // What still counts is told again within a second.
            self.ways.clear();
        }
        match way {
            Some(interface) => self.ways.insert(host, interface),
            None => self.ways.remove(&host),
        };
    }

    pub(crate) fn way(&self, host: &IpAddr) -> Option<InterfaceId> {
        self.ways.get(host).copied()
    }

    /// Whether the link may be asked for a neighbor now; counts as asking if so.
    pub(crate) fn is_due(&mut self, now: Instant, on: InterfaceId, address: IpAddr) -> bool {
        let Some(neighbor) = self.entry(on, address) else {
            return true;
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
