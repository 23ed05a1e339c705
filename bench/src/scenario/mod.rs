//! `wirepath-bench latency`, `throughput` and `connect`: a grid of loads on one server after the
//! other.

mod grid;
mod html;
mod idle;
mod report;

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use wirepath::netns::{self, Offloads};

use crate::bed::{Bed, ClientKind};
use crate::cli::{BadArguments, print, rendered};
use crate::contender::Contender;
use crate::load::{Arrivals, Mix, Task};
use grid::Grid;
pub(crate) use idle::{IdleArgs, idle};
use report::{Report, Row};

/// What all scenarios can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Who serves, one after the other.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "wirepath")]
    server: Vec<Contender>,
    /// Whose TCP the client has.
    #[arg(long, value_enum, default_value = "xdp")]
    client: ClientKind,
    /// Threads of the client, with --client kernel.
    #[arg(long, value_name = "COUNT", default_value = "1",
        value_parser = clap::value_parser!(u32).range(1..=256))]
    client_threads: u32,
    /// Connections at once.
    #[arg(long, value_name = "COUNT", value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: Vec<u32>,
    /// Bytes of a message.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_value = "64",
        value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    size: Vec<u64>,
    /// Messages of a connection that wait for their answers [default: 1].
    #[arg(long, value_name = "COUNT", value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=4_096))]
    depth: Vec<u32>,
    /// Microseconds between an answer and the next message of its connection [default: 0].
    #[arg(long, value_name = "MICROSECONDS", value_delimiter = ',',
        value_parser = clap::value_parser!(u64).range(..=60_000_000))]
    think: Vec<u64>,
    /// Messages a second, of all connections together, whatever the server does; their latency is
    /// from when they were due.
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',',
        conflicts_with_all = ["depth", "think"],
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Vec<u32>,
    /// How messages of a --rate follow each other.
    #[arg(long, value_enum, default_value = "poisson")]
    arrivals: Arrivals,
    /// Largest packet of the link, in bytes.
    #[arg(long, default_value = "1500",
        value_parser = clap::value_parser!(u32).range(1_280..=9_000))]
    mtu: u32,
    /// Seconds that count, of each measurement.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Seconds before that do not count.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u64).range(..=60))]
    warm_up: u64,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Refuses what says when messages are sent, for `why`.
    fn must_not_pace(&self, why: &'static str) -> anyhow::Result<()> {
        if self.depth.is_empty() && self.think.is_empty() && self.rate.is_empty() {
            return Ok(());
        }
        Err(anyhow::Error::new(BadArguments(why))
            .context("--depth, --think and --rate are too many"))
    }
}

/// Where the results go.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Output {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write the table to a file, comma-separated.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a page with plots, which needs no network to be read.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What `throughput` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ThroughputArgs {
    /// Text without end in one direction, instead of messages that come back.
    #[arg(long, value_enum)]
    bulk: Option<Bulk>,
    #[command(flatten)]
    args: Args,
}

/// Which way text without end goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Bulk {
    /// Towards the server.
    Up,
    /// Towards the client.
    Down,
}

/// What `mix` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MixArgs {
    /// Bytes of the shortest message; --size is that of the longest, and each power of two between
    /// them comes as often.
    #[arg(long, value_name = "BYTES", default_value = "16",
        value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    least: u64,
    /// Answers of a hundred after which the connection is closed, and another opened.
    #[arg(long, value_name = "PERCENT", default_value = "5",
        value_parser = clap::value_parser!(u32).range(..=100))]
    churn: u32,
    #[command(flatten)]
    args: Args,
}

/// Of messages of all sizes on connections that come and go.
pub(crate) fn mix(args: MixArgs) -> anyhow::Result<String> {
    let mix = Mix {
        least: args.least,
        churn: f64::from(args.churn) / 100.0,
    };
    args.args
        .must_not_pace("a mix has one message of each connection under way")?;
    if args.args.size.iter().any(|&size| size < args.least) {
        bail!(BadArguments(
            "--least is the shortest message, and --size the longest"
        ));
    }
    let mut grid = Grid::of(&args.args, Task::Exchange, 64);
    for load in &mut grid.loads {
        load.mix = Some(mix);
    }
    run_grid(args.args, grid)
}

/// Answers what there is to print of messages one after the other on a few connections.
pub(crate) fn latency(args: Args) -> anyhow::Result<String> {
    run(args, Task::Exchange, 1)
}

/// Of as many messages as go.
pub(crate) fn throughput(args: ThroughputArgs) -> anyhow::Result<String> {
    match args.bulk {
        None => run(args.args, Task::Exchange, 64),
        Some(Bulk::Up) => run(args.args, Task::Upload, 1),
        Some(Bulk::Down) => run(args.args, Task::Download, 1),
    }
}

/// Of connections that carry one message each.
pub(crate) fn connect(args: Args) -> anyhow::Result<String> {
    run(args, Task::Connect, 16)
}

fn run(args: Args, task: Task, connections: u32) -> anyhow::Result<String> {
    match task {
        Task::Exchange => {}
        Task::Connect => {
            args.must_not_pace("a connection for each message has one message under way")?;
        }
        Task::Upload | Task::Download => {
            args.must_not_pace("text without end has no messages")?;
        }
    }
    let grid = Grid::of(&args, task, connections);
    run_grid(args, grid)
}

fn run_grid(args: Args, grid: Grid) -> anyhow::Result<String> {
    if args.client_threads > 1 && args.client != ClientKind::Kernel {
        bail!(BadArguments(
            "only --client kernel has several --client-threads"
        ));
    }
    netns::guarded(move || {
        // What cannot be written to is better known before than after hours.
        let files = args.output.open()?;
        let (report, failures) = measure(&args, &grid)?;
        let text = args.output.write(&report, files)?;
        if failures.is_empty() {
            return Ok(text);
        }
        if !report.rows.is_empty() {
            print(&text)?;
        }
        bail!("{}", failures.join("; "))
    })
}

/// What was measured, and what could not be.
fn measure(args: &Args, grid: &Grid) -> anyhow::Result<(Report, Vec<String>)> {
    let (mut bed, environment) = Bed::new("bench", args.mtu, 1, Offloads::Off)?;
    bed.set_client_threads(args.client_threads as usize);
    let bar = progress(args.server.len() * grid.loads.len());
    let mut failures = Vec::new();
    let mut report = Report {
        environment,
        mtu: args.mtu,
        client_threads: args.client_threads,
        rows: Vec::new(),
    };
    for load in &grid.loads {
        for &server in &args.server {
            bar.set_message(format!("{server}, {}", grid::describe(load)));
            match bed.measure(server, args.client, load) {
                Ok(sample) => {
                    report.environment.finish(sample.xdp_mode);
                    report
                        .rows
                        .push(Row::new(server, args.client, load, &sample));
                }
                Err(error) => failures.push(format!("{error:#}")),
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok((report, failures))
}

/// A bar on standard error, with the time that is left.
pub(crate) fn progress(steps: usize) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(steps as u64)
    } else {
        ProgressBar::hidden()
    };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} to go");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// The files that results go to.
struct Files {
    csv: Option<File>,
    html: Option<File>,
}

impl Output {
    fn open(&self) -> anyhow::Result<Files> {
        let open = |path: &Option<PathBuf>| {
            let Some(path) = path else {
                return Ok(None);
            };
            let file = File::create(path);
            file.map(Some)
                .with_context(|| format!("cannot write {}", path.display()))
        };
        Ok(Files {
            csv: open(&self.csv)?,
            html: open(&self.html)?,
        })
    }

    /// Writes the files that were asked for, and answers what there is to print.
    fn write(&self, report: &Report, files: Files) -> anyhow::Result<String> {
        let Files { csv, html } = files;
        if let Some(mut file) = csv {
            file.write_all(report.csv().as_bytes())
                .context("cannot write the --csv file")?;
        }
        if let Some(mut file) = html {
            file.write_all(html::page(report).as_bytes())
                .context("cannot write the --html file")?;
        }
        rendered(report, self.json, Report::table)
    }
}
