//! Every family of metrics.

use std::time::Duration;

use wirepath_stack::counters::Counters;
use wirepath_stack::worker::Holdings;
use wirepath_tcp::state::State;

use super::pools::pools;
use super::text::{Kind, Text};
use crate::runtime::{ListenerInfo, QueueReport, ServerReport, Spans, Stage, WorkerReport};

/// Upper bounds of the buckets of spans in microseconds: each about twice the last.
const BOUNDS: [u64; 18] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
    1_000_000, 10_000_000,
];

/// The text of a report.
#[must_use]
pub(in crate::api) fn metrics(report: &ServerReport) -> String {
    let mut text = Text::default();
    let version = env!("CARGO_PKG_VERSION");
    text.family(
        Kind::Gauge,
        "build_info",
        "Always 1; the label tells the version",
    )
    .sample(&[("version", &version)], 1);
    counters(&mut text, report);
    drops(&mut text, report);
    states(&mut text, report);
    load(&mut text, report);
    stages(&mut text, report);
    holdings(&mut text, report);
    queues(&mut text, report);
    listeners(&mut text, report);
    pools(&mut text, report);
    server(&mut text, report);
    text.into_string()
}

/// Counts of bytes end with their unit.
fn metric_name(counter: &'static str) -> &'static str {
    match counter {
        "bytes_in" => "received_bytes",
        "bytes_out" => "sent_bytes",
        "text_in" => "text_received_bytes",
        "text_out" => "text_acknowledged_bytes",
        name => name,
    }
}

fn counters(text: &mut Text, report: &ServerReport) {
    for (index, (name, help, _)) in Counters::default().table().into_iter().enumerate() {
        // Those are of one family, by reason.
        if name.starts_with("drop_") {
            continue;
        }
        let mut family = text.family(Kind::Counter, metric_name(name), help);
        for WorkerReport {
            number, snapshot, ..
        } in &report.workers
        {
            let (_, _, count) = snapshot.counters.table()[index];
            family.sample(&[("worker", number)], count);
        }
    }
}

fn drops(text: &mut Text, report: &ServerReport) {
    let help = "Frames and segments dropped, by reason";
    let mut family = text.family(Kind::Counter, "drops", help);
    for worker in &report.workers {
        for (reason, count) in worker.snapshot.counters.drops() {
            let labels: [(&str, &dyn std::fmt::Display); 2] =
                [("worker", &worker.number), ("reason", &reason)];
            family.sample(&labels, count);
        }
    }
}

fn states(text: &mut Text, report: &ServerReport) {
    let help = "Connections that entered a state of RFC 9293 3.3.2";
    let mut family = text.family(Kind::Counter, "states_entered", help);
    for worker in &report.workers {
        for (state, count) in State::ALL.iter().zip(worker.snapshot.counters.entered) {
            family.sample(&[("worker", &worker.number), ("state", state)], count);
        }
    }
}

fn load(text: &mut Text, report: &ServerReport) {
    type Get = fn(&WorkerReport) -> f64;
    let families: [(&str, &str, Get); 3] = [
        (
            "busy_seconds",
            "Time in turns that did something",
            |worker| worker.meter.busy().as_secs_f64(),
        ),
        ("idle_seconds", "All other time", |worker| {
            worker.meter.idle().as_secs_f64()
        }),
        ("busy_turns", "Turns that did something", |worker| {
            worker.meter.busy_turns() as f64
        }),
    ];
    for (name, help, get) in families {
        let mut family = text.family(Kind::Counter, name, help);
        for worker in &report.workers {
            family.sample(&[("worker", &worker.number)], get(worker));
        }
    }
}

fn stages(text: &mut Text, report: &ServerReport) {
    let help = "Time of a stage of a turn, of one turn in 64: in until applications have \
                seen what came, out until the kernel has what goes, turn for all";
    let mut family = text.family(Kind::Histogram, "stage_seconds", help);
    for worker in &report.workers {
        for stage in Stage::ALL {
            let spans = worker.meter.spans(stage);
            family.histogram(
                &[("worker", &worker.number), ("stage", &stage.name())],
                buckets(spans),
                (spans.count(), spans.sum().as_secs_f64()),
            );
        }
    }
}

fn buckets(spans: &Spans) -> impl Iterator<Item = (f64, u64)> + '_ {
    BOUNDS.into_iter().map(|micros| {
        let bound = Duration::from_micros(micros);
        (bound.as_secs_f64(), spans.up_to(bound))
    })
}

fn holdings(text: &mut Text, report: &ServerReport) {
    type Get = fn(&Holdings) -> usize;
    let kinds: [(&str, Get); 3] = [
        ("half_open", |holdings| holdings.half_open),
        ("open", |holdings| holdings.open),
        ("time_wait", |holdings| holdings.time_wait),
    ];
    let help = "Flows now: unfinished handshakes, whole connections, and those in TIME-WAIT";
    let mut family = text.family(Kind::Gauge, "flows", help);
    for worker in &report.workers {
        for (kind, get) in kinds {
            let labels: [(&str, &dyn std::fmt::Display); 2] =
                [("worker", &worker.number), ("kind", &kind)];
            family.sample(&labels, get(&worker.snapshot.holdings));
        }
    }
    let others: [(&str, &str, Get); 3] = [
        (
            "flows_resting",
            "Whole connections on which nothing is under way",
            |holdings| holdings.resting,
        ),
        ("blocks_used", "Blocks of text in use now", |holdings| {
            holdings.blocks
        }),
        ("blocks", "Blocks of text in all", |holdings| {
            holdings.blocks_total
        }),
    ];
    for (name, help, get) in others {
        let mut family = text.family(Kind::Gauge, name, help);
        for worker in &report.workers {
            let value = get(&worker.snapshot.holdings);
            family.sample(&[("worker", &worker.number)], value);
        }
    }
}

fn queues(text: &mut Text, report: &ServerReport) {
    type Get = fn(&QueueReport) -> u64;
    let families: [(&str, &str, Get); 8] = [
        ("queue_frames_in", "Frames received", |queue| {
            queue.traffic.frames_in
        }),
        (
            "queue_received_bytes",
            "Bytes received, link headers included",
            |queue| queue.traffic.bytes_in,
        ),
        ("queue_batches_in", "Batches that frames came in", |queue| {
            queue.traffic.batches_in
        }),
        ("queue_frames_out", "Frames sent", |queue| {
            queue.traffic.frames_out
        }),
        (
            "queue_sent_bytes",
            "Bytes sent, link headers included",
            |queue| queue.traffic.bytes_out,
        ),
        (
            "queue_ring_full",
            "Frames dropped by the kernel as the receive ring was full",
            |queue| queue.kernel.rx_ring_full,
        ),
        (
            "queue_dropped",
            "Frames dropped by the kernel for other reasons",
            |queue| queue.kernel.rx_dropped,
        ),
        (
            "queue_fill_ring_empty",
            "Times that the kernel found no frame to receive into",
            |queue| queue.kernel.fill_ring_empty,
        ),
    ];
    for (name, help, get) in families {
        let mut family = text.family(Kind::Counter, name, help);
        for worker in &report.workers {
            for queue in &worker.queues {
                let labels: [(&str, &dyn std::fmt::Display); 3] = [
                    ("interface", &queue.queue.interface),
                    ("queue", &queue.queue.number),
                    ("worker", &worker.number),
                ];
                family.sample(&labels, get(queue));
            }
        }
    }
}

fn listeners(text: &mut Text, report: &ServerReport) {
    type Get = fn(&ListenerInfo) -> u64;
    let families: [(Kind, &str, &str, Get); 4] = [
        (
            Kind::Counter,
            "listener_opened",
            "Connections opened since it began to listen",
            |listener| listener.tally.opened,
        ),
        (
            Kind::Gauge,
            "listener_held",
            "Connections and handshakes now",
            |listener| listener.tally.held as u64,
        ),
        (
            Kind::Counter,
            "listener_text_received_bytes",
            "Bytes of text that came in order",
            |listener| listener.tally.text_in,
        ),
        (
            Kind::Counter,
            "listener_text_acknowledged_bytes",
            "Bytes of text that peers have acknowledged",
            |listener| listener.tally.text_out,
        ),
    ];
    for (kind, name, help, get) in families {
        let mut family = text.family(kind, name, help);
        for listener in &report.listeners {
            let service = listener.role.name();
            let labels: [(&str, &dyn std::fmt::Display); 2] =
                [("endpoint", &listener.endpoint), ("service", &service)];
            family.sample(&labels, get(listener));
        }
    }
}

fn server(text: &mut Text, report: &ServerReport) {
    let help = "Frames by what the XDP program did with them";
    let mut family = text.family(Kind::Counter, "steered_frames", help);
    for (verdict, count) in &report.steering {
        family.sample(&[("verdict", verdict)], count);
    }
    let help = "Times that a worker was stuck in one turn for a second or more";
    text.family(Kind::Counter, "stalls", help)
        .sample(&[], report.stalls);
    let help = "Connections that the directory of several workers knows now";
    text.family(Kind::Gauge, "known_connections", help)
        .sample(&[], report.known_connections);
    let balance = report.workers.iter().all(|w| w.snapshot.frames_balance);
    text.family(
        Kind::Gauge,
        "frames_balance",
        "1 if all frames are accounted for",
    )
    .sample(&[], u8::from(balance));
}
