//! What the comparison shows.

use std::collections::BTreeMap;
use std::fmt;

use super::allowed::{Allowed, DOCUMENT};
use super::outcome::Outcome;
use super::probe::{Probe, Stand};

/// How many differences that the document does not tell of are shown.
const SHOWN: usize = 40;

#[derive(Default, Clone, Copy)]
struct Counts {
    probes: usize,
    identical: usize,
    allowed: usize,
}

/// Counts of all that was compared.
pub(crate) struct Report {
    allowed: Allowed,
    /// By the row of the document.
    cases: Vec<usize>,
    of_stands: BTreeMap<&'static str, Counts>,
    unknown: Vec<String>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let allowed = Allowed::read();
        Self {
            cases: vec![0; allowed.rows.len()],
            allowed,
            of_stands: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, probe: &Probe, linux: &Outcome, ours: &Outcome) {
        let counts = self.of_stands.entry(probe.stand.name()).or_default();
        counts.probes += 1;
        if linux == ours {
            counts.identical += 1;
            return;
        }
        let (linux, ours) = (linux.to_string(), ours.to_string());
        match self.allowed.find(probe, &linux, &ours) {
            Some(row) => {
                counts.allowed += 1;
                self.cases[row] += 1;
            }
            None => self.unknown.push(format!("{probe} | {linux} | {ours}")),
        }
    }

    fn total(&self) -> Counts {
        let add = |sum: Counts, of: &Counts| Counts {
            probes: sum.probes + of.probes,
            identical: sum.identical + of.identical,
            allowed: sum.allowed + of.allowed,
        };
        self.of_stands.values().fold(Counts::default(), add)
    }

    /// Where the document and what was seen are not the same.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let unknown = self.unknown.len();
        if unknown > 0 {
            faults.push(format!("{unknown} differences are not in the document:"));
            faults.extend(self.unknown.iter().take(SHOWN).cloned());
        }
        for (row, cases) in self.allowed.rows.iter().zip(&self.cases) {
            if !row.is_right(*cases) {
                faults.push(format!("{cases} cases, not {}: {}", row.cases, row.line));
            }
        }
        let sentence = self.sentence();
        if !DOCUMENT.contains(&sentence) {
            faults.push(format!("the document does not say: {sentence}"));
        }
        faults
    }

    fn sentence(&self) -> String {
        let Counts {
            probes,
            identical,
            allowed,
        } = self.total();
        // As if all that may be fewer were there.
        let rows = self.allowed.rows.iter().zip(&self.cases);
        let short = rows.filter(|(row, cases)| row.or_fewer && row.is_right(**cases));
        let short: usize = short.map(|(row, cases)| row.cases - cases).sum();
        let (identical, allowed) = (identical - short, allowed + short);
        let rows = self.allowed.rows.len();
        let alike = format!("Of {probes} probes {identical} are answered alike");
        format!("{alike}; the {allowed} others are of {rows} kinds.")
    }

    /// Whether the document was made on a kernel of the series that runs.
    pub(crate) fn is_of_this_kernel(&self) -> bool {
        let release = rustix::system::uname();
        let release = release.release().to_string_lossy();
        let rest = release.strip_prefix(self.allowed.series);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let of_stands = Stand::all().filter_map(|stand| {
            let counts = self.of_stands.get(stand.name())?;
            Some((stand.name(), *counts))
        });
        for (name, counts) in of_stands.chain([("all", total)]) {
            let Counts {
                probes,
                identical,
                allowed,
            } = counts;
            writeln!(
                f,
                "{name:<21} {probes:>6} probes {identical:>6} identical {allowed:>5} allowed"
            )?;
        }
        Ok(())
    }
}
