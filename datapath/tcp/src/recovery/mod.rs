//! Which text to send again. With SACK: RACK-TLP (RFC 8985) and PRR (RFC 9937); without: NewReno
//! (RFC 6582).

mod delivery;
mod frto;
mod new_reno;
mod prr;
mod rack;
mod sack;
mod scoreboard;
mod sent_log;
#[cfg(test)]
mod tests;

pub(crate) use delivery::RateSample;
pub(crate) use prr::PrrAck;
pub(crate) use rack::Rtts;

use std::time::Duration;

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::SackBlocks;

use crate::buffer::{BlockPool, PoolEmpty, SeqRange};
use crate::config::RecoveryConfig;
use crate::time::Instant;
use new_reno::NewReno;
use rack::Reordering;
use sack::SackRecovery;

/// What must be known of a recovery when nothing is in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RestingRecovery {
    reordering: Reordering,
    /// Whether the last segment went again as a tail loss probe, and the next ACK will tell why it
    /// was acknowledged.
    probed: bool,
}

/// Where a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// ACKs told of a loss.
    FastRecovery,
    /// The retransmission timer told of it.
    Loss,
}

impl Phase {
    /// The name that `ss` gives it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FastRecovery => "recovery",
            Self::Loss => "loss",
        }
    }
}

/// What an ACK means for congestion control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Progress {
    /// No fast recovery was going on.
    #[default]
    Normal,
    /// One goes on.
    Recovering,
    /// All that was in flight at the loss has arrived.
    Recovered,
    /// All that was in flight at the time-out has.
    Repaired,
}

/// An ACK, or a look at the clock, as recovery sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckEvent {
    pub(crate) now: Instant,
    /// SEG.ACK.
    pub(crate) ack: SeqNum,
    /// SEG.ACK as it was said, which may be older than SND.UNA.
    pub(crate) said: SeqNum,
    /// SND.UNA before it, and SND.NXT.
    pub(crate) flight: SeqRange,
    /// Whether RFC 5681 2 calls it a duplicate.
    pub(crate) is_duplicate: bool,
    pub(crate) blocks: SackBlocks,
    /// Whether there is new text to send, and room for it.
    pub(crate) can_send: bool,
    /// SMSS in bytes.
    pub(crate) smss: u32,
    pub(crate) rtts: Rtts,
}

/// What recovery concluded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AckOutcome {
    /// Bytes that arrived and had not before.
    pub(crate) delivered: u32,
    /// The longest segment of those, in bytes.
    pub(crate) longest: u32,
    /// The round-trip time of what was sent last of that, in microseconds, unless it is ambiguous.
    pub(crate) rtt: Option<u32>,
    /// FlightSize, when a loss was found that congestion control must hear of.
    pub(crate) loss: Option<u32>,
    /// Whether the ACK echoes a mark of the network: set by who knows whether that counts.
    pub(crate) marked: bool,
    /// Bytes that count as lost now and did not before.
    pub(crate) newly_lost: u32,
    /// What it says of the path's rate, with SACK.
    pub(crate) rate: Option<RateSample>,
    /// Whether more counts as lost than before.
    pub(crate) found_loss: bool,
    /// Whether the last reduction of cwnd proved to be for nothing.
    pub(crate) undo: bool,
    pub(crate) progress: Progress,
    /// When to look again whether more is lost; zero for never.
    pub(crate) wait: Duration,
}

/// The moment when a segment leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    pub(crate) now: Instant,
    /// Bytes in the network, without it.
    pub(crate) in_flight: u32,
}

/// What a report says of recovery.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report {
    /// Bytes that the peer has beyond the cumulative ACK.
    pub(crate) sacked: u32,
    /// Bytes that count as lost and were not sent again since.
    pub(crate) lost: u32,
    /// Bytes per second that arrived lately, 0 where that is not known.
    pub(crate) delivery_rate: f32,
    /// Whether the application sets that pace.
    pub(crate) app_limited: bool,
    /// RACK.reo_wnd, where segments were overtaken.
    pub(crate) reordering_window: Option<Duration>,
}

/// Loss recovery of one connection.
#[derive(Debug)]
pub(crate) enum Recovery {
    NewReno(NewReno),
    Sack(SackRecovery),
}

impl Recovery {
    /// Before anything is sent; `sack` as agreed upon.
    pub(crate) fn new(iss: SeqNum, sack: bool, config: RecoveryConfig) -> Self {
        if sack {
            Self::Sack(SackRecovery::new(iss, config))
        } else {
            Self::NewReno(NewReno::new(iss, config))
        }
    }

    /// With SACK, of a connection of which nothing is in flight.
    pub(crate) fn resume(una: SeqNum, config: RecoveryConfig, resting: RestingRecovery) -> Self {
        Self::Sack(SackRecovery::resume(una, config, resting))
    }

    /// What must be known when nothing is in flight; `None` without SACK, or if more is.
    pub(crate) fn rest(&self) -> Option<RestingRecovery> {
        match self {
            Self::NewReno(_) => None,
            Self::Sack(r) => r.rest(),
        }
    }

    /// Whether the peer tells of what came behind a hole.
    pub(crate) const fn has_sack(&self) -> bool {
        matches!(self, Self::Sack(_))
    }

    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::NewReno(r) => r.phase(),
            Self::Sack(r) => r.phase(),
        }
    }

    /// An estimate of the bytes in the network, of `flight` = SND.NXT - SND.UNA.
    pub(crate) fn in_flight(&self, flight: u32) -> u32 {
        match self {
            Self::NewReno(r) => r.in_flight(flight),
            Self::Sack(r) => r.in_flight(flight),
        }
    }

    /// What may be in flight now, in bytes.
    pub(crate) fn window(&self, cwnd: u32) -> u32 {
        match self {
            Self::NewReno(_) => cwnd,
            Self::Sack(r) => r.window(cwnd),
        }
    }

    /// Text was sent for the first time.
    pub(crate) fn on_sent(
        &mut self,
        pool: &mut BlockPool,
        range: SeqRange,
        leaving: Leaving,
    ) -> Result<(), PoolEmpty> {
        match self {
            Self::NewReno(_) => Ok(()),
            Self::Sack(r) => r.on_sent(pool, range, leaving),
        }
    }

    /// The next range to send again, if any.
    pub(crate) fn next_range(&mut self, pool: &BlockPool) -> Option<SeqRange> {
        match self {
            Self::NewReno(r) => r.next_range(),
            Self::Sack(r) => r.next_range(pool),
        }
    }

    /// Whether there may be something to send again.
    pub(crate) fn is_resending(&self) -> bool {
        match self {
            Self::NewReno(r) => r.next_range().is_some(),
            Self::Sack(r) => r.has_missing(),
        }
    }

    /// What is to be sent again, where it is one range: for the invariants.
    pub(crate) fn resend_range(&self) -> Option<SeqRange> {
        match self {
            Self::NewReno(r) => r.next_range(),
            Self::Sack(_) => None,
        }
    }

    /// Whether `len` bytes may be sent again with `in_flight` in the network.
    pub(crate) fn may_resend(&self, in_flight: u32, len: u32, cwnd: u32) -> bool {
        let fits = in_flight == 0 || in_flight + len <= self.window(cwnd);
        match self {
            // RFC 6582: the fast retransmit goes at once.
            Self::NewReno(r) => fits || r.phase() != Phase::Loss,
            // The loss window counts segments: a small one under way must not hold back a full one.
            Self::Sack(r) => fits || (r.phase() == Phase::Loss && in_flight < cwnd),
        }
    }

    /// The range that [`next_range`](Self::next_range) named was sent again, up to `end`.
    pub(crate) fn on_resent(&mut self, pool: &mut BlockPool, end: SeqNum, leaving: Leaving) {
        match self {
            Self::NewReno(r) => r.on_resent(end),
            Self::Sack(r) => r.on_resent(pool, end, leaving),
        }
    }

    /// The application has nothing more to send, with `in_flight` bytes in the network.
    pub(crate) fn on_app_limited(&mut self, in_flight: u32) {
        if let Self::Sack(r) = self {
            r.on_app_limited(in_flight);
        }
    }

    /// What a report says of it; without SACK nothing is known.
    pub(crate) fn report(&self, rtts: Rtts) -> Report {
        match self {
            Self::NewReno(_) => Report::default(),
            Self::Sack(r) => r.report(rtts),
        }
    }

    /// An ACK that is acceptable.
    pub(crate) fn on_ack(&mut self, pool: &mut BlockPool, event: &AckEvent) -> AckOutcome {
        match self {
            Self::NewReno(r) => r.on_ack_event(event),
            Self::Sack(r) => r.on_ack(pool, event),
        }
    }

    /// Whether no loss, probe or time-out is on its mind, and the peer has reported nothing beyond
    /// SND.UNA. Without SACK it is never said.
    pub(crate) fn is_at_rest(&self) -> bool {
        match self {
            Self::NewReno(_) => false,
            Self::Sack(r) => r.is_at_rest(),
        }
    }

    /// As [`on_ack`](Self::on_ack), of an ACK of all in flight to who [is at
    /// rest](Self::is_at_rest).
    pub(crate) fn on_all_acked(
        &mut self,
        pool: &mut BlockPool,
        now: Instant,
        flight: SeqRange,
        rtts: Rtts,
    ) -> AckOutcome {
        match self {
            Self::NewReno(_) => {
                debug_assert!(false, "it is never at rest");
                AckOutcome::default()
            }
            Self::Sack(r) => r.on_all_acked(pool, now, flight, rtts),
        }
    }

    /// The reordering timer expired: RFC 8985 6.3.
    pub(crate) fn on_reordering_timeout(
        &mut self,
        pool: &mut BlockPool,
        event: &AckEvent,
    ) -> AckOutcome {
        match self {
            Self::NewReno(_) => AckOutcome::default(),
            Self::Sack(r) => r.on_reordering_timeout(pool, event),
        }
    }

    /// The most that cwnd may be when a fast recovery ends, in bytes, with `flight` bytes not
    /// acknowledged: without PRR no more than lets one segment go (RFC 6582 3.2 step 3).
    pub(crate) fn cwnd_at_end(&self, flight: u32, smss: u32) -> u32 {
        match self {
            Self::NewReno(_) => flight.max(smss).saturating_add(smss),
            // RFC 9937 6: ssthresh, which PRR has come near.
            Self::Sack(_) => u32::MAX,
        }
    }

    /// Congestion control has heard of the ACK: how much may go now.
    pub(crate) fn pace(&mut self, ack: &PrrAck) {
        if let Self::Sack(r) = self {
            r.pace(ack);
        }
    }

    /// Whether nothing but the first segment in flight was sent again in this recovery.
    pub(crate) fn resent_only_first(&self) -> bool {
        match self {
            Self::NewReno(_) => true,
            Self::Sack(r) => r.resent_only_first(),
        }
    }

    /// cwnd was reduced for another reason than a loss: that is not to be undone.
    pub(crate) fn forget_undo(&mut self) {
        if let Self::Sack(r) = self {
            r.forget_undo();
        }
    }

    /// What was sent again was only late (RFC 3522 3.2): it still is under way.
    pub(crate) fn undo(&mut self, pool: &mut BlockPool) {
        match self {
            Self::NewReno(r) => r.undo(),
            Self::Sack(r) => r.undo(pool),
        }
    }

    /// What was sent last was a window probe: its ACK says nothing of the path.
    pub(crate) fn on_window_probe(&mut self, pool: &mut BlockPool) {
        if let Self::Sack(r) = self {
            r.on_window_probe(pool);
        }
    }

    /// The retransmission timer expired. Whether this is the first time for this text.
    pub(crate) fn on_timeout(
        &mut self,
        pool: &mut BlockPool,
        now: Instant,
        flight: SeqRange,
        rtts: Rtts,
    ) -> bool {
        match self {
            Self::NewReno(r) => r.on_timeout(flight),
            Self::Sack(r) => r.on_timeout(pool, now, flight, rtts),
        }
    }

    /// Sends all in flight again without a word to congestion control: the peer had no room.
    pub(crate) fn resend_all(&mut self, pool: &mut BlockPool, flight: SeqRange) {
        match self {
            Self::NewReno(r) => r.resend_probe(flight),
            Self::Sack(r) => r.resend_longer(pool, 0),
        }
    }

    /// Sends again what is longer than `fits` bytes: the path does not carry it.
    pub(crate) fn resend_longer(&mut self, pool: &mut BlockPool, flight: SeqRange, fits: u32) {
        match self {
            Self::NewReno(r) => r.resend_probe(flight),
            Self::Sack(r) => r.resend_longer(pool, fits),
        }
    }

    /// When to probe the end of the flight: RFC 8985 7.2. `None` when no probe makes sense.
    pub(crate) fn probe_timeout(&self, srtt: u32, ack_delay: Duration) -> Option<Duration> {
        match self {
            Self::Sack(r) if r.may_probe() && srtt > 0 => {
                Some(sack::probe_timeout(srtt, r.segments(), ack_delay))
            }
            _ => None,
        }
    }

    /// Segments in flight that are remembered one by one.
    pub(crate) fn segments(&self) -> u32 {
        match self {
            Self::NewReno(_) => 0,
            Self::Sack(r) => r.segments(),
        }
    }

    /// The last segment in flight, for a probe.
    pub(crate) fn last(&self, pool: &BlockPool) -> Option<SeqRange> {
        match self {
            Self::NewReno(_) => None,
            Self::Sack(r) => r.last(pool),
        }
    }

    /// A tail loss probe was sent up to `nxt`; `resent` when it was old text, and when.
    pub(crate) fn on_probe(&mut self, pool: &mut BlockPool, nxt: SeqNum, resent: Option<Leaving>) {
        if let Self::Sack(r) = self {
            r.on_probe(pool, nxt, resent);
        }
    }

    /// Gives back every block.
    pub(crate) fn clear(&mut self, pool: &mut BlockPool) {
        if let Self::Sack(r) = self {
            r.clear(pool);
        }
    }
}
