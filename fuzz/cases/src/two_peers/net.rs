//! The wire between the two.

use std::collections::VecDeque;
use std::time::Duration;

use wirepath_host::Host;
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;
use wirepath_wire::checksum::Sum;
use wirepath_wire::tuple::Endpoint;

use super::Who;
use super::side::Side;

/// Packets that are under way to one host at most; one more is lost.
const MOST_PACKETS: usize = 512;
/// Events after the faults have ended, before they count as without end.
const MOST_EVENTS: u32 = 200_000;
/// No two packets come at the same instant: within a tick of the clock that ISNs follow, 4 us, a
/// tuple would have the same one again (RFC 6528 3), and an old ACK would be as good as a new one.
const GAP: Duration = Duration::from_micros(5);
/// Milliseconds that a packet takes once the faults have ended.
const DELAY: u64 = 5;

/// Both hosts, and the packets under way to each.
pub(super) struct Net {
    client: Side,
    server: Side,
    to_client: VecDeque<Vec<u8>>,
    to_server: VecDeque<Vec<u8>>,
    now: Instant,
}

impl Net {
    pub(super) fn new(client: Config, server: Config) -> Self {
        let service = Endpoint::new([192, 0, 2, 1].into(), 7);
        let mut net = Self {
            client: Side::client([192, 0, 2, 2].into(), service, client),
            server: Side::server(service, server),
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            now: Instant::from_millis(1_000),
        };
        net.turn();
        net
    }

    pub(super) fn side(&mut self, who: Who) -> &mut Side {
        match who {
            Who::Client => &mut self.client,
            Who::Server => &mut self.server,
        }
    }

    fn wire(&mut self, to: Who) -> &mut VecDeque<Vec<u8>> {
        match to {
            Who::Client => &mut self.to_client,
            Who::Server => &mut self.to_server,
        }
    }

    /// Both hosts come to now, and what they send is on the wire.
    fn turn(&mut self) {
        for (from, to) in [(Who::Client, Who::Server), (Who::Server, Who::Client)] {
            let now = self.now;
            let sent = self.side(from).host.poll(now);
            let wire = self.wire(to);
            wire.extend(sent.into_iter().map(|sent| sent.packet));
            wire.truncate(MOST_PACKETS);
        }
        self.server.accept();
    }

    /// After each step: nobody has got more than was sent.
    pub(super) fn check(&mut self) {
        self.turn();
        assert!(self.client.received <= self.server.sent);
        assert!(self.server.received <= self.client.sent);
    }

    pub(super) fn wait(&mut self, millis: u16) {
        self.go_to(self.now + Duration::from_millis(millis.into()));
    }

    fn go_to(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.turn();
    }

    pub(super) fn wait_for_timer(&mut self) {
        if let Some(next) = self.next_deadline() {
            self.go_to(next);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let hosts = [&self.client.host, &self.server.host];
        hosts.into_iter().filter_map(Host::next_deadline).min()
    }

    /// The place that `at` means on a wire that has packets.
    fn place(&mut self, to: Who, at: u8) -> Option<usize> {
        let len = self.wire(to).len();
        (len > 0).then(|| usize::from(at) % len)
    }

    pub(super) fn deliver(&mut self, to: Who, at: u8) {
        if let Some(packet) = self.place(to, at).and_then(|at| self.wire(to).remove(at)) {
            self.arrive(to, &packet);
        }
    }

    pub(super) fn duplicate(&mut self, to: Who, at: u8) {
        if let Some(at) = self.place(to, at) {
            let packet = self.wire(to)[at].clone();
            self.arrive(to, &packet);
        }
    }

    pub(super) fn drop_one(&mut self, to: Who, at: u8) {
        if let Some(at) = self.place(to, at) {
            self.wire(to).remove(at);
        }
    }

    pub(super) fn mark(&mut self, to: Who, at: u8) {
        if let Some(at) = self.place(to, at) {
            mark(&mut self.wire(to)[at]);
        }
    }

    pub(super) fn deliver_all(&mut self, to: Who) {
        for packet in std::mem::take(self.wire(to)) {
            self.arrive(to, &packet);
        }
    }

    pub(super) fn drop_all(&mut self, to: Who) {
        self.wire(to).clear();
    }

    fn arrive(&mut self, to: Who, packet: &[u8]) {
        self.now = self.now + GAP;
        let now = self.now;
        self.side(to).host.inject(now, packet);
    }

    pub(super) fn exchange(&mut self) {
        self.deliver_all(Who::Server);
        self.turn();
        self.deliver_all(Who::Client);
        self.turn();
    }

    /// The faults end, the applications say no more and read all: then everything arrives, or
    /// whoever misses something knows of the end.
    pub(super) fn settle(&mut self) {
        self.run(|net| net.client.has_opened());
        self.run(|net| {
            net.client.say_no_more();
            net.server.say_no_more();
            net.turn();
            net.is_quiet() && net.client.is_done() && net.server.is_done()
        });
        self.client.take_error();
        self.server.take_error();
        judge(&self.server, &self.client);
        judge(&self.client, &self.server);
        Side::assert_cause_of_resets(&self.client, &self.server);
    }

    fn is_quiet(&self) -> bool {
        self.to_client.is_empty() && self.to_server.is_empty()
    }

    /// Goes from event to event until `is_done`, on a wire that loses nothing.
    fn run(&mut self, is_done: impl Fn(&mut Self) -> bool) {
        for events in 0.. {
            self.turn();
            self.client.drain();
            self.server.drain();
            self.check();
            if is_done(self) {
                return;
            }
            assert!(events < MOST_EVENTS, "it does not come to an end");
            if self.is_quiet() {
                let next = self.next_deadline();
                self.go_to(next.expect("something waits, and nothing will happen"));
            } else {
                self.now = self.now + Duration::from_millis(DELAY);
                self.exchange();
            }
        }
    }
}

/// Who receives has all that was sent, knows that something is missing, or did not want it.
fn judge(receiver: &Side, sender: &Side) {
    let has_all = receiver.received == sender.sent;
    if receiver.has_left || (has_all && receiver.has_end) {
        return;
    }
    if receiver.has_connection() {
        let [received, sent] = [receiver.received, sender.sent];
        assert!(
            receiver.has_failed(),
            "{received} bytes of {sent}, and no error"
        );
    } else {
        // Nobody accepted it, so nobody heard of it but who opened.
        let knows = sender.has_failed() || sender.has_left;
        assert!(knows, "nobody has accepted, and nobody said so");
    }
}

/// Congestion experienced, where the sender said that it knows what that is.
fn mark(packet: &mut [u8]) {
    if packet[1] & 3 == 0 {
        return;
    }
    packet[1] |= 3;
    packet[10..12].fill(0);
    let sum = Sum::of(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}
