//! `wirepath-bench compare`: wirepath and others in turn under the same load, pair by pair.

mod ground;
mod report;
mod suite;

use std::time::Duration;

use anyhow::bail;
use wirepath::netns;

use crate::cli::{BadArguments, rendered};
use crate::scenario::progress;
use ground::Ground;
use report::{Match, Report};
use suite::{Rival, Subject};

/// What `compare` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// What to compare, one after the other [default: all].
    #[arg(value_enum)]
    subjects: Vec<Subject>,
    /// With whom, where it makes sense [default: those that the project's goals name, and
    /// kernel-offloads for text without end].
    #[arg(long, value_delimiter = ',', value_enum)]
    against: Vec<Rival>,
    /// Pairs of measurements, wirepath and another in turn.
    #[arg(long, default_value = "7", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pairs: u32,
    /// Seconds of each measurement, after half a second of warm-up.
    #[arg(long, default_value = "2", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Have the kernel process what comes for its sockets on the core of their own host (RPS), not
    /// on that of the sender, as AF_XDP has it in any case.
    #[arg(long)]
    rps: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// In order, each once.
    fn subjects(&self) -> Vec<Subject> {
        let is_meant =
            |subject: &Subject| self.subjects.is_empty() || self.subjects.contains(subject);
        Subject::ALL.into_iter().filter(is_meant).collect()
    }

    fn rivals(&self, subject: Subject) -> Vec<Rival> {
        if self.against.is_empty() {
            let goals = subject.goals().iter().map(|goal| goal.rival);
            return goals.chain(subject.beside()).collect();
        }
        let mut rivals: Vec<Rival> = Vec::new();
        for &rival in &self.against {
            if rival.can(subject) && !rivals.contains(&rival) {
                rivals.push(rival);
            }
        }
        rivals
    }
}

/// Measures, and answers what there is to print.
///
/// # Errors
/// Not root, or a server does not start.
pub(crate) fn run(args: Args) -> anyhow::Result<String> {
    if args
        .subjects()
        .iter()
        .all(|&subject| args.rivals(subject).is_empty())
    {
        bail!(BadArguments(
            "none of --against can do that: bare rings only ping and echo, smoltcp does not \
             connect, kernel-offloads is for text without end, and only nginx and haproxy are \
             proxies"
        ));
    }
    netns::guarded(move || {
        let report = measure(&args)?;
        rendered(&report, args.json, Report::to_string)
    })
}

fn measure(args: &Args) -> anyhow::Result<Report> {
    let subjects = args.subjects();
    let matches = subjects.iter().map(|&subject| args.rivals(subject).len());
    let bar = progress(2 * args.pairs as usize * matches.sum::<usize>());
    let (mut environment, mut matches) = (None, Vec::new());
    for mtu in [1_500, 9_000] {
        let fitting: Vec<Subject> = subjects
            .iter()
            .copied()
            .filter(|subject| subject.mtu() == mtu)
            .collect();
        if fitting.is_empty() {
            continue;
        }
        let rivals: Vec<Rival> = fitting.iter().flat_map(|&it| args.rivals(it)).collect();
        let (ground, found) = Ground::new(mtu, args.rps, &rivals)?;
        let environment = environment.get_or_insert(found);
        for subject in fitting {
            let span = Duration::from_secs(args.seconds);
            let most = match subject.paced_by() {
                Some(pacer) => ground.most(pacer, span)?,
                None => 0.0,
            };
            let load = subject.load(span, most);
            for rival in args.rivals(subject) {
                let mut pairs = Vec::new();
                for pair in 0..args.pairs {
                    bar.set_message(format!("{subject:?} against {rival:?}, pair {pair}"));
                    let ours = ground.wirepath(subject, &load)?;
                    environment.finish(ours.xdp_mode);
                    bar.inc(1);
                    let theirs = ground.rival(rival, subject, &load)?;
                    bar.inc(1);
                    pairs.push([ours, theirs]);
                }
                matches.push(Match::new(subject, rival, &load, &pairs));
            }
        }
    }
    bar.finish_and_clear();
    Ok(Report {
        environment,
        rps: args.rps,
        matches,
    })
}
