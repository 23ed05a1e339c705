//! Plays scenarios by seed.
#![forbid(unsafe_code)]

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use wirepath_sim::host::StackHost;
use wirepath_sim::scenario::Scenario;
use wirepath_sim::trace::Sighting;
use wirepath_sim::{Report, Simulation, goodput, hostile};

/// Plays random scenarios of our stack against itself and against smoltcp, in virtual time.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many seeds to play.
    #[arg(long, default_value_t = 200, conflicts_with = "seed")]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0, conflicts_with = "seed")]
    from: u64,
    /// Play this seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the scenario and every segment.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Stop after so many failures.
    #[arg(long, default_value_t = 20)]
    failures: usize,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Prints the goodput of a bulk transfer for each congestion control, loss and round trip.
    Goodput {
        /// Seconds of virtual time for each; the first is not counted.
        #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u64).range(2..=600))]
        seconds: u64,
    },
    /// Prints what segments of hostile peers cost beside clean ones; needs valgrind.
    Hostile {
        /// Only play them, for callgrind to count.
        #[arg(long)]
        play: bool,
    },
}

#[derive(Default)]
struct Totals {
    played: u64,
    failed: usize,
    time: Duration,
    frames: u64,
    bytes: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(command) = &arguments.command {
        run(command)?;
        return Ok(ExitCode::SUCCESS);
    }
    let seeds = match arguments.seed {
        Some(seed) => seed..seed.saturating_add(1),
        None => arguments.from..arguments.from.saturating_add(arguments.seeds),
    };
    let bar = ProgressBar::new(seeds.end - seeds.start).with_style(
        ProgressStyle::with_template("{wide_bar} {pos}/{len} seeds, {per_sec}, {eta} left {msg}")
            .context("the progress bar")?,
    );
    // What panics is told below, with its seed.
    panic::set_hook(Box::new(|_| {}));
    let mut totals = Totals::default();
    for seed in seeds {
        let outcome = play(seed, arguments.trace);
        bar.inc(1);
        totals.played += 1;
        match outcome {
            Ok(report) => totals.add(&report),
            Err(what) => {
                totals.failed += 1;
                bar.suspend(|| println!("{what}\n  replay: {}", replay(seed)));
                bar.set_message(format!("({} failed)", totals.failed));
            }
        }
        if totals.failed >= arguments.failures {
            break;
        }
    }
    bar.finish_and_clear();
    totals.print();
    Ok(ExitCode::from(u8::from(totals.failed > 0)))
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Goodput { seconds } => {
            print!("{}", goodput::table(Duration::from_secs(*seconds))?);
        }
        Command::Hostile { play: true } => {
            hostile::Kind::all().map(hostile::play).for_each(drop);
        }
        Command::Hostile { play: false } => {
            let program = std::env::current_exe().context("the path of this program")?;
            print!("{}", hostile::table(&hostile::measure(&program)?));
        }
    }
    Ok(())
}

fn replay(seed: u64) -> String {
    format!("cargo run --release -p wirepath-sim -- --seed {seed} --trace")
}

/// Plays one seed. A panic counts as a failure and says where.
fn play(seed: u64, trace: bool) -> Result<Report, String> {
    let scenario = Scenario::draw(seed);
    if trace {
        println!("{scenario:#?}");
        let _ = panic::take_hook();
    }
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut observer = |sighting: &Sighting<'_>| {
            if trace {
                println!("{sighting}");
            }
        };
        Simulation::new(&scenario, StackHost::TURN, &mut observer).run()
    }));
    match outcome {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(failure)) => {
            let hosts = if trace {
                failure.hosts.join("\n  ")
            } else {
                String::new()
            };
            Err(format!("{failure}\n  {hosts}"))
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("seed {seed}: panic: {}", text.unwrap_or("?")))
        }
    }
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.time += report.time;
        self.frames += report.frames;
        self.bytes += report.bytes;
    }

    fn print(&self) {
        let Self {
            played,
            failed,
            time,
            frames,
            bytes,
        } = self;
        let hours = time.as_secs_f64() / 3600.0;
        println!(
            "{played} seeds, {failed} failed: {hours:.1} virtual hours, {frames} frames, \
             {bytes} bytes verified"
        );
    }
}
