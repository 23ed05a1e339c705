//! What was measured within the time that counts.

use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use wirepath_tcp::time::Instant;

/// Latencies of up to a minute are told apart to three digits.
const LONGEST: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// The time that counts, and what was done in it.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    from: Instant,
    until: Instant,
    latencies: Histogram<u64>,
    bytes: u64,
}

impl Tally {
    /// Counts from `warm_up` after `start` on, for `span`.
    pub(crate) fn new(start: Instant, warm_up: Duration, span: Duration) -> anyhow::Result<Self> {
        let from = start + warm_up;
        let latencies = Histogram::new_with_bounds(1, LONGEST, DIGITS);
        Ok(Self {
            from,
            until: from + span,
            latencies: latencies.context("no histogram of a minute")?,
            bytes: 0,
        })
    }

    pub(crate) fn counts(&self, now: Instant) -> bool {
        (self.from..self.until).contains(&now)
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// What was to begin at `began` is done.
    pub(crate) fn note_done(&mut self, now: Instant, began: Instant) {
        if self.counts(now) {
            let nanos = now.since(began).as_nanos() as u64;
            self.latencies.saturating_record(nanos);
        }
    }

    /// What was to begin at `due` was never done. It took until the end at least, which counts if
    /// that is longer than so many nanoseconds.
    pub(crate) fn note_unanswered(&mut self, due: Instant, longer_than: u64) {
        let nanos = self.until.since(due).as_nanos() as u64;
        if nanos > longer_than {
            self.latencies.saturating_record(nanos);
        }
    }

    /// So many bytes of text have gone one way.
    pub(crate) fn note_bytes(&mut self, now: Instant, bytes: usize) {
        if self.counts(now) {
            self.bytes += bytes as u64;
        }
    }

    /// Both together.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        // Both have the same bounds, so each value has a place.
        let _ = self.latencies.add(&other.latencies);
        self.bytes += other.bytes;
        self
    }

    /// How long each took, in nanoseconds.
    pub(crate) const fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_within_the_time_counts() {
        let at = Instant::from_millis;
        let second = Duration::from_secs(1);
        let mut tally = Tally::new(at(1_000), second, second).unwrap();
        for (now, began) in [
            (1_999, 1_998),
            (2_000, 1_990),
            (2_999, 2_989),
            (3_000, 2_999),
        ] {
            tally.note_done(at(now), at(began));
            tally.note_bytes(at(now), 10);
        }
        assert_eq!((tally.latencies().len(), tally.bytes()), (2, 20));
        tally.note_unanswered(at(2_995), tally.latencies().max());
        assert_eq!(tally.latencies().len(), 2, "shorter than others took");
        let ten = 10_000_000;
        assert!(tally.latencies().equivalent(tally.latencies().max(), ten));
        tally.note_unanswered(at(2_995), 0);
        tally.note_unanswered(at(2_500), 10_000_000);
        let longest = tally.latencies().max();
        assert!(tally.latencies().equivalent(longest, 500_000_000));
        assert!(tally.is_over(at(3_000)) && !tally.is_over(at(2_999)));
    }
}
