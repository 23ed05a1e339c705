//! The rules of Prometheus for its text format, as `promtool check metrics` has them.

use std::collections::{BTreeMap, BTreeSet};

/// Everything in this text that breaks a rule.
pub(super) fn findings(text: &str) -> Vec<String> {
    let mut check = Check::default();
    text.lines().for_each(|line| check.line(line));
    check.end();
    if !text.ends_with('\n') {
        check.findings.push("the last line does not end".to_owned());
    }
    check.findings
}

#[derive(Default)]
struct Check {
    findings: Vec<String>,
    helps: BTreeSet<String>,
    /// Kind of each family.
    kinds: BTreeMap<String, String>,
    /// The family that is being written; its samples stand together.
    family: String,
    /// Name and labels of all samples.
    samples: BTreeSet<String>,
    /// The last bucket of each histogram, by labels without `le`: bound and count.
    buckets: BTreeMap<String, (f64, f64)>,
    /// `_count` of each histogram, by labels.
    counts: BTreeMap<String, f64>,
}

impl Check {
    fn refuse(&mut self, line: &str, why: &str) {
        self.findings.push(format!("{why}: {line}"));
    }

    fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            if help.is_empty() {
                self.refuse(line, "no help");
            }
            if !self.helps.insert(name.to_owned()) {
                self.refuse(line, "a second HELP");
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            self.begin(line, name, kind);
        } else {
            self.sample(line);
        }
    }

    fn begin(&mut self, line: &str, name: &str, kind: &str) {
        name.clone_into(&mut self.family);
        if self
            .kinds
            .insert(name.to_owned(), kind.to_owned())
            .is_some()
        {
            self.refuse(line, "a second TYPE");
        }
        if !self.helps.contains(name) {
            self.refuse(line, "TYPE without HELP before it");
        }
        let is_word = |letter: char| letter.is_ascii_lowercase() || "_0123456789".contains(letter);
        if !name.chars().all(is_word) {
            self.refuse(line, "no name in snake_case");
        }
        if (kind == "counter") != name.ends_with("_total") {
            self.refuse(line, "_total is for counters, and all of them");
        }
        let reserved = ["_count", "_sum", "_bucket", "_info_total"];
        if reserved.iter().any(|end| name.ends_with(end)) {
            self.refuse(line, "a suffix that histograms have");
        }
        let words: Vec<&str> = name.split('_').collect();
        let no_base = [
            "milliseconds",
            "microseconds",
            "nanoseconds",
            "ms",
            "us",
            "ns",
            "minutes",
            "hours",
            "bits",
            "kilobytes",
            "megabytes",
            "kb",
            "mb",
            "percent",
        ];
        if words.iter().any(|word| no_base.contains(word)) {
            self.refuse(line, "not in base units");
        }
        let unit = words
            .iter()
            .position(|word| ["seconds", "bytes"].contains(word));
        let stem = words.len() - usize::from(kind == "counter");
        if unit.is_some_and(|at| at + 1 != stem) {
            self.refuse(line, "the unit is not at the end");
        }
        if !["counter", "gauge", "histogram"].contains(&kind) {
            self.refuse(line, "no such kind");
        }
    }

    fn sample(&mut self, line: &str) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            return self.refuse(line, "no value");
        };
        let Ok(value) = value.parse::<f64>() else {
            return self.refuse(line, "no number");
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        if !self.samples.insert(series.to_owned()) {
            self.refuse(line, "a second time the same series");
        }
        let kind = self.kinds.get(&self.family).cloned().unwrap_or_default();
        if kind == "histogram" {
            return self.of_histogram(line, (name, labels), value);
        }
        if name != self.family {
            self.refuse(line, "not under the TYPE of its family");
        }
        if kind == "counter" && value < 0.0 {
            self.refuse(line, "a negative count");
        }
        if labels.contains("le=\"") {
            self.refuse(line, "le is for histograms");
        }
    }

    fn of_histogram(&mut self, line: &str, (name, labels): (&str, &str), value: f64) {
        let Some(suffix) = name.strip_prefix(&self.family) else {
            return self.refuse(line, "not under the TYPE of its family");
        };
        match suffix {
            "_sum" => {}
            "_count" => {
                self.counts.insert(labels.to_owned(), value);
            }
            "_bucket" => {
                let (rest, bound) = labels.rsplit_once("le=\"").unwrap_or((labels, ""));
                let Ok(bound) = bound.trim_end_matches("\"}").parse::<f64>() else {
                    return self.refuse(line, "a bucket without bound");
                };
                let key = rest.trim_end_matches(',').to_owned() + "}";
                let last = self.buckets.insert(key, (bound, value));
                if last.is_some_and(|(before, count)| bound <= before || value < count) {
                    self.refuse(line, "bounds or counts do not grow");
                }
            }
            _ => self.refuse(line, "no such suffix"),
        }
    }

    fn end(&mut self) {
        for (labels, (bound, up_to)) in &self.buckets {
            let count = self.counts.get(labels);
            if *bound != f64::INFINITY || count != Some(up_to) {
                let finding = format!("the last bucket does not hold all: {labels}");
                self.findings.push(finding);
            }
        }
    }
}
