//! Two connections and the wire between them, in virtual time.

use std::collections::VecDeque;
use std::time::Duration;

use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Header, Segment};

use crate::buffer::BlockPool;
use crate::config::Config;
use crate::connection::{Connection, DropReason, Event, Received};
use crate::half_open::{HalfOpen, HalfOpenVerdict};
use crate::negotiated::Path;
use crate::state::State;
use crate::time::Instant;

pub(super) const PATH: Path = Path {
    mss: 1_460,
    ipv6: false,
};

/// A segment on the wire, with its text copied out.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) header: Header,
    pub(super) text: Vec<u8>,
    pub(super) ecn: Ecn,
}

impl Sent {
    /// A segment whose packet says nothing of ECN.
    pub(super) const fn new(header: Header, text: Vec<u8>) -> Self {
        let ecn = Ecn::NotEct;
        Self { header, text, ecn }
    }

    pub(super) fn segment(&self) -> Segment<'_> {
        Segment {
            header: self.header,
            payload: &self.text,
            ecn: self.ecn,
        }
    }
}

/// One end: a connection, its blocks, and an application that keeps all it is told.
#[derive(Debug)]
pub(super) struct End {
    pub(super) connection: Connection,
    pub(super) pool: BlockPool,
    pub(super) received: Vec<u8>,
    pub(super) events: Vec<Event>,
    /// Whether the application takes text; when not, it stays in the receive buffer.
    pub(super) reads: bool,
    /// Whether segments that are predicted take the straight line, and how many were.
    pub(super) predicts: bool,
    pub(super) predicted: usize,
    /// Whether it rests before each segment if it may, and how often it did.
    pub(super) rests: bool,
    pub(super) rested: usize,
    /// The connection after each segment, where somebody asks for it.
    pub(super) story: Option<Vec<String>>,
}

impl End {
    pub(super) fn new(connection: Connection) -> Self {
        Self::with_blocks(connection, 512)
    }

    pub(super) fn with_blocks(connection: Connection, blocks: usize) -> Self {
        Self {
            connection,
            pool: BlockPool::new(blocks),
            received: Vec::new(),
            events: Vec::new(),
            reads: true,
            predicts: true,
            predicted: 0,
            rests: false,
            rested: 0,
            story: None,
        }
    }

    pub(super) fn on(&mut self, now: Instant, sent: &Sent) -> Option<Header> {
        self.on_with_verdict(now, sent).0
    }

    /// The reset to send, and why the segment was dropped.
    pub(super) fn on_with_verdict(
        &mut self,
        now: Instant,
        sent: &Sent,
    ) -> (Option<Header>, Option<DropReason>) {
        if self.rests {
            self.rested += usize::from(self.rest());
        }
        let segment = sent.segment();
        let Received {
            text,
            reply,
            dropped,
        } = if self.predicts {
            self.predicted += usize::from(self.connection.is_predicted(now, &segment));
            self.connection.on_segment(now, &segment, &mut self.pool)
        } else {
            self.connection
                .on_any_segment(now, &segment, &mut self.pool)
        };
        if let Some(story) = &mut self.story {
            story.push(format!(
                "{segment:?}: {reply:?}, {dropped:?}, {:?}",
                self.connection
            ));
        }
        if !text.is_empty() {
            let used = if self.reads { text.len() } else { 0 };
            self.received.extend_from_slice(&text[..used]);
            self.connection.settle(&mut self.pool, text, used);
        }
        if self.reads {
            self.read();
        }
        self.look();
        (reply, dropped)
    }

    /// Nothing is left to send: whatever it waits for now has a timer.
    pub(super) fn at_rest(&self) {
        let state = self.connection.state();
        let for_application =
            matches!(state, State::Closed | State::Established | State::CloseWait);
        let has_timer = self.connection.next_deadline().is_some();
        assert!(for_application || has_timer, "{state} without a timer");
        let unsent = self.connection.snd.unsent() > 0 && state != State::Closed;
        assert!(!unsent || has_timer, "{state}: text, and no timer");
    }

    /// It rests, if it may but for the time that has passed, and goes on at once. Whether it did.
    pub(super) fn rest(&mut self) -> bool {
        let resting = self.connection.resting();
        if let Some(resting) = &resting {
            let config = *self.connection.config();
            self.connection = Connection::resume(resting, &config);
        }
        resting.is_some()
    }

    pub(super) fn read(&mut self) {
        while self.connection.unread() > 0 {
            let text = self.connection.peek(&self.pool).to_vec();
            self.received.extend_from_slice(&text);
            self.connection.consume(&mut self.pool, text.len());
        }
    }

    pub(super) fn look(&mut self) {
        self.events
            .extend(std::iter::from_fn(|| self.connection.poll_event()));
        self.connection.check().expect("invariants");
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Sent> {
        let outgoing = self.connection.poll_segment(now, &mut self.pool)?;
        let text: Vec<u8> = self
            .connection
            .text(&self.pool, &outgoing)
            .flatten()
            .copied()
            .collect();
        assert_eq!(text.len(), outgoing.text_len());
        self.connection.check().expect("invariants");
        Some(Sent {
            header: outgoing.header,
            text,
            ecn: outgoing.ecn,
        })
    }

    pub(super) fn send(&mut self, text: &[u8]) -> usize {
        self.connection.send(&mut self.pool, text)
    }
}

/// Whether a segment is lost: told the segment and whether the client sent it.
pub(super) type Lose = Box<dyn FnMut(&Sent, bool) -> bool>;

/// The copies of a segment that arrive, each by how much later than the delay of the wire.
pub(super) type Scatter = Box<dyn FnMut() -> Vec<Duration>>;

/// A client and a server on a wire with a delay, where a test may drop segments.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: End,
    pub(super) server: End,
    /// Segments under way: when they arrive, whether at the server, and what they are.
    wire: VecDeque<(Instant, bool, Sent)>,
    /// All that was ever sent, with its time and whether by the client.
    pub(super) log: Vec<(Instant, bool, Sent)>,
    pub(super) delay: Duration,
    pub(super) lose: Lose,
    pub(super) scatter: Scatter,
    /// Whether the network marks a packet that it may mark.
    pub(super) mark: Box<dyn FnMut() -> bool>,
}

impl Pair {
    /// Client and server after a handshake.
    pub(super) fn established(client: Config, server: Config) -> Self {
        let now = Instant::from_millis(1_000);
        let mut client = End::new(Connection::open(
            now,
            client,
            PATH,
            SeqNum::new(u32::MAX - 9),
            77,
        ));
        let syn = client.poll(now).expect("a SYN");
        let mut half_open = HalfOpen::new(now, &syn.header, &server, SeqNum::new(5_000), 99);
        let syn_ack = half_open.syn_ack(now, &server, PATH);
        client.on(now, &Sent::new(syn_ack, Vec::new()));
        let ack = client.poll(now).expect("an ACK");
        let verdict = half_open.on_segment(&ack.segment(), syn_ack);
        assert!(matches!(verdict, HalfOpenVerdict::Accept), "{verdict:?}");
        let mut server = End::new(half_open.accept(now, server, PATH));
        server.on(now, &ack);
        Self::of(now, client, server)
    }

    /// Two that open at once, before either SYN has left.
    pub(super) fn crossed(client: Config, server: Config) -> Self {
        let now = Instant::from_millis(1_000);
        let open = |config, iss, offset| {
            End::new(Connection::open(
                now,
                config,
                PATH,
                SeqNum::new(iss),
                offset,
            ))
        };
        Self::of(now, open(client, 700, 1), open(server, 9_000, 2))
    }

    fn of(now: Instant, client: End, server: End) -> Self {
        Self {
            now,
            client,
            server,
            wire: VecDeque::new(),
            log: Vec::new(),
            delay: Duration::from_millis(10),
            lose: Box::new(|_, _| false),
            scatter: Box::new(|| vec![Duration::ZERO]),
            mark: Box::new(|| false),
        }
    }

    /// Sends all that both ends have to send now.
    pub(super) fn emit(&mut self) {
        for by_client in [true, false] {
            let now = self.now;
            let mut is_silent = false;
            while let Some(sent) = self.end(by_client).poll(now) {
                assert!(!is_silent, "it is silent, and has {sent:?}");
                is_silent = self.end(by_client).connection.is_silent();
                self.transmit(by_client, sent);
            }
            self.end(by_client).at_rest();
        }
    }

    fn end(&mut self, client: bool) -> &mut End {
        if client {
            &mut self.client
        } else {
            &mut self.server
        }
    }

    fn transmit(&mut self, by_client: bool, sent: Sent) {
        if !(self.lose)(&sent, by_client) {
            for later in (self.scatter)() {
                let at = self.now + self.delay + later;
                let place = self.wire.partition_point(|(other, ..)| *other <= at);
                let mut copy = sent.clone();
                if copy.ecn != Ecn::NotEct && (self.mark)() {
                    copy.ecn = Ecn::Ce;
                }
                self.wire.insert(place, (at, by_client, copy));
            }
        }
        self.log.push((self.now, by_client, sent));
    }

    /// Goes to the next arrival or deadline; whether there was one before `until`.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        self.emit();
        let arrival = self.wire.front().map(|(at, ..)| *at);
        let deadlines = [&self.client, &self.server].map(|e| e.connection.next_deadline());
        let next = arrival
            .into_iter()
            .chain(deadlines.into_iter().flatten())
            .min();
        let Some(next) = next.filter(|next| *next <= until) else {
            return false;
        };
        self.now = self.now.max(next);
        while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, by_client, sent)) = self.wire.pop_front() else {
                break;
            };
            let now = self.now;
            if let Some(header) = self.end(!by_client).on(now, &sent) {
                let text = Vec::new();
                self.transmit(!by_client, Sent::new(header, text));
            }
        }
        for end in [&mut self.client, &mut self.server] {
            end.connection.on_deadline(self.now, &mut end.pool);
            end.look();
        }
        true
    }

    /// Runs for `millis` milliseconds of virtual time.
    pub(super) fn run(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        let mut steps = 0;
        while self.step(until) {
            steps += 1;
            assert!(steps < 1_000_000, "the two never come to rest");
        }
        self.now = until;
        self.emit();
    }

    /// What was sent since `mark` entries of the log, by the client or by the server.
    pub(super) fn sent_since(&self, mark: usize, by_client: bool) -> Vec<Sent> {
        let by = |entry: &&(Instant, bool, Sent)| entry.1 == by_client;
        self.log[mark..]
            .iter()
            .filter(by)
            .map(|(_, _, sent)| sent.clone())
            .collect()
    }
}
