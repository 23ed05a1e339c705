//! The active open: RFC 9293 3.10.1.

use std::net::IpAddr;

use wirepath_device::Device;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::ip;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::Worker;
use crate::app::App;
use crate::flows::{OpenFlow, Place};
use crate::link::{Link, LocalAddress, Way};
use crate::ports::Fitness;

/// Why a connection could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// RFC 9293 3.10.1 (MUST-46): a peer is one host.
    #[error("the remote address names no single host")]
    BadRemote,
    /// The local address is not one of this host.
    #[error("the local address is not one of this host")]
    BadLocal,
    /// Every source port is taken by a connection to this peer, or by one in TIME-WAIT that does
    /// not make way.
    #[error(
        "every source port is taken by a connection to this peer, or by one in TIME-WAIT that does \
         not make way"
    )]
    NoPort,
    /// There is a connection with this tuple, or one in TIME-WAIT that does not make way.
    #[error("a connection with these addresses and ports exists already")]
    InUse,
    /// The link-layer address of the next hop is not known yet; it was asked for.
    #[error("the link-layer address of the next hop is not known yet")]
    NeighborUnknown,
    /// The remote is reached by an interface that has not the local address or no device of this
    /// worker, or by none.
    #[error("there is no way to the remote by the interface of the local address")]
    OtherInterface,
    /// The worker holds as many connections as it may.
    #[error("too many connections are open")]
    Full,
}

impl<D: Device, A: App> Worker<D, A> {
    /// Opens a connection to `remote` from a port of its own choice (RFC 6056), and without a
    /// `local` address from the one that is closest (RFC 9293 3.9.1.1, MUST-43, MUST-44). Returns
    /// both ends.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is kept in that case.
    pub fn connect(
        &mut self,
        now: Instant,
        to: (Option<IpAddr>, Endpoint),
        config: Config,
        mut session: A::Session,
    ) -> Result<Tuple, OpenError> {
        self.try_connect(now, to, config, &mut session)
    }

    /// As [`connect`](Self::connect); takes the session only if it succeeds.
    pub(super) fn try_connect(
        &mut self,
        now: Instant,
        (local, remote): (Option<IpAddr>, Endpoint),
        config: Config,
        session: &mut A::Session,
    ) -> Result<Tuple, OpenError> {
        let source = match local {
            Some(address) => self.local(&address),
            None => self.source_for(&remote.address),
        };
        let Some(source) = source else {
            let way = self.neighbors.way(&remote.address);
            return Err(way.map_or(OpenError::BadLocal, |_| OpenError::OtherInterface));
        };
        let (source, interface) = (source.address, source.interface);
        let tuple_from = |port| Tuple {
            local: Endpoint::new(source, port),
            remote,
        };
        let (flows, listeners) = (&self.flows, &self.listeners);
        let together = self.together.as_ref();
        let judge = |port| {
            let tuple = tuple_from(port);
            let taken = matches!(
                flows.find_place(now, &tuple, config.timestamps),
                Place::Taken
            );
            match taken || listeners.find(&tuple.local).is_some() {
                true => Fitness::Taken,
                false if together.is_none_or(|all| all.brings_home(interface, &tuple)) => {
                    Fitness::Home
                }
                false => Fitness::Astray,
            }
        };
        let port = self.source_ports.choose(source, remote, judge);
        let tuple = tuple_from(port.ok_or(OpenError::NoPort)?);
        self.try_open(now, tuple, config, session)?;
        Ok(tuple)
    }

    /// The address of this host that has most in common with `remote`, of those on the interface
    /// that leads there, where that is known, and of no lesser scope: RFC 6724 5, rules 5, 2 and 8.
    fn source_for(&self, remote: &IpAddr) -> Option<&LocalAddress> {
        let way = self.neighbors.way(remote);
        let suits = |local: &&LocalAddress| {
            let is_there = match way {
                Some(Way::By(interface, _)) => interface == local.interface,
                Some(Way::Nowhere) => false,
                None => true,
            };
            is_there && (!ip::is_link_local(local.address) || ip::is_link_local(*remote))
        };
        let same_bits = |local: &IpAddr| match (local, remote) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
            (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
            _ => None,
        };
        let addresses = self.config.addresses.iter().filter(suits);
        // Of equal ones the first.
        addresses
            .filter_map(|local| Some((same_bits(&local.address)?, local)))
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, local)| local)
    }

    /// Opens a connection on the first device of the interface that leads to the remote; its
    /// session starts as `session`.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is kept in that case.
    pub fn open(
        &mut self,
        now: Instant,
        tuple: Tuple,
        config: Config,
        mut session: A::Session,
    ) -> Result<(), OpenError> {
        self.try_open(now, tuple, config, &mut session)
    }

    fn try_open(
        &mut self,
        now: Instant,
        tuple: Tuple,
        config: Config,
        session: &mut A::Session,
    ) -> Result<(), OpenError> {
        let (local, remote) = (tuple.local.address, tuple.remote.address);
        if !ip::is_unicast(remote) || self.local(&remote).is_some() {
            return Err(OpenError::BadRemote);
        }
        let known = self.local(&local);
        let interface = known.filter(|_| local.is_ipv4() == remote.is_ipv4());
        let interface = interface.ok_or(OpenError::BadLocal)?.interface;
        let place = self.flows.find_place(now, &tuple, config.timestamps);
        if matches!(place, Place::Taken) {
            return Err(OpenError::InUse);
        }
        if !self.has_room() {
            return Err(OpenError::Full);
        }
        let device = self.device_on(interface).ok_or(OpenError::OtherInterface)?;
        let way = self.neighbors.way(&remote);
        let station = match way {
            Some(Way::By(way, station)) if way == interface => station,
            Some(_) => return Err(OpenError::OtherInterface),
            None => self.neighbors.find(interface, remote),
        };
        let Some(station) = station else {
            if way.is_none() {
                self.ask_for(now, (interface, device), local, remote);
            }
            return Err(OpenError::NeighborUnknown);
        };
        let mut after = None;
        if let Place::Left(number, end) = place {
            self.forget_time_wait(number);
            after = Some(end);
        }
        if !self.claim(&tuple) {
            return Err(OpenError::InUse);
        }
        let iss = self.isn(now, &tuple, after);
        let ts_offset = self.config.secret.ts_offset(&tuple);
        let path = self.ports[device].path(&tuple);
        let link = Link {
            station,
            vlan: None,
            device: device as u16,
        };
        let connection = Connection::open(now, config, path, iss, ts_offset);
        let flow = OpenFlow::new(tuple, link, None, connection, std::mem::take(session));
        self.keep_open(now, flow).ok_or(OpenError::Full)?;
        self.enter(State::SynSent);
        Ok(())
    }
}
