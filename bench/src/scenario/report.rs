//! What was measured, as a table, as CSV and as JSON.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::grid;
use crate::bed::{ClientKind, Sample, micros};
use crate::contender::Contender;
use crate::environment::Environment;
use crate::load::{Load, Task};

/// Shares of the requests, and the names of how long they took at most.
pub(crate) const QUANTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("max", 1.0),
];

/// All measurements of a scenario, and where they were made.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) environment: Environment,
    /// Largest packet of the link, in bytes.
    pub(super) mtu: u32,
    /// Threads of a client on the kernel's sockets.
    pub(super) client_threads: u32,
    pub(super) rows: Vec<Row>,
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) server: Contender,
    pub(super) client: ClientKind,
    pub(super) load: Load,
    /// Requests, or connections, done in a second.
    pub(super) per_second: f64,
    /// Megabits of text a second, one way.
    pub(super) mbit_per_second: f64,
    /// Microseconds, by [`QUANTILES`]; `None` where nothing is asked, or too little to tell.
    pub(super) latency_us: Option<[Option<f64>; 6]>,
    /// Processor seconds of the whole machine in a second.
    pub(super) cpus: f64,
    /// Share of the requests, and the microseconds in which they were answered.
    #[serde(skip)]
    pub(super) curve: Vec<(f64, f64)>,
}

impl Row {
    pub(super) fn new(server: Contender, client: ClientKind, load: &Load, sample: &Sample) -> Self {
        let latencies = &sample.latencies;
        let asks = matches!(load.task, Task::Exchange | Task::Connect);
        Self {
            server,
            client,
            load: *load,
            per_second: sample.per_second(),
            mbit_per_second: sample.mbit_per_second(),
            latency_us: asks.then(|| QUANTILES.map(|(_, share)| told(sample, share))),
            cpus: sample.cpus,
            curve: curve(latencies),
        }
    }

    fn cells(&self) -> Vec<String> {
        let Load {
            task,
            connections,
            pace,
            ..
        } = &self.load;
        let mut cells = vec![
            self.server.to_string(),
            self.client.to_string(),
            task.to_string(),
            connections.to_string(),
            grid::bytes(&self.load),
            if self.latency_us.is_some() {
                grid::pace(pace)
            } else {
                "-".to_owned()
            },
            match self.latency_us {
                Some(_) => format!("{:.0}", self.per_second),
                None => "-".to_owned(),
            },
            format!("{:.1}", self.mbit_per_second),
        ];
        cells.extend(match self.latency_us {
            Some(latency) => latency.map(|micros| match micros {
                Some(micros) => format!("{micros:.1}"),
                None => "-".to_owned(),
            }),
            None => QUANTILES.map(|_| "-".to_owned()),
        });
        cells.push(format!("{:.2}", self.cpus));
        cells
    }
}

/// A share of which at least one message was outside, or all.
fn told(sample: &Sample, share: f64) -> Option<f64> {
    let count = sample.latencies.len() as f64;
    let tells = count >= 1.0 && (share >= 1.0 || (1.0 - share) * count >= 1.0);
    tells.then(|| sample.micros(share))
}

/// Points that show the tail: each as far from 1 as half of the one before.
fn curve(latencies: &Histogram<u64>) -> Vec<(f64, f64)> {
    let shares = (0..20).map(|step| 1.0 - 0.5_f64.powi(step) * 0.5);
    let known = |share: &f64| (1.0 - share) * latencies.len() as f64 >= 1.0;
    let shares = shares.take_while(known);
    shares
        .map(|share| (share, micros(latencies, share)))
        .collect()
}

impl Report {
    fn heads() -> Vec<String> {
        let mut heads: Vec<String> = ["server", "client", "task", "connections", "bytes", "pace"]
            .map(str::to_owned)
            .to_vec();
        heads.extend(["per s".to_owned(), "Mbit/s".to_owned()]);
        heads.extend(QUANTILES.map(|(name, _)| format!("{name} us")));
        heads.push("cpus".to_owned());
        heads
    }

    /// Heads and rows, cell by cell.
    pub(super) fn lines(&self) -> Vec<Vec<String>> {
        let rows = self.rows.iter().map(Row::cells);
        std::iter::once(Self::heads()).chain(rows).collect()
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let lines = self.lines();
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let mut text = self.environment.to_string();
        for line in &lines {
            for (cell, width) in line.iter().zip(&widths) {
                // Writing to a string cannot fail.
                let _ = write!(text, "{cell:>width$}  ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// For programs.
    pub(super) fn csv(&self) -> String {
        let quoted = |cell: &String| match cell.contains(',') {
            true => format!("\"{cell}\""),
            false => cell.clone(),
        };
        let line = |line: Vec<String>| line.iter().map(quoted).collect::<Vec<_>>().join(",");
        self.lines()
            .into_iter()
            .map(line)
            .fold(String::new(), |text, line| text + &line + "\n")
    }
}
