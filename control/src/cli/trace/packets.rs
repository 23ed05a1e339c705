//! A trace as pcapng. Headers are made up from what is known; text is not known, and cut off.

use std::time::Duration;

use anyhow::Context;
use pcap_file::DataLink;
use wirepath_stack::tap::Direction;
use wirepath_wire::checksum::Sum;
use wirepath_wire::ethernet;
use wirepath_wire::ip::{self, Ecn, Protocol, TrafficClass};
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{self, Flags, Header, UnscaledWindow};
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::api::{Trace, What};
use crate::capture::{Pcapng, Record};

/// What a made-up header takes at most: Ethernet, IPv6 and TCP without options.
const HEADERS: usize = 14 + 40 + 20;

pub(super) fn pcapng(trace: &Trace) -> anyhow::Result<Vec<u8>> {
    let mut pcapng = Pcapng::new()?;
    let name = ("wirepath flight recorder", "");
    pcapng.interface(DataLink::ETHERNET, name, HEADERS as u32)?;
    for event in &trace.events {
        let What::Segment {
            sent,
            seq,
            ack,
            len,
            window,
            flags,
        } = event.what
        else {
            continue;
        };
        let header = Header {
            seq: SeqNum::new(seq),
            ack: SeqNum::new(ack),
            flags: Flags::from_bits_retain(flags),
            window: UnscaledWindow(window),
            ..Header::default()
        };
        let text = usize::from(len);
        let frame = frame(trace, sent, &header, text).context("the ends are of two families")?;
        let direction = if sent { Direction::Out } else { Direction::In };
        let record = Record {
            time: Duration::from_micros(event.at_us),
            interface: 0,
            direction,
            len: frame.len() + text,
            bytes: &frame,
        };
        pcapng.frame(&record);
    }
    Ok(pcapng.take())
}

/// The headers of a frame; their checksum is that of text that is all zeros.
fn frame(trace: &Trace, sent: bool, header: &Header, text: usize) -> Option<Vec<u8>> {
    let ours = Tuple {
        local: Endpoint::from(trace.local),
        remote: Endpoint::from(trace.remote),
    };
    let path = if sent { ours } else { ours.reversed() };
    let packet = ip::Header {
        source: path.local.address,
        destination: path.remote.address,
        protocol: Protocol::TCP,
        traffic_class: TrafficClass::new(0, Ecn::NotEct),
        hop_limit: 64,
    };
    let mut frame = vec![0; HEADERS];
    let link = ethernet::Header {
        destination: ethernet::MacAddr([0; 6]),
        source: ethernet::MacAddr([0; 6]),
        ether_type: packet.ether_type(),
    };
    let packet_at = link.emit(&mut frame)?;
    let segment_at = packet_at + packet.emitted_len();
    let end = segment_at + header.emitted_len();
    frame.truncate(end);
    let segment = frame.get_mut(segment_at..)?;
    let len = segment.len() + text;
    tcp::emit(segment, path.ports(), header)?;
    tcp::fill_checksum(segment, packet.pseudo_header(len), Sum::EMPTY)?;
    packet.emit(frame.get_mut(packet_at..)?, len)?;
    Some(frame)
}
