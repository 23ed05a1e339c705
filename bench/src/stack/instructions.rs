//! Instructions of a kind of work, by callgrind: the same program gives the same number, whatever
//! else the machine does.

use std::process::Command;

use anyhow::{Context, ensure};

use super::Work;
use crate::cli::named;

/// Rounds of the shorter and of the longer run: their difference is what rounds cost.
const ROUNDS: [u32; 2] = [50, 150];

/// Instructions that `work` takes with so many connections open.
///
/// # Errors
/// valgrind is missing or fails.
pub(super) fn of(work: Work, connections: u32) -> anyhow::Result<f64> {
    let [few, many] = [
        play(work, connections, ROUNDS[0])?,
        play(work, connections, ROUNDS[1])?,
    ];
    let (instructions, done) = (many.0 - few.0, many.1 - few.1);
    ensure!(done > 0.0, "callgrind saw nothing of {}", work.name());
    Ok(instructions / done)
}

/// Instructions of the stack in so many rounds, and how often the work was done.
fn play(work: Work, connections: u32, rounds: u32) -> anyhow::Result<(f64, f64)> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(["stack", "--play", &named(&work)])
        .args(["--rounds", &rounds.to_string()])
        .args(["--connections", &connections.to_string()])
        .output()
        .context("cannot run valgrind; `apt install valgrind` has it")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "valgrind: {said}");
    let done = String::from_utf8_lossy(&output.stdout).trim().parse();
    let done = done.context("the work was not counted")?;
    let text = std::fs::read_to_string(out)?;
    let total = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    Ok((total.context("callgrind gives no total")?, done))
}
