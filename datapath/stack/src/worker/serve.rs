//! The application's part of a turn, and the end of a connection.

use wirepath_device::Device;
use wirepath_tcp::connection::{CloseReason, Event};
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use crate::app::App;
use crate::flows::{FlowRef, TimeWaitFlow};
use crate::socket::{Done, Socket};
use crate::wheel::TimerId;

impl<D: Device, A: App> Worker<D, A> {
    /// Shows the application a connection again: what it left unread, and the room to send. For
    /// what no segment announces: its own time, or another connection that it waited for. Whether
    /// there is such a connection.
    pub fn wake(&mut self, now: Instant, tuple: &Tuple) -> bool {
        let Some(FlowRef::Open(number)) = self.find(now, tuple) else {
            return false;
        };
        let Some(before) = self
            .flows
            .open
            .get(number)
            .map(|flow| flow.connection.state())
        else {
            return false;
        };
        self.show_unread(now, number);
        if let Some((mut socket, session)) = self.flows.socket(now, number, &mut self.pool)
            && socket.connection().state().is_synchronized()
        {
            self.app.on_writable(&mut socket, session);
            let done = socket.finish();
            self.end_call(now, number, done);
        }
        self.serve(now, number, before);
        true
    }

    /// Lets `call` act on the connection of `tuple`, from outside of a turn; `None` when there is
    /// none.
    pub fn with_socket<R>(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        call: impl FnOnce(&mut A, &mut Socket<'_>, &mut A::Session) -> R,
    ) -> Option<R> {
        let Some(FlowRef::Open(number)) = self.find(now, tuple) else {
            return None;
        };
        let (mut socket, session) = self.flows.socket(now, number, &mut self.pool)?;
        let before = socket.connection().state();
        let result = call(&mut self.app, &mut socket, session);
        let done = socket.finish();
        self.end_call(now, number, done);
        self.serve(now, number, before);
        Some(result)
    }

    /// Shows the application what is new, and takes note of what it did. `before` is the state in
    /// which the connection was before this turn touched it.
    pub(super) fn serve(&mut self, now: Instant, number: u32, before: State) {
        self.serve_one(now, number, before);
        // Each time text or an end has moved on, so it does not go to and fro for ever.
        while let Some((partner, before)) = self.partners.pop() {
            self.serve_one(now, partner, before);
        }
    }

    fn serve_one(&mut self, now: Instant, number: u32, before: State) {
        loop {
            self.show_unread(now, number);
            let Some(flow) = self.flows.open.get_mut(number) else {
                return;
            };
            let Some(event) = flow.connection.poll_event() else {
                break;
            };
            let Some((mut socket, session)) = self.flows.socket(now, number, &mut self.pool) else {
                return;
            };
            match event {
                Event::Connected => {
                    self.counters.opened += 1;
                    self.listeners.count_opened(socket.listener);
                    self.app.on_open(&mut socket, session);
                }
                Event::Urgent => self.app.on_urgent(&mut socket, session),
                Event::Writable => self.app.on_writable(&mut socket, session),
                Event::Retransmitting => self.app.on_retransmitting(&mut socket, session),
                Event::SoftError(error) => self.app.on_soft_error(&mut socket, session, error),
                Event::PeerClosed => self.app.on_peer_closed(&mut socket, session),
                Event::Closed(reason) => {
                    self.app.on_closed(&mut socket, session, reason);
                    let done = socket.finish();
                    self.end_partner_call(now, done);
                    self.count_closed(reason);
                    self.note_closed(now, number, reason);
                    continue;
                }
            }
            let done = socket.finish();
            self.end_call(now, number, done);
        }
        self.note_state(number, before);
        self.touch(now, number);
    }

    /// Offers text where it lies in its frame. The handshake may have ended with the same segment,
    /// or its text be urgent: the application is told of that first.
    pub(super) fn show_text(&mut self, now: Instant, number: u32, text: &[u8]) {
        let Some((mut socket, session)) = self.flows.socket(now, number, &mut self.pool) else {
            return;
        };
        socket.shows = true;
        while let Some(event) = socket.connection.poll_early_event() {
            if event == Event::Connected {
                self.counters.opened += 1;
                self.listeners.count_opened(socket.listener);
                self.app.on_open(&mut socket, session);
            } else {
                self.app.on_urgent(&mut socket, session);
            }
        }
        let drains = self.drain.is_some() && socket.partner.is_none();
        let is_for_nobody = drains || socket.connection.state() == State::Closed;
        let used = if is_for_nobody {
            text.len()
        } else if socket.closes {
            0
        } else {
            self.app.on_text(&mut socket, session, text)
        };
        socket.connection.settle(socket.pool, text, used);
        let mut done = socket.finish();
        done.calls.took += used as u32;
        self.end_call(now, number, done);
    }

    /// Offers what lies in the receive buffer, until the application takes no more.
    pub(super) fn show_unread(&mut self, now: Instant, number: u32) {
        while let Some(flow) = self.flows.open.get_mut(number)
            && flow.connection.unread() > 0
        {
            let text = flow.connection.peek(&self.pool);
            let text = &text[..text.len().min(self.chunk.len())];
            let len = text.len();
            self.chunk[..len].copy_from_slice(text);
            let Some((mut socket, session)) = self.flows.socket(now, number, &mut self.pool) else {
                return;
            };
            socket.shows = true;
            let text = &self.chunk[..len];
            let used = if self.drain.is_some() && socket.partner.is_none() {
                len
            } else {
                self.app.on_text(&mut socket, session, text)
            };
            socket.connection.consume(socket.pool, used.min(len));
            let mut done = socket.finish();
            done.calls.took += used as u32;
            self.end_call(now, number, done);
            if used == 0 || len == 0 {
                break;
            }
        }
    }

    /// Takes note of what the application did in one call.
    fn end_call(&mut self, now: Instant, number: u32, done: Done) {
        self.note_calls(now, number, done.calls);
        self.end_partner_call(now, done);
    }

    /// What was done to the partner is served after the connection itself.
    fn end_partner_call(&mut self, now: Instant, done: Done) {
        let Some((partner, before, calls)) = done.partner else {
            return;
        };
        self.note_calls(now, partner, calls);
        if !self.partners.iter().any(|&(number, _)| number == partner) {
            self.partners.push((partner, before));
        }
    }

    fn count_closed(&mut self, reason: CloseReason) {
        self.counters.closed += 1;
        match reason {
            CloseReason::Reset | CloseReason::Refused => self.counters.resets_in += 1,
            CloseReason::TimedOut => self.counters.timed_out += 1,
            _ => {}
        }
    }

    /// Counts the state that a connection has entered, and those it passed through at once.
    fn note_state(&mut self, number: u32, before: State) {
        let Some(flow) = self.flows.open.get_mut(number) else {
            return;
        };
        let state = flow.connection.state();
        if flow.early && state != State::SynReceived {
            flow.early = false;
            self.early -= 1;
        }
        if state == before {
            return;
        }
        // The peer's FIN and the application's answer may come in one turn.
        let passed = match (before, state) {
            (State::SynReceived, State::Established) | (State::SynSent, State::Established) => None,
            (State::SynReceived | State::SynSent, State::Closed) => None,
            (State::SynReceived | State::SynSent, _) => Some(State::Established),
            (State::Established, State::LastAck) => Some(State::CloseWait),
            (State::Established, State::FinWait2) => Some(State::FinWait1),
            (State::FinWait1, State::TimeWait) => Some(State::FinWait2),
            _ => None,
        };
        passed
            .into_iter()
            .chain([state])
            .for_each(|state| self.enter(state));
    }

    /// Lets the connection be asked for segments this turn, and its timer be set.
    pub(super) fn touch(&mut self, now: Instant, number: u32) {
        let Some(flow) = self.flows.open.get_mut(number) else {
            return;
        };
        debug_assert_eq!(flow.connection.check(), Ok(()), "{now:?} {}", flow.tuple);
        if let Some(deadline) = flow.connection.next_deadline() {
            self.wheel.bring_forward(flow.timer, deadline);
        }
        if !flow.dirty {
            flow.dirty = true;
            self.dirty.push_back(number);
        }
        self.note_congestion(now, number);
    }

    /// Removes a connection that has nothing more to send, if it is over.
    pub(super) fn retire(&mut self, number: u32) {
        let Some(flow) = self.flows.open.get_mut(number) else {
            return;
        };
        let time_wait = flow.connection.time_wait();
        let gone = flow.connection.state() == State::Closed && flow.connection.unread() == 0;
        if !gone && time_wait.is_none() {
            return;
        }
        self.counters.retransmissions += flow.connection.counts().retransmissions;
        self.flight.leave(flow.ring, number);
        flow.connection.release(&mut self.pool);
        self.flows.leave(FlowRef::Open(number));
        let Some(flow) = self.flows.open.remove(number) else {
            return;
        };
        let partner = flow.partner.and_then(|it| self.flows.open.get_mut(it));
        // It may have another one by now.
        if let Some(partner) = partner.filter(|it| it.partner == Some(number)) {
            partner.partner = None;
        }
        self.wheel.remove(flow.timer);
        if let Some(listener) = flow.listener {
            self.listeners.let_go(listener);
        }
        let (tuple, timer) = (flow.tuple, TimerId::NONE);
        match time_wait {
            Some(time_wait) => self.keep_time_wait(TimeWaitFlow {
                tuple,
                timer,
                time_wait,
            }),
            None => self.disown(&tuple),
        }
    }

    fn keep_time_wait(&mut self, flow: TimeWaitFlow) {
        let deadline = flow.time_wait.deadline();
        let tuple = flow.tuple;
        let Ok(number) = self.flows.time_wait.insert(flow) else {
            self.counters.drop_time_wait_full += 1;
            self.disown(&tuple);
            return;
        };
        let timer = self
            .wheel
            .insert(deadline, FlowRef::TimeWait(number).pack());
        if let Some(flow) = self.flows.time_wait.get_mut(number) {
            flow.timer = timer;
        }
        self.flows.enter(FlowRef::TimeWait(number));
    }

    pub(super) fn forget_time_wait(&mut self, number: u32) {
        self.flows.leave(FlowRef::TimeWait(number));
        if let Some(flow) = self.flows.time_wait.remove(number) {
            self.wheel.remove(flow.timer);
            self.disown(&flow.tuple);
        }
    }
}
