//! Where a measurement was made: what a reader must know to judge it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use wirepath::netns::{Namespace, Network};

use crate::priority::before_others;

/// What is set in both hosts' namespaces: no buffer limits what a path of 100 Mbit/s holds, and
/// no connection begins with what the one before it has learned.
const SETTINGS: [(&str, &str); 3] = [
    ("ipv4/tcp_rmem", "4096 131072 16777216"),
    ("ipv4/tcp_wmem", "4096 65536 16777216"),
    ("ipv4/tcp_no_metrics_save", "1"),
];
/// What is told beside that.
const TOLD: [&str; 4] = [
    "ipv4/tcp_ecn",
    "ipv4/tcp_recovery",
    "ipv4/tcp_sack",
    "ipv4/tcp_timestamps",
];

/// What a measurement needs of its hosts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Sysctls below net, and their values.
    pub(crate) more: &'static [(&'static str, &'static str)],
    /// Whether its threads are to run before those of others. Who spins must not: the kernel stops
    /// real-time threads for a twentieth of each second, and its own threads would starve.
    pub(crate) real_time: bool,
}

/// The machine, the kernel and its settings.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Environment {
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Where wirepath's XDP program ran: native or skb.
    pub(crate) xdp_mode: Option<&'static str>,
    /// What the build does: a debug build or one with assertions is slower.
    pub(crate) build: &'static str,
    /// Whether all threads of the measurement ran before those of others.
    pub(crate) real_time: bool,
    /// Those of net.ipv4 that matter, in both namespaces.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// How the kernel chooses the frequency of the cores, where it does.
    pub(crate) governor: Option<String>,
    /// Longest pause of a loop that did nothing else for a moment, and the share of time that all
    /// its pauses took: what others take away.
    pub(crate) noise: Noise,
    /// Load averages of 1, 5 and 15 minutes, before and after.
    pub(crate) load: [String; 2],
}

impl Environment {
    /// Sets what must be set in both hosts and for this thread and those it starts, and looks at
    /// the rest.
    ///
    /// # Errors
    /// A setting that the kernel does not have or refuses.
    pub(crate) fn prepare(network: &Network, settings: &Settings) -> anyhow::Result<Self> {
        set(&network.client, settings.more)?;
        let sysctls = set(&network.server, settings.more)?;
        let uname = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        Ok(Self {
            kernel: format!("{} {}", text(uname.sysname()), text(uname.release())),
            cpu: cpu(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            xdp_mode: None,
            build: if cfg!(debug_assertions) {
                "with debug assertions"
            } else {
                "release"
            },
            real_time: settings.real_time && before_others(),
            sysctls,
            governor: governor(),
            noise: Noise::measure(),
            load: [load(), String::new()],
        })
    }

    /// Notes what is known only later: where the XDP program of a server runs, and the load.
    pub(crate) fn finish(&mut self, xdp_mode: Option<&'static str>) {
        self.xdp_mode = xdp_mode.or(self.xdp_mode);
        self.load[1] = load();
    }
}

/// What an idle loop lost.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Noise {
    longest_us: f64,
    share: f64,
}

/// How long the loop looks, and from when on a gap is a pause.
const LOOK: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_micros(10);

impl Noise {
    fn measure() -> Self {
        let begin = Instant::now();
        let (mut last, mut longest, mut lost) = (begin, Duration::ZERO, Duration::ZERO);
        while last - begin < LOOK {
            let now = Instant::now();
            let gap = now - last;
            if gap >= PAUSE {
                longest = longest.max(gap);
                lost += gap;
            }
            last = now;
        }
        Self {
            longest_us: longest.as_secs_f64() * 1e6,
            share: lost.as_secs_f64() / LOOK.as_secs_f64(),
        }
    }
}

fn governor() -> Option<String> {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let name = fs::read_to_string(path).ok()?;
    Some(name.trim().to_owned())
}

fn set(
    namespace: &Namespace,
    more: &[(&'static str, &'static str)],
) -> anyhow::Result<BTreeMap<String, String>> {
    let path = |name: &str| format!("/proc/sys/net/{name}");
    let settings = SETTINGS.iter().chain(more);
    namespace.run(|| {
        for (name, value) in settings.clone() {
            fs::write(path(name), value).with_context(|| format!("cannot set {name}"))?;
        }
        let names = settings.map(|(name, _)| *name).chain(TOLD);
        let read = |name: &str| {
            let value = fs::read_to_string(path(name)).ok()?;
            let words: Vec<&str> = value.split_whitespace().collect();
            let (_, name) = name.split_once('/')?;
            Some((name.to_owned(), words.join(" ")))
        };
        Ok(names.filter_map(read).collect())
    })?
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    model.unwrap_or("unknown processor").to_owned()
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(" ")
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = &self.load;
        let mode = self.xdp_mode.map(|mode| format!(" in {mode} mode"));
        let mode = mode.unwrap_or_default();
        let priority = if self.real_time {
            "real-time"
        } else {
            "ordinary"
        };
        writeln!(
            f,
            "{}, {} cores of {}; wirepath {} on veth{mode}; {priority} priority; load {before} \
             before, {after} after",
            self.kernel, self.cores, self.cpu, self.build
        )?;
        let Noise { longest_us, share } = self.noise;
        let governor = self.governor.as_deref().unwrap_or("none to be seen");
        writeln!(
            f,
            "offloads of both ends off; governor {governor}; an idle loop lost {:.2} % of its \
             time, {longest_us:.0} us at most",
            100.0 * share
        )?;
        let settings = self.sysctls.iter();
        let settings: Vec<String> = settings.map(|(name, it)| format!("{name}={it}")).collect();
        writeln!(f, "{}", settings.join(", "))
    }
}
