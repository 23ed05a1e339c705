//! From SYN to connection: the passive open.

use wirepath_device::Device;
use wirepath_tcp::config::SynCookies;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::half_open::HalfOpen;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::Segment;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use super::egress::Envelope;
use super::ingress::Arrival;
use super::rest::first_look_at;
use crate::app::App;
use crate::flows::{FlowRef, HalfOpenFlow, OpenFlow};
use crate::link::Link;
use crate::listeners::{Listener, ListenerId};
use crate::wheel::TimerId;

/// How far a new ISN lies after the last sequence number of a connection in TIME-WAIT whose tuple
/// it takes over: more than any window (RFC 9293 3.6.1, MAY-2).
const ISN_GAP: u32 = 1 << 20;

/// What becomes of a SYN.
#[derive(Debug, Clone, Copy)]
pub(super) enum Admission {
    /// An entry waits for the end of the handshake.
    Keep(Listener),
    /// It is answered with a cookie.
    Cookie(Listener),
    /// It is dropped.
    Refuse,
}

impl<D: Device, A: App> Worker<D, A> {
    /// A SYN for a listener. `after` is the end of an older connection of the same tuple.
    pub(super) fn on_syn(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        segment: &Segment<'_>,
        after: Option<SeqNum>,
    ) {
        let listener = match self.admit(&arrival.tuple, after.is_some()) {
            Admission::Keep(listener) => listener,
            Admission::Cookie(listener) => {
                return self.send_cookie(now, &listener, arrival, segment);
            }
            Admission::Refuse => return,
        };
        if !self.claim(&arrival.tuple) {
            return;
        }
        let iss = self.isn(now, &arrival.tuple, after);
        let ts_offset = self.config.secret.ts_offset(&arrival.tuple);
        let half_open = HalfOpen::new(now, &segment.header, &listener.config, iss, ts_offset);
        if self.open_early(now, &listener, &half_open, (arrival, segment)) {
            return;
        }
        let path = self.path_to(arrival);
        let mut syn_ack = half_open.syn_ack(now, &listener.config, path);
        syn_ack.options.fast_open = self.fast_open_cookie(&listener, arrival);
        self.keep_half_open(HalfOpenFlow {
            tuple: arrival.tuple,
            link: arrival.link,
            listener: listener.id,
            timer: TimerId::NONE,
            half_open,
        });
        self.enter(State::SynReceived);
        let envelope = Envelope::of(arrival).marked(listener.config.marking);
        self.reply(&envelope, &syn_ack);
    }

    /// The ISN of a new connection. `after` is the end of an older one of the same tuple.
    pub(super) fn isn(&self, now: Instant, tuple: &Tuple, after: Option<SeqNum>) -> SeqNum {
        let isn = self.config.secret.isn(now, tuple);
        match after {
            Some(after) if isn.at_or_before(after) => after + ISN_GAP,
            _ => isn,
        }
    }

    /// What to do with a SYN. One that reopens what is in TIME-WAIT comes of a proven peer and
    /// frees its place: as in Linux it gets an entry where there is room.
    pub(super) fn admit(&mut self, tuple: &Tuple, reopens: bool) -> Admission {
        let listener = self.listeners.find(&tuple.local);
        let Some(&listener) = listener.filter(|listener| listener.accepts) else {
            return Admission::Refuse;
        };
        if !self.has_room() {
            self.counters.drop_connections_full += 1;
            return Admission::Refuse;
        }
        match listener.config.syn_cookies {
            SynCookies::Always if !reopens => Admission::Cookie(listener),
            _ if !self.flows.half_open.is_full() => Admission::Keep(listener),
            SynCookies::WhenFull | SynCookies::Always => Admission::Cookie(listener),
            SynCookies::Off => {
                self.counters.drop_half_open_full += 1;
                Admission::Refuse
            }
        }
    }

    /// Whether another connection has a place when all handshakes are finished.
    pub(super) fn has_room(&self) -> bool {
        self.flows.connections() + self.flows.half_open.len() < self.config.capacity.connections
    }

    fn keep_half_open(&mut self, flow: HalfOpenFlow) {
        let deadline = flow.half_open.deadline();
        let listener = flow.listener;
        let Ok(number) = self.flows.half_open.insert(flow) else {
            return;
        };
        self.listeners.hold(listener);
        let timer = self
            .wheel
            .insert(deadline, FlowRef::HalfOpen(number).pack());
        if let Some(flow) = self.flows.half_open.get_mut(number) {
            flow.timer = timer;
        }
        self.flows.enter(FlowRef::HalfOpen(number));
    }

    /// The handshake is done: the half-open flow becomes an open one.
    pub(super) fn promote(
        &mut self,
        now: Instant,
        number: u32,
        connection: Connection,
    ) -> Option<u32> {
        let HalfOpenFlow {
            tuple,
            link,
            listener,
            ..
        } = self.forget_half_open(number)?;
        let flow = Self::accepted(tuple, link, listener, connection);
        self.keep_open(now, flow)
    }

    /// A flow that the peer opened.
    pub(super) fn accepted(
        tuple: Tuple,
        link: Link,
        listener: ListenerId,
        connection: Connection,
    ) -> OpenFlow<A::Session> {
        OpenFlow::new(
            tuple,
            link,
            Some(listener),
            connection,
            A::Session::default(),
        )
    }

    pub(super) fn keep_open(&mut self, now: Instant, flow: OpenFlow<A::Session>) -> Option<u32> {
        let deadline = first_look_at(now, &flow);
        let (tuple, listener) = (flow.tuple, flow.listener);
        let Ok(number) = self.flows.open.insert(flow) else {
            self.disown(&tuple);
            return None;
        };
        if let Some(listener) = listener {
            self.listeners.hold(listener);
        }
        let timer = self.wheel.insert(deadline, FlowRef::Open(number).pack());
        if let Some(flow) = self.flows.open.get_mut(number) {
            flow.timer = timer;
        }
        self.flows.enter(FlowRef::Open(number));
        self.touch(now, number);
        Some(number)
    }

    /// The handshake is given up.
    pub(super) fn end_half_open(&mut self, number: u32) {
        if let Some(flow) = self.forget_half_open(number) {
            self.disown(&flow.tuple);
        }
    }

    fn forget_half_open(&mut self, number: u32) -> Option<HalfOpenFlow> {
        self.flows.leave(FlowRef::HalfOpen(number));
        let flow = self.flows.half_open.remove(number)?;
        self.listeners.let_go(flow.listener);
        self.wheel.remove(flow.timer);
        Some(flow)
    }
}
