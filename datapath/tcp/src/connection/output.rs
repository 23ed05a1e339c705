//! What the connection sends: RFC 9293 3.7, 3.8, 3.10.2.

use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, MAX_OPTIONS_LEN, Options, SackBlocks, UnscaledWindow};

use super::ecn::OFFER;
use super::open::syn_window;
use super::{Connection, Pending};
use crate::buffer::{BlockPool, Purpose, SeqRange};
use crate::config::RecoveryFeatures;
use crate::limits::{POOL_RETRY, SEGMENTS_IN_FLIGHT};
use crate::rcv::AckDue;
use crate::recovery::{Leaving, Phase};
use crate::snd::Fin;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

/// SACK blocks without and beside timestamps: what fits into 40 bytes of options (RFC 2018 3).
const SACK_BLOCKS: [usize; 2] = [SackBlocks::MAX, 3];

/// Blocks that one more segment in flight may take to be remembered: one, and an index.
const LOG_BLOCKS: usize = 2;

/// A segment to be sent. Its text still lies in the pool: see [`Connection::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// The header.
    pub header: Header,
    /// Whether the network may mark its packet: RFC 3168.
    pub ecn: Ecn,
    text: SeqRange,
}

impl Outgoing {
    /// Bytes of text.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.text.len() as usize
    }
}

impl Connection {
    /// The next segment to send, if there is one now.
    pub fn poll_segment(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        // Whoever is held back arms it again.
        self.timers.disarm(Timer::Pacing);
        let outgoing = match self.state {
            State::Closed | State::Listen => self.reset_segment(now),
            State::SynSent => self.syn_segment(now),
            State::SynReceived => self
                .syn_segment(now)
                .or_else(|| self.early_text(now, pool))
                .or_else(|| self.pure_ack(now, pool)),
            _ => self
                .ack_before_change(now)
                .or_else(|| self.resend(now, pool))
                .or_else(|| self.tail_probe(now, pool))
                .or_else(|| self.probe(now, pool))
                .or_else(|| self.new_text(now, pool))
                .or_else(|| self.pure_ack(now, pool)),
        }?;
        self.counts.segments_out += 1;
        if self.is_silent() {
            self.note_limit();
        }
        Some(outgoing)
    }

    /// Whether it is certain that [`poll_segment`](Self::poll_segment) has nothing now. When not,
    /// it may have something or not.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let asked = Pending::RESET | Pending::SYN | Pending::PROBE | Pending::TAIL_PROBE;
        self.state.is_synchronized()
            && self.snd.unsent() == 0
            && self.rcv.ack_due != AckDue::Now
            && !self.pending.intersects(asked)
            && !self.recovery.is_resending()
            && !self.snd.is_starved()
            && !self.ecn.owes_before_change()
    }

    /// The text of `outgoing`, in pieces as it lies in the pool.
    pub fn text<'a>(
        &'a self,
        pool: &'a BlockPool,
        outgoing: &Outgoing,
    ) -> impl Iterator<Item = &'a [u8]> + 'a {
        let mut rest = outgoing.text;
        std::iter::from_fn(move || {
            let chunk = self.snd.chunk(pool, rest);
            rest.left += chunk.len() as u32;
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    /// SMSS in bytes: RFC 9293 3.7.1, without the options that every segment carries (MUST-16).
    pub(super) fn effective_mss(&self) -> u16 {
        self.segment_limit() - self.options_len() as u16
    }

    /// Bytes of options that every segment carries.
    pub(super) const fn options_len(&self) -> u32 {
        if self.negotiated.timestamps() { 12 } else { 0 }
    }

    /// Text and options that a segment may hold: what the peer takes and what the path carries.
    pub(super) fn segment_limit(&self) -> u16 {
        self.negotiated.smss().min(self.path.limit())
    }

    fn reset_segment(&mut self, now: Instant) -> Option<Outgoing> {
        if !self.pending.contains(Pending::RESET) {
            return None;
        }
        self.pending.remove(Pending::RESET);
        let options = Options {
            timestamps: self.negotiated.timestamps_option(now),
            ..Options::default()
        };
        let header = Header {
            seq: self.snd.acceptable_seq(self.negotiated.snd_scale),
            ack: self.rcv.nxt,
            flags: Flags::RST | Flags::ACK,
            options,
            ..Header::default()
        };
        Some(Outgoing {
            header,
            ecn: Ecn::NotEct,
            text: self.nothing(),
        })
    }

    fn syn_segment(&mut self, now: Instant) -> Option<Outgoing> {
        if !self.pending.contains(Pending::SYN) {
            return None;
        }
        self.pending.remove(Pending::SYN);
        self.arm_retransmit(now);
        let answers = self.state == State::SynReceived;
        let crossed = answers && !self.pending.contains(Pending::FAST_OPEN);
        if crossed || self.liveness.retries > 0 {
            self.rtt.on_retransmitted();
        } else {
            self.rtt.on_sent(now, self.snd.iss + 1);
        }
        self.rcv.ack_due = AckDue::No;
        let scaling = self.negotiated.scaling;
        let mut options = Options {
            // RFC 9293 3.7.1 (MUST-14, SHLD-5, MUST-67).
            mss: Some(self.path.link().mss),
            window_scale: scaling.then_some(self.negotiated.rcv_scale),
            sack_permitted: self.negotiated.sack,
            timestamps: self.negotiated.timestamps_option(now),
            ..Options::default()
        };
        self.tell_user_timeout(&mut options);
        let flags = match answers {
            true if self.ecn.is_agreed() => Flags::SYN | Flags::ACK | Flags::ECE,
            true => Flags::SYN | Flags::ACK,
            false if self.offers_ecn() => Flags::SYN | OFFER,
            false => Flags::SYN,
        };
        let ack = if answers {
            self.rcv.nxt
        } else {
            SeqNum::default()
        };
        // Of a Fast Open text is acknowledged with the SYN, and takes its part of the window.
        let window = if answers {
            let most = self.rcv.wnd().min(u16::MAX.into());
            UnscaledWindow(most as u16)
        } else {
            syn_window(&self.config)
        };
        let header = Header {
            seq: self.snd.iss,
            ack,
            flags,
            window,
            urgent: 0,
            options,
        };
        Some(Outgoing {
            header,
            ecn: Ecn::NotEct,
            text: self.nothing(),
        })
    }

    /// What recovery says is lost.
    fn resend(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        let range = self.recovery.next_range(pool)?;
        let in_flight = self.recovery.in_flight(self.snd.flight().len());
        let len = range.len().min(u32::from(self.effective_mss()));
        // RFC 6298 5.4: the earliest goes whatever is in flight.
        let first = self.recovery.phase() == Phase::Loss && range.left == self.snd.una;
        if !first
            && !self
                .recovery
                .may_resend(in_flight, len, self.congestion.cwnd())
        {
            return None;
        }
        // RFC 9293 3.8.6 (SHLD-16): inside the window, even one that shrank.
        let inside = (self.snd.una + self.snd.wnd).bytes_since(range.left);
        if inside == 0 || self.is_held_back(now) {
            return None;
        }
        // What follows and was never sent fills the last segment.
        let last = range.right == self.snd.nxt && self.may_log(pool);
        let most = if last {
            inside
        } else {
            inside.min(range.len())
        };
        self.rtt.on_retransmitted();
        self.counts.retransmissions += 1;
        let outgoing = self.text_segment(now, pool, range.left, most);
        let leaving = Leaving { now, in_flight };
        self.recovery
            .on_resent(pool, segment_end(&outgoing), leaving);
        if range.left == self.snd.una {
            self.resent_ts.get_or_insert(self.negotiated.ts_now(now));
        }
        Some(outgoing)
    }

    /// A tail loss probe: new text if there is any, else the last segment again (RFC 8985 7.3).
    fn tail_probe(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        if !self.pending.contains(Pending::TAIL_PROBE) {
            return None;
        }
        self.pending.remove(Pending::TAIL_PROBE);
        let room = self.snd.usable();
        let outgoing = if self.snd.unsent() > 0 && room > 0 && self.may_log(pool) {
            let outgoing = self.text_segment(now, pool, self.snd.nxt, room);
            self.recovery.on_probe(pool, self.snd.nxt, None);
            outgoing
        } else {
            let last = self.recovery.last(pool)?;
            self.rtt.on_retransmitted();
            self.counts.retransmissions += 1;
            let leaving = self.leaving(now);
            self.recovery.on_probe(pool, self.snd.nxt, Some(leaving));
            self.text_segment(now, pool, last.left, last.len())
        };
        self.timers.disarm(Timer::TailProbe);
        self.arm_retransmit(now);
        Some(outgoing)
    }

    /// Whether the pool can remember another segment in flight.
    fn may_log(&self, pool: &BlockPool) -> bool {
        self.recovery.segments() < SEGMENTS_IN_FLIGHT && pool.has(Purpose::Log, LOG_BLOCKS)
    }

    /// A window probe (RFC 9293 3.8.6.1, MUST-36) or a keep-alive (3.8.4, SHLD-12).
    fn probe(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        if !self.pending.contains(Pending::PROBE) {
            return None;
        }
        self.pending.remove(Pending::PROBE);
        if self.timers.is_armed(Timer::Persist) {
            if !self.may_log(pool) {
                return None;
            }
            let most = self.snd.wnd.max(1);
            let outgoing = self.text_segment(now, pool, self.snd.una, most);
            // How long it is refused says nothing of the path.
            self.rtt.on_retransmitted();
            self.recovery.on_window_probe(pool);
            return Some(outgoing);
        }
        let before_next = self.snd.nxt - 1;
        Some(self.segment(now, pool, before_next, Flags::ACK))
    }

    /// Text, or FIN, never sent before; and why no more of it goes.
    fn new_text(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        if self.snd.is_starved() && !self.timers.is_armed(Timer::Memory) {
            self.timers.arm(Timer::Memory, now + POOL_RETRY);
        }
        let outgoing = self.next_text(now, pool);
        if outgoing.is_none() {
            self.note_limit();
        }
        outgoing
    }

    /// Whether cwnd, pacing or the application stopped the sending.
    fn note_limit(&mut self) {
        let in_flight = self.recovery.in_flight(self.snd.flight().len());
        let full = u32::from(self.effective_mss());
        let window = self.recovery.window(self.congestion.cwnd());
        let limited = in_flight + full > window;
        self.cwnd_use.note(limited, self.snd.una, self.snd.nxt);
        let paced = self.timers.is_armed(Timer::Pacing);
        if !limited && !paced && self.snd.unsent() < full {
            self.recovery.on_app_limited(in_flight);
        }
    }

    fn next_text(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        let idle = self.snd.nxt == self.snd.text_start();
        // What a cork or a small window keeps back goes once more text makes it worth a segment.
        let held = self.timers.is_armed(Timer::Persist);
        if self.snd.unsent() == 0 || held && !(idle && self.snd.wnd > 0) {
            return None;
        }
        if !self.may_log(pool) {
            self.timers.arm(Timer::Memory, now + POOL_RETRY);
            return None;
        }
        if self.path.try_to_raise(now) {
            self.heed_segment_size();
        }
        if idle && now.since(self.liveness.spoke) > self.rtt.rto().duration() {
            // RFC 5681 4.1: a window that was not used for an RTO says nothing.
            self.congestion.restart(false);
        }
        let in_flight = self.recovery.in_flight(self.snd.flight().len());
        let window = self.recovery.window(self.congestion.cwnd());
        let room = window.saturating_sub(in_flight).min(self.snd.usable());
        if !self.is_worth_sending(room, idle) {
            if idle && !held {
                self.arm_persist(now);
            }
            return None;
        }
        if self.is_held_back(now) {
            return None;
        }
        self.timers.disarm(Timer::Persist);
        let outgoing = self.text_segment(now, pool, self.snd.nxt, room);
        self.arm_tail_probe(now);
        Some(outgoing)
    }

    /// Text of a Fast Open goes before the handshake is done: RFC 7413 4.2.2.
    fn early_text(&mut self, now: Instant, pool: &mut BlockPool) -> Option<Outgoing> {
        self.may_send_early().then(|| self.new_text(now, pool))?
    }

    /// Silly-window avoidance and Nagle: RFC 9293 3.8.6.2.1 (MUST-38), 3.7.4 (SHLD-7, MUST-17).
    fn is_worth_sending(&self, room: u32, idle: bool) -> bool {
        let text = self.snd.text_end().bytes_since(self.snd.nxt);
        let full = u32::from(self.effective_mss());
        let fin = self.snd.fin == Fin::Queued;
        let len = text.min(room).min(full);
        if text == 0 {
            return room > 0;
        }
        let nagle = self.config.nagle && !idle;
        let all = len == text && (fin || !(nagle || self.config.cork));
        len > 0 && (len == full || all || len >= self.snd.max_wnd / 2)
    }

    fn pure_ack(&mut self, now: Instant, pool: &BlockPool) -> Option<Outgoing> {
        let seq = self.snd.acceptable_seq(self.negotiated.snd_scale);
        (self.rcv.ack_due == AckDue::Now).then(|| self.segment(now, pool, seq, Flags::ACK))
    }

    /// A segment that starts at `left` with at most `most` of text and FIN.
    fn text_segment(
        &mut self,
        now: Instant,
        pool: &mut BlockPool,
        left: SeqNum,
        most: u32,
    ) -> Outgoing {
        let owed = self.rcv.ack_due;
        let mut outgoing = self.bare_segment(now, left, Flags::ACK);
        // What is sent again was cut when there was no SACK to tell, and must fit as it is; and a
        // peer with a tiny MSS must not have its text cut to crumbs by what it says itself.
        if left == self.snd.nxt && usize::from(self.segment_limit()) >= 2 * MAX_OPTIONS_LEN {
            self.tell_holes(&mut outgoing.header.options, pool);
        } else if owed == AckDue::Now && self.rcv.has_news() {
            // Then an ACK of its own tells.
            self.rcv.ack_due = owed;
        }
        let options = outgoing.header.options.emitted_len() as u32;
        let mss = u32::from(self.segment_limit()).saturating_sub(options);
        let text_end = self.snd.text_end();
        let right = (left + most.min(mss)).earliest(text_end).latest(left);
        outgoing.text = SeqRange { left, right };
        let len = outgoing.text.len();
        if right == text_end && len > 0 {
            // RFC 9293 3.9.1.2 (MUST-61): PSH on the last of what is queued.
            outgoing.header.flags |= Flags::PSH;
        }
        if right == text_end && self.snd.fin == Fin::Queued && most > len {
            outgoing.header.flags |= Flags::FIN;
        }
        let end = segment_end(&outgoing);
        if left == self.snd.nxt && !self.timers.is_armed(Timer::Persist) {
            outgoing.ecn = self.make_capable(&mut outgoing.header);
        }
        if end.after(self.snd.nxt) {
            let new = SeqRange {
                left: self.snd.nxt,
                right: end,
            };
            let leaving = self.leaving(now);
            let logged = self.recovery.on_sent(pool, new, leaving);
            debug_assert!(logged.is_ok(), "asked before");
            self.snd.nxt = end;
            self.rtt.on_sent(now, end);
            // Text goes both ways: ACKs ride on it.
            self.rcv.quick_acks = 0;
        }
        self.liveness.spoke = now;
        self.pace(now, len);
        if !self.timers.is_armed(Timer::Retransmit) && !self.timers.is_armed(Timer::Persist) {
            self.arm_retransmit(now);
        }
        outgoing
    }

    /// A segment without text, acknowledging all there is.
    fn segment(&mut self, now: Instant, pool: &BlockPool, seq: SeqNum, flags: Flags) -> Outgoing {
        let mut outgoing = self.bare_segment(now, seq, flags);
        self.tell_holes(&mut outgoing.header.options, pool);
        outgoing
    }

    /// What arrived out of order or twice: RFC 2018, RFC 2883.
    fn tell_holes(&mut self, options: &mut Options, pool: &BlockPool) {
        if !self.config.recovery.uses(RecoveryFeatures::DSACK) {
            self.rcv.forget_duplicate();
        }
        if self.negotiated.sack && self.rcv.has_news() {
            let most = SACK_BLOCKS[usize::from(self.negotiated.timestamps())];
            options.sack = self.rcv.sack_blocks(pool, most);
        }
    }

    pub(super) fn bare_segment(&mut self, now: Instant, seq: SeqNum, flags: Flags) -> Outgoing {
        let mut options = Options {
            timestamps: self.negotiated.timestamps_option(now),
            ..Options::default()
        };
        self.tell_user_timeout(&mut options);
        let window = self.rcv.offer(self.negotiated.rcv_scale);
        self.timers.disarm(Timer::DelayedAck);
        let mut header = Header {
            seq,
            ack: self.rcv.nxt,
            flags,
            window,
            urgent: 0,
            options,
        };
        self.mark_urgent(&mut header);
        self.echo_mark(&mut header);
        Outgoing {
            header,
            ecn: Ecn::NotEct,
            text: SeqRange {
                left: seq,
                right: seq,
            },
        }
    }

    fn leaving(&self, now: Instant) -> Leaving {
        let in_flight = self.recovery.in_flight(self.snd.flight().len());
        Leaving { now, in_flight }
    }

    fn nothing(&self) -> SeqRange {
        SeqRange {
            left: self.snd.nxt,
            right: self.snd.nxt,
        }
    }
}

/// The sequence number after the segment, FIN included.
fn segment_end(outgoing: &Outgoing) -> SeqNum {
    outgoing.text.right + u32::from(outgoing.header.flags.contains(Flags::FIN))
}
