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

/// Where a neighbor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Station {
    pub(crate) interface: InterfaceId,
    pub(crate) mac: MacAddr,
}

/// Link-layer addresses of neighbors, mirrored from the kernel or learned from their answers.
#[derive(Debug)]
pub(crate) struct Neighbors(HashMap<IpAddr, Neighbor, Keyed>);

#[derive(Debug, Clone, Copy, Default)]
struct Neighbor {
    station: Option<Station>,
    /// Whether it was asked and has not answered.
    asked: bool,
    /// When it may be asked again.
    again: Instant,
}

/// How long a neighbor has to answer before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Neighbors {
    pub(crate) fn new(secret: Secret) -> Self {
        Self(HashMap::with_capacity_and_hasher(
            2 * limits::NEIGHBORS,
            Keyed(secret),
        ))
    }

    /// Whether the link may be asked for a neighbor now; counts as asking if so.
    pub(crate) fn is_due(&mut self, now: Instant, address: IpAddr) -> bool {
        let Some(neighbor) = self.entry(address) else {
            return true;
        };
        let is_due = now >= neighbor.again;
        if is_due {
            neighbor.again = now + ASK_AGAIN;
        }
        is_due
    }

    /// Takes note that the link was asked for a neighbor.
    pub(crate) fn ask(&mut self, address: IpAddr) {
        if let Some(neighbor) = self.entry(address) {
            neighbor.asked = true;
        }
    }

    /// Whether the neighbor was asked and has not answered.
    pub(crate) fn is_asked(&self, address: &IpAddr) -> bool {
        self.0.get(address).is_some_and(|neighbor| neighbor.asked)
    }

    /// Remembers a neighbor; one too many is left out.
    pub(crate) fn learn(&mut self, address: IpAddr, station: Station) {
        if let Some(neighbor) = self.entry(address) {
            *neighbor = Neighbor {
                station: Some(station),
                asked: false,
                again: neighbor.again,
            };
        }
    }

    pub(crate) fn forget(&mut self, address: &IpAddr) {
        self.0.remove(address);
    }

    pub(crate) fn find(&self, address: &IpAddr) -> Option<Station> {
        self.0.get(address)?.station
    }

    /// The entry of a neighbor, if there is one or room for one. Those that never answered make
    /// room.
    fn entry(&mut self, address: IpAddr) -> Option<&mut Neighbor> {
        if self.0.len() >= limits::NEIGHBORS && !self.0.contains_key(&address) {
            self.0.retain(|_, neighbor| neighbor.station.is_some());
        }
        let has_room = self.0.len() < limits::NEIGHBORS || self.0.contains_key(&address);
        has_room.then(|| self.0.entry(address).or_default())
    }
}
