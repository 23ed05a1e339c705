//! Which segments count as lost: RACK, RFC 8985 6.

use std::time::Duration;

use wirepath_wire::seq::SeqNum;

use super::scoreboard::Scoreboard;
use super::sent_log::{Mark, SentSegment};
use crate::buffer::BlockPool;
use crate::time::Instant;

/// Recoveries that the reordering window stays widened: RFC 8985 6.2 step 4.
const WIDENED_FOR: u8 = 16;

/// The state of RACK.
#[derive(Debug)]
pub(super) struct Rack {
    /// RACK.xmit_ts: when the segment was sent that was sent last of all that arrived.
    sent_at: Instant,
    /// RACK.end_seq: and where it ends.
    end: SeqNum,
    /// RACK.rtt in microseconds; `UNKNOWN` before the first arrival.
    rtt: u32,
    /// RACK.fack: the highest sequence number that arrived.
    highest: SeqNum,
    reordering: Reordering,
    /// Where the last look at the segments ended, when they were too many for one.
    looked_up_to: u32,
    /// And until when something before it waits.
    waits_until: Instant,
    /// RACK.dsack_round: duplicates below this widen the window no further.
    widen_round: Option<SeqNum>,
}

/// How much segments overtake each other on the path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reordering {
    /// RACK.reordering_seen.
    seen: bool,
    /// RACK.reo_wnd_mult less 1.
    widened: u8,
    /// RACK.reo_wnd_persist: recoveries left.
    persists: u8,
}

/// Segments looked at for one ACK: a peer must not be able to make each of its ACKs dear
/// (CVE-2019-11478).
const SEGMENTS_PER_LOOK: u32 = 128;
/// When the rest is looked at, if there were more.
const NEXT_LOOK: Duration = Duration::from_millis(1);

/// No round-trip time is known yet.
const UNKNOWN: u32 = u32::MAX;

impl Default for Rack {
    fn default() -> Self {
        Self {
            sent_at: Instant::ZERO,
            end: SeqNum::default(),
            rtt: UNKNOWN,
            highest: SeqNum::default(),
            reordering: Reordering::default(),
            looked_up_to: 0,
            waits_until: Instant::ZERO,
            widen_round: None,
        }
    }
}

/// Round-trip times that the reordering window is made of, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rtts {
    pub(crate) min: u32,
    pub(crate) smoothed: u32,
}

impl Rack {
    /// Before anything was sent, on a path of which this is known.
    pub(super) fn knowing(reordering: Reordering) -> Self {
        Self {
            reordering,
            ..Self::default()
        }
    }

    pub(super) const fn reordering(&self) -> Reordering {
        self.reordering
    }

    /// A segment arrived that had not before: RFC 8985 6.2 steps 1 to 3.
    pub(super) fn on_arrival(&mut self, now: Instant, segment: &SentSegment, min_rtt: u32) {
        let rtt = now.micros_since(segment.departure.at).min(UNKNOWN - 1);
        let ambiguous = segment.is(Mark::AMBIGUOUS);
        let first = self.rtt == UNKNOWN;
        if !first && !ambiguous && segment.range.right.before(self.highest) {
            self.reordering.seen = true;
        }
        self.highest = if self.rtt == UNKNOWN {
            segment.range.right
        } else {
            self.highest.latest(segment.range.right)
        };
        // What came back faster than the path allows answers an earlier copy.
        if ambiguous && rtt < min_rtt {
            return;
        }
        let end = segment.range.right;
        if self.rtt == UNKNOWN || is_sent_after(segment.departure.at, end, self.sent_at, self.end) {
            (self.sent_at, self.end, self.rtt) = (segment.departure.at, end, rtt);
        }
    }

    /// The peer got something twice: the window was too small (RFC 8985 6.2 step 4).
    pub(super) fn on_duplicate(&mut self, nxt: SeqNum) {
        if self.widen_round.is_none() {
            self.widen_round = Some(nxt);
            self.reordering.widened = self.reordering.widened.saturating_add(1);
            self.reordering.persists = WIDENED_FOR;
        }
    }

    /// What was taken for the arrival of a retransmission was that of the first copy.
    pub(super) fn forget_arrivals(&mut self) {
        self.rtt = UNKNOWN;
    }

    /// SND.UNA moves: a round that it passes is over.
    pub(super) fn on_advance(&mut self, una: SeqNum) {
        self.widen_round = self.widen_round.filter(|round| una.before(*round));
    }

    /// A recovery is over.
    pub(super) fn on_recovered(&mut self) {
        self.reordering.persists = self.reordering.persists.saturating_sub(1);
        if self.reordering.persists == 0 {
            self.reordering.widened = 0;
        }
    }

    /// Marks what is lost; the time until more may be, or zero (RFC 8985 6.2 step 5). Looks at so
    /// many segments a time, and goes on from there with the next ACK.
    pub(super) fn detect(
        &mut self,
        now: Instant,
        pool: &mut BlockPool,
        board: &mut Scoreboard,
        window: Duration,
    ) -> Duration {
        if self.rtt == UNKNOWN {
            return Duration::ZERO;
        }
        let patience = self.patience(window);
        let mut index = std::mem::take(&mut self.looked_up_to).min(board.segments());
        // What was looked at before may wait as well.
        let mut wait = match index {
            0 => Duration::ZERO,
            _ => self.waits_until.since(now),
        };
        for _ in 0..SEGMENTS_PER_LOOK {
            let Some(segment) = board.get(pool, index) else {
                return wait;
            };
            let before = is_sent_after(
                self.sent_at,
                self.end,
                segment.departure.at,
                segment.range.right,
            );
            if !before && !segment.is(Mark::AMBIGUOUS) {
                // Sent for the first time, and so were all that follow, later.
                return wait;
            }
            let elapsed = now.since(segment.departure.at);
            let pending = segment.is(Mark::LOST) && !segment.is(Mark::RESENT);
            if before && !pending && !segment.is(Mark::SACKED) {
                if elapsed >= patience {
                    board.mark_lost(pool, index, &segment);
                } else {
                    wait = wait.max(patience - elapsed);
                }
            }
            index = board.next_after(pool, index, &segment);
        }
        self.looked_up_to = index;
        self.waits_until = now + wait;
        // The rest is looked at soon, though no ACK comes.
        wait.max(NEXT_LOOK)
    }

    /// Nothing is in flight: the next look begins with the first segment.
    pub(super) fn look_anew(&mut self) {
        self.looked_up_to = 0;
    }

    /// RACK.reo_wnd: RFC 8985 6.2 step 4. `certain` in a recovery, or when DupThresh segments have
    /// overtaken what is missing.
    pub(super) fn reordering_window(&self, rtts: Rtts, certain: bool) -> Duration {
        if !self.reordering.seen && certain {
            return Duration::ZERO;
        }
        let quarters = u64::from(rtts.min / 4) * (u64::from(self.reordering.widened) + 1);
        Duration::from_micros(quarters.min(u64::from(rtts.smoothed)))
    }

    /// RACK.reo_wnd once reordering was seen; before that it is open only between recoveries.
    pub(super) fn window_seen(&self, rtts: Rtts) -> Option<Duration> {
        self.reordering
            .seen
            .then(|| self.reordering_window(rtts, true))
    }

    /// How long a segment may be without an answer before the timer may call it lost.
    pub(super) fn patience(&self, window: Duration) -> Duration {
        // Before anything arrived, the timer alone says.
        let rtt = if self.rtt == UNKNOWN { 0 } else { self.rtt };
        Duration::from_micros(u64::from(rtt)) + window
    }
}

/// RACK_sent_after: whether the first was sent after the second.
fn is_sent_after(at: Instant, end: SeqNum, other_at: Instant, other_end: SeqNum) -> bool {
    at > other_at || (at == other_at && end.after(other_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTTS: Rtts = Rtts {
        min: 20_000,
        smoothed: 22_000,
    };
    const QUARTER: Duration = Duration::from_millis(5);

    /// The peer got something twice in each of so many round trips.
    fn with_duplicates(rounds: u32) -> Rack {
        let mut rack = Rack::default();
        for end in 1..=rounds {
            rack.on_duplicate(SeqNum::new(end));
            rack.on_advance(SeqNum::new(end));
        }
        rack
    }

    #[test]
    fn the_window_of_reordering_is_wide_for_sixteen_recoveries() {
        let mut rack = with_duplicates(1);
        for _ in 0..15 {
            rack.on_recovered();
        }
        assert_eq!(rack.reordering_window(RTTS, false), 2 * QUARTER);
        rack.on_recovered();
        assert_eq!(rack.reordering_window(RTTS, false), QUARTER);
    }

    #[test]
    fn the_window_of_reordering_is_no_longer_than_the_smoothed_round_trip() {
        let window = |rounds| with_duplicates(rounds).reordering_window(RTTS, false);
        assert_eq!(window(3), 4 * QUARTER);
        assert_eq!(window(4), Duration::from_millis(22));
        assert_eq!(window(1_000), Duration::from_millis(22));
    }

    #[test]
    fn many_duplicates_of_one_round_trip_widen_it_once() {
        let mut rack = Rack::default();
        for _ in 0..5 {
            rack.on_duplicate(SeqNum::new(10));
            rack.on_advance(SeqNum::new(9));
        }
        assert_eq!(rack.reordering_window(RTTS, false), 2 * QUARTER);
    }
}
