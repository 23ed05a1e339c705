//! Families of pools and backends.

use std::fmt::Display;

use wirepath_apps::proxy::{BackendReport, PoolReport, Standing, Tally};

use super::text::{Kind, Text};
use crate::runtime::ServerReport;

/// Name, meaning, and where it is found.
type Gauge<T> = (&'static str, &'static str, fn(&T) -> usize);

/// Counts of bytes end with their unit.
fn metric_name(counter: &str) -> String {
    match counter {
        "text_to" => "backend_text_sent_bytes".to_owned(),
        "text_from" => "backend_text_received_bytes".to_owned(),
        name => format!("backend_{name}"),
    }
}

/// All of them; none without pools.
pub(super) fn pools(text: &mut Text, report: &ServerReport) {
    if report.pools.is_empty() {
        return;
    }
    let gauges: [Gauge<PoolReport>; 2] = [
        (
            "pool_clients",
            "Connections that clients have now",
            |pool| pool.clients,
        ),
        (
            "pool_queued",
            "Clients that wait for a backend now",
            |pool| pool.queued,
        ),
    ];
    for (name, help, get) in gauges {
        let mut family = text.family(Kind::Gauge, name, help);
        for (pool, report) in &report.pools {
            family.sample(&[("pool", pool)], get(report));
        }
    }
    let mut family = text.family(Kind::Counter, "pool_refusals", "Clients refused, by reason");
    for (pool, report) in &report.pools {
        for (reason, _, count) in report.refusals.table() {
            family.sample(&[("pool", pool), ("reason", &reason)], count);
        }
    }
    backends(text, report);
}

fn backends(text: &mut Text, report: &ServerReport) {
    let backends = report.pools.iter();
    let backends: Vec<(&str, &BackendReport)> = backends
        .flat_map(|(pool, report)| report.backends.iter().map(|it| (pool.as_str(), it)))
        .collect();
    let mut family = text.family(Kind::Gauge, "backend_up", "1 if it gets connections");
    // One that is removed is not meant to.
    let meant = |(_, it): &&(&str, &BackendReport)| it.standing != Standing::Removed;
    for (pool, backend) in backends.iter().filter(meant) {
        let is_up = usize::from(backend.standing == Standing::Up);
        family.sample(&labels(pool, backend), is_up);
    }
    let held = "Connections and attempts now";
    let mut family = text.family(Kind::Gauge, "backend_held", held);
    for (pool, backend) in &backends {
        family.sample(&labels(pool, backend), backend.held);
    }
    for (nth, (name, help, _)) in Tally::default().table().enumerate() {
        let mut family = text.family(Kind::Counter, &metric_name(name), help);
        for (pool, backend) in &backends {
            let count = backend.tally.table().nth(nth);
            let count = count.map_or(0, |(_, _, count)| count);
            family.sample(&labels(pool, backend), count);
        }
    }
}

fn labels<'a>(
    pool: &'a &'a str,
    backend: &'a BackendReport,
) -> [(&'static str, &'a dyn Display); 2] {
    [("pool", pool), ("backend", &backend.endpoint)]
}
