//! The differences that docs/differential.md allows.

use wirepath_host::script::flags::flag_of;
use wirepath_wire::tcp::Flags;

use super::probe::{Ack, Probe, Seq, Stand, TEXT};

/// What the document says.
pub(crate) const DOCUMENT: &str = include_str!("../../../docs/differential.md");
const HEADING: &str = "| Stand | Flags | SEG.SEQ | SEG.ACK | Text | Linux ";
const CELLS: usize = 10;

/// The table of the document.
pub(crate) struct Allowed {
    /// Of Linux, as `6.18`.
    pub(crate) series: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// One kind of difference.
pub(crate) struct Row {
    /// As it stands in the document.
    pub(crate) line: &'static str,
    /// How many probes show it.
    pub(crate) cases: usize,
    /// Fewer may: on a busy machine a timer of Linux fires before the next segment is there.
    pub(crate) or_fewer: bool,
    stands: Vec<&'static str>,
    set: Flags,
    clear: Flags,
    seqs: Vec<&'static str>,
    acks: Vec<&'static str>,
    texts: Vec<&'static str>,
    linux: Vec<&'static str>,
    ours: Vec<&'static str>,
}

impl Allowed {
    /// Reads the document.
    pub(crate) fn read() -> Self {
        let mut lines = DOCUMENT.lines();
        let heading = lines.find_map(|line| line.strip_prefix(HEADING));
        let (series, _) = heading
            .and_then(|rest| rest.split_once(' '))
            .expect("the table has a heading");
        let rows = lines.skip(1).filter(|line| line.starts_with('|'));
        let rows = rows.map(Row::read).collect();
        Self { series, rows }
    }

    /// The first row that tells of this difference.
    pub(crate) fn find(&self, probe: &Probe, linux: &str, ours: &str) -> Option<usize> {
        self.rows
            .iter()
            .position(|row| row.tells_of(probe, linux, ours))
    }
}

impl Row {
    fn read(line: &'static str) -> Self {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), CELLS, "cells of {line}");
        let (set, clear) = flags(cells[1]);
        let exact = cells[7].strip_suffix(" or fewer");
        let stands = Stand::all().map(Stand::name).collect::<Vec<_>>();
        Self {
            line,
            cases: exact
                .unwrap_or(cells[7])
                .parse()
                .expect("a number of cases"),
            or_fewer: exact.is_some(),
            stands: words(cells[0], &stands),
            set,
            clear,
            seqs: words(cells[2], &Seq::ALL.map(Seq::name)),
            acks: words(cells[3], &Ack::ALL.map(Ack::name)),
            texts: words(cells[4], &["0", "10"]),
            linux: outcomes(cells[5]),
            ours: outcomes(cells[6]),
        }
    }

    /// Whether the document may say of so many cases what it says.
    pub(crate) fn is_right(&self, cases: usize) -> bool {
        let fewer = self.or_fewer && (1..self.cases).contains(&cases);
        fewer || cases == self.cases
    }

    fn tells_of(&self, probe: &Probe, linux: &str, ours: &str) -> bool {
        let flags = probe.flags();
        let text = if probe.has_text { "10" } else { "0" };
        self.stands.contains(&probe.stand.name())
            && flags.contains(self.set)
            && !flags.intersects(self.clear)
            && self.seqs.contains(&probe.seq.name())
            && self.acks.contains(&probe.ack.name())
            && self.texts.contains(&text)
            && self.linux.iter().any(|pattern| fits(pattern, linux))
            && self.ours.iter().any(|pattern| fits(pattern, ours))
    }
}

const _: () = assert!(TEXT.len() == 10);

/// The words of a cell, each of which must be known; `any` is all that are.
fn words(cell: &'static str, known: &[&'static str]) -> Vec<&'static str> {
    if cell == "any" {
        return known.to_vec();
    }
    let words: Vec<&str> = cell.split(", ").collect();
    for word in &words {
        assert!(known.contains(word), "{word} is none of {known:?}");
    }
    words
}

/// Flags that are set, and flags that are not.
fn flags(cell: &str) -> (Flags, Flags) {
    let (mut set, mut clear) = (Flags::empty(), Flags::empty());
    let mut letters = cell.trim_matches('`').chars();
    while let Some(letter) = letters.next() {
        let (into, letter) = match letter {
            '!' => (&mut clear, letters.next().unwrap_or(letter)),
            letter => (&mut set, letter),
        };
        *into |= flag_of(letter).unwrap_or_else(|| panic!("{letter} is no flag"));
    }
    (set, clear)
}

fn outcomes(cell: &'static str) -> Vec<&'static str> {
    let outcomes = cell.split(" or ");
    outcomes.map(|outcome| outcome.trim_matches('`')).collect()
}

/// Whether an outcome is as a pattern says, in which one `*` is anything.
fn fits(pattern: &str, outcome: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == outcome,
        Some((head, tail)) => {
            let rest = outcome.strip_prefix(head);
            rest.is_some_and(|rest| rest.ends_with(tail))
        }
    }
}
