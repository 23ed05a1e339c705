//! Who was better, as far as that can be told.

use std::fmt;

use serde::Serialize;

use super::suite::{Goal, Metric, Rival, Subject};
use crate::bed::Sample;
use crate::cli::named;
use crate::environment::Environment;
use crate::load::Load;
use crate::summary::{Summary, Verdict};

/// All that was compared, and where.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) environment: Option<Environment>,
    pub(super) rps: bool,
    pub(super) matches: Vec<Match>,
}

/// Wirepath and another under one load.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Match {
    subject: Subject,
    rival: Rival,
    load: Load,
    metric: Metric,
    /// Wirepath's values, and the rival's.
    ours: Summary,
    theirs: Summary,
    /// Wirepath's by the rival's, pair by pair.
    ratio: Summary,
    verdict: Verdict,
    pairs: usize,
    goal: Option<Goal>,
    /// Processor seconds a second of the whole machine: the medians.
    cpus: [f64; 2],
}

impl Match {
    pub(super) fn new(subject: Subject, rival: Rival, load: &Load, pairs: &[[Sample; 2]]) -> Self {
        let metric = subject.metric();
        let values = |side: usize| pairs.iter().map(move |pair| metric.of(&pair[side]));
        let ratios = values(0).zip(values(1)).map(|(ours, theirs)| ours / theirs);
        let ratio = Summary::of(ratios);
        let cpus = |side: usize| {
            let shares = pairs.iter().map(|pair| &pair[side]);
            Summary::of(shares.map(|sample| sample.cpus)).median
        };
        let mut goals = subject.goals().iter().copied();
        Self {
            subject,
            rival,
            load: *load,
            metric,
            ours: Summary::of(values(0)),
            theirs: Summary::of(values(1)),
            ratio,
            verdict: Verdict::of(&ratio, pairs.len()),
            pairs: pairs.len(),
            goal: goals.find(|goal| goal.rival == rival),
            cpus: [cpus(0), cpus(1)],
        }
    }

    /// The ratio, where it says more than its spread; and where a goal is judged by it.
    fn ratio(&self) -> String {
        let Summary {
            median,
            least,
            most,
        } = self.ratio;
        match self.verdict {
            Verdict::Higher | Verdict::Lower => format!("{median:.2} ({least:.2} to {most:.2})"),
            Verdict::NoClearDifference if self.goal.is_some() => {
                format!("unclear ({least:.2} to {most:.2})")
            }
            unclear => unclear.words().to_owned(),
        }
    }

    fn goal(&self) -> String {
        let Some(Goal { ratio, .. }) = self.goal else {
            return "-".to_owned();
        };
        let Summary { least, most, .. } = self.ratio;
        let (sign, all, none) = if self.metric.is_rate() {
            (">=", least >= ratio, most < ratio)
        } else {
            ("<=", most <= ratio, least > ratio)
        };
        let reached = match (all, none) {
            _ if self.verdict == Verdict::TooFewRuns => "unclear",
            (true, _) => "reached",
            (_, true) => "missed",
            _ => "unclear",
        };
        format!("{sign} {ratio:.2}: {reached}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(environment) = &self.environment {
            environment.fmt(f)?;
        }
        let receives = if self.rps {
            "frames for the kernel's sockets are processed on the receiver's core (RPS)"
        } else {
            "what comes is processed on the sender's core, for all"
        };
        writeln!(f, "{receives}")?;
        writeln!(
            f,
            "wirepath and each other in turn; medians, with the least and the most"
        )?;
        writeln!(
            f,
            "{:<13} {:<15} {:>7} {:>30} {:>30} {:>23} {:<16} {:>11}",
            "subject", "against", "", "wirepath", "other", "wirepath / other", "goal", "cpus"
        )?;
        for it in &self.matches {
            let [ours, theirs] = it.cpus;
            writeln!(
                f,
                "{:<13} {:<15} {:>7} {:>30} {:>30} {:>23} {:<16} {:>11}",
                named(&it.subject),
                named(&it.rival),
                it.metric.name(),
                value(&it.ours),
                value(&it.theirs),
                it.ratio(),
                it.goal(),
                format!("{ours:.2} / {theirs:.2}")
            )?;
        }
        Ok(())
    }
}

fn value(summary: &Summary) -> String {
    let Summary {
        median,
        least,
        most,
    } = *summary;
    let digits = if median < 1_000.0 { 1 } else { 0 };
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}
