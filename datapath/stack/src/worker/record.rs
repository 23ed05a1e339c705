//! What the worker tells its flight recorder.

use wirepath_device::Device;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;
use wirepath_tcp::timers::Timer;
use wirepath_wire::tcp::Header;

use super::Worker;
use crate::app::App;
use crate::flight::{Event, Flight, Trouble};
use crate::socket::Calls;
use crate::tap::Direction;

impl<D: Device, A: App> Worker<D, A> {
    /// The flight recorder, to be read.
    #[must_use]
    pub const fn flight(&self) -> &Flight {
        &self.flight
    }

    pub(super) fn note(&mut self, now: Instant, number: u32, event: Event) {
        if let Some(flow) = self.flows.open.get_mut(number) {
            let owner = (number, &flow.tuple);
            self.flight.note(now, &mut flow.ring, owner, event);
        }
    }

    /// What was said before there was a connection that could have a ring.
    pub(super) fn note_handshake(
        &mut self,
        number: u32,
        syn_at: Instant,
        [syn, syn_ack]: [&Header; 2],
    ) {
        self.note(syn_at, number, Event::segment(Direction::In, syn, 0));
        self.note(syn_at, number, Event::segment(Direction::Out, syn_ack, 0));
    }

    fn save(&mut self, number: u32, trouble: Trouble) {
        if let Some(flow) = self.flows.open.get(number) {
            self.flight.save(flow.ring, number, trouble);
        }
    }

    /// A timer has fired, and was served.
    pub(super) fn note_timer(&mut self, now: Instant, number: u32, timer: Timer) {
        // The pacer's is no event: it fires for each segment.
        if timer == Timer::Pacing {
            return;
        }
        let Some(flow) = self.flows.open.get(number) else {
            return;
        };
        let (rto, shut_out) = (flow.connection.rto(), flow.connection.is_shut_out());
        self.note(now, number, Event::Timer(timer, rto));
        match timer {
            Timer::Persist | Timer::Retransmit if shut_out => {
                self.save(number, Trouble::ZeroWindow);
            }
            Timer::Retransmit => self.save(number, Trouble::Rto),
            _ => {}
        }
    }

    pub(super) fn note_calls(&mut self, now: Instant, number: u32, calls: Calls) {
        let Calls {
            took, sent, ended, ..
        } = calls;
        if took > 0 || sent > 0 || ended {
            self.note(now, number, Event::Application { took, sent, ended });
        }
    }

    pub(super) fn note_closed(&mut self, now: Instant, number: u32, reason: CloseReason) {
        self.note(now, number, Event::Closed(reason));
        match reason {
            CloseReason::Finished => {}
            CloseReason::TimedOut => self.save(number, Trouble::Rto),
            CloseReason::Stalled => self.save(number, Trouble::ZeroWindow),
            _ => self.note_reset(number),
        }
    }

    /// A reset was received or sent.
    pub(super) fn note_reset(&mut self, number: u32) {
        self.save(number, Trouble::Reset);
    }

    /// The congestion control may have changed its mind.
    pub(super) fn note_congestion(&mut self, now: Instant, number: u32) {
        let Some(flow) = self.flows.open.get(number) else {
            return;
        };
        let cwnd = flow.connection.cwnd();
        if self.flight.is_news(flow.ring, cwnd) {
            let ssthresh = flow.connection.ssthresh();
            let window_scale = flow.connection.window_scale();
            self.note(now, number, Event::Congestion { cwnd, ssthresh });
            if let Some(flow) = self.flows.open.get(number) {
                self.flight.set_window_scale(flow.ring, window_scale);
            }
        }
    }
}
