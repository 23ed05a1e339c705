//! Text on SYNs: Fast Open, RFC 7413.

use wirepath_device::Device;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::half_open::HalfOpen;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tcp::{FastOpen, Segment};

use super::Worker;
use super::ingress::Arrival;
use crate::app::App;
use crate::flight::Event;
use crate::limits::FAST_OPENS;
use crate::listeners::Listener;
use crate::tap::Direction;

impl<D: Device, A: App> Worker<D, A> {
    /// The cookie for a peer that asked for one, to go with the SYN-ACK (RFC 7413 4.2.2).
    pub(super) fn fast_open_cookie(
        &self,
        listener: &Listener,
        arrival: &Arrival,
    ) -> Option<FastOpen> {
        let asked = listener.config.fast_open && arrival.header.options.fast_open.is_some();
        let peer = arrival.tuple.remote.address;
        asked.then(|| FastOpen::Cookie(self.config.secret.fast_open_cookie(&peer)))
    }

    /// Opens a connection before the handshake is done, when the SYN shows a good cookie. Whether
    /// it did; so many may be unproven at once (RFC 7413 5.1).
    pub(super) fn open_early(
        &mut self,
        now: Instant,
        listener: &Listener,
        half_open: &HalfOpen,
        (arrival, segment): (&Arrival, &Segment<'_>),
    ) -> bool {
        let shown = arrival.header.options.fast_open;
        let expected = self.fast_open_cookie(listener, arrival);
        if shown != expected || expected.is_none() {
            return false;
        }
        if self.early >= FAST_OPENS {
            self.counters.fast_open_full += 1;
            return false;
        }
        let settings = (listener.config, self.path_to(arrival));
        let handshake = half_open.handshake();
        let (connection, received) =
            Connection::accept_early(now, settings, &handshake, segment, &mut self.pool);
        let mut flow = Self::accepted(arrival.tuple, arrival.link, listener.id, connection);
        flow.early = true;
        self.early += 1;
        let Some(number) = self.keep_open(now, flow) else {
            return true;
        };
        let syn = Event::segment(Direction::In, &segment.header, segment.payload.len());
        self.note(now, number, syn);
        self.count_text(number, (0, 0));
        self.counters.fast_opens += 1;
        self.enter(State::SynReceived);
        if !received.text.is_empty() {
            self.show_text(now, number, received.text);
        }
        self.serve(now, number, State::SynReceived);
        true
    }
}
