//! Lists of numbers to a list of loads: each with each.

use std::time::Duration;

use super::Args;
use crate::load::{Load, Pace, Task};

/// The loads of a scenario, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    pub(super) loads: Vec<Load>,
}

impl Grid {
    /// `connections` is how many there are where none was named.
    pub(super) fn of(args: &Args, task: Task, connections: u32) -> Self {
        let counts = match args.connections[..] {
            [] => vec![connections],
            _ => args.connections.clone(),
        };
        let mut loads = Vec::new();
        for connections in counts {
            for &size in &args.size {
                loads.extend(paces(args).into_iter().map(|pace| Load {
                    task,
                    connections: connections as usize,
                    active: connections as usize,
                    size,
                    mix: None,
                    pace,
                    warm_up: Duration::from_secs(args.warm_up),
                    span: Duration::from_secs(args.seconds),
                }));
            }
        }
        Self { loads }
    }
}

fn paces(args: &Args) -> Vec<Pace> {
    let arrivals = args.arrivals;
    let open = args.rate.iter().map(|&rate| Pace::Open {
        rate: f64::from(rate),
        arrivals,
    });
    if !args.rate.is_empty() {
        return open.collect();
    }
    let or = |numbers: &[u64], default| match numbers {
        [] => vec![default],
        _ => numbers.to_vec(),
    };
    let depths: Vec<u64> = args.depth.iter().copied().map(u64::from).collect();
    let thinks = or(&args.think, 0);
    let thinking = or(&depths, 1).into_iter().flat_map(|depth| {
        thinks.iter().map(move |&think| Pace::Closed {
            depth: depth as usize,
            think: Duration::from_micros(think),
        })
    });
    thinking.collect()
}

/// A load in a few words.
pub(super) fn describe(load: &Load) -> String {
    let Load {
        task, connections, ..
    } = load;
    let what = match task {
        Task::Exchange | Task::Connect => format!("{task} of {} B", bytes(load)),
        Task::Upload | Task::Download => task.to_string(),
    };
    format!("{what}, {connections} connections, {}", pace(&load.pace))
}

/// What decides when messages are sent, in a few words.
pub(super) fn pace(pace: &Pace) -> String {
    match pace {
        Pace::Closed { depth, think } if think.is_zero() => format!("depth {depth}"),
        Pace::Closed { depth, think } => format!("depth {depth}, think {think:?}"),
        Pace::Open { rate, .. } => format!("{rate:.0}/s"),
    }
}

/// Bytes of the messages.
pub(super) fn bytes(load: &Load) -> String {
    match (load.task, load.mix) {
        (Task::Upload | Task::Download, _) => "-".to_owned(),
        (_, Some(mix)) => format!("{}-{}", mix.least, load.size),
        (_, None) => load.size.to_string(),
    }
}
