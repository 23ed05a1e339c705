//! `wirepath-bench compare`: wirepath and others in turn under the same load, pair by pair.

mod report;
mod suite;

use std::time::Duration;

use anyhow::bail;
use wirepath::netns;

use crate::bed::{Bed, ClientKind, Sample};
use crate::cli::BadArguments;
use crate::contender::Contender;
use crate::load::Load;
use crate::reflect::{self, Idle, Pings};
use crate::scenario::progress;
use report::{Match, Report};
use suite::{Metric, Rival, Subject, WARM_UP};

/// What `compare` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// What to compare, one after the other [default: all].
    #[arg(value_enum)]
    subjects: Vec<Subject>,
    /// With whom, where it makes sense [default: those that the project's goals name].
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
            let goals = subject.goals().iter();
            return goals.map(|goal| goal.rival).collect();
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
            "none of --against can do that: bare rings only ping and echo"
        ));
    }
    netns::guarded(move || {
        netns::sweep_stale()?;
        let report = measure(&args)?;
        Ok(if args.json {
            serde_json::to_string_pretty(&report)? + "\n"
        } else {
            report.to_string()
        })
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
        let (bed, found) = Bed::new("compare", mtu, 1)?;
        if args.rps {
            bed.steer_packets()?;
        }
        let environment = environment.get_or_insert(found);
        for subject in fitting {
            let span = Duration::from_secs(args.seconds);
            let most = match subject {
                Subject::Tail => most_of_epoll(&bed, span)?,
                _ => 0.0,
            };
            let load = subject.load(span, most);
            for rival in args.rivals(subject) {
                let mut pairs = Vec::new();
                for pair in 0..args.pairs {
                    bar.set_message(format!("{subject:?} against {rival:?}, pair {pair}"));
                    let ours = bed.measure(Contender::Wirepath, ClientKind::Xdp, &load)?;
                    environment.finish(ours.xdp_mode);
                    bar.inc(1);
                    let theirs = meet(&bed, rival, &load)?;
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

/// Messages a second that epoll bears, the median of three.
fn most_of_epoll(bed: &Bed, span: Duration) -> anyhow::Result<f64> {
    let load = Subject::Echo.load(span, 0.0);
    let mut rates = Vec::new();
    for _ in 0..3 {
        rates.push(Metric::PerSecond.of(&meet(bed, Rival::Epoll, &load)?));
    }
    Ok(crate::summary::Summary::of(rates).median)
}

fn meet(bed: &Bed, rival: Rival, load: &Load) -> anyhow::Result<Sample> {
    let contender = match rival {
        Rival::Epoll => Contender::Epoll,
        Rival::EpollSpin => Contender::EpollSpin,
        Rival::Uring => Contender::Uring,
        Rival::UringSpin => Contender::UringSpin,
        Rival::Smoltcp => Contender::Smoltcp,
        Rival::Reflector => {
            let pings = Pings {
                in_flight: load.connections,
                text: load.size as usize,
                idle: Idle::Spin,
                warm_up: WARM_UP,
                span: load.span,
            };
            return Ok(reflect::measure(bed, 0, &pings)?.into_sample(load.span));
        }
    };
    bed.measure(contender, ClientKind::Xdp, load)
}
