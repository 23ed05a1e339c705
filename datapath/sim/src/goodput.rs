//! How fast a bulk transfer goes over a path, in virtual time.

use std::collections::HashSet;
use std::time::Duration;

use wirepath_tcp::config::{Config, CongestionControl};
use wirepath_tcp::time::Instant;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{self, ChecksumPolicy};
use wirepath_wire::{ethernet, ip};

use crate::host::StackHost;
use crate::plan::{ConnectionPlan, EndPlan, Side};
use crate::scenario::{Faults, Scenario};
use crate::trace::Sighting;
use crate::{Failure, Simulation};

/// Bytes of text in a full segment: an MTU of 1500, IPv4, timestamps.
const SMSS: f64 = 1448.0;
/// Time that is not counted: the handshake and the first slow start.
const WARM_UP: Duration = Duration::from_secs(1);

/// The way of the text; ACKs take as long, and nothing else happens to them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bulk {
    /// How the sender finds its rate.
    pub congestion: CongestionControl,
    /// Bits of frames per second, Ethernet header included.
    pub rate: u64,
    /// Round-trip time of an empty path.
    pub rtt: Duration,
    /// Frames that wait before the bottleneck at most, the one that is leaving included.
    pub queue: usize,
    /// Probability of loss.
    pub loss: f64,
    /// Probability of being overtaken, and by how many at most.
    pub reorder: Option<(f64, usize)>,
    /// Virtual time for which text is sent, the first second included.
    pub time: Duration,
    /// Decides the faults.
    pub seed: u64,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            congestion: CongestionControl::default(),
            rate: 100_000_000,
            rtt: Duration::from_millis(20),
            queue: 64,
            loss: 0.0,
            reorder: None,
            time: Duration::from_secs(11),
            seed: 1,
        }
    }
}

/// What came of it, after the first second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Bits of text per second that the receiver's application took.
    pub goodput: f64,
    /// Segments with text that were sent.
    pub segments: u64,
    /// Those of them that came though their text had come before. No path here doubles frames, so
    /// they were sent again for nothing.
    pub spurious: u64,
}

impl Measured {
    /// The share of the segments that was sent again for nothing, 0 to 1.
    #[must_use]
    pub fn spurious_share(&self) -> f64 {
        self.spurious as f64 / self.segments.max(1) as f64
    }
}

impl Bulk {
    /// Sends for `time` and measures.
    ///
    /// # Errors
    /// An invariant that did not hold.
    pub fn measure(&self) -> Result<Measured, Box<Failure>> {
        let scenario = self.scenario();
        let mut copies = Copies::default();
        let mut observer = |sighting: &Sighting<'_>| copies.see(sighting);
        let mut simulation = Simulation::new(&scenario, StackHost::TURN, &mut observer);
        simulation.run_until(Instant::ZERO + WARM_UP)?;
        let before = simulation.received(Side::Server);
        simulation.run_until(Instant::ZERO + self.time)?;
        let bytes = simulation.received(Side::Server) - before;
        let counted = self.time.saturating_sub(WARM_UP).as_secs_f64();
        Ok(Measured {
            goodput: bytes as f64 * 8.0 / counted,
            segments: copies.sent,
            spurious: copies.again,
        })
    }

    /// The median, by goodput, of the first `seeds` seeds.
    ///
    /// # Errors
    /// An invariant that did not hold.
    fn median(&self, seeds: u64) -> Result<Measured, Box<Failure>> {
        let runs = (1..=seeds).map(|seed| Self { seed, ..*self }.measure());
        let mut runs: Vec<Measured> = runs.collect::<Result<_, _>>()?;
        runs.sort_by(|a, b| a.goodput.total_cmp(&b.goodput));
        let middle = runs.get(runs.len() / 2);
        Ok(middle.copied().unwrap_or_default())
    }

    /// What the models let expect, in bits of text per second: the link, or what random loss leaves
    /// of it, by Mathis et al. (1997) for Reno, and by RFC 9438 5.1 equation (6) for CUBIC where
    /// that is more.
    #[must_use]
    pub fn model(&self) -> f64 {
        let (rtt, p) = (self.rtt.as_secs_f64(), self.loss);
        let link = self.rate as f64 * SMSS / (SMSS + 66.0);
        let reno = (1.5 / p).sqrt();
        let cubic = 1.054 * (rtt / p).powf(0.75);
        let window = match self.congestion {
            CongestionControl::Cubic => reno.max(cubic),
            _ => reno,
        };
        link.min(window * SMSS * 8.0 / rtt)
    }

    fn scenario(&self) -> Scenario {
        let one_way = Faults {
            delay: self.rtt / 2,
            ..Faults::default()
        };
        let there = Faults {
            loss: self.loss,
            reorder: self.reorder,
            queue: Some((self.rate / 8, self.queue)),
            ..one_way.clone()
        };
        // More than the link carries meanwhile.
        let send = self.rate / 8 * (self.time.as_secs() + 1);
        let client = EndPlan {
            send,
            ..EndPlan::default()
        };
        let config = Config {
            congestion: self.congestion,
            ..Config::default()
        };
        Scenario {
            seed: self.seed,
            tcp: [config; 2],
            faults: [there, one_way],
            connections: vec![ConnectionPlan {
                client,
                ..ConnectionPlan::default()
            }],
            ..Scenario::clean(1, 0)
        }
    }
}

/// Which text has arrived.
#[derive(Debug, Default)]
struct Copies {
    /// Sequence numbers of the segments that came.
    arrived: HashSet<SeqNum>,
    sent: u64,
    again: u64,
}

impl Copies {
    fn see(&mut self, sighting: &Sighting<'_>) {
        let Some(seq) = text_of(sighting) else {
            return;
        };
        let counts = u64::from(sighting.at > Instant::ZERO + WARM_UP);
        if !sighting.arrived {
            self.sent += counts;
        } else if !self.arrived.insert(seq) {
            self.again += counts;
        }
    }
}

/// The sequence number of a segment with text from the client.
fn text_of(sighting: &Sighting<'_>) -> Option<SeqNum> {
    if sighting.from != Side::Client {
        return None;
    }
    let frame = ethernet::parse(sighting.frame).ok()?;
    let packet = ip::parse(frame.payload).ok()?;
    let received = tcp::parse(&packet, ChecksumPolicy::Whole).ok()?;
    (!received.segment.payload.is_empty()).then_some(received.segment.header.seq)
}

/// Probabilities of loss in the table.
const LOSSES: [f64; 6] = [0.0, 0.001, 0.01, 0.03, 0.1, 0.3];
/// Round trips in the table, in milliseconds.
const ROUND_TRIPS: [u64; 3] = [1, 20, 100];

/// How many seeds a cell of the table has: dear cells few, and those that vary most many.
const fn seeds(loss: f64) -> u64 {
    if loss == 0.0 {
        1
    } else if loss < 0.1 {
        3
    } else {
        9
    }
}

/// Goodput at 100 Mbit/s with a queue of 64 packets, for each congestion control, loss and round
/// trip, beside what the models let expect; `time` each, the median of some seeds.
///
/// # Errors
/// An invariant that did not hold.
pub fn table(time: Duration) -> Result<String, Box<Failure>> {
    let mut text = String::from(
        "| congestion | loss % | rtt ms | goodput Mbit/s | model Mbit/s | spurious % |\n\
         |---|---|---|---|---|---|\n",
    );
    for congestion in CongestionControl::ALL {
        for (loss, rtt) in LOSSES
            .iter()
            .flat_map(|loss| ROUND_TRIPS.map(|rtt| (*loss, rtt)))
        {
            let bulk = Bulk {
                congestion,
                loss,
                rtt: Duration::from_millis(rtt),
                time,
                ..Bulk::default()
            };
            text.push_str(&row(&bulk, &bulk.median(seeds(loss))?));
        }
    }
    Ok(text)
}

fn row(bulk: &Bulk, measured: &Measured) -> String {
    let (name, loss, rtt) = (
        bulk.congestion.name(),
        bulk.loss * 100.0,
        bulk.rtt.as_millis(),
    );
    let (goodput, model) = (measured.goodput / 1e6, bulk.model() / 1e6);
    let spurious = measured.spurious_share() * 100.0;
    format!("| {name} | {loss:.1} | {rtt} | {goodput:.2} | {model:.2} | {spurious:.2} |\n")
}
