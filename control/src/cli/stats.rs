//! `wirepath stats`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::Failure;
use super::servers::{Where, block_on, print};
use crate::api::{Client, PoolStats, QueueStats, Stats, WorkerStats};

/// What `stats` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    servers: Where,
    /// As JSON; with --watch one line each time.
    #[arg(long, conflicts_with = "prometheus")]
    json: bool,
    /// In the text format of Prometheus, as /metrics has it.
    #[arg(long, conflicts_with = "watch")]
    prometheus: bool,
    /// Again every so many seconds, with what was counted a second since the last time.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch: Option<u32>,
    /// Also what is zero.
    #[arg(short, long)]
    all: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    block_on(async {
        let servers = args.servers.all()?;
        if args.prometheus {
            let (_, client) = args.servers.one()?;
            print(&client.metrics().await?)?;
            return Ok::<_, Failure>(());
        }
        let mut last = BTreeMap::new();
        loop {
            for (name, client) in &servers {
                let text = ask(args, (name, client), &mut last).await?;
                if !print(&text)? {
                    return Ok(());
                }
            }
            match args.watch {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
                None => return Ok(()),
            }
        }
    })
}

/// What was counted last time, and when, by server.
type Last = BTreeMap<String, (Instant, Stats)>;

async fn ask(
    args: &Args,
    (name, client): (&str, &Client),
    last: &mut Last,
) -> anyhow::Result<String> {
    let stats = client.stats().await?;
    let now = Instant::now();
    if args.json {
        return Ok(if args.watch.is_some() {
            serde_json::to_string(&stats)? + "\n"
        } else {
            serde_json::to_string_pretty(&stats)? + "\n"
        });
    }
    let since = last.get(name);
    let since = since.map(|(at, stats)| (now.duration_since(*at).as_secs_f64(), stats));
    let text = page(name, &stats, (since, args.all));
    last.insert(name.to_owned(), (now, stats));
    Ok(text)
}

/// All of it, with rates when there was a time before.
fn page(name: &str, stats: &Stats, (since, all): (Option<(f64, &Stats)>, bool)) -> String {
    let mut text = format!(
        "{name}: {} open, {} half-open, {} in TIME-WAIT, {} of the open at rest, {} of {} blocks, \
         {} stalls\n",
        stats.open,
        stats.half_open,
        stats.time_wait,
        stats.resting,
        stats.blocks,
        stats.blocks_total,
        stats.stalls
    );
    workers(&mut text, &stats.workers);
    stages(&mut text, &stats.workers);
    text.push('\n');
    text.push_str(&super::listen::table(&stats.listeners));
    pools(&mut text, &stats.pools);
    type Group = fn(&Stats) -> &BTreeMap<String, u64>;
    let groups: [(&str, Group); 4] = [
        ("counters", |stats| &stats.counters),
        ("drops", |stats| &stats.drops),
        ("states entered", |stats| &stats.states_entered),
        ("steering", |stats| &stats.steering),
    ];
    for (heading, group) in groups {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{heading}");
        for (name, &count) in group(stats) {
            // The reasons of counted drops stand below.
            if (count == 0 && !all) || name.starts_with("drop_") {
                continue;
            }
            let rate = since.map(|(seconds, before)| {
                let before = group(before).get(name).copied().unwrap_or_default();
                let rate = count.saturating_sub(before) as f64 / seconds;
                format!(" {rate:>14.1}/s")
            });
            let _ = writeln!(text, "  {name:<32} {count:>16}{}", rate.unwrap_or_default());
        }
    }
    text.push('\n');
    text
}

fn workers(text: &mut String, workers: &[WorkerStats]) {
    let _ = writeln!(
        text,
        "\n{:<6} {:<8} {:>5} {:>8} {:>12} {:>15} {:>12} {:>15} {:>5} {:>10}",
        "worker",
        "queues",
        "busy",
        "open",
        "frames in",
        "bytes in",
        "frames out",
        "bytes out",
        "batch",
        "ring full"
    );
    for (number, worker) in workers.iter().enumerate() {
        let sum = |get: fn(&QueueStats) -> u64| worker.traffic.iter().map(get).sum::<u64>();
        let time = (worker.busy_us + worker.idle_us).max(1);
        let batches = sum(|queue| queue.batches_in).max(1);
        let frames = sum(|queue| queue.frames_in);
        let _ = writeln!(
            text,
            "{number:<6} {:<8} {:>4.1}% {:>8} {frames:>12} {:>15} {:>12} {:>15} {:>5.1} {:>10}",
            worker.queues(),
            worker.busy_us as f64 * 100.0 / time as f64,
            worker.open,
            sum(|queue| queue.bytes_in),
            sum(|queue| queue.frames_out),
            sum(|queue| queue.bytes_out),
            frames as f64 / batches as f64,
            sum(|queue| queue.rx_ring_full),
        );
    }
}

/// Each backend, by pool, and who was refused.
pub(super) fn pools(text: &mut String, pools: &BTreeMap<String, PoolStats>) {
    for (name, pool) in pools {
        let _ = writeln!(
            text,
            "\npool {name}: {} clients, {} wait for a backend",
            pool.clients, pool.queued
        );
        let ends = pool.backends.iter().map(|it| it.address.to_string().len());
        let width = ends.max().unwrap_or(0).max("Backend".len());
        let counters = [
            "opened",
            "refused",
            "timed_out",
            "failed",
            "reset",
            "ejected",
        ];
        let _ = write!(text, "{:<width$} {:<8} {:>8}", "Backend", "State", "Held");
        for counter in counters {
            let _ = write!(text, " {counter:>9}");
        }
        let _ = writeln!(text, " {:>14} {:>14}", "Bytes to", "Bytes from");
        for backend in &pool.backends {
            let count = |name: &str| backend.counters.get(name).copied().unwrap_or_default();
            let (address, state) = (backend.address.to_string(), &backend.state);
            let _ = write!(text, "{address:<width$} {state:<8} {:>8}", backend.held);
            for counter in counters {
                let _ = write!(text, " {:>9}", count(counter));
            }
            let _ = writeln!(text, " {:>14} {:>14}", count("text_to"), count("text_from"));
        }
        for (reason, count) in pool.refused.iter().filter(|(_, count)| **count > 0) {
            let _ = writeln!(
                text,
                "  refused: {:<22} {count:>16}",
                reason.replace('_', " ")
            );
        }
    }
}

fn stages(text: &mut String, workers: &[WorkerStats]) {
    let _ = writeln!(
        text,
        "\n{:<6} {:<6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "worker", "stage", "measured", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us"
    );
    for (number, worker) in workers.iter().enumerate() {
        for (stage, spans) in &worker.stages {
            let _ = write!(text, "{number:<6} {stage:<6} {:>10}", spans.count);
            let spans = [
                spans.p50_ns,
                spans.p90_ns,
                spans.p99_ns,
                spans.p999_ns,
                spans.max_ns,
            ];
            for nanos in spans {
                let _ = write!(text, " {:>10.1}", nanos as f64 / 1_000.0);
            }
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(frames: u64) -> Stats {
        let counters = [("frames_in", frames), ("closed", 0), ("drop_claimed", 3)];
        let named = counters.map(|(name, count)| (name.to_owned(), count));
        Stats {
            counters: BTreeMap::from(named),
            drops: BTreeMap::from([("claimed".to_owned(), 3)]),
            workers: vec![WorkerStats::default()],
            ..Stats::default()
        }
    }

    #[test]
    fn zeros_are_left_out_and_drops_stand_once() {
        let text = page("eth0", &stats(30), (None, false));
        assert!(
            text.contains("frames_in") && !text.contains("closed"),
            "{text}"
        );
        assert_eq!(text.matches("claimed").count(), 1, "{text}");
        assert!(page("eth0", &stats(30), (None, true)).contains("closed"));
    }

    #[test]
    fn rates_are_of_the_time_since_the_last_look() {
        let (before, now) = (stats(30), stats(50));
        let text = page("eth0", &now, (Some((2.0, &before)), false));
        assert!(text.contains("10.0/s"), "{text}");
    }
}
