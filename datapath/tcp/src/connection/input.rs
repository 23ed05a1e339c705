//! SEGMENT ARRIVES: RFC 9293 3.10.7.4, one function per step.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Segment};

use super::verdict::Stop;
use super::{CloseReason, Connection, DropReason, Pending, Received};
use crate::buffer::{BlockPool, SeqRange};
use crate::limits::CHALLENGE_ACK_INTERVAL;
use crate::rcv::AckDue;
use crate::reset;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    /// A segment for this connection has arrived, its checksum verified.
    pub fn on_segment<'a>(
        &mut self,
        now: Instant,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Received<'a> {
        if self.is_predicted(now, segment) {
            self.on_predicted(now, segment, pool)
        } else {
            self.on_any_segment(now, segment, pool)
        }
    }

    /// As [`on_segment`](Self::on_segment), step by step.
    pub(super) fn on_any_segment<'a>(
        &mut self,
        now: Instant,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Received<'a> {
        self.counts.segments_in += 1;
        let overtaken = self.ack_overtaken(now, segment);
        let text = match self.state {
            State::Closed | State::Listen => {
                reset::reply_to(segment).map_or(Err(Stop::Done), |header| Err(Stop::Reply(header)))
            }
            State::SynSent => self.on_segment_in_syn_sent(now, segment, pool),
            _ => self.on_segment_with_peer(now, segment, pool),
        };
        match text {
            Ok(text) => Received {
                reply: overtaken,
                ..Received::text(text)
            },
            Err(stop) => {
                let stopped = Received::stopped(stop);
                Received {
                    reply: stopped.reply.or(overtaken),
                    ..stopped
                }
            }
        }
    }

    fn on_segment_with_peer<'a>(
        &mut self,
        now: Instant,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Result<&'a [u8], Stop> {
        self.check_syn_again(segment)?;
        self.check_timestamp(now, segment)?;
        self.check_sequence(now, segment)?;
        self.check_reset(now, segment)?;
        self.check_syn(now, segment)?;
        self.check_ack(now, segment, pool)?;
        self.note_heard(now, segment);
        if segment.has(Flags::SYN) {
            // The other half of a simultaneous open; its text comes again.
            self.rcv.ack_due = AckDue::Now;
            return Ok(&[]);
        }
        self.check_urgent(segment);
        let text = self.take_text(segment, pool)?;
        self.take_fin(now, segment);
        self.on_taken(now, pool);
        Ok(text)
    }

    /// The seventh step for text that is next in line and wanted; there may be none.
    pub(super) fn take_next_text<'a>(
        &mut self,
        now: Instant,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Result<&'a [u8], Stop> {
        let text = match segment.payload {
            [] => segment.payload,
            text => self.accept_text(segment.header.seq, text, pool)?,
        };
        self.on_taken(now, pool);
        Ok(text)
    }

    /// All that a segment brought is taken: how much more may come, and when it is acknowledged.
    fn on_taken(&mut self, now: Instant, pool: &BlockPool) {
        self.rcv.tune(now, self.rtt.round_trip(), pool.share());
        self.arm_delayed_ack(now);
    }

    fn accept_text<'a>(
        &mut self,
        seq: SeqNum,
        text: &'a [u8],
        pool: &mut BlockPool,
    ) -> Result<&'a [u8], Stop> {
        let before = self.rcv.nxt;
        let accepted = self.rcv.accept(pool, seq, text);
        self.counts.bytes_received += u64::from(self.rcv.nxt.bytes_since(before));
        accepted.map_err(Stop::Drop)
    }

    /// Takes note of an acceptable segment of the peer, before its text moves RCV.NXT.
    pub(super) fn note_heard(&mut self, now: Instant, segment: &Segment<'_>) {
        self.liveness.heard = now;
        self.liveness.probes = 0;
        self.note_timestamp(now, &segment.header);
        self.note_mark(segment);
        self.note_user_timeout(&segment.header);
        if self.state == State::FinWait2 && !self.pending.contains(Pending::DETACHED) {
            self.arm_fin_wait_2(now);
        }
    }

    /// RFC 7323 4.3 (2): TSval counts when the segment begins no later than Last.ACK.sent.
    fn note_timestamp(&mut self, now: Instant, header: &Header) {
        if let Some(timestamps) = header.options.timestamps
            && self.negotiated.timestamps()
            && header.seq.at_or_before(self.rcv.acked)
        {
            self.negotiated.remember(now, timestamps.value);
        }
    }

    /// The SYN-ACK of a peer that had sent its SYN when ours arrived: RFC 9293 3.5, figure 8.
    fn crosses(&self, segment: &Segment<'_>) -> bool {
        self.state == State::SynReceived
            && segment.has(Flags::SYN | Flags::ACK)
            && segment.header.seq == self.rcv.irs
    }

    /// PAWS comes before the sequence number: RFC 7323 5.3 R1.
    fn check_timestamp(&mut self, now: Instant, segment: &Segment<'_>) -> Result<(), Stop> {
        if !self.negotiated.timestamps() || segment.has(Flags::RST) {
            return Ok(());
        }
        match segment.header.options.timestamps {
            Some(timestamps) if self.negotiated.is_old(now, timestamps.value) => {
                self.answer_unacceptable(now, segment);
                Err(Stop::Drop(DropReason::OldTimestamp))
            }
            // A peer that has lost its state may have lost its timestamps with it.
            None if !segment.has(Flags::SYN) => Err(Stop::Drop(DropReason::NoTimestamp)),
            _ => Ok(()),
        }
    }

    /// First, check sequence number.
    fn check_sequence(&mut self, now: Instant, segment: &Segment<'_>) -> Result<(), Stop> {
        let seq = segment.header.seq;
        // MUST-66: with a zero window, ACK, RST and URG of the next segment still count.
        let probes_zero_window = self.rcv.wnd() == 0 && seq == self.rcv.nxt;
        let acceptable = self.rcv.is_acceptable(seq, segment.len());
        if acceptable || probes_zero_window || self.crosses(segment) {
            return Ok(());
        }
        let fin_again = segment.has(Flags::FIN) && segment.end() == self.rcv.nxt;
        if fin_again && self.state == State::TimeWait {
            // RFC 9293 3.10.7.4, eighth step.
            self.arm_time_wait(now);
        }
        if !segment.has(Flags::RST) {
            self.answer_unacceptable(now, segment);
            if self.is_sent_again(segment) && self.snd.may_acknowledge(segment.header.ack) {
                // Our ACK was lost: the next one answers this copy, not the first.
                self.note_timestamp(now, &segment.header);
            }
        }
        Err(Stop::Drop(DropReason::OutOfWindow))
    }

    /// Second, check the RST bit: RFC 5961 3.2.
    fn check_reset(&mut self, now: Instant, segment: &Segment<'_>) -> Result<(), Stop> {
        if !segment.has(Flags::RST) {
            return Ok(());
        }
        if segment.header.seq != self.rcv.nxt {
            self.challenge(now);
            return Err(Stop::Drop(DropReason::InexactReset));
        }
        // RFC 1337: an old RST must not cut TIME-WAIT short (docs/decisions.md).
        if self.state == State::TimeWait {
            return Err(Stop::Drop(DropReason::InexactReset));
        }
        let refused = self.state == State::SynReceived && !self.passive;
        let late = matches!(self.state, State::Closing | State::LastAck) && self.snd.queued() == 0;
        self.enter_closed(match (refused, late) {
            (true, _) => CloseReason::Refused,
            (_, true) => CloseReason::Finished,
            _ => CloseReason::Reset,
        });
        Err(Stop::Done)
    }

    /// Fourth, check the SYN bit: RFC 5961 4.2. (The third step, security, is not ours.)
    fn check_syn(&mut self, now: Instant, segment: &Segment<'_>) -> Result<(), Stop> {
        if !segment.has(Flags::SYN) || self.crosses(segment) {
            return Ok(());
        }
        self.challenge(now);
        Err(Stop::Drop(DropReason::UnexpectedSyn))
    }

    /// Seventh, process the segment text.
    pub(super) fn take_text<'a>(
        &mut self,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Result<&'a [u8], Stop> {
        let (seq, text) = self.trim(segment);
        if segment.payload.is_empty() {
            return Ok(&[]);
        }
        if seq != segment.header.seq {
            self.note_duplicate(segment);
        }
        if !self.state.may_receive_text() && !self.pending.contains(Pending::FAST_OPEN) {
            // The peer has closed: what comes is old, or beyond its FIN.
            self.rcv.ack_due = AckDue::Now;
            return Err(Stop::Drop(DropReason::TextAfterClose));
        }
        if text.is_empty() {
            self.rcv.ack_due = AckDue::Now;
            return Ok(&[]);
        }
        // RFC 9293 3.10.4 and RFC 1122 4.2.2.13: nobody will read it, so the peer must know.
        if self.pending.contains(Pending::DETACHED) {
            self.enter_reset(CloseReason::Unread);
            return Err(Stop::Drop(DropReason::TextAfterClose));
        }
        self.accept_text(seq, text, pool)
    }

    /// Eighth, check the FIN bit.
    fn take_fin(&mut self, now: Instant, segment: &Segment<'_>) {
        if !self.state.may_receive_text() {
            return;
        }
        if segment.has(Flags::FIN) {
            self.rcv.note_fin(segment.end() - 1);
        }
        if !self.rcv.take_fin() {
            return;
        }
        self.pending.insert(Pending::PEER_CLOSED);
        match self.state {
            State::Established => self.state = State::CloseWait,
            // Our FIN is not acknowledged, or the fifth step had left FIN-WAIT-1.
            State::FinWait1 => self.state = State::Closing,
            _ => self.enter_time_wait(now),
        }
    }

    /// The part of the text that is new and inside the window: RFC 9293 3.10.7.4.
    fn trim<'a>(&self, segment: &Segment<'a>) -> (SeqNum, &'a [u8]) {
        let text = segment.payload;
        let seq = segment.header.seq;
        let old = (self.rcv.nxt.bytes_since(seq) as usize).min(text.len());
        let start = seq + old as u32;
        let room = self.rcv.text_limit().bytes_since(start) as usize;
        let new = &text[old..];
        (start, &new[..new.len().min(room)])
    }

    /// Answers a segment that is not acceptable with an ACK: at once when it is text sent again,
    /// whose ACK was lost, and else as a challenge, so that no two ACKs answer each other for ever.
    fn answer_unacceptable(&mut self, now: Instant, segment: &Segment<'_>) {
        if self.is_sent_again(segment) {
            self.rcv.ack_due = AckDue::Now;
            self.note_duplicate(segment);
        } else {
            self.challenge(now);
        }
    }

    /// What of the segment's text came before: RFC 2883 4.
    fn note_duplicate(&mut self, segment: &Segment<'_>) {
        let left = segment.header.seq;
        let end = left + segment.payload.len() as u32;
        self.rcv.note_duplicate(SeqRange {
            left,
            right: end.earliest(self.rcv.nxt),
        });
    }

    /// Whether it is text or FIN that was taken before.
    fn is_sent_again(&self, segment: &Segment<'_>) -> bool {
        !segment.has(Flags::SYN) && self.rcv.has_taken(segment.header.seq, segment.len())
    }

    /// A challenge ACK, unless one was sent lately: RFC 5961 7.
    pub(super) fn challenge(&mut self, now: Instant) {
        let last = self.liveness.challenged;
        if last == Instant::NEVER || now.since(last) >= CHALLENGE_ACK_INTERVAL {
            self.liveness.challenged = now;
            self.rcv.ack_due = AckDue::Now;
        }
    }

    fn arm_delayed_ack(&mut self, now: Instant) {
        if self.rcv.ack_due == AckDue::Delayed && !self.timers.is_armed(Timer::DelayedAck) {
            self.timers
                .arm(Timer::DelayedAck, now + self.config.delayed_ack);
        }
    }
}
