//! The connection, its blocks and its application, and what must hold of them.

use wirepath_tcp::Path;
use wirepath_tcp::buffer::BlockPool;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::{Connection, Event, HandshakeDone, Received};
use wirepath_tcp::limits::SEGMENTS_IN_FLIGHT;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_tcp::time_wait::TimeWait;
use wirepath_wire::icmp::Report;
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Segment, Timestamps};

use super::{IRS, ISS, START};
use crate::text::text_at;

/// Segments that a connection may send between two things that happen to it: all that can be in
/// flight once more, and as many new ones.
const MOST_SEGMENTS: u32 = 2 * SEGMENTS_IN_FLIGHT + 16;
/// Timers that may fire while a minute goes by.
const MOST_TIMERS: u32 = 10_000;
/// Blocks of the smallest pool.
const FEW_BLOCKS: usize = 64;

/// One end of the connection; the other is the fuzzer's.
pub(super) struct End {
    pub(super) now: Instant,
    pub(super) connection: Connection,
    /// Whether the application takes what comes at once.
    pub(super) reads: bool,
    /// What the next packet of the peer says.
    pub(super) ecn: Ecn,
    pool: BlockPool,
    /// What took the place of the connection.
    time_wait: Option<TimeWait>,
    /// Bytes that the application has taken, and that the connection took of it.
    received: u32,
    sent: u32,
    /// TSval of the last segment that had one.
    ts_value: u32,
    events: Vec<Event>,
}

impl End {
    pub(super) fn new(connection: Connection, more_blocks: usize) -> Self {
        let pool = BlockPool::new(FEW_BLOCKS + more_blocks);
        Self::with(connection, pool)
    }

    fn with(connection: Connection, pool: BlockPool) -> Self {
        Self {
            now: START,
            connection,
            reads: true,
            ecn: Ecn::NotEct,
            pool,
            time_wait: None,
            received: 0,
            sent: 0,
            ts_value: 0,
            events: Vec::new(),
        }
    }

    /// A connection whose SYN has `len` bytes of text.
    pub(super) fn early(
        made: (Config, Path),
        done: &HandshakeDone,
        len: usize,
        more_blocks: usize,
    ) -> Self {
        let mut pool = BlockPool::new(FEW_BLOCKS + more_blocks);
        let payload = text_at(0, len);
        let syn = Segment {
            header: done.syn,
            payload: &payload,
            ecn: Ecn::NotEct,
        };
        let (connection, received) = Connection::accept_early(START, made, done, &syn, &mut pool);
        let text = received.text;
        let mut end = Self::with(connection, pool);
        end.deliver(text);
        end
    }

    /// RCV.NXT, FIN apart.
    pub(super) fn rcv_nxt(&self) -> SeqNum {
        IRS + 1 + self.connection.counts().bytes_received as u32
    }

    /// SND.UNA, FIN apart.
    pub(super) fn snd_una(&self) -> SeqNum {
        ISS + 1 + self.connection.counts().bytes_acked as u32
    }

    /// SND.NXT.
    pub(super) fn snd_nxt(&self) -> SeqNum {
        let info = self.connection.info();
        self.snd_una() + info.send_queue.saturating_sub(info.unsent)
    }

    /// Whether the peer's SYN was taken.
    pub(super) fn knows_peer(&self) -> bool {
        self.connection.state() != State::SynSent
    }

    /// The timestamps of a peer whose clocks are so many milliseconds off.
    pub(super) fn clocks(&self, value: i16, echo: i16) -> Option<Timestamps> {
        let off = |clock: u32, by: i16| clock.wrapping_add_signed(by.into());
        let value = off(self.now.since(START).as_millis() as u32, value);
        let echo = off(self.ts_value, echo);
        Some(Timestamps { value, echo })
    }

    /// As [`clocks`](Self::clocks), if timestamps are in use.
    pub(super) fn timestamps(&self, value: i16, echo: i16) -> Option<Timestamps> {
        let in_use = self.connection.info().timestamps;
        self.clocks(value, echo).filter(|_| in_use)
    }

    pub(super) fn hear_timestamps(&mut self, header: &Header) {
        if let Some(timestamps) = header.options.timestamps {
            self.ts_value = timestamps.value;
        }
    }

    /// A segment of the peer, with `len` bytes of its text.
    pub(super) fn take(&mut self, header: Header, len: usize) {
        let first = header.seq + u32::from(header.flags.contains(Flags::SYN));
        let offset = first.distance_from(IRS + 1).cast_unsigned();
        let payload = text_at(offset, len);
        let segment = Segment {
            header,
            payload: &payload,
            ecn: self.ecn,
        };
        if let Some(time_wait) = &mut self.time_wait {
            time_wait.on_segment(self.now, &segment);
            return;
        }
        let received = self
            .connection
            .on_segment(self.now, &segment, &mut self.pool);
        let Received { text, reply, .. } = received;
        if let Some(reply) = reply {
            self.hear_timestamps(&reply);
        }
        self.deliver(text);
    }

    /// The application is shown text that has just come: only while it has read all before.
    fn deliver(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        assert!(text == text_at(self.received, text.len()), "wrong text");
        let used = if self.reads { text.len() } else { 0 };
        self.received += used as u32;
        self.connection.settle(&mut self.pool, text, used);
    }

    /// The application takes at most `most` bytes of what it left.
    pub(super) fn read(&mut self, most: usize) {
        let mut left = most;
        while self.connection.unread() > 0 && left > 0 {
            let text = self.connection.peek(&self.pool);
            assert!(!text.is_empty(), "unread text is not there");
            let count = text.len().min(left);
            let expected = text_at(self.received, count);
            assert!(text[..count] == expected, "wrong text at {}", self.received);
            self.connection.consume(&mut self.pool, count);
            self.received += count as u32;
            left -= count;
        }
    }

    pub(super) fn send(&mut self, len: usize, is_urgent: bool) {
        let text = text_at(self.sent, len);
        let taken = if is_urgent {
            self.connection.send_urgent(&mut self.pool, &text)
        } else {
            self.connection.send(&mut self.pool, &text)
        };
        assert!(taken <= len, "more than there was");
        self.sent += taken as u32;
    }

    pub(super) fn close(&mut self) {
        self.connection.close(self.now, &mut self.pool);
    }

    pub(super) fn take_report(&mut self, report: &Report) {
        self.connection
            .on_icmp_error(self.now, report, &mut self.pool);
    }

    /// Time goes by, and every timer fires at its instant.
    pub(super) fn wait(&mut self, millis: u64) {
        let until = self.now + std::time::Duration::from_millis(millis);
        for fired in 0.. {
            let due = self.connection.next_deadline();
            let Some(due) = due.filter(|due| *due <= until) else {
                break;
            };
            assert!(fired < MOST_TIMERS, "timers fire without end");
            self.now = self.now.max(due);
            self.connection.on_deadline(self.now, &mut self.pool);
            self.rest();
        }
        self.now = until;
    }

    pub(super) fn wait_for_timer(&mut self) {
        if let Some(due) = self.connection.next_deadline() {
            self.now = self.now.max(due);
            self.connection.on_deadline(self.now, &mut self.pool);
        }
    }

    /// All that is to be sent goes, all events are told, and everything holds.
    pub(super) fn rest(&mut self) {
        if self.time_wait.is_some() {
            return;
        }
        if self.reads {
            self.read(usize::MAX);
        }
        let mut is_silent = false;
        for count in 0.. {
            let Some(outgoing) = self.connection.poll_segment(self.now, &mut self.pool) else {
                break;
            };
            assert!(!is_silent, "it is silent, and has {outgoing:?}");
            is_silent = self.connection.is_silent();
            assert!(count < MOST_SEGMENTS, "it never stops sending");
            let text = self.connection.text(&self.pool, &outgoing);
            let text: Vec<u8> = text.flatten().copied().collect();
            assert_eq!(text.len(), outgoing.text_len());
            self.check_sent(&outgoing.header, &text);
            self.hear_timestamps(&outgoing.header);
        }
        self.events
            .extend(std::iter::from_fn(|| self.connection.poll_event()));
        assert_eq!(self.connection.check(), Ok(()));
        self.time_wait = self.connection.time_wait();
    }

    /// What is sent is what the application gave, at its place.
    fn check_sent(&self, header: &Header, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let first = header.seq + u32::from(header.flags.contains(Flags::SYN));
        let offset = first.distance_from(ISS + 1).cast_unsigned();
        assert!(text == text_at(offset, text.len()), "wrong text is sent");
        assert!(offset as usize + text.len() <= self.sent as usize);
    }

    /// Whether a worker would let it go: nothing is left to be told, sent or read.
    pub(super) fn is_over(&self) -> bool {
        self.connection.state() == State::Closed && self.connection.unread() == 0
    }

    /// Whatever happened, it can be ended, its end is told once and last, and no block is lost.
    pub(super) fn finish(mut self) {
        self.read(usize::MAX);
        if self.time_wait.is_none() {
            self.connection.abort();
            self.rest();
        }
        let rank = |event: &Event| match event {
            Event::Connected => Some(0),
            Event::PeerClosed => Some(1),
            Event::Closed(_) => Some(2),
            _ => None,
        };
        let ranks: Vec<u8> = self.events.iter().filter_map(rank).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{:?}", self.events);
        let last = self.events.last();
        assert!(matches!(last, Some(Event::Closed(_))), "{:?}", self.events);
        self.connection.release(&mut self.pool);
        assert_eq!(self.pool.free(), self.pool.total(), "a block is lost");
    }
}
