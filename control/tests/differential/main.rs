//! The same segments to our stack and to the Linux TCP: what differs is in docs/differential.md,
//! with the reason. Needs root.

mod allowed;
mod linux;
mod ours;
mod outcome;
mod probe;
mod report;
mod segment;
mod victim;

use linux::Linux;
use ours::Ours;
use outcome::Outcome;
use probe::Probe;
use report::Report;
use victim::{Victim, observe};
use wirepath::netns::Namespace;

/// Connections at a time, which are files and half-open entries.
const BATCH: usize = 256;
/// First port of the peer; each probe has its own.
const FIRST_PORT: u16 = 1_024;

#[test]
fn linux_and_wirepath_differ_as_the_document_says() {
    let probes = probe::all();
    let namespace = Namespace::new("probe").unwrap();
    let probe_linux = || {
        let mut linux = Linux::new(&namespace).expect("the namespace is new");
        observe_all(&mut linux, &probes)
    };
    let linux = namespace.run(probe_linux).unwrap();
    let ours = observe_all(&mut Ours::new(), &probes);
    let mut report = Report::new();
    for ((probe, linux), ours) in probes.iter().zip(&linux).zip(&ours) {
        report.add(probe, linux, ours);
    }
    println!("{report}");
    let faults = report.faults();
    if report.is_of_this_kernel() {
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    } else {
        println!("not of this kernel:\n{}", faults.join("\n"));
    }
}

fn observe_all(victim: &mut impl Victim, probes: &[Probe]) -> Vec<Outcome> {
    let ports = (FIRST_PORT..).step_by(BATCH);
    let batches = probes.chunks(BATCH).zip(ports);
    let observed = batches.map(|(batch, port)| observe(victim, batch, port));
    observed.flatten().collect()
}
