//! Numbers of several runs, and what may be said of them.

use serde::Serialize;

/// Fewer pairs than this show no spread.
const PAIRS: usize = 3;

/// The middle of several numbers, and how far they reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Summary {
    /// Of at least one number.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[half]
        } else {
            f64::midpoint(sorted[half - 1], sorted[half])
        };
        Self {
            median,
            least: sorted[0],
            most: sorted[sorted.len() - 1],
        }
    }
}

/// What the ratios of the pairs show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The ratios spread less than their median is above 1.
    Higher,
    /// The same, below 1.
    Lower,
    /// The ratios spread further than their median is from 1.
    NoClearDifference,
    /// Fewer than three pairs.
    TooFewRuns,
}

impl Verdict {
    /// Of the ratios of so many pairs.
    pub(crate) fn of(ratios: &Summary, pairs: usize) -> Self {
        let effect = ratios.median - 1.0;
        let spread = ratios.most - ratios.least;
        if pairs < PAIRS {
            Self::TooFewRuns
        } else if !(spread < effect.abs() && effect.is_finite()) {
            // Also where a value is none, as of a server that did nothing.
            Self::NoClearDifference
        } else if effect > 0.0 {
            Self::Higher
        } else {
            Self::Lower
        }
    }

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NoClearDifference => "no clear difference",
            Self::TooFewRuns => "too few runs",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let odd = Summary::of([3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.least, odd.most), (2.0, 1.0, 3.0));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn a_difference_is_told_only_beyond_the_spread() {
        let verdict = |ratios: &[f64]| Verdict::of(&Summary::of(ratios.to_vec()), ratios.len());
        assert_eq!(verdict(&[1.19, 1.20, 1.21]), Verdict::Higher);
        assert_eq!(verdict(&[0.90, 0.92, 0.91]), Verdict::Lower);
        assert_eq!(verdict(&[0.90, 1.02, 1.10]), Verdict::NoClearDifference);
        let one_lost = [0.90, 1.30, 1.30, 1.35];
        assert_eq!(verdict(&one_lost), Verdict::NoClearDifference);
        let nothing = [f64::NAN, f64::INFINITY, f64::INFINITY];
        assert_eq!(verdict(&nothing), Verdict::NoClearDifference);
        assert_eq!(verdict(&[1.5, 1.5]), Verdict::TooFewRuns);
    }
}
