//! `wirepath-bench reflect`: frames there and back over bare rings, without TCP: what this device,
//! its driver and the mode allow, queue by queue.

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
use wirepath::netns::{self, Network};
use wirepath_stack::clock::MonotonicClock;
use wirepath_wire::ethernet::MacAddr;

pub(crate) use pinger::Reflection;

use crate::bed::Bed;
use crate::scenario::progress;
use end::End;
use ping::{LEAST_TEXT, Way};

/// An address of the reflector that its kernel does not have.
const REFLECTOR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 4);

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
    /// Queues of each end of the veth pair that is made, measured one after the other.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=64))]
    queues: u32,
    /// Frames under way at a time, one measurement each.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,64",
        value_parser = clap::value_parser!(u32).range(1..=1_024))]
    in_flight: Vec<u32>,
    /// Bytes of a frame after the headers that a message of TCP would have.
    #[arg(long, value_name = "BYTES", default_value = "64",
        value_parser = clap::value_parser!(u32).range(LEAST_TEXT as i64..=1_400))]
    size: u32,
    /// What both ends do while nothing comes.
    #[arg(long, value_enum, default_value = "spin")]
    idle: Idle,
    /// Seconds that count, of each measurement.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Seconds before that do not count.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u64).range(..=60))]
    warm_up: u64,
}

/// Measures, and answers what there is to print.
///
/// # Errors
/// Not root, or nothing comes back.
pub(crate) fn run(args: Args) -> anyhow::Result<String> {
    netns::guarded(move || {
        netns::sweep_stale()?;
        let (bed, mut environment) = Bed::new("reflect", 1_500, args.queues)?;
        let bar = progress(args.queues as usize * args.in_flight.len());
        let mut lines = heading();
        for queue in 0..args.queues {
            for &in_flight in &args.in_flight {
                bar.set_message(format!("queue {queue}, {in_flight} under way"));
                let pings = Pings {
                    in_flight: in_flight as usize,
                    text: args.size as usize,
                    idle: args.idle,
                    warm_up: Duration::from_secs(args.warm_up),
                    span: Duration::from_secs(args.seconds),
                };
                let reflection = measure(&bed, queue, &pings)?;
                environment.finish(Some(reflection.mode));
                lines += &line(queue, &pings, &reflection);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
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
    };
    let clock = MonotonicClock::start();
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            bed.on_server(|| {
                let end = End::open(Network::SERVER_INTERFACE, queue, REFLECTOR)?;
                reflector::reflect(end, Some(clock), (pings.idle, &ends))
            })
        });
        let pinged = bed.on_client(|| {
            let end = End::open(Network::CLIENT_INTERFACE, queue, Network::OWNED_V4)?;
            pinger::ping(end, (&way, pings), clock)
        });
        ends.store(true, Ordering::Relaxed);
        let served = server.join().map_err(|_| anyhow!("the reflector panicked"));
        let reflection = pinged?;
        served?.context("the reflector failed")?;
        Ok(reflection)
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
    let micros = |share| histogram.value_at_quantile(share) as f64 / 1e3;
    let texts = SHARES.map(|share| format!("{:.2}", micros(share)));
    texts.join(" / ")
}
