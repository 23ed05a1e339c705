//! Arguments, and what becomes of them.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::Serialize;
use wirepath_xdp::OpenError;

use crate::{compare, contender, goodput, reflect, scenario, stack};

/// Measures wirepath beside the kernel, under the same conditions.
///
/// Exit codes: 0 done, 2 bad arguments, 1 anything else.
#[derive(Debug, Parser)]
#[command(name = "wirepath-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Goodput of one connection over a path with a bottleneck, a queue, a delay and random loss,
    /// sent by wirepath and by Linux in turn. Makes three network namespaces; needs root.
    Goodput(goodput::Args),
    /// How long a message takes to the server and back.
    Latency(scenario::Args),
    /// How many messages a second go there and back, or how much text one way.
    Throughput(scenario::ThroughputArgs),
    /// How many connections a second can be opened, used for one message, and closed.
    Connect(scenario::Args),
    /// Messages of all sizes on connections that come and go.
    Mix(scenario::MixArgs),
    /// What connections that say nothing cost in memory, and those that do in speed.
    Idle(scenario::IdleArgs),
    /// How fast frames go there and back over bare rings, without TCP: the limit of the device.
    Reflect(reflect::Args),
    /// wirepath beside the kernel and beside bare rings, in turn, with ratios pair by pair.
    Compare(compare::Args),
    /// What the stack alone costs, on a device of memory. Needs no rights.
    Stack(stack::Args),
    #[command(hide = true)]
    ServeContender(contender::ServeArgs),
}

/// Arguments that are right one by one and make no sense together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadArguments(pub(crate) &'static str);

/// Parses the arguments and runs the command; returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    // What is not a number that a path can have ends here, with exit code 2.
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let report = match cli.command {
        Command::Goodput(args) => goodput::run(args),
        Command::Latency(args) => scenario::latency(args),
        Command::Throughput(args) => scenario::throughput(args),
        Command::Connect(args) => scenario::connect(args),
        Command::Mix(args) => scenario::mix(args),
        Command::Idle(args) => scenario::idle(args),
        Command::Reflect(args) => reflect::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Stack(args) => stack::run(args),
        Command::ServeContender(args) => contender::serve(&args),
    };
    match report.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wirepath-bench: {error:#}");
            ExitCode::from(if is_bad_argument(&error) { 2 } else { 1 })
        }
    }
}

fn is_bad_argument(error: &anyhow::Error) -> bool {
    let named = error.downcast_ref::<OpenError>();
    let unknown = named.is_some_and(|named| {
        matches!(
            named,
            OpenError::NoSuchInterface(_) | OpenError::NoSuchQueue { .. }
        )
    });
    unknown || error.downcast_ref::<BadArguments>().is_some()
}

/// A report as JSON, or as a table for people.
pub(crate) fn rendered<R: Serialize>(
    report: &R,
    json: bool,
    table: impl FnOnce(&R) -> String,
) -> anyhow::Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(report)? + "\n");
    }
    Ok(table(report))
}

/// Prints. Whoever reads may have seen enough.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// As one says it on the command line.
pub(crate) fn named(choice: &impl clap::ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
