//! Recovery with SACK: RACK finds the losses (RFC 8985), a tail loss probe those that no ACK would
//! tell of (RFC 8985 7), PRR paces what is sent again (RFC 9937).

use std::time::Duration;

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::SackBlock;

use super::delivery::{Delivery, Departure};
use super::frto::{Frto, FrtoAck};
use super::prr::{Prr, PrrAck};
use super::rack::{Rack, Rtts};
use super::scoreboard::Scoreboard;
use super::sent_log::{Mark, SentSegment};
use super::{AckEvent, AckOutcome, Leaving, Phase, Progress, Report, RestingRecovery};
use crate::buffer::{BlockPool, PoolEmpty, SeqRange};
use crate::config::{RecoveryConfig, RecoveryFeatures};
use crate::limits::TAIL_PROBE_MIN;
use crate::time::Instant;

/// The state of recovery with SACK.
#[derive(Debug)]
pub(crate) struct SackRecovery {
    config: RecoveryConfig,
    phase: Phase,
    /// SND.NXT when the last loss was found: RecoveryPoint of RFC 6675 4.
    point: SeqNum,
    /// SND.NXT when the first report came of text behind a hole.
    reported_at: SeqNum,
    board: Scoreboard,
    rack: Rack,
    prr: Prr,
    delivery: Delivery,
    probe: Option<TailProbe>,
    /// SND.UNA when cwnd was last reduced: what was sent again is counted from there.
    undo_from: SeqNum,
    /// Segments sent again since and not told to have come twice; 0 when nothing can be undone.
    unexplained: u16,
    /// Whether other segments than the first in flight were sent again since.
    resent_others: bool,
    frto: Frto,
    /// When the timer expired last.
    timed_out_at: Instant,
}

/// A tail loss probe without an answer yet: TLP.end_seq and TLP.is_retrans of RFC 8985 7.
#[derive(Debug, Clone, Copy)]
struct TailProbe {
    end: SeqNum,
    resent: bool,
}

impl SackRecovery {
    pub(super) fn new(point: SeqNum, config: RecoveryConfig) -> Self {
        Self {
            config,
            phase: Phase::Open,
            point,
            reported_at: point,
            board: Scoreboard::default(),
            rack: Rack::default(),
            prr: Prr::default(),
            delivery: Delivery::default(),
            probe: None,
            undo_from: point,
            unexplained: 0,
            resent_others: false,
            frto: Frto::Off,
            timed_out_at: Instant::ZERO,
        }
    }

    pub(super) fn resume(una: SeqNum, config: RecoveryConfig, resting: RestingRecovery) -> Self {
        let probe = TailProbe {
            end: una,
            resent: true,
        };
        Self {
            rack: Rack::knowing(resting.reordering),
            probe: resting.probed.then_some(probe),
            ..Self::new(una, config)
        }
    }

    pub(super) fn rest(&self) -> Option<RestingRecovery> {
        self.is_calm().then_some(RestingRecovery {
            reordering: self.rack.reordering(),
            probed: self.probe.is_some(),
        })
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn in_flight(&self, flight: u32) -> u32 {
        self.board.in_flight(flight)
    }

    /// What may be in flight, in bytes: as PRR says in recovery, else cwnd.
    pub(super) fn window(&self, cwnd: u32) -> u32 {
        if self.phase == Phase::FastRecovery {
            self.prr.window()
        } else {
            cwnd
        }
    }

    pub(super) fn on_sent(
        &mut self,
        pool: &mut BlockPool,
        range: SeqRange,
        leaving: Leaving,
    ) -> Result<(), PoolEmpty> {
        self.prr.on_sent(range.len());
        let alone = self.board.segments() == 0;
        let departure = self.depart(leaving, range.len(), alone);
        self.board.on_sent(pool, range, departure)
    }

    fn depart(&mut self, leaving: Leaving, bytes: u32, alone: bool) -> Departure {
        let lost = self.board.lost_bytes();
        let in_flight = leaving.in_flight.saturating_add(bytes);
        self.delivery.depart(leaving.now, in_flight, lost, alone)
    }

    pub(super) fn next_range(&mut self, pool: &BlockPool) -> Option<SeqRange> {
        if self.frto.holds() {
            return None;
        }
        self.board.next_lost(pool).map(|(_, segment)| segment.range)
    }

    /// Whether something counts as lost and was not sent again.
    pub(super) const fn has_missing(&self) -> bool {
        self.board.missing_bytes() > 0
    }

    /// The segment that [`next_range`](Self::next_range) named was sent again, up to `end`.
    pub(super) fn on_resent(&mut self, pool: &mut BlockPool, end: SeqNum, leaving: Leaving) {
        if let Some((index, segment)) = self.board.next_lost(pool) {
            let bytes = end.bytes_since(segment.range.left);
            self.prr.on_sent(bytes);
            let departure = self.depart(leaving, bytes, false);
            self.board.on_resent(pool, index, end, departure);
            self.unexplained = self.unexplained.saturating_add(1);
            self.resent_others |= index > 0;
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.is_calm() && self.probe.is_none()
    }

    fn is_calm(&self) -> bool {
        self.phase == Phase::Open
            && self.frto == Frto::Off
            && !self.board.has_holes()
            && !self.has_missing()
    }

    /// The end of [`on_ack`](Self::on_ack) of who is at rest and has nothing left in flight.
    pub(super) fn on_all_acked(
        &mut self,
        pool: &mut BlockPool,
        now: Instant,
        flight: SeqRange,
        rtts: Rtts,
    ) -> AckOutcome {
        let ack = flight.right;
        self.reported_at = ack;
        let arrivals = self.take_arrivals(pool, now, ack, rtts);
        self.rack.on_advance(ack);
        self.rack.look_anew();
        let lost = self.board.lost_bytes();
        let newest = arrivals.newest;
        AckOutcome {
            delivered: arrivals.delivered,
            longest: arrivals.longest,
            rtt: arrivals.rtt,
            rate: newest.map(|newest| self.delivery.sample(&newest, rtts.min, lost)),
            ..AckOutcome::default()
        }
    }

    /// What a cumulative ACK says has arrived.
    fn take_arrivals(
        &mut self,
        pool: &mut BlockPool,
        now: Instant,
        ack: SeqNum,
        rtts: Rtts,
    ) -> Arrivals {
        let mut arrivals = Arrivals {
            now,
            timed_out_at: self.timed_out_at,
            min_rtt: rtts.min,
            ..Arrivals::default()
        };
        let (rack, delivery) = (&mut self.rack, &mut self.delivery);
        self.board.on_cumulative_ack(pool, ack, |segment| {
            arrivals.note(segment, rack, delivery);
        });
        if arrivals.ambiguous {
            // RFC 6298 3: the others may have waited behind the hole that was filled now.
            arrivals.rtt = None;
        }
        arrivals
    }

    pub(super) fn on_ack(&mut self, pool: &mut BlockPool, event: &AckEvent) -> AckOutcome {
        let &AckEvent {
            now,
            ack,
            flight,
            rtts,
            ..
        } = event;
        if !self.board.has_holes() || ack.after(flight.left) {
            self.reported_at = flight.right;
        }
        let mut arrivals = self.take_arrivals(pool, now, ack, rtts);
        let (rack, delivery) = (&mut self.rack, &mut self.delivery);
        let una = flight.left.latest(ack);
        let mut twice = None;
        for (nth, block) in event.blocks.as_slice().iter().enumerate() {
            let enclosing = event.blocks.as_slice().get(1);
            if nth == 0 && is_duplicate(block, event.said, enclosing) {
                twice = Some(block);
            } else if is_plausible(block, una, flight.right) {
                self.board.on_sack(pool, *block, |segment| {
                    arrivals.note(segment, rack, delivery);
                });
            }
        }
        self.rack.on_advance(una);
        let twice = twice.filter(|_| self.config.uses(RecoveryFeatures::DSACK));
        if twice.is_some() {
            self.rack.on_duplicate(flight.right);
        }
        let spurious = twice.is_some_and(|block| self.explain(block));
        let late = self.frto.on_ack(FrtoAck {
            tells: ack.after(flight.left) || event.is_duplicate || arrivals.delivered > 0,
            advances: ack.after(flight.left),
            covers_all: ack.at_or_after(self.point),
            original: arrivals.original,
            can_send: event.can_send,
        });
        let mut outcome = self.conclude_probe(event, twice.is_some());
        (outcome.delivered, outcome.longest) = (arrivals.delivered, arrivals.longest);
        outcome.rtt = arrivals.rtt;
        if late {
            self.undo(pool);
            outcome.undo = true;
        } else if self.phase != Phase::Open && ack.at_or_after(self.point) {
            outcome.progress = self.finish();
        }
        self.look_for_losses(pool, event, &mut outcome);
        let lost = self.board.lost_bytes();
        let newest = arrivals.newest;
        outcome.rate = newest.map(|newest| self.delivery.sample(&newest, rtts.min, lost));
        if spurious && !outcome.found_loss {
            outcome.undo = true;
            self.phase = Phase::Open;
        }
        outcome
    }

    /// The reordering timer expired: what was given time counts as lost now.
    pub(super) fn on_reordering_timeout(
        &mut self,
        pool: &mut BlockPool,
        event: &AckEvent,
    ) -> AckOutcome {
        let mut outcome = AckOutcome::default();
        self.look_for_losses(pool, event, &mut outcome);
        outcome
    }

    /// After congestion control has heard of the ACK: what PRR lets go (RFC 9937 6).
    pub(super) fn pace(&mut self, ack: &PrrAck) {
        if self.phase == Phase::FastRecovery {
            self.prr.on_ack(ack);
        }
    }

    /// The retransmission timer expired: RFC 8985 6.3. Whether for the first time.
    pub(super) fn on_timeout(
        &mut self,
        pool: &mut BlockPool,
        now: Instant,
        flight: SeqRange,
        rtts: Rtts,
    ) -> bool {
        let first = self.phase != Phase::Loss;
        if self.phase == Phase::Open {
            self.count_from(flight.left);
        }
        self.frto
            .on_timeout(first && self.config.uses(RecoveryFeatures::F_RTO));
        self.timed_out_at = now;
        self.phase = Phase::Loss;
        self.point = flight.right;
        self.probe = None;
        if self
            .board
            .get(pool, 0)
            .is_some_and(|segment| segment.is(Mark::SACKED))
        {
            // RFC 2018 8: it has thrown away what it said it had.
            self.board.forget_sacks(pool);
        }
        let window = self.rack.reordering_window(rtts, true);
        let patience = self.rack.patience(window);
        self.board.mark_all_lost(pool, |index, segment| {
            index == 0 || now.since(segment.departure.at) >= patience
        });
        first
    }

    /// All in flight that is longer than `fits` bytes is to be sent again.
    pub(super) fn resend_longer(&mut self, pool: &mut BlockPool, fits: u32) {
        self.board
            .mark_all_lost(pool, |_, segment| segment.range.len() > fits);
    }

    /// Whether a tail loss probe makes sense: nothing else would tell of a loss.
    pub(super) fn may_probe(&self) -> bool {
        self.config.uses(RecoveryFeatures::TAIL_PROBE)
            && self.phase == Phase::Open
            && self.probe.is_none()
            && !self.board.has_holes()
    }

    /// How many segments are in flight.
    pub(super) fn segments(&self) -> u32 {
        self.board.segments()
    }

    /// The last segment in flight, to be sent again as a probe.
    pub(super) fn last(&self, pool: &BlockPool) -> Option<SeqRange> {
        let last = self.board.segments().checked_sub(1)?;
        self.board.get(pool, last).map(|segment| segment.range)
    }

    /// A tail loss probe was sent: new text, or the last segment once more.
    pub(super) fn on_probe(&mut self, pool: &mut BlockPool, nxt: SeqNum, resent: Option<Leaving>) {
        if let (Some(leaving), Some(last)) = (resent, self.board.segments().checked_sub(1)) {
            let departure = self.depart(leaving, 0, false);
            self.board.on_resent(pool, last, nxt, departure);
        }
        self.probe = Some(TailProbe {
            end: nxt,
            resent: resent.is_some(),
        });
    }

    /// The application has nothing more to send, with `in_flight` bytes in the network.
    pub(super) fn on_app_limited(&mut self, in_flight: u32) {
        self.delivery.on_app_limited(in_flight);
    }

    /// What the peer has, and what counts as lost, in bytes; and the rate of delivery.
    pub(super) fn report(&self, rtts: Rtts) -> Report {
        let (rate, app_limited) = self.delivery.rate();
        Report {
            sacked: self.board.sacked_bytes(),
            lost: self.board.missing_bytes(),
            delivery_rate: rate,
            app_limited,
            reordering_window: self.rack.window_seen(rtts),
        }
    }

    /// The last segment in flight is a window probe.
    pub(super) fn on_window_probe(&mut self, pool: &mut BlockPool) {
        if let Some(last) = self.board.segments().checked_sub(1) {
            self.board.mark_ambiguous(pool, last);
        }
    }

    /// cwnd is reduced: what is sent again from now on counts.
    fn count_from(&mut self, una: SeqNum) {
        self.undo_from = una;
        self.unexplained = 0;
        self.resent_others = false;
    }

    pub(super) const fn forget_undo(&mut self) {
        self.unexplained = 0;
    }

    pub(super) const fn resent_only_first(&self) -> bool {
        !self.resent_others
    }

    /// What counts as lost was only late.
    pub(super) fn undo(&mut self, pool: &mut BlockPool) {
        self.phase = Phase::Open;
        self.frto = Frto::Off;
        self.unexplained = 0;
        self.rack.forget_arrivals();
        self.board.forget_losses(pool);
    }

    pub(super) fn clear(&mut self, pool: &mut BlockPool) {
        self.board.clear(pool);
    }

    /// The peer got `block` twice. Whether all that was sent again since cwnd was reduced now
    /// proves to have been needless (RFC 2883 5, RFC 3708 3).
    fn explain(&mut self, block: &SackBlock) -> bool {
        if self.unexplained == 0 || block.left.before(self.undo_from) {
            return false;
        }
        self.unexplained -= 1;
        self.unexplained == 0
    }

    /// RFC 8985 7.4.2: whether the probe repaired a loss that nothing else told of.
    fn conclude_probe(&mut self, event: &AckEvent, duplicate: bool) -> AckOutcome {
        let mut outcome = AckOutcome::default();
        let Some(probe) = self.probe.filter(|probe| event.ack.at_or_after(probe.end)) else {
            return outcome;
        };
        let advances = event.ack.after(event.flight.left);
        let repaired = probe.resent && !duplicate && event.ack.after(probe.end);
        // One copy may still be under way, and its DSACK: the next ACK tells.
        let undecided = probe.resent && !duplicate && advances && !repaired;
        if !undecided {
            self.probe = None;
        }
        if repaired {
            outcome.loss = Some(event.flight.len());
        }
        outcome
    }

    fn look_for_losses(
        &mut self,
        pool: &mut BlockPool,
        event: &AckEvent,
        outcome: &mut AckOutcome,
    ) {
        if self.board.segments() == 0 {
            // Nothing is left that could be.
            return self.rack.look_anew();
        }
        let in_recovery = self.phase != Phase::Open;
        let sacked = self.board.sacked_bytes() / event.smss.max(1);
        let certain = in_recovery || sacked >= self.config.reordering.into();
        let window = self.rack.reordering_window(event.rtts, certain);
        let una = event.flight.left.latest(event.ack);
        let flight = event.flight.right.bytes_since(una);
        let before = self.board.in_flight(flight);
        outcome.wait = self.rack.detect(event.now, pool, &mut self.board, window);
        let in_flight = self.board.in_flight(flight);
        outcome.newly_lost = before.saturating_sub(in_flight);
        outcome.found_loss = in_flight < before;
        if outcome.found_loss && self.phase == Phase::Open {
            self.phase = Phase::FastRecovery;
            self.point = event.flight.right;
            let probed = self.probe.take().is_some_and(|probe| probe.resent);
            // RFC 9937 6: what was reported before this ACK does not arrive in the recovery.
            let recover_fs = flight + outcome.delivered;
            let recover_fs = recover_fs.saturating_sub(self.board.sacked_bytes());
            self.prr = Prr::begin(recover_fs, in_flight, event.smss);
            self.count_from(una);
            // The copy that was the probe may have come twice as well.
            self.unexplained = u16::from(probed);
            outcome.loss = Some(flight.saturating_sub(self.limited_transmit(event.flight.right)));
        }
    }

    /// Bytes that left only because others were reported. FlightSize is without them: RFC 5681 3.2
    /// step 2, RFC 6675 5 (4.2).
    fn limited_transmit(&self, nxt: SeqNum) -> u32 {
        nxt.bytes_since(self.reported_at)
            .min(self.board.sacked_bytes())
    }

    fn finish(&mut self) -> Progress {
        let from = std::mem::replace(&mut self.phase, Phase::Open);
        self.rack.on_recovered();
        if from == Phase::FastRecovery {
            Progress::Recovered
        } else {
            Progress::Repaired
        }
    }
}

/// What an ACK says has arrived, and had not before.
#[derive(Debug, Default)]
struct Arrivals {
    now: Instant,
    timed_out_at: Instant,
    /// The least round trip so far, in microseconds.
    min_rtt: u32,
    /// Bytes of it, and of its longest segment.
    delivered: u32,
    longest: u32,
    /// The round-trip time of what was sent last of that, in microseconds, unless it is ambiguous.
    rtt: Option<u32>,
    /// Whether some of it was sent more than once.
    ambiguous: bool,
    /// Whether some of it was sent once, before the last time-out.
    original: bool,
    /// How the newest of it left.
    newest: Option<Departure>,
}

impl Arrivals {
    fn note(&mut self, segment: &SentSegment, rack: &mut Rack, delivery: &mut Delivery) {
        let (now, departure) = (self.now, &segment.departure);
        rack.on_arrival(now, segment, self.min_rtt);
        delivery.on_arrival(now, departure, segment.range.len(), &mut self.newest);
        self.delivered += segment.range.len();
        self.longest = segment.range.len().max(self.longest);
        if segment.is(Mark::AMBIGUOUS) {
            self.ambiguous = true;
        } else {
            self.rtt = Some(now.micros_since(departure.at));
            self.original |= departure.at < self.timed_out_at;
        }
    }
}

/// RFC 2883 4: a first block below the cumulative ACK, or inside of the second, tells what came
/// twice.
fn is_duplicate(block: &SackBlock, una: SeqNum, second: Option<&SackBlock>) -> bool {
    let inside = |outer: &SackBlock| {
        block.left.at_or_after(outer.left) && block.right.at_or_before(outer.right)
    };
    block.left.before(block.right) && (block.left.before(una) || second.is_some_and(inside))
}

/// Whether a block tells of something that is in flight: the peer may say anything.
fn is_plausible(block: &SackBlock, una: SeqNum, nxt: SeqNum) -> bool {
    block.left.before(block.right)
        && block.left.at_or_after(una)
        && block.right.after(una)
        && block.right.at_or_before(nxt)
}

/// How long to wait for an ACK before the end of the flight is probed: RFC 8985 7.2.
pub(super) fn probe_timeout(srtt: u32, segments: u32, ack_delay: Duration) -> Duration {
    let round_trips = Duration::from_micros(2 * u64::from(srtt));
    // One segment alone: the peer may be waiting for a second.
    let delay = if segments == 1 {
        ack_delay
    } else {
        Duration::ZERO
    };
    (round_trips + delay).max(TAIL_PROBE_MIN.duration())
}
