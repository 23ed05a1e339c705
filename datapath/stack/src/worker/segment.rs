//! A segment to its flow: RFC 9293 3.10.7.

use wirepath_device::Device;
use wirepath_tcp::connection::Received;
use wirepath_tcp::half_open::HalfOpenVerdict;
use wirepath_tcp::reset;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_tcp::time_wait::TimeWaitVerdict;
use wirepath_wire::ip;
use wirepath_wire::tcp::{Flags, Header, Segment};

use super::Worker;
use super::accept::Admission;
use super::egress::Envelope;
use super::ingress::Arrival;
use crate::app::App;
use crate::flight::Event;
use crate::flows::FlowRef;
use crate::limits::RESETS_PER_MILLISECOND;
use crate::tap::Direction;

impl<D: Device, A: App> Worker<D, A> {
    /// A segment of `flow`, or of none that this worker has.
    pub(super) fn on_segment(
        &mut self,
        now: Instant,
        flow: Option<FlowRef>,
        arrival: &Arrival,
        segment: &Segment<'_>,
    ) {
        match flow {
            Some(FlowRef::Open(number)) => self.on_open_flow(now, number, arrival, segment),
            Some(FlowRef::HalfOpen(number)) => self.on_half_open(now, number, arrival, segment),
            Some(FlowRef::TimeWait(number)) => self.on_time_wait(now, number, arrival, segment),
            Some(FlowRef::Resting(number)) => {
                if let Some(number) = self.rouse(now, number) {
                    self.on_open_flow(now, number, arrival, segment);
                }
            }
            None => self.on_no_flow(now, arrival, segment),
        }
    }

    pub(super) fn on_open_flow(
        &mut self,
        now: Instant,
        number: u32,
        arrival: &Arrival,
        segment: &Segment<'_>,
    ) {
        let seen = Event::segment(Direction::In, &segment.header, segment.payload.len());
        self.note(now, number, seen);
        let Some(flow) = self.flows.open.get_mut(number) else {
            return;
        };
        let before = flow.connection.state();
        let counts = flow.connection.counts();
        let (came, went) = (counts.bytes_received, counts.bytes_acked);
        let Received {
            text,
            dropped,
            reply,
        } = flow.connection.on_segment(now, segment, &mut self.pool);
        match dropped {
            Some(reason) => self.counters.refused[reason as usize] += 1,
            // A router that failed over sends from another station.
            None if reply.is_none() => flow.link = arrival.link,
            None => {}
        }
        self.count_text(number, (came, went));
        if !text.is_empty() {
            self.show_text(now, number, text);
        }
        if let Some(header) = reply {
            self.note(now, number, Event::segment(Direction::Out, &header, 0));
            self.reply(&Envelope::of(arrival), &header);
        }
        self.serve(now, number, before);
    }

    /// Counts the text of a connection beyond what had come and gone before.
    pub(super) fn count_text(&mut self, number: u32, (came, went): (u64, u64)) {
        let Some(flow) = self.flows.open.get(number) else {
            return;
        };
        let counts = flow.connection.counts();
        let (came, went) = (counts.bytes_received - came, counts.bytes_acked - went);
        self.counters.text_in += came;
        self.counters.text_out += went;
        self.listeners.count_text(flow.listener, came, went);
    }

    fn on_half_open(
        &mut self,
        now: Instant,
        number: u32,
        arrival: &Arrival,
        segment: &Segment<'_>,
    ) {
        let path = self.path_to(arrival);
        let Some(flow) = self.flows.half_open.get_mut(number) else {
            return;
        };
        let Some(config) = self
            .listeners
            .find(&flow.tuple.local)
            .map(|found| found.config)
        else {
            // The listener is gone: RFC 9293 3.10.7.1.
            self.end_half_open(number);
            return self.on_no_flow(now, arrival, segment);
        };
        let half_open = &mut flow.half_open;
        let verdict = half_open.on_segment(segment, half_open.syn_ack(now, &config, path));
        match verdict {
            HalfOpenVerdict::Ignore => {}
            HalfOpenVerdict::Reply(header) => {
                self.reply(&Envelope::of(arrival).marked(config.marking), &header);
            }
            HalfOpenVerdict::Forget => self.end_half_open(number),
            HalfOpenVerdict::Accept => {
                let done = half_open.handshake();
                let syn_ack = half_open.syn_ack(done.syn_at, &config, path);
                let connection = half_open.accept(now, config, path);
                if let Some(open) = self.promote(now, number, connection) {
                    self.note_handshake(open, done.syn_at, [&done.syn, &syn_ack]);
                    self.on_open_flow(now, open, arrival, segment);
                }
            }
        }
    }

    fn on_time_wait(
        &mut self,
        now: Instant,
        number: u32,
        arrival: &Arrival,
        segment: &Segment<'_>,
    ) {
        let Some(flow) = self.flows.time_wait.get_mut(number) else {
            return;
        };
        match flow.time_wait.on_segment(now, segment) {
            TimeWaitVerdict::Ignore => {}
            TimeWaitVerdict::Reply(header) => {
                self.reply(&Envelope::of(arrival), &header);
            }
            TimeWaitVerdict::Reopen(after) => {
                // The old one goes only when the new one has a place.
                if let Admission::Keep(_) = self.admit(&arrival.tuple, true) {
                    self.forget_time_wait(number);
                    self.on_syn(now, arrival, segment, Some(after));
                } else if let Some(header) = self.challenge_time_wait(now, number) {
                    self.reply(&Envelope::of(arrival), &header);
                }
            }
        }
    }

    /// RFC 5961 4.2: a SYN that finds no place is answered all the same.
    fn challenge_time_wait(&mut self, now: Instant, number: u32) -> Option<Header> {
        self.flows
            .time_wait
            .get_mut(number)?
            .time_wait
            .challenge(now)
    }

    fn on_no_flow(&mut self, now: Instant, arrival: &Arrival, segment: &Segment<'_>) {
        let remote = arrival.tuple.remote.address;
        // MUST-57, MUST-63, and the land attack: only one other host can want something of us.
        if !ip::is_unicast(remote) || self.local(&remote).is_some() {
            self.counters.drop_bad_source += 1;
            return;
        }
        let listens = self.listeners.accepts(&arrival.tuple.local);
        if listens && !segment.has(Flags::ACK) && !segment.has(Flags::RST) {
            if segment.has(Flags::SYN) {
                return self.on_syn(now, arrival, segment, None);
            }
            // RFC 9293 3.10.7.2, fourth step.
            self.counters.drop_no_syn += 1;
            return;
        }
        if self.accept_cookie(now, arrival, segment) {
            return;
        }
        let Some(header) = reset::reply_to(segment) else {
            return;
        };
        if self.reset_budget.take(now, RESETS_PER_MILLISECOND) {
            self.reply(&Envelope::of(arrival), &header);
        } else {
            self.counters.drop_reset_limit += 1;
        }
    }

    pub(super) fn enter(&mut self, state: State) {
        self.counters.entered[state as usize] += 1;
    }
}
