//! Connections on which nothing is under way take less room, until something comes.

use wirepath_device::Device;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use crate::app::App;
use crate::flows::{FlowRef, OpenFlow, RestingFlow};
use crate::limits::REST_ASKED_AGAIN;

impl<D: Device, A: App> Worker<D, A> {
    /// The flow of this tuple. One that rests is open again.
    pub(super) fn find(&mut self, now: Instant, tuple: &Tuple) -> Option<FlowRef> {
        match self.flows.find(tuple)? {
            FlowRef::Resting(number) => self.rouse(now, number).map(FlowRef::Open),
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
            let deadline = first_look_at(now, flow);
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
        let connection = flow.connection.rest(now, flow.patience.silence())?;
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
            patience: flow.patience,
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

    /// Ends the rest of a flow for whoever wants it; it waits longer for the next.
    pub(super) fn rouse(&mut self, now: Instant, number: u32) -> Option<u32> {
        if let Some(flow) = self.flows.resting.get_mut(number) {
            flow.patience = flow.patience.longer();
        }
        self.resume(now, number)
    }

    /// The open flow that one at rest becomes.
    pub(super) fn resume(&mut self, now: Instant, number: u32) -> Option<u32> {
        let flow = self.flows.resting.remove(number)?;
        if let Some(timer) = flow.timer {
            self.wheel.remove(timer);
        }
        let config = self.flows.settings.let_go(flow.settings);
        let RestingFlow {
            tuple,
            link,
            listener,
            session,
            ..
        } = flow;
        let connection = Connection::resume(&flow.connection, &config);
        let whole = OpenFlow {
            patience: flow.patience,
            ring: flow.ring,
            ..OpenFlow::new(tuple, link, listener, connection, session)
        };
        let deadline = first_look_at(now, &whole);
        // Its place was kept for it.
        let open = self.flows.open.insert(whole).ok()?;
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

/// When a flow is to be looked at first, of which something comes now: when something of it is
/// due, or it may have come to rest.
pub(super) fn first_look_at<S>(now: Instant, flow: &OpenFlow<S>) -> Instant {
    due_or(&flow.connection, now + flow.patience.silence())
}

/// When something of a connection is due, but `other` if that is earlier.
fn due_or(connection: &Connection, other: Instant) -> Instant {
    let due = connection.next_deadline();
    due.map_or(other, |due| due.min(other))
}

/// When a flow that does not rest is to be asked again: never, if it cannot.
fn ask_at<S>(now: Instant, flow: &OpenFlow<S>) -> Instant {
    let silent_at = flow.connection.silent_at(flow.patience.silence());
    if flow.partner.is_some() || !flow.connection.may_rest() {
        Instant::NEVER
    } else if now < silent_at {
        silent_at
    } else {
        now + REST_ASKED_AGAIN
    }
}
