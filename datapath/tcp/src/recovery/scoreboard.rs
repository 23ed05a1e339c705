//! What the peer has of the text in flight: RFC 6675 3, RFC 2018 5.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::SackBlock;

use super::delivery::Departure;
use super::sent_log::{Mark, SentLog, SentSegment};
use crate::buffer::{BlockPool, PoolEmpty, SeqRange, SeqRanges};

/// The segments in flight, with what is known of each, and the sums that follow.
#[derive(Debug, Default)]
pub(super) struct Scoreboard {
    log: SentLog,
    /// What was acknowledged selectively, so that no ACK is worked through twice.
    sacked: SeqRanges,
    /// Bytes acknowledged selectively.
    sacked_bytes: u32,
    /// Bytes that count as lost and were not sent again since.
    missing_bytes: u32,
    /// Bytes that ever counted as lost, modulo 2^32.
    lost_bytes: u32,
    /// No segment before this index is to be sent again.
    resend_from: u32,
    /// How far a lost segment was sent again that was too long to go in one piece.
    cut_at: Option<SeqNum>,
}

impl Scoreboard {
    /// Bytes in the network, of `flight` = SND.NXT - SND.UNA: pipe of RFC 6675 4.
    pub(super) fn in_flight(&self, flight: u32) -> u32 {
        flight
            .saturating_sub(self.sacked_bytes)
            .saturating_sub(self.missing_bytes)
    }

    /// Whether the peer lacks something before what it has.
    pub(super) const fn has_holes(&self) -> bool {
        self.sacked_bytes > 0
    }

    /// Bytes acknowledged selectively.
    pub(super) const fn sacked_bytes(&self) -> u32 {
        self.sacked_bytes
    }

    /// Bytes that count as lost and were not sent again since.
    pub(super) const fn missing_bytes(&self) -> u32 {
        self.missing_bytes
    }

    /// Bytes that ever counted as lost, modulo 2^32.
    pub(super) const fn lost_bytes(&self) -> u32 {
        self.lost_bytes
    }

    /// How many segments are in flight, or were.
    pub(super) fn segments(&self) -> u32 {
        self.log.len()
    }

    pub(super) fn get(&self, pool: &BlockPool, index: u32) -> Option<SentSegment> {
        self.log.get(pool, index)
    }

    /// A segment left for the first time.
    pub(super) fn on_sent(
        &mut self,
        pool: &mut BlockPool,
        range: SeqRange,
        departure: Departure,
    ) -> Result<(), PoolEmpty> {
        self.log.push(
            pool,
            &SentSegment {
                range,
                departure,
                mark: Mark::empty(),
            },
        )
    }

    /// Everything before `ack` has arrived; `each` is told every segment that had not before.
    pub(super) fn on_cumulative_ack(
        &mut self,
        pool: &mut BlockPool,
        ack: SeqNum,
        mut each: impl FnMut(&SentSegment),
    ) {
        while let Some(mut first) = self.log.get(pool, 0) {
            if first.range.left.at_or_after(ack) {
                break;
            }
            let whole = first.range.right.at_or_before(ack);
            let part = SeqRange {
                right: first.range.right.earliest(ack),
                ..first.range
            };
            self.subtract(&first, part.len());
            if !whole {
                first.range.left = ack;
                self.log.set(pool, 0, &first);
                break;
            }
            if !first.is(Mark::SACKED) {
                each(&first);
            }
            self.log.pop(pool);
            self.resend_from = self.resend_from.saturating_sub(1);
        }
        if !self.sacked.is_empty() {
            self.sacked.remove_before(pool, ack);
        }
        self.cut_at = self.cut_at.filter(|cut| cut.after(ack));
    }

    /// The peer has `block` too; `each` is told every segment that it had not before. A block that
    /// would be one too many is left out: the cumulative ACK will tell.
    pub(super) fn on_sack(
        &mut self,
        pool: &mut BlockPool,
        block: SackBlock,
        mut each: impl FnMut(&SentSegment),
    ) {
        let mut at = block.left;
        let range = SeqRange {
            left: block.left,
            right: block.right,
        };
        let mut fresh: [Option<SeqRange>; 4] = [None; 4];
        for slot in &mut fresh {
            // From gap to gap: what is known already costs nothing.
            if let Some(known) = self.sacked.containing(pool, at) {
                at = known.right;
            }
            if at.at_or_after(block.right) {
                break;
            }
            let next = self.sacked.first_after(pool, at);
            let right = next.map_or(block.right, |next| next.left.earliest(block.right));
            *slot = Some(SeqRange { left: at, right });
            at = right;
        }
        let done = SeqRange {
            right: at.earliest(block.right),
            ..range
        };
        if self.sacked.insert(pool, done).is_err() {
            return;
        }
        for gap in fresh.into_iter().flatten() {
            self.mark_sacked(pool, gap, &done, &mut each);
        }
    }

    /// Marks the segments that lie in `block` and begin in or just before `gap`.
    fn mark_sacked(
        &mut self,
        pool: &mut BlockPool,
        gap: SeqRange,
        block: &SeqRange,
        each: &mut impl FnMut(&SentSegment),
    ) {
        // A segment may begin before the gap, when a block ended inside of it.
        let mut index = self.log.first_from(pool, gap.left).saturating_sub(1);
        while let Some(mut segment) = self.log.get(pool, index) {
            if segment.range.left.at_or_after(gap.right) {
                break;
            }
            let inside = segment.range.left.at_or_after(block.left)
                && segment.range.right.at_or_before(block.right);
            if inside && !segment.is(Mark::SACKED) {
                self.subtract(&segment, segment.range.len());
                self.sacked_bytes += segment.range.len();
                each(&segment);
                segment.mark.insert(Mark::SACKED);
                self.log.set(pool, index, &segment);
            }
            index += 1;
        }
    }

    /// The index after `segment` at `index`, past all that is known to have arrived with it.
    pub(super) fn next_after(&self, pool: &BlockPool, index: u32, segment: &SentSegment) -> u32 {
        if !segment.is(Mark::SACKED) {
            return index + 1;
        }
        let known = self.sacked.containing(pool, segment.range.left);
        let end = known.map_or(segment.range.right, |known| known.right);
        let next = self.log.first_from_near(pool, index + 1, end);
        // A segment that only begins before the end is not wholly known.
        let straddles = |s: SentSegment| s.range.right.after(end) && !s.is(Mark::SACKED);
        let back = (next > index + 1).then(|| self.log.get(pool, next - 1));
        next - u32::from(back.flatten().is_some_and(straddles))
    }

    /// `segment` at `index` counts as lost from now on.
    pub(super) fn mark_lost(&mut self, pool: &mut BlockPool, index: u32, segment: &SentSegment) {
        let mut segment = *segment;
        debug_assert!(!segment.is(Mark::SACKED));
        if !segment.is(Mark::LOST) || segment.is(Mark::RESENT) {
            self.missing_bytes += segment.range.len();
            self.lost_bytes = self.lost_bytes.wrapping_add(segment.range.len());
        }
        segment.mark.insert(Mark::LOST);
        segment.mark.remove(Mark::RESENT);
        if self.cut_in(&segment.range).is_some() {
            self.cut_at = None;
        }
        self.log.set(pool, index, &segment);
        self.resend_from = self.resend_from.min(index);
    }

    /// Every segment that is `wanted`, and not known to have arrived, counts as lost from now on.
    pub(super) fn mark_all_lost(
        &mut self,
        pool: &mut BlockPool,
        wanted: impl Fn(u32, &SentSegment) -> bool,
    ) {
        let (mut missing, mut first, mut cut_at) = (0, self.resend_from, self.cut_at);
        self.log.update(pool, |index, segment| {
            if segment.is(Mark::SACKED) || !wanted(index, segment) {
                return false;
            }
            first = first.min(index);
            cut_at = cut_at.filter(|cut| !lies_inside(*cut, &segment.range));
            let is_new = !segment.is(Mark::LOST) || segment.is(Mark::RESENT);
            if is_new {
                missing += segment.range.len();
                segment.mark.insert(Mark::LOST);
                segment.mark.remove(Mark::RESENT);
            }
            is_new
        });
        self.missing_bytes += missing;
        self.lost_bytes = self.lost_bytes.wrapping_add(missing);
        (self.resend_from, self.cut_at) = (first, cut_at);
    }

    /// The first segment that is lost and was not sent again since, or what is left of it.
    pub(super) fn next_lost(&mut self, pool: &BlockPool) -> Option<(u32, SentSegment)> {
        if self.missing_bytes == 0 {
            return None;
        }
        while let Some(mut segment) = self.log.get(pool, self.resend_from) {
            let lost = segment.is(Mark::LOST) && !segment.is(Mark::SACKED);
            if lost && !segment.is(Mark::RESENT) {
                segment.range.left = self.cut_in(&segment.range).unwrap_or(segment.range.left);
                return Some((self.resend_from, segment));
            }
            self.resend_from += 1;
        }
        None
    }

    /// The segment at `index` was sent again up to `end`. Only with its last piece does it count as
    /// under way.
    pub(super) fn on_resent(
        &mut self,
        pool: &mut BlockPool,
        index: u32,
        end: SeqNum,
        departure: Departure,
    ) {
        let Some(mut segment) = self.log.get(pool, index) else {
            return;
        };
        self.cut_at = Some(end).filter(|cut| cut.before(segment.range.right));
        if self.cut_at.is_some() {
            return;
        }
        if segment.is(Mark::LOST) && !segment.is(Mark::RESENT) {
            self.missing_bytes = self.missing_bytes.saturating_sub(segment.range.len());
        }
        segment.mark.insert(Mark::RESENT | Mark::AMBIGUOUS);
        segment.departure = departure;
        self.log.set(pool, index, &segment);
    }

    /// The ACK of the segment at `index` says nothing of the path.
    pub(super) fn mark_ambiguous(&mut self, pool: &mut BlockPool, index: u32) {
        if let Some(mut segment) = self.log.get(pool, index) {
            segment.mark.insert(Mark::AMBIGUOUS);
            self.log.set(pool, index, &segment);
        }
    }

    /// What counts as lost, and was not sent again, is under way after all.
    pub(super) fn forget_losses(&mut self, pool: &mut BlockPool) {
        self.cut_at = None;
        while let Some((index, mut segment)) = self.next_lost(pool) {
            segment.mark.remove(Mark::LOST);
            self.missing_bytes = self.missing_bytes.saturating_sub(segment.range.len());
            self.log.set(pool, index, &segment);
        }
        self.missing_bytes = 0;
    }

    /// The peer may have thrown away what it acknowledged selectively (RFC 2018 8): forget it.
    pub(super) fn forget_sacks(&mut self, pool: &mut BlockPool) {
        if self.sacked_bytes == 0 {
            return;
        }
        self.log.update(pool, |_, segment| {
            let taken_back = segment.is(Mark::SACKED);
            if taken_back {
                let marks = Mark::SACKED | Mark::LOST | Mark::RESENT;
                segment.mark.remove(marks);
            }
            taken_back
        });
        self.sacked_bytes = 0;
        self.sacked.clear(pool);
    }

    pub(super) fn clear(&mut self, pool: &mut BlockPool) {
        self.log.clear(pool);
        self.sacked.clear(pool);
        *self = Self::default();
    }

    fn cut_in(&self, range: &SeqRange) -> Option<SeqNum> {
        self.cut_at.filter(|cut| lies_inside(*cut, range))
    }

    /// Takes `bytes` of a segment out of the sums that it counts in.
    fn subtract(&mut self, segment: &SentSegment, bytes: u32) {
        if segment.is(Mark::SACKED) {
            self.sacked_bytes = self.sacked_bytes.saturating_sub(bytes);
        } else if segment.is(Mark::LOST) && !segment.is(Mark::RESENT) {
            self.missing_bytes = self.missing_bytes.saturating_sub(bytes);
        }
    }
}

fn lies_inside(cut: SeqNum, range: &SeqRange) -> bool {
    cut.after(range.left) && cut.before(range.right)
}
