//! Connections on which nothing is under way take less room, until something comes.

use wirepath_device::Device;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::limits::REST_AFTER;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use crate::app::App;
use crate::flows::{FlowRef, OpenFlow, RestingFlow};
use crate::limits::REST_ASKED_AGAIN;
use crate::wheel::TimerId;

impl<D: Device, A: App> Worker<D, A> {
    /// The flow of this tuple. One that rests is open again.
    pub(super) fn find(&mut self, now: Instant, tuple: &Tuple) -> Option<FlowRef> {
        match self.flows.find(tuple)? {
            FlowRef::Resting(number) => self.resume(now, number).map(FlowRef::Open),
            found => Some(found),
        }
    }

    /// An open flow may have been silent for long enough to rest; if not, that is asked again.
    pub(super) fn on_silence(&mut self, now: Instant, number: u32) {
        if self.rest(now, number).is_some() {
            return;
        }
        if let Some(flow) = self.flows.open.get(number) {
            let deadline = due_or(&flow.connection, ask_at(now, flow));
            self.wheel.reschedule(flow.timer, deadline);
        }
    }

    /// Asks an open flow of which something is due now whether it rests, a moment later.
    pub(super) fn ask_soon(&mut self, now: Instant, number: u32) {
        if let Some(flow) = self.flows.open.get(number) {
            let deadline = first_look_at(now, &flow.connection);
            self.wheel.reschedule(flow.timer, deadline);
        }
    }

    /// Keeps only what must be known of an open flow, if it is alone and nothing is under way;
    /// `None` if not.
    fn rest(&mut self, now: Instant, number: u32) -> Option<()> {
        let flow = self.flows.open.get(number)?;
        let is_busy = flow.dirty || flow.early || flow.partner.is_some();
        if is_busy || self.drain.is_some() {
            return None;
        }
        let connection = flow.connection.rest(now)?;
        let Some(settings) = self.flows.settings.keep(flow.connection.config()) else {
            self.counters.rest_settings_full += 1;
            return None;
        };
        let flow = self.flows.open.remove(number)?;
        self.wheel.remove(flow.timer);
        let (tuple, deadline) = (flow.tuple, connection.deadline());
        let resting = self.flows.resting.insert(RestingFlow {
            tuple,
            link: flow.link,
            listener: flow.listener,
            timer: None,
            ring: flow.ring,
            settings,
            connection,
            session: flow.session,
        });
        // As many rest at most as may be open.
        let resting = resting.ok()?;
        let to = FlowRef::Resting(resting);
        if let Some(flow) = self.flows.resting.get_mut(resting) {
            self.flight.pass(flow.ring, number, to.pack());
            flow.timer = deadline.map(|deadline| self.wheel.insert(deadline, to.pack()));
        }
        self.flows.replace(&tuple, FlowRef::Open(number), to);
        self.counters.rested += 1;
        Some(())
    }

    /// The open flow that one at rest becomes.
    pub(super) fn resume(&mut self, now: Instant, number: u32) -> Option<u32> {
        let flow = self.flows.resting.remove(number)?;
        if let Some(timer) = flow.timer {
            self.wheel.remove(timer);
        }
        let config = self.flows.settings.let_go(flow.settings);
        let connection = Connection::resume(&flow.connection, &config);
        let deadline = first_look_at(now, &connection);
        let tuple = flow.tuple;
        let open = self.flows.open.insert(OpenFlow {
            tuple,
            link: flow.link,
            listener: flow.listener,
            timer: TimerId::NONE,
            dirty: false,
            early: false,
            ring: flow.ring,
            partner: None,
            connection,
            session: flow.session,
        });
        // Its place was kept for it.
        let open = open.ok()?;
        let (from, to) = (FlowRef::Resting(number), FlowRef::Open(open));
        if let Some(flow) = self.flows.open.get_mut(open) {
            self.flight.pass(flow.ring, from.pack(), open);
            flow.timer = self.wheel.insert(deadline, to.pack());
        }
        self.flows.replace(&tuple, from, to);
        if let Some(drain) = &mut self.drain {
            drain.add(open);
        }
        Some(open)
    }
}

/// When a connection is to be looked at first, of which something comes now: when something of it
/// is due, or it may have come to rest.
pub(super) fn first_look_at(now: Instant, connection: &Connection) -> Instant {
    due_or(connection, now + REST_AFTER)
}

/// When something of a connection is due, but `other` if that is earlier.
fn due_or(connection: &Connection, other: Instant) -> Instant {
    let due = connection.next_deadline();
    due.map_or(other, |due| due.min(other))
}

/// When a flow that does not rest is to be asked again: never, if it cannot.
fn ask_at<S>(now: Instant, flow: &OpenFlow<S>) -> Instant {
    let silent_at = flow.connection.silent_at();
    if flow.partner.is_some() || !flow.connection.may_rest() {
        Instant::NEVER
    } else if now < silent_at {
        silent_at
    } else {
        now + REST_ASKED_AGAIN
    }
}
