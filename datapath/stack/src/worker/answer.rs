//! What a host answers besides TCP: ARP, neighbor discovery, echo. Only for owned addresses; the
//! kernel answers for those it has too.

use std::net::{IpAddr, Ipv6Addr};

use wirepath_device::{Device, Frame};
use wirepath_tcp::time::Instant;
use wirepath_wire::Error;
use wirepath_wire::arp::{self, Operation};
use wirepath_wire::ethernet::{EtherType, MacAddr};
use wirepath_wire::icmp::{self, Echo, Report};
use wirepath_wire::icmpv6;
use wirepath_wire::ip::{self, Packet, Protocol, TrafficClass};
use wirepath_wire::ndp::{self, Advertisement, Solicitation};

use super::Worker;
use super::ingress::Raw;
use crate::app::App;
use crate::flows::FlowRef;
use crate::link::Link;

/// Hop limit of neighbor discovery, which no router passes on: RFC 4861 7.1.
const NDP_HOP_LIMIT: u8 = 255;

impl<D: Device, A: App> Worker<D, A> {
    /// RFC 826.
    pub(super) fn on_arp(&mut self, link: Link, payload: &[u8], raw: Raw<'_>) -> Result<(), Error> {
        let packet = arp::parse(payload)?;
        if !self.owns(&IpAddr::V4(packet.target)) {
            self.counters.drop_not_ours += 1;
            return Ok(());
        }
        match packet.operation {
            Operation::Reply => {
                self.on_neighbor(raw, packet.sender.into(), packet.sender_mac);
            }
            Operation::Request => {
                let reply = packet.reply(self.mac(link));
                self.answer(link, EtherType::ARP, |buffer| reply.emit(buffer));
                self.counters.arp_replies += 1;
            }
        }
        Ok(())
    }

    pub(super) fn on_icmp(
        &mut self,
        now: Instant,
        link: Link,
        packet: &Packet<'_>,
        raw: Raw<'_>,
    ) -> Result<(), Error> {
        match packet.header.source {
            IpAddr::V4(_) => match icmp::parse(packet)? {
                icmp::Message::EchoRequest(echo) => self.on_echo(link, packet, &echo),
                icmp::Message::EchoReply(_) => self.counters.drop_not_ours += 1,
                icmp::Message::Report(report) => self.on_report(now, &report, raw),
            },
            IpAddr::V6(_) => match icmpv6::parse(packet)? {
                icmpv6::Message::EchoRequest(echo) => self.on_echo(link, packet, &echo),
                icmpv6::Message::EchoReply(_) => self.counters.drop_not_ours += 1,
                icmpv6::Message::Report(report) => self.on_report(now, &report, raw),
                icmpv6::Message::Neighbor(message) => self.on_ndp(link, packet, &message, raw),
            },
        }
        Ok(())
    }

    /// RFC 792, RFC 4443 4.2: echoes go to one host, from an address of ours.
    fn on_echo(&mut self, link: Link, packet: &Packet<'_>, echo: &Echo<'_>) {
        let Packet { header, payload } = packet;
        if !self.owns(&header.destination) || !ip::is_unicast(header.source) {
            self.counters.drop_not_ours += 1;
            return;
        }
        let (source, destination) = (header.destination, header.source);
        let hop_limit = self.ports[usize::from(link.device)].hop_limit;
        let header = ip::Header {
            source,
            destination,
            hop_limit,
            ..*header
        };
        self.answer(link, header.ether_type(), |buffer| {
            let at = header.emit(buffer, payload.len())?;
            let body = buffer.get_mut(at..)?;
            let len = match source {
                IpAddr::V4(_) => icmp::emit_echo_reply(body, echo)?,
                IpAddr::V6(_) => icmpv6::emit_echo_reply(body, &header, echo)?,
            };
            Some(at + len)
        });
        self.counters.echo_replies += 1;
    }

    /// An error about a segment of ours: RFC 9293 3.9.2.2 (MUST-54). What is half-open or over has
    /// nobody to tell.
    fn on_report(&mut self, now: Instant, report: &Report, raw: Raw<'_>) {
        let found = self.flows.find(&report.quote.tuple);
        if found.is_none() && self.hand_over(&report.quote.tuple, raw) {
            return;
        }
        let flow = match found {
            Some(FlowRef::Open(number)) => self.flows.open.get_mut(number).zip(Some(number)),
            Some(FlowRef::Resting(_)) => {
                // It has nothing in flight.
                self.counters.icmp_ignored += 1;
                return;
            }
            _ => None,
        };
        let Some((flow, number)) = flow else {
            self.counters.drop_not_ours += 1;
            return;
        };
        let before = flow.connection.state();
        if flow.connection.on_icmp_error(now, report, &mut self.pool) {
            self.counters.icmp_errors += 1;
            self.serve(now, number, before);
        } else {
            self.counters.icmp_ignored += 1;
        }
    }

    /// RFC 4861 7.2.
    fn on_ndp(&mut self, link: Link, packet: &Packet<'_>, message: &ndp::Message, raw: Raw<'_>) {
        match message {
            ndp::Message::Solicitation(solicitation) => {
                self.on_solicitation(link, packet.header.source, solicitation);
            }
            ndp::Message::Advertisement(advertisement) => {
                if let Some(mac) = advertisement.target_mac {
                    self.on_neighbor(raw, advertisement.target.into(), mac);
                }
            }
        }
    }

    fn on_solicitation(&mut self, link: Link, source: IpAddr, asked: &Solicitation) {
        let target = IpAddr::V6(asked.target);
        if !self.owns(&target) {
            self.counters.drop_not_ours += 1;
            return;
        }
        // RFC 4861 7.2.4: who has no address yet is answered with all nodes.
        let is_solicited = ip::is_unicast(source);
        let all_nodes = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
        let destination = if is_solicited {
            source
        } else {
            IpAddr::V6(all_nodes)
        };
        let station = if is_solicited {
            link.station
        } else {
            MacAddr::of_ipv6_multicast(all_nodes)
        };
        let message = ndp::Message::Advertisement(Advertisement {
            target: asked.target,
            target_mac: Some(self.mac(link)),
            is_router: false,
            is_solicited,
            is_override: true,
        });
        let header = ndp_header(target, destination);
        let link = Link { station, ..link };
        self.answer(link, EtherType::IPV6, |buffer| {
            emit_ndp(buffer, &header, &message)
        });
        self.counters.neighbor_advertisements += 1;
    }

    pub(super) fn owns(&self, address: &IpAddr) -> bool {
        self.local(address).is_some_and(|local| local.owned)
    }

    pub(super) fn mac(&self, link: Link) -> MacAddr {
        self.ports[usize::from(link.device)].mac
    }

    /// Sends a packet that `emit` writes.
    pub(super) fn answer(
        &mut self,
        link: Link,
        ether_type: EtherType,
        emit: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        let port = &mut self.ports[usize::from(link.device)];
        let Some(mut frame) = port.frame() else {
            self.counters.drop_no_frame += 1;
            return;
        };
        let buffer = frame.buffer();
        let at = port.write_link(buffer, &link, ether_type);
        let written = at.and_then(|at| Some(at + emit(buffer.get_mut(at..)?)?));
        self.send_frame(link.device, frame, written);
    }
}

pub(super) const fn ndp_header(source: IpAddr, destination: IpAddr) -> ip::Header {
    let (protocol, hop_limit) = (Protocol::ICMPV6, NDP_HOP_LIMIT);
    ip::Header {
        source,
        destination,
        protocol,
        traffic_class: TrafficClass(0),
        hop_limit,
    }
}

pub(super) fn emit_ndp(
    buffer: &mut [u8],
    header: &ip::Header,
    message: &ndp::Message,
) -> Option<usize> {
    // Written behind the room of the header, whose length field it decides.
    let at = header.emitted_len();
    let len = message.emit(buffer.get_mut(at..)?, header)?;
    header.emit(buffer, len)?;
    Some(at + len)
}
