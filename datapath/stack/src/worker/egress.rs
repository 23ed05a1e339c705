//! Frames out: segments of connections, and replies on the spot.

use std::io;

use wirepath_device::{Batch, Capabilities, Device, Frame, Full};
use wirepath_tcp::Path;
use wirepath_tcp::config::Marking;
use wirepath_tcp::time::Instant;
use wirepath_wire::checksum::{self, Sum};
use wirepath_wire::ethernet::{self, EtherType, MacAddr};
use wirepath_wire::ip::{self, Ecn, Protocol, TrafficClass};
use wirepath_wire::tcp::{self, Flags, Header};
use wirepath_wire::tuple::Tuple;
use wirepath_wire::vlan;

use super::Worker;
use super::ingress::Arrival;
use super::report::Traffic;
use crate::app::App;
use crate::flight::Event;
use crate::limits::{RECEIVE_BATCH, SEGMENTS_PER_CONNECTION_AND_TURN, SEGMENTS_PER_TURN};
use crate::link::{InterfaceId, Link};
use crate::tap::Direction;

/// A device of the worker and what is needed to send on it.
pub(super) struct Port<D: Device> {
    pub(super) device: D,
    pub(super) interface: InterfaceId,
    pub(super) mac: MacAddr,
    mtu: usize,
    pub(super) hop_limit: u8,
    /// Taken out while its frames are processed.
    batch: Option<Batch<D::Frame>>,
    /// A frame taken in advance, so that a segment is only made when it can be sent.
    spare: Option<D::Frame>,
    /// A frame that the transmit ring refused: it goes first next time.
    stalled: Option<D::Frame>,
    pub(super) traffic: Traffic,
}

impl<D: Device> Drop for Port<D> {
    fn drop(&mut self) {
        for frame in [self.spare.take(), self.stalled.take()]
            .into_iter()
            .flatten()
        {
            self.device.release(frame);
        }
    }
}

/// From whom to whom a segment goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    pub(super) tuple: Tuple,
    pub(super) link: Link,
    pub(super) marking: Marking,
    pub(super) ecn: Ecn,
}

impl Envelope {
    /// The way back to where a segment came from.
    pub(super) const fn of(arrival: &Arrival) -> Self {
        Self {
            tuple: arrival.tuple,
            link: arrival.link,
            marking: Marking::NONE,
            ecn: Ecn::NotEct,
        }
    }

    /// The same, with what the packet says to the network.
    pub(super) const fn marked(self, marking: Marking) -> Self {
        Self { marking, ..self }
    }
}

impl<D: Device> Port<D> {
    pub(super) fn new(device: D, (interface, mac): (InterfaceId, MacAddr), hop_limit: u8) -> Self {
        let Capabilities { mtu, batch } = device.capabilities();
        let batch = Some(Batch::with_capacity(batch.min(RECEIVE_BATCH)));
        Self {
            device,
            interface,
            mac,
            mtu,
            hop_limit,
            batch,
            spare: None,
            stalled: None,
            traffic: Traffic::default(),
        }
    }

    /// What the link carries to the peer of `tuple` in one segment.
    pub(super) fn path(&self, tuple: &Tuple) -> Path {
        Path::from_mtu(self.mtu, tuple.local.address.is_ipv6())
    }

    pub(super) const fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    pub(super) fn take_batch(&mut self) -> Option<Batch<D::Frame>> {
        self.batch.take()
    }

    /// Gives the frames of a batch back to the device and keeps the batch.
    pub(super) fn put_back(&mut self, mut batch: Batch<D::Frame>) {
        for frame in batch.drain() {
            self.device.release(frame);
        }
        self.batch = Some(batch);
    }

    /// A frame to write, if one can be had and sent.
    pub(super) fn frame(&mut self) -> Option<D::Frame> {
        if self.is_stalled() {
            return None;
        }
        self.spare.take().or_else(|| self.device.allocate())
    }

    pub(super) fn keep_spare(&mut self, frame: D::Frame) {
        self.spare = Some(frame);
    }

    /// Queues a frame; whether the ring had room. It is sent in any case.
    pub(super) fn transmit(&mut self, frame: D::Frame) -> bool {
        let refused = self.device.transmit(frame).err();
        self.stalled = refused.map(|Full(frame)| frame);
        self.stalled.is_none()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.device.flush()?;
        // Nobody announces a frame that is queued after the last flush.
        if let Some(frame) = self.stalled.take()
            && self.transmit(frame)
        {
            self.device.flush()?;
        }
        Ok(())
    }

    /// Writes a whole frame around a segment, copying and summing its text in one pass; returns
    /// its length.
    fn write<'a>(
        &self,
        frame: &mut D::Frame,
        envelope: &Envelope,
        header: &Header,
        text: impl Iterator<Item = &'a [u8]>,
    ) -> Option<usize> {
        let packet = self.ip_header(envelope);
        let buffer = frame.buffer();
        let packet_at = self.write_link(buffer, &envelope.link, packet.ether_type())?;
        let segment_at = packet_at + packet.emitted_len();
        let text_at = segment_at + header.emitted_len();
        let (mut end, mut sum) = (text_at, Sum::EMPTY);
        for piece in text {
            sum = sum.then(checksum::copy_and_sum(buffer.get_mut(end..)?, piece)?);
            end += piece.len();
        }
        let segment_len = end - segment_at;
        let head = buffer.get_mut(segment_at..text_at)?;
        tcp::emit(head, envelope.tuple.ports(), header)?;
        tcp::fill_checksum(head, packet.pseudo_header(segment_len), sum)?;
        packet.emit(buffer.get_mut(packet_at..)?, segment_len)?;
        Some(end)
    }

    /// Writes the link header, and the tag where the peer uses one; returns how many bytes.
    pub(super) fn write_link(
        &self,
        buffer: &mut [u8],
        link: &Link,
        ether_type: EtherType,
    ) -> Option<usize> {
        let (destination, source) = (link.station, self.mac);
        let outer = if link.vlan.is_some() {
            EtherType::VLAN
        } else {
            ether_type
        };
        let header = ethernet::Header {
            destination,
            source,
            ether_type: outer,
        };
        let len = header.emit(buffer)?;
        let Some(tag) = link.vlan else {
            return Some(len);
        };
        let header = vlan::Header {
            tag: vlan::Tag(tag),
            ether_type,
        };
        Some(len + header.emit(buffer.get_mut(len..)?)?)
    }

    fn ip_header(&self, envelope: &Envelope) -> ip::Header {
        let Envelope {
            tuple,
            marking,
            ecn,
            ..
        } = envelope;
        ip::Header {
            source: tuple.local.address,
            destination: tuple.remote.address,
            protocol: Protocol::TCP,
            traffic_class: TrafficClass::new(marking.dscp, *ecn),
            hop_limit: marking.hop_limit.unwrap_or(self.hop_limit),
        }
    }

    pub(super) fn ledger_balances(&self) -> bool {
        let held = usize::from(self.spare.is_some()) + usize::from(self.stalled.is_some());
        let ledger = self.device.ledger();
        ledger.balances() && ledger.in_hand == held
    }
}

impl<D: Device, A: App> Worker<D, A> {
    /// Sends what connections have to say, each in its turn; returns how many segments.
    pub(super) fn emit(&mut self, now: Instant) -> usize {
        let mut sent = 0;
        self.taps.begin();
        // Once around at most: who could not finish stands at the end again.
        for _ in 0..self.dirty.len() {
            if sent >= SEGMENTS_PER_TURN {
                break;
            }
            let Some(number) = self.dirty.pop_front() else {
                break;
            };
            sent += self.emit_flow(now, number);
        }
        sent
    }

    fn emit_flow(&mut self, now: Instant, number: u32) -> usize {
        for sent in 0..SEGMENTS_PER_CONNECTION_AND_TURN {
            let Some(flow) = self.flows.open.get_mut(number) else {
                return sent;
            };
            let port = &mut self.ports[usize::from(flow.link.device)];
            let Some(mut frame) = port.frame() else {
                self.counters.transmit_full += 1;
                self.dirty.push_back(number);
                return sent;
            };
            let Some(outgoing) = flow.connection.poll_segment(now, &mut self.pool) else {
                port.keep_spare(frame);
                self.end_turn_of(number);
                return sent;
            };
            let is_last = flow.connection.is_silent();
            let envelope = Envelope {
                tuple: flow.tuple,
                link: flow.link,
                marking: flow.connection.config().marking,
                ecn: outgoing.ecn,
            };
            let text = flow.connection.text(&self.pool, &outgoing);
            let written = port.write(&mut frame, &envelope, &outgoing.header, text);
            let header = &outgoing.header;
            let event = Event::segment(Direction::Out, header, outgoing.text_len());
            let owner = (number, &flow.tuple);
            self.flight.note(now, &mut flow.ring, owner, event);
            self.send(&envelope, frame, written, header.flags);
            if header.flags.contains(Flags::RST) {
                self.note_reset(number);
            }
            if is_last {
                self.end_turn_of(number);
                return sent + 1;
            }
        }
        self.dirty.push_back(number);
        SEGMENTS_PER_CONNECTION_AND_TURN
    }

    /// A connection has nothing more to send now.
    fn end_turn_of(&mut self, number: u32) {
        if let Some(flow) = self.flows.open.get_mut(number) {
            flow.dirty = false;
            if let Some(deadline) = flow.connection.next_deadline() {
                self.wheel.bring_forward(flow.timer, deadline);
            }
        }
        self.retire(number);
    }

    /// Sends a segment without text at once.
    pub(super) fn reply(&mut self, envelope: &Envelope, header: &Header) {
        let port = &mut self.ports[usize::from(envelope.link.device)];
        let Some(mut frame) = port.frame() else {
            self.counters.drop_no_frame += 1;
            return;
        };
        let written = port.write(&mut frame, envelope, header, std::iter::empty());
        self.send(envelope, frame, written, header.flags);
    }

    fn send(&mut self, envelope: &Envelope, frame: D::Frame, written: Option<usize>, flags: Flags) {
        self.counters.segments_out += 1;
        self.counters.resets_out += u64::from(flags.contains(Flags::RST));
        self.send_frame(envelope.link.device, frame, written);
    }

    /// Hands a frame of which `written` bytes count to its device.
    pub(super) fn send_frame(&mut self, device: u16, mut frame: D::Frame, written: Option<usize>) {
        let port = &mut self.ports[usize::from(device)];
        let Some(len) = written else {
            // Cannot be: what is sent is cut to the MTU, and frames hold it.
            debug_assert!(false, "a packet larger than a frame");
            port.device.release(frame);
            return;
        };
        frame.set_len(len);
        port.traffic.frames_out += 1;
        port.traffic.bytes_out += len as u64;
        self.counters.frames_out += 1;
        self.counters.bytes_out += len as u64;
        self.taps
            .see(usize::from(device), Direction::Out, frame.bytes());
        self.counters.transmit_full += u64::from(!port.transmit(frame));
    }
}
