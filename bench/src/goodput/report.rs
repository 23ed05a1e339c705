//! What is printed.

use std::fmt;

use serde::Serialize;

use super::Args;
use super::measure::Measured;
use crate::environment::Environment;
use crate::summary::{Summary, Verdict};

/// One run of both senders over the same faults.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Pair {
    pub(super) seed: u64,
    pub(super) wirepath: Measured,
    pub(super) linux: Measured,
}

/// All runs of one congestion control at one loss.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cell {
    congestion: &'static str,
    loss_percent: f64,
    /// In bits of text per second.
    wirepath: Summary,
    linux: Summary,
    /// wirepath's goodput by Linux's, pair by pair.
    ratio: Summary,
    verdict: Verdict,
    pairs: Vec<Pair>,
}

impl Cell {
    pub(super) fn new(congestion: &'static str, loss_percent: f64, pairs: Vec<Pair>) -> Self {
        let goodput = |of: fn(&Pair) -> f64| Summary::of(pairs.iter().map(of));
        let ratio = goodput(|pair| pair.wirepath.goodput / pair.linux.goodput);
        Self {
            congestion,
            loss_percent,
            wirepath: goodput(|pair| pair.wirepath.goodput),
            linux: goodput(|pair| pair.linux.goodput),
            ratio,
            verdict: Verdict::of(&ratio, pairs.len()),
            pairs,
        }
    }

    /// Where wirepath's XDP program ran.
    pub(super) fn xdp_mode(&self) -> Option<&'static str> {
        self.transfers().find_map(|transfer| transfer.xdp_mode)
    }

    fn median(&self, of: impl Fn(&Pair) -> f64) -> f64 {
        Summary::of(self.pairs.iter().map(of)).median
    }

    /// All transfers of both senders.
    fn transfers(&self) -> impl Iterator<Item = &Measured> {
        let pairs = self.pairs.iter();
        pairs.flat_map(|pair| [&pair.wirepath, &pair.linux])
    }
}

/// The path, as it was asked for.
#[derive(Debug, Clone, Serialize)]
struct Path {
    rtt_ms: f64,
    rate_mbits: f64,
    queue_packets: u32,
    /// Whether ACKs were lost as well.
    both_ways: bool,
    seconds: u64,
    warm_up_seconds: u64,
}

/// The whole result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    environment: Environment,
    path: Path,
    cells: Vec<Cell>,
}

impl Report {
    pub(super) fn new(args: &Args, environment: Environment, cells: Vec<Cell>) -> Self {
        Self {
            environment,
            path: Path {
                rtt_ms: args.rtt,
                rate_mbits: args.rate,
                queue_packets: args.queue,
                both_ways: args.both_ways,
                seconds: args.seconds,
                warm_up_seconds: args.warm_up,
            },
            cells,
        }
    }

    /// How late the wire was in all transfers: the worst of the medians, of the 99 % and of all.
    fn lateness(&self) -> [u64; 3] {
        let wires = self.cells.iter().flat_map(Cell::transfers);
        wires.fold([0; 3], |[p50, p99, most], Measured { wire, .. }| {
            [
                p50.max(wire.late_p50_us),
                p99.max(wire.late_p99_us),
                most.max(wire.late_max_us),
            ]
        })
    }

    fn refused(&self) -> u64 {
        let transfers = self.cells.iter().flat_map(Cell::transfers);
        let refused = transfers.map(|it| it.wire.text.refused + it.wire.acks.refused);
        refused.sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Path {
            rtt_ms,
            rate_mbits,
            queue_packets,
            both_ways,
            seconds,
            warm_up_seconds,
        } = self.path;
        write!(f, "{}", self.environment)?;
        let lost = if both_ways { "text and ACKs" } else { "text" };
        writeln!(
            f,
            "path: {rtt_ms} ms, {rate_mbits} Mbit/s, {queue_packets} packets of queue, random loss \
             of {lost}; {seconds} s of each transfer after {warm_up_seconds} s of warm-up"
        )?;
        let [p50, p99, most] = self.lateness();
        writeln!(
            f,
            "the wire was late by {p50} us (half of the frames), {p99} us (99 %), {most} us at \
             most, and could not deliver {} frames\n",
            self.refused()
        )?;
        writeln!(
            f,
            "| congestion | loss % | wirepath Mbit/s | Linux Mbit/s | wirepath / Linux | \
             pairs | sent again % | lost % |\n|---|---|---|---|---|---|---|---|"
        )?;
        self.cells.iter().try_for_each(|cell| write!(f, "{cell}"))
    }
}

/// A row: medians, in brackets the least and the most.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mbits = |it: &Summary| {
            let [median, least, most] = [it.median, it.least, it.most].map(|it| it / 1e6);
            format!("{median:.1} ({least:.1} to {most:.1})")
        };
        let Summary {
            median,
            least,
            most,
        } = self.ratio;
        let percent = |of: fn(&Measured) -> f64| {
            let ours = 100.0 * self.median(|pair| of(&pair.wirepath));
            let theirs = 100.0 * self.median(|pair| of(&pair.linux));
            format!("{ours:.2} / {theirs:.2}")
        };
        let all_lost = |it: &Measured| {
            let text = it.wire.text;
            (text.lost + text.queue_full) as f64 / text.frames.max(1) as f64
        };
        writeln!(
            f,
            "| {} | {} | {} | {} | {median:.3} ({least:.3} to {most:.3}): {} | {} | {} | {} |",
            self.congestion,
            self.loss_percent,
            mbits(&self.wirepath),
            mbits(&self.linux),
            self.verdict.words(),
            self.pairs.len(),
            percent(Measured::retransmitted_share),
            percent(all_lost),
        )
    }
}
