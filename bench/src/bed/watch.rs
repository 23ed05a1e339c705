//! What a measurement takes: the time of all processors, as what a contender moves to another core
//! or into the kernel is its cost all the same; and the memory of the server and the kernel.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::load::Window;

/// Ticks of /proc/stat in a second: USER_HZ, which is the same on every Linux of today.
const TICKS: f64 = 100.0;

/// How long the kernel's memory may take to be given back; how long it must be still, and within
/// what.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);
const SETTLES_FOR: Duration = Duration::from_millis(50);
const STILL: f64 = 1e6;

/// Looks at processor time when the time that counts begins and ends, and at memory before and
/// after the connections are opened.
#[derive(Debug, Clone)]
pub(crate) struct Watch(Arc<Mutex<Looks>>);

#[derive(Debug, Default)]
struct Looks {
    /// The server, if it is a process of its own.
    server: Option<u32>,
    cpu: [Cpu; 2],
    memory: [Memory; 2],
}

/// Seconds of processor time, and when that was.
#[derive(Debug, Clone, Copy, Default)]
struct Cpu {
    seconds: f64,
    at: Option<Instant>,
}

/// Bytes that a server has, page tables included, and the kernel has in objects. What the machine
/// has left tells less: of what others have given back some comes late.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    server: f64,
    kernel: f64,
}

impl Watch {
    /// Before anything is opened, once what was there before has given its memory back. `server` is
    /// the process whose memory counts, if any.
    pub(crate) fn start(server: Option<u32>) -> Self {
        let (begin, mut before) = (Instant::now(), Memory::of(server));
        while begin.elapsed() < SETTLES_WITHIN {
            std::thread::sleep(SETTLES_FOR);
            let now = Memory::of(server);
            if (now.kernel - before.kernel).abs() < STILL {
                break;
            }
            before = now;
        }
        let looks = Looks {
            server,
            memory: [Memory::of(server); 2],
            ..Looks::default()
        };
        Self(Arc::new(Mutex::new(looks)))
    }

    /// Seconds of processor time of all cores in a second of the time that counts.
    pub(crate) fn cpus(&self) -> f64 {
        self.look(|looks| {
            let [before, after] = looks.cpu;
            let span = after
                .at
                .zip(before.at)
                .map(|(after, before)| after - before);
            (after.seconds - before.seconds) / span.map_or(f64::NAN, |span| span.as_secs_f64())
        })
    }

    /// Bytes that the connections took in a server of its own, and in the kernel.
    pub(crate) fn memory(&self) -> f64 {
        self.look(|looks| {
            let [before, after] = looks.memory;
            after.server - before.server + after.kernel - before.kernel
        })
    }

    fn look<T>(&self, at: impl FnOnce(&mut Looks) -> T) -> T {
        at(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Window for Watch {
    fn opens(&mut self) {
        self.look(|looks| {
            looks.cpu[0] = Cpu::now();
            looks.memory[1] = Memory::of(looks.server);
        });
    }

    fn closes(&mut self) {
        self.look(|looks| looks.cpu[1] = Cpu::now());
    }
}

impl Memory {
    fn of(server: Option<u32>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let status = server.map(|pid| read(&format!("/proc/{pid}/status")));
        let status = status.unwrap_or_default();
        Self {
            server: kilobytes(&status, "VmRSS:") + kilobytes(&status, "VmPTE:"),
            kernel: kilobytes(&read("/proc/meminfo"), "Slab:"),
        }
    }
}

/// The value of a line that begins with `name`, in bytes.
fn kilobytes(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    1024.0 * number.unwrap_or(0.0)
}

impl Cpu {
    fn now() -> Self {
        Self {
            seconds: busy(&fs::read_to_string("/proc/stat").unwrap_or_default()),
            at: Some(Instant::now()),
        }
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

    #[test]
    fn kilobytes_are_found_by_name() {
        let text = "MemTotal: 10 kB\nSlab:   7 kB\n";
        assert_eq!(kilobytes(text, "Slab:"), 7_168.0);
        assert_eq!(kilobytes(text, "VmRSS:"), 0.0);
    }
}
