//! Instructions, counted by callgrind: the same program gives the same number, whatever else the
//! machine does.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::Command;

use super::{Held, Kind};

/// What a segment of a kind costs.
#[derive(Debug, Clone)]
pub struct Cost {
    /// The name of the kind.
    pub name: &'static str,
    /// Instructions a segment, with all that it causes.
    pub instructions: f64,
    /// The same for each segment that came or went, beside that of the clean kind.
    pub times: f64,
    /// What else was measured.
    pub held: Held,
}

/// Marks the end of what belongs to a kind: callgrind begins to count anew after it.
#[inline(never)]
pub(super) fn end_of_kind() {
    black_box(());
}

/// Runs `program`, which is the one of this crate, under callgrind.
///
/// # Errors
/// When valgrind is not there, or says something else than expected.
pub fn measure(program: &Path) -> io::Result<Vec<Cost>> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let out = folder.join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_turn*"])
        .args(["--dump-after=*end_of_kind*", "--dump-line=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(["hostile", "--play"])
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("valgrind: {said}")));
    }
    let mut costs = Vec::new();
    for (kind, number) in Kind::all().zip(1..) {
        let path = folder.join(format!("callgrind.out.{number}"));
        let total = total(&std::fs::read_to_string(path)?)
            .ok_or_else(|| io::Error::other("a file of callgrind without a total"))?;
        costs.push(Cost {
            name: kind.name,
            instructions: total as f64 / f64::from(kind.segments),
            times: 0.0,
            held: super::play(kind),
        });
    }
    compare(&mut costs);
    Ok(costs)
}

fn compare(costs: &mut [Cost]) {
    let each = |cost: &Cost| cost.instructions / (1.0 + cost.held.sent);
    let all: Vec<(&str, f64)> = costs.iter().map(|cost| (cost.name, each(cost))).collect();
    for (kind, cost) in Kind::all().zip(costs) {
        let clean = all.iter().find(|(name, _)| *name == kind.beside);
        cost.times = clean.map_or(f64::NAN, |(_, clean)| each(cost) / clean);
    }
}

/// Instructions of one dump.
fn total(text: &str) -> Option<u64> {
    let mut lines = text.lines().rev();
    lines.find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

/// The costs as a table.
#[must_use]
pub fn table(costs: &[Cost]) -> String {
    let mut text = String::from(
        "| segments | in flight | instructions each | sent for each | times clean | blocks |\n\
         |---|---|---|---|---|---|\n",
    );
    for cost in costs {
        let Cost { name, held, .. } = cost;
        let (instructions, times) = (cost.instructions, cost.times);
        let (in_flight, sent, blocks) = (held.in_flight, held.sent, held.blocks);
        text.push_str(&format!(
            "| {name} | {in_flight} | {instructions:.0} | {sent:.2} | {times:.2} | {blocks} |\n"
        ));
    }
    text
}
