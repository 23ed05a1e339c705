//! Processor time of the whole machine: what a contender moves to another core or into the kernel
//! is its cost all the same.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use crate::load::Window;

/// Ticks of /proc/stat in a second: USER_HZ, which is the same on every Linux of today.
const TICKS: f64 = 100.0;

/// Looks at the processor time when the time that counts begins and ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpuWatch(Arc<Mutex<[f64; 2]>>);

impl CpuWatch {
    /// Seconds between the two.
    pub(crate) fn seconds(&self) -> f64 {
        let [before, after] = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        after - before
    }

    fn note(&self, place: usize) {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[place] = busy(&text);
    }
}

impl Window for CpuWatch {
    fn opens(&mut self) {
        self.note(0);
    }

    fn closes(&mut self) {
        self.note(1);
    }
}

/// Seconds of all cores that were neither idle nor waited for a disk.
fn busy(stat: &str) -> f64 {
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let ticks = line.unwrap_or_default().split_whitespace();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
    let ticks: Vec<f64> = ticks.filter_map(|word| word.parse().ok()).collect();
    let counts = ticks.iter().take(8).enumerate();
    let busy = counts.filter(|(at, _)| ![3, 4].contains(at));
    busy.map(|(_, ticks)| ticks).sum::<f64>() / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_idle_does_not_count() {
        let stat = "cpu  100 10 200 5000 70 1 2 3 50 0\ncpu0 1 1 1 1\n";
        assert_eq!(busy(stat), 3.16);
        assert_eq!(busy(""), 0.0);
    }
}
