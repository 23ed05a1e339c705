//! Passive opens without an entry: SYN cookies, RFC 4987 3.6.

use wirepath_device::Device;
use wirepath_tcp::state::State;
use wirepath_tcp::syn_cookie::{self, SYN_COOKIE_LIFE};
use wirepath_tcp::time::Instant;
use wirepath_wire::tcp::Segment;

use super::Worker;
use super::egress::Envelope;
use super::ingress::Arrival;
use crate::app::App;
use crate::listeners::Listener;

impl<D: Device, A: App> Worker<D, A> {
    /// Answers a SYN and keeps nothing.
    pub(super) fn send_cookie(
        &mut self,
        now: Instant,
        listener: &Listener,
        arrival: &Arrival,
        segment: &Segment<'_>,
    ) {
        let secret = &self.config.secret;
        let settings = (&listener.config, self.path_to(arrival));
        let syn_ack = syn_cookie::syn_ack(now, &segment.header, &arrival.tuple, secret, settings);
        self.cookie_sent = now;
        self.counters.syn_cookies_sent += 1;
        let envelope = Envelope::of(arrival).marked(listener.config.marking);
        self.reply(&envelope, &syn_ack);
    }

    /// The connection that a segment of no flow opens, when it answers a cookie. Whether it did.
    pub(super) fn accept_cookie(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        segment: &Segment<'_>,
    ) -> bool {
        // Another worker may have sent it.
        let alone = self.together.is_none();
        let waits = self.cookie_sent != Instant::NEVER;
        if alone && (!waits || now.since(self.cookie_sent) >= SYN_COOKIE_LIFE) {
            return false;
        }
        let Some(&listener) = self.listeners.find(&arrival.tuple.local) else {
            return false;
        };
        let (secret, config) = (&self.config.secret, &listener.config);
        let Some(entry) = syn_cookie::accept(now, segment, &arrival.tuple, secret, config) else {
            self.counters.syn_cookies_refused += 1;
            return false;
        };
        if !self.has_room() {
            self.counters.drop_connections_full += 1;
            return true;
        }
        if !self.claim(&arrival.tuple) {
            return true;
        }
        let connection = entry.accept(now, listener.config, self.path_to(arrival));
        let flow = Self::accepted(arrival.tuple, arrival.link, listener.id, connection);
        if let Some(number) = self.keep_open(now, flow) {
            self.counters.syn_cookies_accepted += 1;
            self.enter(State::SynReceived);
            self.on_open_flow(now, number, arrival, segment);
        }
        true
    }
}
