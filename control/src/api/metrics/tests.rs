//! /metrics as a whole, and the dashboard that is made of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wirepath_apps::Service;
use wirepath_apps::proxy::{self, BackendReport, PoolReport, Refusals, Standing};
use wirepath_stack::counters::Counters;
use wirepath_stack::listeners::Tally;
use wirepath_stack::worker::{Holdings, Traffic};
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Endpoint;
use wirepath_xdp::Statistics;

use super::{metrics, rules};
use crate::runtime::{
    ListenerInfo, Meter, Queue, QueueReport, ServerReport, Snapshot, WorkerReport,
};

/// Two workers with two queues each, and two listeners.
fn report() -> ServerReport {
    let queue = |number| QueueReport {
        queue: Queue {
            interface: "eth0".into(),
            number,
        },
        traffic: Traffic {
            frames_in: 7,
            ..Traffic::default()
        },
        kernel: Statistics::default(),
    };
    let worker = |number: usize| WorkerReport {
        number,
        snapshot: Snapshot {
            counters: Counters {
                bytes_in: 1_500,
                drop_claimed: 3,
                ..Counters::default()
            },
            holdings: Holdings::default(),
            ledgers: Vec::new(),
            frames_balance: true,
            now: Instant::ZERO,
        },
        meter: Meter::new(Instant::ZERO),
        queues: vec![queue(number as u32), queue(number as u32 + 2)],
    };
    let listener = |endpoint: &str| ListenerInfo {
        endpoint: endpoint.parse().unwrap(),
        role: Service::Echo.into(),
        closing: false,
        tally: Tally {
            held: 2,
            opened: 5,
            text_in: 70,
            text_out: 71,
        },
    };
    ServerReport {
        workers: vec![worker(0), worker(1)],
        listeners: vec![listener("192.0.2.1:7"), listener("[2001:db8::1]:7")],
        pools: BTreeMap::from([("web".to_owned(), pool())]),
        steering: BTreeMap::from([("redirected", 9)]),
        known_connections: 0,
        stalls: 0,
    }
}

fn pool() -> PoolReport {
    let backend = BackendReport {
        endpoint: Endpoint::new([192, 0, 2, 10].into(), 80),
        standing: Standing::Ejected,
        held: 4,
        tally: proxy::Tally {
            refused: 5,
            text_to: 700,
            ..proxy::Tally::default()
        },
    };
    PoolReport {
        clients: 3,
        queued: 1,
        refusals: Refusals {
            queue_full: 2,
            ..Refusals::default()
        },
        backends: vec![backend],
    }
}

#[test]
fn the_text_keeps_the_rules() {
    let text = metrics(&report());
    assert_eq!(rules::findings(&text), Vec::<String>::new());
}

#[test]
fn counts_stand_by_worker_queue_listener_and_reason() {
    let text = metrics(&report());
    for line in [
        "wirepath_received_bytes_total{worker=\"1\"} 1500",
        "wirepath_drops_total{worker=\"0\",reason=\"claimed\"} 3",
        "wirepath_queue_frames_in_total{interface=\"eth0\",queue=\"3\",worker=\"1\"} 7",
        "wirepath_listener_text_received_bytes_total{endpoint=\"192.0.2.1:7\",service=\"echo\"} 70",
        "wirepath_listener_opened_total{endpoint=\"[2001:db8::1]:7\",service=\"echo\"} 5",
        "wirepath_pool_clients{pool=\"web\"} 3",
        "wirepath_pool_refusals_total{pool=\"web\",reason=\"queue_full\"} 2",
        "wirepath_backend_up{pool=\"web\",backend=\"192.0.2.10:80\"} 0",
        "wirepath_backend_refused_total{pool=\"web\",backend=\"192.0.2.10:80\"} 5",
        "wirepath_backend_text_sent_bytes_total{pool=\"web\",backend=\"192.0.2.10:80\"} 700",
        "wirepath_steered_frames_total{verdict=\"redirected\"} 9",
        "wirepath_stage_seconds_bucket{worker=\"0\",stage=\"turn\",le=\"+Inf\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

/// Names of metrics in the expressions of a dashboard.
fn names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| self::names(value, names)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let text = value.as_str().filter(|_| name == "expr" || name == "query");
                let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let words = text.unwrap_or_default().split(|letter| !is_part(letter));
                let ours = words.filter(|word| word.starts_with("wirepath_"));
                names.extend(ours.map(str::to_owned));
                self::names(value, names);
            }
        }
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_only_for_what_there_is() {
    let dashboard = include_str!("../../../../docs/grafana.json");
    let dashboard: Value = serde_json::from_str(dashboard).expect("docs/grafana.json is JSON");
    let mut asked = BTreeSet::new();
    names(&dashboard, &mut asked);
    assert!(asked.len() > 10, "{asked:?}");
    let text = metrics(&report());
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let there: BTreeSet<&str> = series
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let missing: Vec<_> = asked
        .iter()
        .filter(|name| !there.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are not in /metrics");
}

#[test]
fn what_breaks_a_rule_is_found() {
    let head = "# HELP wp_x_total X.\n# TYPE wp_x_total counter\n";
    let histogram = "# HELP wp_h_seconds H.\n# TYPE wp_h_seconds histogram\n";
    let cases = [
        (format!("{head}wp_x_total{{a=\"1\"}} 1\n"), ""),
        (format!("{head}wp_x_total 1"), "does not end"),
        (
            format!("{head}wp_x_total 1\nwp_x_total 2\n"),
            "a second time the same series",
        ),
        (format!("{head}{head}"), "a second HELP"),
        (format!("{head}wp_y_total 1\n"), "not under the TYPE"),
        (format!("{head}wp_x_total one\n"), "no number"),
        (format!("{head}wp_x_total -1\n"), "a negative count"),
        ("# TYPE wp_x gauge\n".to_owned(), "without HELP"),
        ("# HELP wp_x \n# TYPE wp_x gauge\n".to_owned(), "no help"),
        (
            "# HELP wp_x X.\n# TYPE wp_x counter\n".to_owned(),
            "_total is for counters",
        ),
        (
            "# HELP wp_total X.\n# TYPE wp_total gauge\n".to_owned(),
            "_total is for counters",
        ),
        ("# HELP wpX X.\n# TYPE wpX gauge\n".to_owned(), "snake_case"),
        (
            "# HELP wp_ms X.\n# TYPE wp_ms gauge\n".to_owned(),
            "base units",
        ),
        (
            "# HELP wp_bytes_in X.\n# TYPE wp_bytes_in gauge\n".to_owned(),
            "not at the end",
        ),
        (
            "# HELP wp_x_sum X.\n# TYPE wp_x_sum gauge\n".to_owned(),
            "suffix",
        ),
        (
            format!(
                "{histogram}wp_h_seconds_bucket{{le=\"1\"}} 2\n\
                 wp_h_seconds_bucket{{le=\"+Inf\"}} 1\n\
                 wp_h_seconds_sum 1\nwp_h_seconds_count 1\n"
            ),
            "do not grow",
        ),
        (
            format!("{histogram}wp_h_seconds_bucket{{le=\"1\"}} 2\nwp_h_seconds_count 3\n"),
            "does not hold all",
        ),
    ];
    for (text, wanted) in cases {
        let findings = rules::findings(&text);
        if wanted.is_empty() {
            assert_eq!(findings, Vec::<String>::new(), "{text}");
        } else {
            assert!(
                findings.iter().any(|f| f.contains(wanted)),
                "{findings:?} of\n{text}"
            );
        }
    }
}
