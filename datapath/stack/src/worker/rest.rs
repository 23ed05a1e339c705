//! Connections on which nothing is under way take less room, until something comes.

use wirepath_device::Device;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use crate::app::App;
use crate::flows::{FlowRef, OpenFlow, RestingFlow};
use crate::limits::{REST_LOOK, REST_LOOK_MOST, REST_LOOKS};
use crate::wheel::TimerId;

/// Whom to look at next, and when.
#[derive(Debug, Default)]
pub(super) struct Looks {
    at: Instant,
    from: u32,
}

impl<D: Device, A: App> Worker<D, A> {
    /// The flow of this tuple. One that rests is open again.
    pub(super) fn find(&mut self, tuple: &Tuple) -> Option<FlowRef> {
        match self.flows.find(tuple)? {
            FlowRef::Resting(number) => self.resume(number).map(FlowRef::Open),
            found => Some(found),
        }
    }

    /// Looks whether connections have come to rest: at some at a time, at each again and again.
    pub(super) fn look_for_rest(&mut self, now: Instant) {
        if now < self.rests.at {
            return;
        }
        self.rests.at = now + REST_LOOK;
        let reach = self.flows.open.reach();
        let from = if self.rests.from < reach {
            self.rests.from
        } else {
            0
        };
        let end = reach.min(from + (reach / REST_LOOKS + 1).min(REST_LOOK_MOST));
        for number in from..end {
            self.rest(now, number);
        }
        self.rests.from = end;
    }

    /// Keeps only what must be known of an open flow, if it is alone and nothing is under way.
    fn rest(&mut self, now: Instant, number: u32) {
        let Some(flow) = self.flows.open.get(number) else {
            return;
        };
        if flow.dirty || flow.early || flow.partner.is_some() {
            return;
        }
        let Some(connection) = flow.connection.rest(now) else {
            return;
        };
        let Some(settings) = self.flows.settings.keep(flow.connection.config()) else {
            return;
        };
        self.flows.leave(FlowRef::Open(number));
        let Some(flow) = self.flows.open.remove(number) else {
            return;
        };
        self.wheel.remove(flow.timer);
        let deadline = connection.deadline();
        let resting = self.flows.resting.insert(RestingFlow {
            tuple: flow.tuple,
            link: flow.link,
            listener: flow.listener,
            timer: None,
            ring: flow.ring,
            settings,
            connection,
            session: flow.session,
        });
        // As many rest at most as may be open.
        let Ok(resting) = resting else { return };
        let to = FlowRef::Resting(resting);
        if let Some(flow) = self.flows.resting.get_mut(resting) {
            self.flight.pass(flow.ring, number, to.pack());
            flow.timer = deadline.map(|deadline| self.wheel.insert(deadline, to.pack()));
        }
        self.flows.enter(to);
    }

    /// The open flow that one at rest becomes.
    pub(super) fn resume(&mut self, number: u32) -> Option<u32> {
        self.flows.leave(FlowRef::Resting(number));
        let flow = self.flows.resting.remove(number)?;
        if let Some(timer) = flow.timer {
            self.wheel.remove(timer);
        }
        let config = self.flows.settings.let_go(flow.settings);
        let connection = Connection::resume(&flow.connection, &config);
        let deadline = connection.next_deadline().unwrap_or(Instant::NEVER);
        let open = self.flows.open.insert(OpenFlow {
            tuple: flow.tuple,
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
        self.flows.enter(to);
        Some(open)
    }

    /// Resumes all that rest.
    pub(super) fn resume_all(&mut self) {
        for number in 0..self.flows.resting.reach() {
            self.resume(number);
        }
    }
}
