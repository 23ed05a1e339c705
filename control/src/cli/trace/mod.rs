//! `wirepath trace`: what the flight recorder knows of a connection.

mod packets;
mod plot;
#[cfg(test)]
mod tests;
mod timeline;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};

use super::Failure;
use super::servers::{Where, block_on, print};
use crate::api::{Trace, TraceQuery};

/// What `trace` can be told.
#[derive(Debug, clap::Args)]
#[command(after_help = "docs/trace.md tells what is recorded, and when it is saved.")]
pub(super) struct Args {
    /// The peer's address and port, as ss shows it [default: list what was saved].
    peer: Option<SocketAddr>,
    /// Only what was saved for this trouble, not what is known now.
    #[arg(long, value_enum)]
    saved: Option<TroubleArg>,
    /// Write the segments to this pcapng file, with headers made up from what is known.
    #[arg(long, value_name = "FILE", requires = "peer")]
    pcapng: Option<PathBuf>,
    /// Draw sequence numbers over time to this SVG file.
    #[arg(long, value_name = "FILE", requires = "peer")]
    svg: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TroubleArg {
    /// A retransmission time-out.
    Rto,
    /// A reset, received or sent.
    Reset,
    /// A peer that closed its window to what was to be sent.
    ZeroWindow,
}

impl TroubleArg {
    const fn name(self) -> &'static str {
        match self {
            Self::Rto => "rto",
            Self::Reset => "reset",
            Self::ZeroWindow => "zero window",
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut traces = block_on(ask(args))?;
    if let Some(trouble) = args.saved {
        traces.retain(|trace| trace.trouble.as_deref() == Some(trouble.name()));
    }
    let text = match args.peer {
        None if args.json => serde_json::to_string_pretty(&traces)? + "\n",
        None => list(&traces),
        Some(peer) => {
            let trace = best(&traces).ok_or_else(|| {
                anyhow!("nothing is known of a connection with {peer}; it may be too long ago")
            })?;
            export(trace, args)?;
            match args.json {
                true => serde_json::to_string_pretty(&traces)? + "\n",
                false => timeline::text(trace),
            }
        }
    };
    print(&text)?;
    Ok(())
}

async fn ask(args: &Args) -> anyhow::Result<Vec<Trace>> {
    let query = TraceQuery { remote: args.peer };
    let mut traces = Vec::new();
    for (_, client) in args.at.all()? {
        traces.extend(client.traces(query).await?);
    }
    traces.sort_by_key(last);
    Ok(traces)
}

/// When its last event was.
fn last(trace: &Trace) -> u64 {
    trace.events.last().map_or(0, |event| event.at_us)
}

/// What is known now, or else what was saved last.
fn best(traces: &[Trace]) -> Option<&Trace> {
    let mut newest_first = traces.iter().rev();
    let now = newest_first.clone().find(|trace| trace.trouble.is_none());
    now.or_else(|| newest_first.next())
}

fn export(trace: &Trace, args: &Args) -> anyhow::Result<()> {
    let write = |path: &Path, bytes: &[u8]| {
        // Standard output has the time line.
        ensure!(path != Path::new("-"), "- is no file: name one to write to");
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &args.pcapng {
        write(path, &packets::pcapng(trace)?)?;
    }
    if let Some(path) = &args.svg {
        write(path, plot::svg(trace).as_bytes())?;
    }
    Ok(())
}

fn list(traces: &[Trace]) -> String {
    if traces.is_empty() {
        return "no connection has met an RTO, a reset or a zero window\n".to_owned();
    }
    let mut text = format!(
        "{:<18} {:<12} {:>7}  Connection\n",
        "Unix time", "Trouble", "Events"
    );
    for trace in traces {
        let (at, count) = (timeline::seconds(last(trace)), trace.events.len());
        let trouble = trace.trouble.as_deref().unwrap_or("none");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{at:<18} {trouble:<12} {count:>7}  {} <-> {}",
            trace.local, trace.remote
        );
    }
    text
}
