//! How busy a worker is, and how long the parts of its turns take.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use wirepath_device::Device;
use wirepath_stack::app::App;
use wirepath_stack::clock::MonotonicClock;
use wirepath_stack::worker::{Progress, Worker};
use wirepath_tcp::time::Instant;

/// One turn in so many is measured: three readings of the clock are a good part of a short turn.
pub const TURNS_PER_SAMPLE: u32 = 64;
/// Longer spans count as this, in nanoseconds.
const LONGEST: u64 = 10_000_000_000;
/// Digits of a span that are kept.
const DIGITS: u8 = 2;

/// A part of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// From the begin of a turn with frames until applications have seen all of them.
    In,
    /// From there until the kernel has what connections had to send.
    Out,
    /// The whole turn, if it did anything.
    Turn,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Out, Self::Turn];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Turn => "turn",
        }
    }
}

/// The spans of one stage.
#[derive(Debug, Clone)]
pub struct Spans {
    histogram: Histogram<u32>,
    sum: Duration,
}

impl Default for Spans {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS);
        Self {
            histogram: histogram.expect("the bounds are in order, and the digits at most five"),
            sum: Duration::ZERO,
        }
    }
}

impl Spans {
    fn record(&mut self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(nanos);
        self.sum += span;
    }

    /// How many were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// How many were no longer than this, to two digits.
    #[must_use]
    pub fn up_to(&self, span: Duration) -> u64 {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.histogram.count_between(0, nanos.min(LONGEST))
    }

    /// The span in nanoseconds that this share (0 to 1) did not exceed; 0 when there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        self.histogram.value_at_quantile(share)
    }

    /// Spans in nanoseconds, to two digits and in order, and how often each was measured.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let recorded = self.histogram.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), u64::from(step.count_at_value())))
    }

    /// The longest in nanoseconds.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.histogram.max()
    }
}

/// What is measured of one worker.
#[derive(Debug, Clone)]
pub struct Meter {
    started: Instant,
    /// Nanoseconds: a `Duration` would be divided in every turn.
    busy: u64,
    busy_turns: u64,
    stages: [Spans; Stage::ALL.len()],
    turn_began: Instant,
    /// Whether the last turn did anything.
    was_busy: bool,
    turns_to_sample: u32,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            started: now,
            busy: 0,
            busy_turns: 0,
            stages: Default::default(),
            turn_began: now,
            was_busy: false,
            turns_to_sample: TURNS_PER_SAMPLE,
        }
    }

    /// Turns the worker once, and measures every so many turns.
    pub(super) fn turn<D: Device, A: App>(
        &mut self,
        clock: &MonotonicClock,
        now: Instant,
        worker: &mut Worker<D, A>,
    ) -> io::Result<Progress> {
        self.begin(now);
        self.turns_to_sample -= 1;
        let progress = if self.turns_to_sample > 0 {
            worker.turn(now)?
        } else {
            self.turns_to_sample = TURNS_PER_SAMPLE;
            let taken = worker.turn_in(now);
            let middle = clock.now();
            let progress = worker.turn_out(now, taken)?;
            self.sample([now, middle, clock.now()], progress);
            progress
        };
        self.was_busy = !progress.is_idle();
        self.busy_turns += u64::from(self.was_busy);
        Ok(progress)
    }

    /// A turn begins: the time since the last one was as busy as that.
    const fn begin(&mut self, now: Instant) {
        if self.was_busy {
            self.busy += now.as_nanos().saturating_sub(self.turn_began.as_nanos());
        }
        self.turn_began = now;
    }

    fn sample(&mut self, [begin, middle, end]: [Instant; 3], progress: Progress) {
        let spans = [
            (Stage::In, progress.received > 0, middle.since(begin)),
            (Stage::Out, progress.sent > 0, end.since(middle)),
            (Stage::Turn, !progress.is_idle(), end.since(begin)),
        ];
        for (stage, counts, span) in spans {
            if counts {
                self.stages[stage as usize].record(span);
            }
        }
    }

    /// Time in turns that did something, what was asked of the worker after them included.
    #[must_use]
    pub const fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy)
    }

    /// All other time, asleep or not.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        let all = self.turn_began.since(self.started);
        all.saturating_sub(self.busy())
    }

    /// Turns that did something.
    #[must_use]
    pub const fn busy_turns(&self) -> u64 {
        self.busy_turns
    }

    /// The spans of a stage, of one turn in [`TURNS_PER_SAMPLE`].
    #[must_use]
    pub const fn spans(&self, stage: Stage) -> &Spans {
        &self.stages[stage as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(count: u64) -> Instant {
        Instant::from_nanos(count * 1_000)
    }

    #[test]
    fn time_belongs_to_the_turn_that_it_follows() {
        let mut meter = Meter::new(micros(0));
        for (at, did) in [(10, true), (13, false), (20, true), (24, true)] {
            meter.begin(micros(at));
            meter.was_busy = did;
        }
        meter.begin(micros(25));
        assert_eq!(meter.busy(), Duration::from_micros(3 + 4 + 1));
        assert_eq!(meter.idle(), Duration::from_micros(10 + 7));
    }

    #[test]
    fn a_stage_counts_only_when_it_did_something() {
        let mut meter = Meter::new(micros(0));
        let progress = |received, sent| Progress {
            received,
            fired: 0,
            sent,
        };
        let times = [micros(100), micros(102), micros(107)];
        meter.sample(times, progress(0, 0));
        assert!(Stage::ALL.iter().all(|&s| meter.spans(s).count() == 0));
        meter.sample(times, progress(3, 0));
        meter.sample(times, progress(3, 3));
        let counts = Stage::ALL.map(|stage| meter.spans(stage).count());
        assert_eq!(counts, [2, 1, 2]);
        let within = |stage: Stage, nanos: u64| {
            let median = meter.spans(stage).quantile(0.5);
            // Two digits are kept.
            assert!(
                median.abs_diff(nanos) <= nanos / 100,
                "{median}, not {nanos}"
            );
        };
        within(Stage::In, 2_000);
        within(Stage::Out, 5_000);
        within(Stage::Turn, 7_000);
        assert_eq!(meter.spans(Stage::Turn).sum(), Duration::from_micros(14));
    }

    #[test]
    fn a_span_that_is_too_long_is_as_long_as_can_be_told() {
        let mut spans = Spans::default();
        spans.record(Duration::from_secs(3_600));
        spans.record(Duration::from_nanos(700));
        assert_eq!(spans.count(), 2);
        assert_eq!(spans.up_to(Duration::from_micros(1)), 1);
        assert_eq!(spans.up_to(Duration::from_secs(3_600)), 2);
        assert!(spans.max() >= LONGEST);
    }
}
