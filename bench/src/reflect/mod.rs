//! `wirepath-bench reflect`: frames there and back over bare rings, without TCP: what this device,
//! its driver and the mode allow, queue by queue.

mod card;
mod end;
mod ping;
mod pinger;
mod reflector;

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use hdrhistogram::Histogram;
use wirepath::config::Queues;
use wirepath::netns::{self, Network, Offloads};
use wirepath_stack::clock::MonotonicClock;
use wirepath_wire::ethernet::MacAddr;

pub(crate) use pinger::Reflection;

use crate::bed::{Bed, micros};
use crate::queue;
use crate::scenario::progress;
use card::Card;
use end::End;
use ping::{LEAST_TEXT, Way};

/// An address of the reflector that its kernel does not have.
const REFLECTOR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 4);

/// The pinger's port on the test bed, where the queue does not depend on it.
const PORT: u16 = 1_024;

/// What to do while nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Idle {
    /// Look again at once.
    Spin,
    /// Sleep until the kernel wakes: what waking costs shows in the times.
    Sleep,
}

/// What is to be measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pings {
    /// Pings under way at a time.
    pub(crate) in_flight: usize,
    /// Bytes after the headers.
    pub(crate) text: usize,
    pub(crate) idle: Idle,
    pub(crate) warm_up: Duration,
    pub(crate) span: Duration,
}

/// What `reflect` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    card: Card,
    /// Queues, as 0,2-3 or all, measured one after the other.
    #[arg(long, value_name = "LIST", default_value = "0")]
    queue: Queues,
    /// Frames under way at a time, one measurement each.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,64",
        value_parser = clap::value_parser!(u32).range(1..=1_024))]
    in_flight: Vec<u32>,
    /// Bytes of a frame after the headers that a message of TCP would have.
    #[arg(long, value_name = "BYTES", default_value = "64",
        value_parser = clap::value_parser!(u32).range(LEAST_TEXT as i64..=1_400))]
    size: u32,
    /// What to do while nothing comes.
    #[arg(long, value_enum, default_value = "spin")]
    idle: Idle,
    /// Seconds that count, of each measurement.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Seconds before that do not count.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u64).range(..=60))]
    warm_up: u64,
}

impl Args {
    /// The queues to measure, of so many.
    fn queues(&self, all: u32) -> Vec<u32> {
        match &self.queue.0 {
            Some(numbers) => numbers.0.iter().copied().map(u32::from).collect(),
            None => (0..all).collect(),
        }
    }

    fn pings(&self, in_flight: u32) -> Pings {
        Pings {
            in_flight: in_flight as usize,
            text: self.size as usize,
            idle: self.idle,
            warm_up: Duration::from_secs(self.warm_up),
            span: Duration::from_secs(self.seconds),
        }
    }

    /// A line for each queue and each number of frames under way.
    fn table(
        &self,
        queues: &[u32],
        mut measure: impl FnMut(u32, &Pings) -> anyhow::Result<Reflection>,
    ) -> anyhow::Result<String> {
        let bar = progress(queues.len() * self.in_flight.len());
        let mut lines = heading();
        for &queue in queues {
            for &in_flight in &self.in_flight {
                bar.set_message(format!("queue {queue}, {in_flight} under way"));
                let pings = self.pings(in_flight);
                let reflection = measure(queue, &pings)?;
                lines += &line(queue, &pings, &reflection);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(lines)
    }
}

/// Measures, and answers what there is to print.
///
/// # Errors
/// Not root, or nothing comes back.
pub(crate) fn run(args: Args) -> anyhow::Result<String> {
    if let Some(interface) = args.card.interface() {
        return card::run(&args, interface);
    }
    netns::guarded(move || {
        let queues = args.queues(1);
        let count = queues.iter().max().map_or(1, |last| last + 1);
        let (bed, mut environment) = Bed::new("reflect", 1_500, count, Offloads::Off)?;
        let lines = args.table(&queues, |queue, pings| {
            let reflection = measure(&bed, queue, pings)?;
            environment.finish(Some(reflection.mode));
            Ok(reflection)
        })?;
        Ok(environment.to_string() + &lines)
    })
}

/// Measures one queue of the test bed.
///
/// # Errors
/// The queue is in use, or nothing comes back.
pub(crate) fn measure(bed: &Bed, queue: u32, pings: &Pings) -> anyhow::Result<Reflection> {
    let way = Way {
        macs: [MacAddr(Network::CLIENT_MAC), MacAddr(Network::SERVER_MAC)],
        addresses: [Network::OWNED_V4, REFLECTOR],
        port: PORT,
    };
    let clock = MonotonicClock::start();
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            bed.on_server(|| {
                let here = [REFLECTOR.into()];
                let (device, _hold) = queue::open_one(Network::SERVER_INTERFACE, queue, &here)?;
                let all = vec![End::new(device)];
                reflector::reflect(all, Some(clock), (pings.idle, &ends))
            })
        });
        let pinged = bed.on_client(|| {
            let here = [Network::OWNED_V4.into()];
            let (device, hold) = queue::open_one(Network::CLIENT_INTERFACE, queue, &here)?;
            pinger::ping((End::new(device), hold.mode()), (&way, pings), clock)
        });
        ends.store(true, Ordering::Relaxed);
        let served = server.join().map_err(|_| anyhow!("the reflector panicked"));
        served?.context("the reflector failed")?;
        pinged
    })
}

/// Shares whose times are shown.
const SHARES: [f64; 3] = [0.5, 0.99, 0.999];

fn heading() -> String {
    let mut text = format!("{:>5} {:>9} {:>9}", "queue", "in flight", "per s");
    for name in ["round trip", "there", "reflector", "back", "kernel entry"] {
        // Writing to a string cannot fail.
        let _ = write!(text, " {name:>23}");
    }
    text + &format!(" {:>6}\n", "lost")
}

/// Median, 99 % and 99.9 % of each time, in microseconds.
fn line(queue: u32, pings: &Pings, reflection: &Reflection) -> String {
    let latencies = reflection.tally.latencies();
    let rate = latencies.len() as f64 / pings.span.as_secs_f64();
    let mut text = format!("{queue:>5} {:>9} {rate:>9.0}", pings.in_flight);
    let [there, turn, back] = &reflection.stages;
    for histogram in [latencies, there, turn, back, &reflection.kernel] {
        let _ = write!(text, " {:>23}", spread(histogram));
    }
    text + &format!(" {:>6}\n", reflection.lost)
}

fn spread(histogram: &Histogram<u64>) -> String {
    if histogram.is_empty() {
        return "-".to_owned();
    }
    let texts = SHARES.map(|share| format!("{:.2}", micros(histogram, share)));
    texts.join(" / ")
}
