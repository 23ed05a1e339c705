//! The whole frame parser: no bytes make it panic, and what it took and emits again it takes for
//! the same.

use std::net::IpAddr;

use wirepath_wire::checksum::Sum;
use wirepath_wire::ethernet::{self, EtherType};
use wirepath_wire::icmp::Message as Icmp;
use wirepath_wire::icmpv6::Message as Icmpv6;
use wirepath_wire::ip::{self, Packet, Protocol};
use wirepath_wire::tcp::{self, ChecksumPolicy, Header as TcpHeader, Received};
use wirepath_wire::{arp, icmp, icmpv6, vlan};

use crate::options;

/// Takes the bytes as a frame, as they are and with every checksum made right: no mutation finds
/// its way through three of them.
pub fn check(data: &[u8]) {
    take_frame(data);
    let mut repaired = data.to_vec();
    repair(&mut repaired);
    take_frame(&repaired);
}

fn take_frame(bytes: &[u8]) {
    let Ok(frame) = ethernet::parse(bytes) else {
        return;
    };
    let mut again = [0; ethernet::HEADER_LEN];
    assert_eq!(frame.header.emit(&mut again), Some(again.len()));
    assert_eq!(ethernet::parse(&again).map(|f| f.header), Ok(frame.header));
    let (ether_type, payload) = match frame.header.ether_type {
        EtherType::VLAN => match vlan::parse(frame.payload) {
            Ok(tagged) => {
                let mut again = [0; vlan::HEADER_LEN];
                assert_eq!(tagged.header.emit(&mut again), Some(again.len()));
                assert_eq!(vlan::parse(&again).map(|t| t.header), Ok(tagged.header));
                (tagged.header.ether_type, tagged.payload)
            }
            Err(_) => return,
        },
        other => (other, frame.payload),
    };
    match ether_type {
        EtherType::ARP => take_arp(payload),
        EtherType::IPV4 | EtherType::IPV6 => take_packet(payload),
        _ => {}
    }
}

fn take_arp(bytes: &[u8]) {
    if let Ok(packet) = arp::parse(bytes) {
        let mut again = [0; arp::PACKET_LEN];
        assert_eq!(packet.emit(&mut again), Some(again.len()));
        assert_eq!(arp::parse(&again), Ok(packet));
    }
}

fn take_packet(bytes: &[u8]) {
    let Ok(packet) = ip::parse(bytes) else {
        return;
    };
    let Packet { header, payload } = packet;
    // An IPv6 header that says hop-by-hop options has them right after it, and this has not.
    if header.protocol != Protocol(0) {
        let mut again = vec![0; header.emitted_len()];
        let len = header.emit(&mut again, payload.len());
        assert_eq!(len, Some(again.len()));
        again.extend_from_slice(payload);
        assert_eq!(ip::parse(&again), Ok(packet));
    }
    match (header.protocol, header.source) {
        (Protocol::TCP, _) => take_segment(&packet),
        (Protocol::ICMP, IpAddr::V4(_)) => take_icmp(&packet),
        (Protocol::ICMPV6, IpAddr::V6(_)) => take_icmpv6(&packet),
        _ => {}
    }
}

fn take_segment(packet: &Packet<'_>) {
    let Ok(received) = tcp::parse(packet, ChecksumPolicy::PartialOk) else {
        return;
    };
    let Received { ports, segment, .. } = received;
    let mut bytes = vec![0; segment.header.emitted_len()];
    let len = tcp::emit(&mut bytes, ports, &segment.header);
    assert_eq!(len, Some(bytes.len()));
    let whole = bytes.len() + segment.payload.len();
    let pseudo_header = packet.header.pseudo_header(whole);
    let text = Sum::of(segment.payload);
    tcp::fill_checksum(&mut bytes, pseudo_header, text).expect("a header");
    bytes.extend_from_slice(segment.payload);
    let again = Packet {
        header: packet.header,
        payload: &bytes,
    };
    let again = tcp::parse(&again, ChecksumPolicy::Whole).expect("what was emitted parses");
    assert_eq!(again.ports, ports);
    assert_eq!(again.segment.payload, segment.payload);
    assert_eq!(again.segment.ecn, segment.ecn);
    options::assert_same(&again.segment.header.options, &segment.header.options);
    let without_options = |header: TcpHeader| TcpHeader {
        options: tcp::Options::default(),
        ..header
    };
    assert_eq!(
        without_options(again.segment.header),
        without_options(segment.header)
    );
}

fn take_icmp(packet: &Packet<'_>) {
    let Ok(message) = icmp::parse(packet) else {
        return;
    };
    let mut bytes = vec![0; packet.payload.len().max(576)];
    let len = match &message {
        Icmp::EchoRequest(echo) => icmp::emit_echo_request(&mut bytes, echo),
        Icmp::EchoReply(echo) => icmp::emit_echo_reply(&mut bytes, echo),
        Icmp::Report(report) => {
            let quoted = &packet.payload[icmp::HEADER_LEN..];
            icmp::emit_report(&mut bytes, report.cause, quoted)
        }
    };
    let payload = &bytes[..len.expect("room")];
    let again = Packet {
        header: packet.header,
        payload,
    };
    assert_eq!(icmp::parse(&again), Ok(message));
}

fn take_icmpv6(packet: &Packet<'_>) {
    let Ok(message) = icmpv6::parse(packet) else {
        return;
    };
    let header = &packet.header;
    let mut bytes = vec![0; packet.payload.len().max(1_280)];
    let len = match &message {
        Icmpv6::EchoRequest(echo) => icmpv6::emit_echo_request(&mut bytes, header, echo),
        Icmpv6::EchoReply(echo) => icmpv6::emit_echo_reply(&mut bytes, header, echo),
        Icmpv6::Neighbor(neighbor) => neighbor.emit(&mut bytes, header),
        Icmpv6::Report(report) => {
            let quoted = &packet.payload[icmp::HEADER_LEN..];
            let len = icmpv6::emit_report(&mut bytes, header, report.cause, quoted);
            // Of a cause that ICMPv6 has no code for, or a quote cut inside its headers.
            if len.is_none_or(|len| len < packet.payload.len()) {
                return;
            }
            len
        }
    };
    let payload = &bytes[..len.expect("room")];
    let again = Packet {
        header: packet.header,
        payload,
    };
    assert_eq!(icmpv6::parse(&again), Ok(message));
}

/// Makes the checksums of a frame right, as far as there are any.
fn repair(frame: &mut [u8]) {
    let is_tagged = frame.get(12..14) == Some(&EtherType::VLAN.0.to_be_bytes()[..]);
    let start = ethernet::HEADER_LEN + if is_tagged { vlan::HEADER_LEN } else { 0 };
    let Some(packet) = frame.get_mut(start..) else {
        return;
    };
    let header_len = usize::from(packet.first().map_or(0, |byte| byte & 0x0F)) * 4;
    let is_v4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
    if is_v4 && (20..=packet.len()).contains(&header_len) {
        packet[10..12].fill(0);
        let sum = Sum::of(&packet[..header_len]);
        packet[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
    }
    let Ok(parsed) = ip::parse(packet) else {
        return;
    };
    let (header, len) = (parsed.header, parsed.payload.len());
    let (at, pseudo_header) = match header.protocol {
        Protocol::TCP => (16, header.pseudo_header(len)),
        Protocol::ICMP => (2, Sum::EMPTY),
        Protocol::ICMPV6 => (2, header.pseudo_header(len)),
        _ => return,
    };
    // The payload ends where the length field says, and padding may follow.
    let length = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    let end = if is_v4 { length(2) } else { 40 + length(4) };
    let payload = &mut packet[end - len..end];
    if payload.len() >= at + 2 {
        payload[at..at + 2].fill(0);
        let sum = pseudo_header.then(Sum::of(payload));
        payload[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
    }
}
