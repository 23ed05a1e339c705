//! What the stack alone costs, with criterion's statistics: `cargo bench -p wirepath-bench`.
#![forbid(unsafe_code)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use wirepath_bench::stack::{Play, Work};

/// Connections that are open beside those that work.
const CONNECTIONS: [usize; 3] = [64, 1_000, 100_000];

fn stack(criterion: &mut Criterion) {
    for work in Work::ALL {
        let mut group = criterion.benchmark_group(work.name());
        for connections in CONNECTIONS {
            let mut play = Play::new(work, connections);
            group.bench_function(BenchmarkId::from_parameter(connections), |bencher| {
                bencher.iter_custom(|times| nanos(&mut play, times));
            });
        }
        group.finish();
    }
}

/// How long it takes to do it so often: rounds do more than one at a time.
fn nanos(play: &mut Play, times: u64) -> Duration {
    let (mut done, mut took) = (0, Duration::ZERO);
    while done < times {
        let (count, span) = play.round();
        done += count as u64;
        took += span;
    }
    took.mul_f64(times as f64 / done as f64)
}

criterion_group!(benches, stack);
criterion_main!(benches);
