//! Where other hosts are: ways that the kernel tells, and stations that the link is asked for.

use std::net::IpAddr;

use wirepath_device::Device;
use wirepath_tcp::time::Instant;
use wirepath_wire::arp;
use wirepath_wire::ethernet::{EtherType, MacAddr};
use wirepath_wire::ip;
use wirepath_wire::ndp::{self, Solicitation};

use super::Worker;
use super::answer::{emit_ndp, ndp_header};
use super::ingress::Raw;
use crate::app::App;
use crate::link::{InterfaceId, Link, Way};

impl<D: Device, A: App> Worker<D, A> {
    /// Takes note how a host is reached, as the kernel tells it: connections to it are opened so or
    /// not at all. `None` when nothing is told (any more): then its station is looked for on the
    /// link, where the closest address is. Whether there was room to remember it.
    pub fn set_way(&mut self, host: IpAddr, way: Option<Way>) -> bool {
        self.neighbors.set_way(host, way)
    }

    /// Remembers the station of a neighbor by an interface, as if it had said it.
    pub fn learn_neighbor(&mut self, interface: InterfaceId, address: IpAddr, mac: MacAddr) {
        if ip::is_unicast(address) && !mac.is_multicast() {
            self.neighbors.learn(interface, address, mac);
        }
    }

    /// Forgets the station of a neighbor by an interface.
    pub fn forget_neighbor(&mut self, interface: InterfaceId, address: IpAddr) {
        self.neighbors.forget(interface, address);
    }

    /// A neighbor says where it is. Who was not asked is not believed; other workers may have
    /// asked.
    pub(super) fn on_neighbor(&mut self, raw: Raw<'_>, address: IpAddr, mac: MacAddr) {
        let interface = self.ports[raw.port].interface;
        let was_asked = self.neighbors.is_asked(interface, address);
        if was_asked {
            self.learn_neighbor(interface, address, mac);
        }
        let is_others = raw.handed || self.pass_on(raw);
        if !was_asked && !is_others {
            self.counters.drop_not_ours += 1;
        }
    }

    /// Asks the link for the station of `target`, but not more than once a second (RFC 1122
    /// 2.3.2.1, RFC 4861 7.2.2).
    pub(super) fn ask_for(
        &mut self,
        now: Instant,
        (on, device): (InterfaceId, usize),
        source: IpAddr,
        target: IpAddr,
    ) {
        if self.neighbors.is_due(now, on, target) {
            self.solicit(device as u16, source, target);
        }
    }

    /// Nothing is acknowledged: the peer may have moved to another station (RFC 9293 3.8.3,
    /// MUST-20).
    pub(super) fn reconsider_link(&mut self, number: u32) {
        let Some(flow) = self.flows.open.get_mut(number) else {
            return;
        };
        let (local, remote) = (flow.tuple.local.address, flow.tuple.remote.address);
        let device = flow.link.device;
        let here = self.ports[usize::from(device)].interface;
        let (station, is_told) = match self.neighbors.way(&remote) {
            Some(Way::By(way, station)) => (station.filter(|_| way == here), true),
            Some(Way::Nowhere) => (None, true),
            None => (self.neighbors.find(here, remote), false),
        };
        if let Some(station) = station {
            flow.link.station = station;
        }
        if !is_told && self.owns(&local) {
            self.solicit(device, local, remote);
        }
    }

    /// Asks the link for the station of `target`, which must be a neighbor.
    fn solicit(&mut self, device: u16, source: IpAddr, target: IpAddr) {
        let on = self.ports[usize::from(device)].interface;
        self.neighbors.ask(on, target);
        let mut link = Link {
            station: MacAddr::BROADCAST,
            vlan: None,
            device,
        };
        let mac = self.mac(link);
        match (source, target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let request = arp::Packet::request(mac, source, target);
                self.answer(link, EtherType::ARP, |buffer| request.emit(buffer));
            }
            (IpAddr::V6(_), IpAddr::V6(target)) => {
                let group = ndp::solicited_node(target);
                link.station = MacAddr::of_ipv6_multicast(group);
                let header = ndp_header(source, group.into());
                let asked = Solicitation {
                    target,
                    source_mac: Some(mac),
                };
                let message = ndp::Message::Solicitation(asked);
                self.answer(link, EtherType::IPV6, |buffer| {
                    emit_ndp(buffer, &header, &message)
                });
            }
            _ => {}
        }
    }
}
