//! `wirepath-bench idle`: connections that are held open, what each of them takes of the server's
//! memory, and what they do to those that are active.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use wirepath::netns::{self, Offloads};

use super::progress;
use crate::bed::{Bed, ClientKind};
use crate::cli::rendered;
use crate::contender::Contender;
use crate::environment::Environment;
use crate::load::{Load, Pace, Task};

/// Fewer connections than these tell nothing of what each takes: other memory comes and goes.
const TELLING: u32 = 100_000;

/// What `idle` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct IdleArgs {
    /// Who serves, one after the other.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "wirepath")]
    server: Vec<Contender>,
    /// Connections that say nothing, one measurement each.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "0,100000",
        value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    idle: Vec<u32>,
    /// Connections with a message of 64 bytes under way.
    #[arg(long, value_name = "COUNT", default_value = "64",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    active: u32,
    /// Seconds that count, of each measurement.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    environment: Environment,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    server: Contender,
    idle: u32,
    active: u32,
    /// Messages a second of the active ones.
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Bytes of the server's memory and of the kernel's for each connection; `None` of few.
    bytes_each: Option<f64>,
}

/// Measures, and answers what there is to print.
///
/// # Errors
/// Not root, or so many connections cannot be held.
pub(crate) fn idle(args: IdleArgs) -> anyhow::Result<String> {
    netns::guarded(move || {
        let report = measure(&args)?;
        rendered(&report, args.json, table)
    })
}

fn measure(args: &IdleArgs) -> anyhow::Result<Report> {
    let (bed, mut environment) = Bed::new("idle", 1_500, 1, Offloads::Off)?;
    let bar = progress(args.server.len() * args.idle.len());
    let mut rows = Vec::new();
    for &idle in &args.idle {
        for &server in &args.server {
            bar.set_message(format!("{server}, {idle} idle"));
            let sample = bed.measure_apart(server, ClientKind::Xdp, &load(args, idle))?;
            environment.finish(sample.xdp_mode);
            let all = idle + args.active;
            rows.push(Row {
                server,
                idle,
                active: args.active,
                per_second: sample.per_second(),
                p50_us: sample.micros(0.5),
                p99_us: sample.micros(0.99),
                bytes_each: Some(sample.memory / f64::from(all))
                    .filter(|bytes| all >= TELLING && *bytes > 0.0),
            });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Report { environment, rows })
}

fn load(args: &IdleArgs, idle: u32) -> Load {
    Load {
        task: Task::Exchange,
        connections: (idle + args.active) as usize,
        active: args.active as usize,
        size: 64,
        mix: None,
        pace: Pace::Closed {
            depth: 1,
            think: Duration::ZERO,
        },
        warm_up: Duration::from_secs(1),
        span: Duration::from_secs(args.seconds),
    }
}

fn table(report: &Report) -> String {
    let mut text = report.environment.to_string();
    let heads = [
        "server",
        "idle",
        "active",
        "per s",
        "p50 us",
        "p99 us",
        "bytes each",
    ];
    for head in heads {
        // Writing to a string cannot fail.
        let _ = write!(text, "{head:>11}");
    }
    text.push('\n');
    for row in &report.rows {
        let bytes = row
            .bytes_each
            .map_or("-".to_owned(), |bytes| format!("{bytes:.0}"));
        let server = row.server.to_string();
        let _ = writeln!(
            text,
            "{server:>11}{:>11}{:>11}{:>11.0}{:>11.1}{:>11.1}{bytes:>11}",
            row.idle, row.active, row.per_second, row.p50_us, row.p99_us
        );
    }
    text
}
