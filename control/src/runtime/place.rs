//! Where a server is: its interfaces, addresses and ports.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use wirepath_bpf::{Mode, SteerError, Steering};
use wirepath_stack::link::{InterfaceId, LocalAddress};

use super::ListenError;

/// An interface of a server.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) interface: Arc<str>,
    /// The kernel's number of the interface.
    pub(super) index: u32,
    /// Where its XDP program runs.
    pub(super) mode: Mode,
    pub(super) steering: Steering,
}

/// Where a server is.
#[derive(Debug)]
pub(super) struct Site {
    /// Its interfaces, by [`InterfaceId`]; there is one at least.
    pub(super) places: Vec<Place>,
    pub(super) addresses: Vec<LocalAddress>,
    /// Ports of connections to backends.
    pub(super) source_ports: RangeInclusive<u16>,
}

/// A queue of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The interface.
    pub interface: Arc<str>,
    /// Its number there.
    pub number: u32,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.interface, self.number)
    }
}

/// The one of `addresses` that `endpoint` is at.
pub(super) fn served(
    addresses: &[LocalAddress],
    endpoint: SocketAddr,
) -> Result<&LocalAddress, ListenError> {
    let local = addresses.iter().find(|it| it.address == endpoint.ip());
    local.ok_or_else(|| {
        let names = addresses.iter().map(|it| it.address.to_string());
        let names: Vec<String> = names.collect();
        ListenError::NotServed(endpoint, names.join(", "))
    })
}

impl Site {
    pub(super) fn place(&self, id: InterfaceId) -> &Place {
        &self.places[usize::from(id.0)]
    }

    /// The place of an address that is served.
    pub(super) fn place_of(&self, address: IpAddr) -> Option<&Place> {
        let mut addresses = self.addresses.iter();
        let local = addresses.find(|local| local.address == address)?;
        Some(self.place(local.interface))
    }

    /// The names of the interfaces.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.places.iter().map(|place| &*place.interface).collect();
        names.join(" or ")
    }

    /// The kernel's numbers of the interfaces.
    pub(super) fn indexes(&self) -> Vec<u32> {
        self.places.iter().map(|place| place.index).collect()
    }

    /// Frames by what the XDP programs did with them.
    pub(super) fn verdicts(&self) -> Result<BTreeMap<&'static str, u64>, SteerError> {
        let mut sums = BTreeMap::new();
        for place in &self.places {
            for (verdict, count) in place.steering.counters()?.iter() {
                *sums.entry(verdict.name()).or_default() += count;
            }
        }
        Ok(sums)
    }
}
