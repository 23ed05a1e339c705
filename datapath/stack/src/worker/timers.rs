//! Timers of flows.

use wirepath_device::Device;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::ip::Ecn;

use super::Worker;
use super::egress::Envelope;
use crate::app::App;
use crate::flows::FlowRef;
use crate::limits::{STALL_PATIENCE, TIMERS_PER_TURN};

impl<D: Device, A: App> Worker<D, A> {
    /// Fires what is due, so many at most; returns how many.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        for fired in 0..TIMERS_PER_TURN {
            let Some(owner) = self.wheel.expire(now) else {
                return fired;
            };
            match FlowRef::unpack(owner) {
                FlowRef::Open(number) => self.expire_open(now, number),
                FlowRef::HalfOpen(number) => self.expire_half_open(now, number),
                FlowRef::TimeWait(number) => self.expire_time_wait(now, number),
                FlowRef::Resting(number) => {
                    if let Some(number) = self.resume(now, number) {
                        self.expire_open(now, number);
                    }
                }
            }
        }
        TIMERS_PER_TURN
    }

    fn expire_open(&mut self, now: Instant, number: u32) {
        let Some(flow) = self.flows.open.get_mut(number) else {
            return;
        };
        let before = flow.connection.state();
        let Some(due) = flow.connection.due(now) else {
            return self.on_silence(now, number);
        };
        flow.connection.on_deadline(now, &mut self.pool);
        if self.pool.is_scarce() && flow.connection.give_up_stalled(now, STALL_PATIENCE) {
            self.counters.stalled += 1;
        }
        if flow.connection.is_retransmitting() {
            self.reconsider_link(number);
        }
        self.note_timer(now, number, due);
        self.ask_soon(now, number);
        self.serve(now, number, before);
    }

    fn expire_half_open(&mut self, now: Instant, number: u32) {
        let Some(flow) = self.flows.half_open.get_mut(number) else {
            return;
        };
        let listener = self.listeners.find(&flow.tuple.local);
        let config = listener.map(|listener| listener.config);
        let lives = config.filter(|config| flow.half_open.on_deadline(now, config));
        let Some(config) = lives else {
            self.counters.half_open_expired += 1;
            self.end_half_open(number);
            return;
        };
        self.wheel.reschedule(flow.timer, flow.half_open.deadline());
        let envelope = Envelope {
            tuple: flow.tuple,
            link: flow.link,
            marking: config.marking,
            ecn: Ecn::NotEct,
        };
        let path = self.ports[usize::from(flow.link.device)].path(&flow.tuple);
        let syn_ack = flow.half_open.syn_ack(now, &config, path);
        self.counters.retransmissions += 1;
        self.reply(&envelope, &syn_ack);
    }

    fn expire_time_wait(&mut self, now: Instant, number: u32) {
        let Some(flow) = self.flows.time_wait.get(number) else {
            return;
        };
        let deadline = flow.time_wait.deadline();
        if deadline > now {
            // A retransmitted FIN had restarted it.
            self.wheel.reschedule(flow.timer, deadline);
            return;
        }
        self.forget_time_wait(number);
        self.enter(State::Closed);
    }
}
