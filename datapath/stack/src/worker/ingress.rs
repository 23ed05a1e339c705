//! Frames in: parse all, then process all.

use wirepath_device::{Batch, Device, Frame};
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::{self, EtherType};
use wirepath_wire::ip::{self, Ecn, Protocol};
use wirepath_wire::tcp::{self, ChecksumState, Header, Segment};
use wirepath_wire::tuple::Tuple;
use wirepath_wire::{Error, vlan};

use super::Worker;
use crate::app::App;
use crate::link::Link;
use crate::tap::Direction;

/// A TCP segment in a frame of the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Which frame of the batch.
    frame: usize,
    /// Where its text starts in the frame, and how long it is.
    text: (usize, usize),
    pub(super) tuple: Tuple,
    /// The way back.
    pub(super) link: Link,
    pub(super) header: Header,
    /// What the network said of its packet.
    ecn: Ecn,
}

/// A frame as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    /// The device that answers.
    pub(super) port: usize,
    /// Whether another worker has handed it over.
    pub(super) handed: bool,
}

impl<'a> Raw<'a> {
    const fn received(port: usize, bytes: &'a [u8]) -> Self {
        let handed = false;
        Self {
            bytes,
            port,
            handed,
        }
    }

    /// What another worker has handed over.
    pub(super) const fn handed(port: usize, bytes: &'a [u8]) -> Self {
        let handed = true;
        Self {
            bytes,
            port,
            handed,
        }
    }
}

impl<D: Device, A: App> Worker<D, A> {
    /// Takes a batch from a device and processes it; returns how many frames it had.
    pub(super) fn receive(&mut self, now: Instant, port: usize) -> usize {
        let Some(mut batch) = self.ports[port].take_batch() else {
            return 0;
        };
        let device = &mut self.ports[port].device;
        let received = device.receive(&mut batch);
        self.counters.drop_too_long += device.take_too_long();
        if received > 0 {
            self.parse_all(now, port, &batch);
            self.process_all(now, port, &batch);
        }
        self.ports[port].put_back(batch);
        received
    }

    fn parse_all(&mut self, now: Instant, port: usize, batch: &Batch<D::Frame>) {
        self.arrivals.clear();
        self.taps.begin();
        let bytes_before = self.counters.bytes_in;
        for (number, frame) in batch.frames().iter().enumerate() {
            self.counters.frames_in += 1;
            self.counters.bytes_in += frame.bytes().len() as u64;
            self.taps.see(port, Direction::In, frame.bytes());
            let raw = Raw::received(port, frame.bytes());
            if let Some(arrival) = self.read(now, number, raw) {
                self.arrivals.push(arrival);
            }
        }
        let traffic = &mut self.ports[port].traffic;
        traffic.batches_in += 1;
        traffic.frames_in += batch.frames().len() as u64;
        traffic.bytes_in += self.counters.bytes_in - bytes_before;
    }

    fn process_all(&mut self, now: Instant, port: usize, batch: &Batch<D::Frame>) {
        let arrivals = std::mem::take(&mut self.arrivals);
        for arrival in &arrivals {
            let bytes = batch.frames()[arrival.frame].bytes();
            self.process(now, arrival, Raw::received(port, bytes));
        }
        self.arrivals = arrivals;
    }

    /// A frame that comes alone.
    pub(super) fn receive_one(&mut self, now: Instant, raw: Raw<'_>) {
        if let Some(arrival) = self.read(now, 0, raw) {
            self.process(now, &arrival, raw);
        }
    }

    /// Reads a frame, and counts one that makes no sense.
    #[inline]
    fn read(&mut self, now: Instant, number: usize, raw: Raw<'_>) -> Option<Arrival> {
        match self.parse(now, number, raw) {
            Ok(arrival) => arrival,
            Err(error) => {
                self.counters.malformed[error.index()] += 1;
                None
            }
        }
    }

    fn process(&mut self, now: Instant, arrival: &Arrival, raw: Raw<'_>) {
        let flow = self.flows.find(&arrival.tuple);
        if flow.is_none() && self.hand_over(&arrival.tuple, raw) {
            return;
        }
        let (start, len) = arrival.text;
        let segment = Segment {
            header: arrival.header,
            payload: raw.bytes.get(start..start + len).unwrap_or_default(),
            ecn: arrival.ecn,
        };
        self.on_segment(now, flow, arrival, &segment);
    }

    /// Reads a frame. What is not TCP is answered here and now.
    fn parse(
        &mut self,
        now: Instant,
        number: usize,
        raw: Raw<'_>,
    ) -> Result<Option<Arrival>, Error> {
        let Raw { bytes, port, .. } = raw;
        let frame = ethernet::parse(bytes)?;
        let station = frame.header.destination;
        // A promiscuous interface also takes what is for other stations.
        if station != self.ports[port].mac && !station.is_multicast() {
            self.counters.drop_not_ours += 1;
            return Ok(None);
        }
        let mut link = Link {
            station: frame.header.source,
            vlan: None,
            device: port as u16,
        };
        let (mut ether_type, mut payload) = (frame.header.ether_type, frame.payload);
        if ether_type == EtherType::VLAN {
            let tagged = vlan::parse(payload)?;
            link.vlan = Some(tagged.header.tag.0);
            (ether_type, payload) = (tagged.header.ether_type, tagged.payload);
        }
        match ether_type {
            EtherType::IPV4 | EtherType::IPV6 => {}
            EtherType::ARP => return self.on_arp(link, payload, raw).map(|()| None),
            _ => {
                self.counters.drop_not_ours += 1;
                return Ok(None);
            }
        }
        let packet = ip::parse(payload)?;
        match packet.header.protocol {
            Protocol::TCP => {}
            Protocol::ICMP | Protocol::ICMPV6 => {
                return self.on_icmp(now, link, &packet, raw).map(|()| None);
            }
            _ => {
                self.counters.drop_not_ours += 1;
                return Ok(None);
            }
        }
        // RFC 9293 3.9.2.3: TCP is for one host, on the link as well.
        if station.is_multicast() || self.local(&packet.header.destination).is_none() {
            self.counters.drop_not_ours += 1;
            return Ok(None);
        }
        let received = tcp::parse(&packet, self.config.checksums)?;
        self.counters.segments_in += 1;
        self.counters.illegal_options += u64::from(received.illegal_option);
        let partial = received.checksum == ChecksumState::Partial;
        self.counters.partial_checksums += u64::from(partial);
        let text = received.segment.payload;
        let start = text.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
        Ok(Some(Arrival {
            frame: number,
            text: (start, text.len()),
            tuple: Tuple::of_received(&packet.header, received.ports),
            link,
            header: received.segment.header,
            ecn: received.segment.ecn,
        }))
    }
}
