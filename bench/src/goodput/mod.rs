//! `wirepath-bench goodput`: two senders in turn over the same faults.

mod client;
mod measure;
mod report;
mod server;
mod wire;

use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use wirepath::netns::{self, Link, Network};
use wirepath_tcp::config::CongestionControl;

use crate::cli::rendered;
use crate::environment::{Environment, Settings};
use client::Span;
use measure::Measurement;
use report::{Cell, Pair, Report};
use server::{Stack, congestion_controls};
use wire::{Faults, WireFaults};

const SETTINGS: Settings = Settings {
    more: &[],
    real_time: true,
};

/// What `goodput` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Random loss of the frames with text, in percent, one after the other.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "0,0.1,1,3",
        value_parser = |text: &str| within(text, 0.0, 50.0))]
    loss: Vec<f64>,
    /// Lose ACKs as well, with the same probability.
    #[arg(long)]
    both_ways: bool,
    /// Round-trip time of the empty path, in milliseconds.
    #[arg(long, default_value = "20", value_parser = |text: &str| within(text, 0.0, 1_000.0))]
    rtt: f64,
    /// The bottleneck, in Mbit/s of frames, Ethernet headers included.
    #[arg(long, default_value = "100", value_parser = |text: &str| within(text, 0.1, 1_000.0))]
    rate: f64,
    /// Packets that the bottleneck holds at most, the one that is leaving included.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    queue: u32,
    /// Seconds that count, of each transfer.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Seconds before that do not count: the handshake and the first slow start.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=60))]
    warm_up: u64,
    /// Transfers of each sender for each loss. Both have the same seed in each run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    runs: u64,
    /// Decides the losses of the first run; each further run has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Congestion controls, of both senders.
    #[arg(long, value_delimiter = ',', default_value = "cubic", value_parser = congestion)]
    congestion: Vec<CongestionControl>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{number} is not in {least}..={most}"))
    }
}

fn congestion(text: &str) -> Result<CongestionControl, String> {
    let mut all = CongestionControl::ALL.into_iter();
    all.find(|known| known.name() == text).ok_or_else(|| {
        let names = CongestionControl::ALL.map(CongestionControl::name);
        format!("wirepath has {}", names.join(", "))
    })
}

impl Args {
    /// What the wire does in the run of this seed.
    fn faults(&self, loss_percent: f64, seed: u64) -> WireFaults {
        let probability = loss_percent / 100.0;
        let bytes_per_second = (self.rate * 1e6 / 8.0) as u64;
        let acks = Faults {
            queue: None,
            delay: Duration::from_secs_f64(self.rtt / 2_000.0),
            loss: if self.both_ways { probability } else { 0.0 },
        };
        let text = Faults {
            queue: Some((bytes_per_second, self.queue as usize)),
            loss: probability,
            ..acks
        };
        WireFaults { text, acks, seed }
    }
}

/// Measures, and answers what there is to print.
///
/// # Errors
/// The network cannot be made (not root), a sender does not start, or no text comes.
pub(crate) fn run(args: Args) -> anyhow::Result<String> {
    let known = congestion_controls()?;
    for name in args.congestion.iter().map(|congestion| congestion.name()) {
        if !known.iter().any(|it| it == name) {
            let known = known.join(", ");
            bail!("this kernel's TCP has no {name}, only {known}: choose with --congestion");
        }
    }
    netns::guarded(move || {
        let report = compare(&args)?;
        rendered(&report, args.json, Report::to_string)
    })
}

fn compare(args: &Args) -> anyhow::Result<Report> {
    netns::sweep_stale()?;
    let network = Network::with_gap("goodput", &Link::default())?;
    let mut environment = Environment::prepare(&network, &SETTINGS)?;
    let bar = progress(args);
    let mut cells = Vec::new();
    for &congestion in &args.congestion {
        for &loss_percent in &args.loss {
            let mut pairs = Vec::new();
            for seed in (args.seed..).take(args.runs as usize) {
                bar.set_message(format!("{}, loss {loss_percent} %", congestion.name()));
                let measure = |stack| {
                    let measured = Measurement {
                        network: &network,
                        stack,
                        congestion,
                        faults: args.faults(loss_percent, seed),
                        span: Span::of_seconds(args.warm_up, args.seconds),
                    }
                    .run();
                    bar.inc(1);
                    measured.with_context(|| format!("{stack} as the sender, seed {seed}"))
                };
                let wirepath = measure(Stack::Wirepath)?;
                let linux = measure(Stack::Linux)?;
                pairs.push(Pair {
                    seed,
                    wirepath,
                    linux,
                });
            }
            cells.push(Cell::new(congestion.name(), loss_percent, pairs));
        }
    }
    bar.finish_and_clear();
    let mode = cells.iter().find_map(Cell::xdp_mode);
    environment.finish(mode);
    Ok(Report::new(args, environment, cells))
}

fn progress(args: &Args) -> ProgressBar {
    let transfers = 2 * args.runs * (args.loss.len() * args.congestion.len()) as u64;
    let bar = ProgressBar::new(transfers);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} to go");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
