//! `wirepath script`: plays packet scripts against a host of its own, without a network.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use wirepath_host::script::Script;

use super::Failure;

/// Play packet scripts against the stack, in virtual time and without a network or rights.
#[derive(Debug, clap::Args)]
#[command(after_help = "docs/scripts.md tells the format; datapath/host/scripts has examples.")]
pub(super) struct Args {
    /// The scripts.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one line a script, without the packets.
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    // All are read before one is played: a script that makes no sense is a bad argument.
    let scripts: Vec<(&Path, Script)> = args
        .files
        .iter()
        .map(|path| Ok((path.as_path(), read(path)?)))
        .collect::<Result<_, anyhow::Error>>()
        .map_err(Failure::Usage)?;
    let mut failed = 0;
    let mut out = std::io::stdout().lock();
    for (path, script) in &scripts {
        let name = path.display();
        match script.play() {
            Ok(played) => {
                writeln!(out, "{name}: holds")?;
                if !args.quiet {
                    played
                        .trace
                        .iter()
                        .try_for_each(|line| writeln!(out, "    {line}"))?;
                }
            }
            Err(error) => {
                failed += 1;
                writeln!(out, "{name}: fails, {error}")?;
            }
        }
    }
    if failed > 0 {
        let of = scripts.len();
        return Err(anyhow!("{failed} of {of} scripts did not hold").into());
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Script> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Script::parse(&text).with_context(|| format!("{name} is no packet script"))
}
