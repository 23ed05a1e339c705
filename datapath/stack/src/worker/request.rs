//! What the application wants of the worker.

use wirepath_device::Device;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::{OpenError, Worker};
use crate::app::{App, Request};
use crate::flows::FlowRef;
use crate::limits::REQUESTS_PER_TURN;

impl<D: Device, A: App> Worker<D, A> {
    /// Tells the application of its time, and does what it asks for, so much in one turn.
    pub(super) fn grant_requests(&mut self, now: Instant) {
        if self.app.next_deadline().is_some_and(|at| at <= now) {
            self.app.on_deadline(now);
        }
        for _ in 0..REQUESTS_PER_TURN {
            let Some(request) = self.app.poll_request(now) else {
                return;
            };
            self.grant(now, request);
        }
    }

    fn grant(&mut self, now: Instant, request: Request<A::Session>) {
        match request {
            Request::Connect {
                local,
                remote,
                config,
                mut session,
                partner,
            } => {
                let to = (local, remote);
                let partner = partner.map(|tuple| self.open_number(now, &tuple));
                // Who asked for a partner may be gone.
                if partner == Some(None) {
                    return;
                }
                if self.drain.is_some() {
                    return self.app.on_open_failed(now, session, OpenError::Full);
                }
                match self.try_connect(now, to, config, &mut session) {
                    Ok(tuple) => self.begin(now, partner.flatten(), &tuple),
                    Err(error) => self.app.on_open_failed(now, session, error),
                }
            }
            Request::Abort(tuple) => {
                self.with_socket(now, &tuple, |_, socket, _| socket.abort());
            }
            Request::Close(tuple) => {
                // What is left unread would make it a reset (RFC 9293 3.6, SHLD-3).
                if let Some(number) = self.open_number(now, &tuple) {
                    self.show_unread(now, number);
                }
                self.with_socket(now, &tuple, |_, socket, _| socket.close());
            }
        }
    }

    /// Tells the application of a connection that it has asked for, and of the partner.
    fn begin(&mut self, now: Instant, partner: Option<u32>, tuple: &Tuple) {
        let number = self.open_number(now, tuple);
        for (one, other) in [(number, partner), (partner, number)] {
            if let Some(flow) = one.and_then(|one| self.flows.open.get_mut(one)) {
                flow.partner = other;
            }
        }
        if let Some(flow) = number.and_then(|number| self.flows.open.get_mut(number)) {
            self.app.on_opening(tuple, &mut flow.session);
        }
    }

    /// The number of an open flow that is not over.
    fn open_number(&mut self, now: Instant, tuple: &Tuple) -> Option<u32> {
        let Some(FlowRef::Open(number)) = self.find(now, tuple) else {
            return None;
        };
        let flow = self.flows.open.get(number)?;
        (flow.connection.state() != State::Closed).then_some(number)
    }
}
