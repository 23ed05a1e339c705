//! What the stack alone costs, without device, driver and kernel: in nanoseconds, and in
//! instructions that callgrind counts.

mod instructions;
mod scene;
mod work;

use std::fmt::Write as _;

pub use scene::{Peer, Scene};
pub use work::{Play, Work};

use crate::scenario::progress;

/// What `stack` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Connections that are open, one table column each.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,1000,100000",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: Vec<u32>,
    /// Count instructions with callgrind, which takes long, beside nanoseconds.
    #[arg(long)]
    instructions: bool,
    /// Only do so many rounds of one kind of work, for callgrind to count.
    #[arg(long, hide = true, value_enum, requires = "rounds")]
    play: Option<Work>,
    #[arg(long, hide = true)]
    rounds: Option<u32>,
}

/// Measures, and answers what there is to print.
///
/// # Errors
/// valgrind is missing or fails.
pub(crate) fn run(args: Args) -> anyhow::Result<String> {
    let connections = args.connections[0] as usize;
    if let (Some(work), Some(rounds)) = (args.play, args.rounds) {
        return Ok(format!("{}\n", work.rounds(connections, rounds)));
    }
    let bar = progress(args.connections.len() * Work::ALL.len());
    let mut text = format!("{:<16}", "");
    for connections in &args.connections {
        // Writing to a string cannot fail.
        let _ = write!(text, " {:>26}", format!("{connections} connections"));
    }
    text.push('\n');
    for work in Work::ALL {
        let _ = write!(text, "{:<16}", work.name());
        for &connections in &args.connections {
            bar.set_message(format!("{}, {connections} connections", work.name()));
            let nanos = work.nanos(connections as usize);
            let mut cell = format!("{nanos:.0} ns");
            if args.instructions {
                let count = instructions::of(work, connections)?;
                let _ = write!(cell, ", {count:.0} instr.");
            }
            let _ = write!(text, " {cell:>26}");
            bar.inc(1);
        }
        text.push('\n');
    }
    bar.finish_and_clear();
    Ok(text)
}
