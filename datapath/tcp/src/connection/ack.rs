//! The fifth step of SEGMENT ARRIVES, check the ACK field: RFC 9293 3.10.7.4.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, SackBlock, SackBlocks, Segment, WindowScale};

use super::verdict::Stop;
use super::{CloseReason, Connection, DropReason, Pending};
use crate::buffer::BlockPool;
use crate::config::RecoveryFeatures;
use crate::congestion::{AckSample, DeliverySample};
use crate::limits::{HALF_CLOSED_IDLE, PEER_ACK_DELAY};
use crate::recovery::{AckEvent, AckOutcome, Phase, Progress, PrrAck};
use crate::reset;
use crate::snd::Fin;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    pub(super) fn check_ack(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        pool: &mut BlockPool,
    ) -> Result<(), Stop> {
        if !segment.has(Flags::ACK) {
            return Err(Stop::Drop(DropReason::NoAck));
        }
        let ack = segment.header.ack;
        if self.state == State::SynReceived {
            self.check_ack_in_syn_received(now, segment, pool)?;
        }
        if !self.snd.may_acknowledge(ack) {
            self.challenge(now);
            return Err(Stop::Drop(DropReason::UnacceptableAck));
        }
        let window = self.window_of(segment);
        self.on_ack(now, segment, window, pool);
        self.heed_echo(segment);
        // What an old ACK says of the window counts from where SND.UNA was.
        if ack == self.snd.una && self.snd.update_window(segment.header.seq, ack, window) {
            self.on_window_change(now, pool);
        }
        if self.timers.is_armed(Timer::Persist) {
            // RFC 9293 3.8.6.1 (MUST-37): the peer answers, so the connection stays.
            self.liveness.unanswered = Instant::NEVER;
        }
        self.check_fin_acked(now)
    }

    /// SEG.WND in bytes. The window of a SYN is never scaled: RFC 7323 2.2.
    pub(super) fn window_of(&self, segment: &Segment<'_>) -> u32 {
        let scale = if segment.has(Flags::SYN) {
            WindowScale::default()
        } else {
            self.negotiated.snd_scale
        };
        scale.bytes(segment.header.window)
    }

    fn check_ack_in_syn_received(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        pool: &mut BlockPool,
    ) -> Result<(), Stop> {
        let ack = segment.header.ack;
        if ack.at_or_before(self.snd.una) || ack.after(self.snd.nxt) {
            return Err(reset::reply_to(segment).map_or(Stop::Done, Stop::Reply));
        }
        let window = self.window_of(segment);
        self.snd.set_window(segment.header.seq, ack, window);
        self.complete_open(now, ack, pool);
        if self.snd.fin == Fin::Queued {
            // The application closed before the handshake was over.
            self.state = State::FinWait1;
        }
        Ok(())
    }

    /// What an acceptable ACK says of our text: recovery first, then congestion control.
    fn on_ack(&mut self, now: Instant, segment: &Segment<'_>, window: u32, pool: &mut BlockPool) {
        let ack = segment.header.ack.latest(self.snd.una);
        let flight = self.snd.flight();
        if flight.is_empty() {
            return;
        }
        let advances = ack.after(flight.left);
        let phase = self.recovery.phase();
        let event = AckEvent {
            ack,
            said: segment.header.ack,
            is_duplicate: self.is_duplicate_ack(segment, window),
            blocks: segment.header.options.sack,
            can_send: self.could_send((ack + window).bytes_since(self.snd.nxt)),
            ..self.look(now)
        };
        let mut outcome = self.recovery.on_ack(pool, &event);
        outcome.marked = self.is_echo(segment);
        if advances {
            self.sample_rtt(now, segment, outcome.rtt);
            outcome.undo |= self.detect_spurious(phase, segment, pool);
            if outcome.undo && phase == Phase::Loss {
                self.rtt.on_spurious_timeout();
            }
        }
        self.path.on_arrived(outcome.longest + self.options_len());
        if advances {
            self.on_new_ack(now, ack, pool);
        }
        self.heed(now, &outcome, advances);
        self.offer_room();
        if outcome.found_loss {
            self.doubt_path(now, pool);
        }
    }

    pub(super) fn on_new_ack(&mut self, now: Instant, ack: SeqNum, pool: &mut BlockPool) {
        let queued = self.snd.queued();
        self.snd.acknowledge(pool, ack);
        self.path.on_ack(ack);
        self.counts.bytes_acked += u64::from(queued - self.snd.queued());
        self.liveness.retries = 0;
        self.liveness.stalled = Instant::NEVER;
        self.liveness.unanswered = Instant::NEVER;
        // RFC 6298 5.2, 5.3.
        if self.snd.una == self.snd.nxt {
            self.timers.disarm(Timer::Retransmit);
            if self.snd.wnd > 0 || self.snd.unsent() == 0 {
                // The override of silly-window avoidance has done its work.
                self.timers.disarm(Timer::Persist);
                self.pending.remove(Pending::PROBE);
            }
        } else if !self.timers.is_armed(Timer::Persist) {
            self.arm_retransmit(now);
        }
    }

    /// What there is to see for recovery when no ACK came.
    fn look(&self, now: Instant) -> AckEvent {
        let smss = u32::from(self.effective_mss());
        AckEvent {
            now,
            ack: self.snd.una,
            said: self.snd.una,
            flight: self.snd.flight(),
            is_duplicate: false,
            blocks: SackBlocks::default(),
            can_send: self.could_send(self.snd.usable()),
            smss,
            rtts: self.rtt.rtts(),
        }
    }

    /// Whether there is a new segment for `room` bytes of window.
    fn could_send(&self, room: u32) -> bool {
        let smss = u32::from(self.effective_mss());
        self.snd.unsent() >= smss && room >= smss
    }

    /// RFC 8985 6.3: what was given time for reordering is lost.
    pub(super) fn on_reordering_timeout(&mut self, now: Instant, pool: &mut BlockPool) {
        let event = self.look(now);
        let outcome = self.recovery.on_reordering_timeout(pool, &event);
        self.heed(now, &outcome, false);
        if outcome.found_loss {
            self.doubt_path(now, pool);
        }
    }

    /// Does what recovery concluded.
    fn heed(&mut self, now: Instant, outcome: &AckOutcome, advances: bool) {
        let flight = self.snd.flight().len();
        if let Some(flight_size) = outcome.loss {
            self.congestion.on_loss(flight_size);
            self.ecn.on_reduced(self.snd.nxt);
        }
        if outcome.undo {
            self.congestion.undo();
        }
        let sample = self.sample(now, outcome);
        if outcome.progress == Progress::Repaired {
            self.congestion.on_repaired();
        }
        match outcome.progress {
            Progress::Recovered if outcome.undo => {}
            Progress::Recovered => {
                let smss = u32::from(self.effective_mss());
                let limit = self.recovery.cwnd_at_end(flight, smss);
                self.congestion.on_recovered(limit);
            }
            // RFC 3042 2: what a duplicate ACK reports lets new text go, and does not grow cwnd.
            Progress::Normal | Progress::Repaired
                if self.recovery.phase() != Phase::FastRecovery && advances =>
            {
                self.congestion.on_ack(&sample);
            }
            Progress::Normal | Progress::Repaired | Progress::Recovering => {}
        }
        self.tell_delivery(sample, outcome);
        self.recovery.pace(&PrrAck {
            delivered: outcome.delivered,
            in_flight: self.recovery.in_flight(flight),
            ssthresh: self.congestion.recovery_target(),
            smss: u32::from(self.effective_mss()),
            safe: advances && !outcome.found_loss,
        });
        self.timers.disarm(Timer::Reordering);
        if !outcome.wait.is_zero() {
            self.timers.arm(Timer::Reordering, now + outcome.wait);
        }
        self.arm_tail_probe(now);
    }

    /// An ACK as congestion control sees it.
    pub(super) fn sample(&self, now: Instant, outcome: &AckOutcome) -> AckSample {
        AckSample {
            now,
            newly_acked: outcome.delivered,
            marked: outcome.marked,
            cwnd_limited: self.cwnd_use.is_limited(),
            paced: self.pacing_rate().is_some(),
            rtt: outcome.rtt,
            srtt: self.rtt.srtt(),
            ack: self.snd.una,
            nxt: self.snd.nxt,
        }
    }

    /// A model of the path hears of every arrival.
    pub(super) fn tell_delivery(&mut self, ack: AckSample, outcome: &AckOutcome) {
        let Some(rate) = outcome.rate else {
            if outcome.newly_lost > 0 {
                self.congestion.on_silent_loss();
            }
            return;
        };
        self.congestion.on_delivery(&DeliverySample {
            ack,
            rate,
            newly_lost: outcome.newly_lost,
            in_flight: self.recovery.in_flight(self.snd.flight().len()),
            recovering: self.recovery.phase() != Phase::Open,
        });
    }

    /// RFC 8985 7.2: the end of the flight is probed when that is sooner than a time-out.
    pub(super) fn arm_tail_probe(&mut self, now: Instant) {
        self.timers.disarm(Timer::TailProbe);
        self.pending.remove(Pending::TAIL_PROBE);
        if self.snd.una == self.snd.nxt || !self.timers.is_armed(Timer::Retransmit) {
            return;
        }
        let delay = PEER_ACK_DELAY.duration();
        let after = self.recovery.probe_timeout(self.rtt.srtt(), delay);
        if let Some(at) = after.map(|after| now + after)
            && at < self.timers.deadline(Timer::Retransmit)
        {
            self.timers.arm(Timer::TailProbe, at);
        }
    }

    /// The segment that was timed gives the finest sample, be it by the log or by itself; after a
    /// retransmission only the echoed timestamp can tell (RFC 7323 4.1).
    pub(super) fn sample_rtt(&mut self, now: Instant, segment: &Segment<'_>, logged: Option<u32>) {
        let timed = self.rtt.take_sample(now, segment.header.ack);
        let echoed = || {
            let echo = self.echo_of(segment)?;
            let millis = self.negotiated.ts_now(now).wrapping_sub(echo);
            let plausible = echo != 0 && millis < 600_000;
            let retransmitted = self.liveness.retries > 0 || self.recovery.phase() == Phase::Loss;
            (plausible && retransmitted).then(|| millis.max(1) * 1_000)
        };
        // Without a sample the back-off stays: RFC 6298 5.
        if let Some(rtt) = logged.or(timed).or_else(echoed) {
            // RFC 7323 4.2: the samples of one window weigh as much as one.
            let flight = self.snd.flight();
            let acked = segment.header.ack.bytes_since(flight.left);
            let share = acked as f32 / flight.len().max(1) as f32;
            self.rtt.on_sample(rtt.max(1), share);
        }
    }

    /// TSecr of a segment, where timestamps were agreed upon.
    fn echo_of(&self, segment: &Segment<'_>) -> Option<u32> {
        let timestamps = segment.header.options.timestamps?;
        self.negotiated.timestamps().then_some(timestamps.echo)
    }

    /// Eifel detection, RFC 3522 3.2: the first ACK after a retransmission echoes an earlier
    /// timestamp, so that the first copy has arrived. Whether what was sent again was only late.
    fn detect_spurious(
        &mut self,
        phase: Phase,
        segment: &Segment<'_>,
        pool: &mut BlockPool,
    ) -> bool {
        let eifel = self.config.recovery.uses(RecoveryFeatures::EIFEL);
        let Some(resent) = self
            .resent_ts
            .take()
            .filter(|_| eifel && phase != Phase::Open)
        else {
            return false;
        };
        let earlier = |echo: u32| echo != 0 && echo.wrapping_sub(resent).cast_signed() < 0;
        // What else was sent again may have been lost.
        let alone = self.recovery.resent_only_first();
        let spurious = alone && self.echo_of(segment).is_some_and(earlier);
        if spurious {
            self.recovery.undo(pool);
        }
        spurious
    }

    /// RFC 5681 2: the definition of a duplicate acknowledgment. One that says by SACK what else
    /// arrived may change the window too (RFC 6675 2).
    fn is_duplicate_ack(&self, segment: &Segment<'_>, window: u32) -> bool {
        let blocks = segment.header.options.sack;
        let beyond = |block: &SackBlock| block.left.after(self.snd.una);
        let sacks = self.negotiated.sack && blocks.as_slice().iter().any(beyond);
        segment.header.ack == self.snd.una
            && self.snd.una != self.snd.nxt
            && segment.is_empty()
            && (window == self.snd.wnd || sacks)
            && !self.timers.is_armed(Timer::Persist)
    }

    /// A window that opens ends the probing. What was sent meanwhile the peer may have refused, be
    /// it a probe or all that was in flight when the window shrank.
    fn on_window_change(&mut self, now: Instant, pool: &mut BlockPool) {
        if self.snd.wnd == 0 || !self.timers.is_armed(Timer::Persist) {
            return;
        }
        self.timers.disarm(Timer::Persist);
        self.pending.remove(Pending::PROBE);
        self.liveness.retries = 0;
        self.liveness.stalled = Instant::NEVER;
        self.liveness.unanswered = Instant::NEVER;
        self.rtt.restore();
        if self.snd.una != self.snd.nxt {
            self.recovery.resend_all(pool, self.snd.flight());
            self.arm_retransmit(now);
        }
    }

    /// FIN-WAIT-1, CLOSING and LAST-ACK wait for our FIN to be acknowledged.
    fn check_fin_acked(&mut self, now: Instant) -> Result<(), Stop> {
        if self.snd.fin != Fin::Acked {
            return Ok(());
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                self.arm_fin_wait_2(now);
                Ok(())
            }
            State::Closing => {
                self.enter_time_wait(now);
                Ok(())
            }
            State::LastAck => {
                self.enter_closed(CloseReason::Finished);
                Err(Stop::Done)
            }
            _ => Ok(()),
        }
    }

    /// FIN-WAIT-2 must not last for ever; while somebody reads, it lasts as long as the peer talks.
    pub(super) fn arm_fin_wait_2(&mut self, now: Instant) {
        let detached = self.pending.contains(Pending::DETACHED);
        let span = if detached {
            self.config.fin_wait_2
        } else {
            HALF_CLOSED_IDLE
        };
        self.timers.arm(Timer::Linger, now + span);
    }
}
