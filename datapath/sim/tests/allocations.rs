//! After it was made, a worker allocates nothing.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use wirepath_sim::Simulation;
use wirepath_sim::host::TestWorker;
use wirepath_sim::plan::{ConnectionPlan, EndPlan, Finish, Pace};
use wirepath_sim::scenario::{Faults, Scenario};
use wirepath_stack::worker::Progress;
use wirepath_tcp::config::{Config, KeepAlive};
use wirepath_tcp::time::{Instant, Millis};

thread_local! {
    static TURNS: Cell<u64> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// A turn of a worker, and of nothing else, under the eyes of the counting allocator.
fn counted(worker: &mut TestWorker, now: Instant) -> io::Result<Progress> {
    let mut outcome = Ok(Progress::default());
    let counts = allocation_counter::measure(|| outcome = worker.turn(now));
    TURNS.set(TURNS.get() + 1);
    ALLOCATIONS.set(ALLOCATIONS.get() + counts.count_total);
    assert_eq!(counts.count_current, 0, "something was freed or kept");
    outcome
}

/// Connections that start one after the other and say something in both directions.
fn connections(count: usize) -> Vec<ConnectionPlan> {
    let finishes = [Finish::WhenSent, Finish::WhenDone, Finish::Close];
    let plan = |number: usize| {
        let send = 200 * (number as u64 % 200);
        let client = EndPlan {
            send,
            finish: finishes[number % 3],
            abort_after: (number % 20 == 19).then_some(send / 2),
            ..EndPlan::default()
        };
        let server = EndPlan {
            send,
            pace: if number.is_multiple_of(2) {
                Pace::Echo
            } else {
                Pace::AtOnce
            },
            finish: Finish::AfterPeer,
            ..EndPlan::default()
        };
        ConnectionPlan {
            start: Instant::from_millis(20 * number as u64),
            client,
            server,
        }
    };
    (0..count).map(plan).collect()
}

#[test]
fn the_allocator_counts() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![0u8; 100])));
    assert_eq!(counts.count_total, 1);
}

#[test]
fn ten_thousand_turns_allocate_nothing() {
    let faults = Faults {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(1),
        loss: 0.02,
        reorder: Some((0.05, 4)),
        duplicate: 0.02,
        corrupt: 0.01,
        ..Faults::default()
    };
    let config = Config {
        // TIME-WAIT begins and ends many times within the run, but not before several ACKs of a FIN
        // were lost.
        msl: Millis(2_000),
        keep_alive: Some(KeepAlive {
            idle: Millis::from_secs(5),
            interval: Millis::from_secs(1),
            probes: 5,
        }),
        ..Config::default()
    };
    let scenario = Scenario {
        seed: 1,
        faults: [faults.clone(), faults],
        tcp: [config; 2],
        connections: connections(1_000),
        ..Scenario::clean(0, 0)
    };
    let report = Simulation::new(&scenario, counted, &mut |_| {}).run();
    let report = report.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(TURNS.get() > 10_000, "{} turns", TURNS.get());
    assert!(report.bytes > 10_000_000, "{} bytes", report.bytes);
    assert_eq!(ALLOCATIONS.get(), 0, "in {} turns", TURNS.get());
}
