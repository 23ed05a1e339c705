//! Keeps so many pings under way, and measures each.

use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use wirepath_device::Device as _;
use wirepath_stack::clock::MonotonicClock;
use wirepath_tcp::time::Instant;

use super::end::End;
use super::ping::{self, LEAST_TEXT, Stamps, Way};
use super::{Idle, Pings};
use crate::bed::{Sample, Watch};
use crate::load::{Tally, Window as _};

/// Silence after which what is under way counts as lost.
const PATIENCE: Duration = Duration::from_millis(100);
/// Silence after which nobody is there.
const GIVE_UP: Duration = Duration::from_secs(3);

/// Ports that are tried for one whose answers come to the queue: of 64 queues each is missed once
/// in fifty searches.
const PORTS: std::ops::Range<u16> = 1_024..1_280;

/// What was measured.
pub(crate) struct Reflection {
    pub(crate) tally: Tally,
    /// From the pinger to the reflector, in the reflector, and back, in nanoseconds; empty where
    /// the reflector has another clock.
    pub(crate) stages: [Histogram<u64>; 3],
    /// What entering the kernel takes, of the turns that sent something.
    pub(crate) kernel: Histogram<u64>,
    pub(crate) lost: u64,
    pub(crate) cpus: f64,
    /// Where the pinger's XDP program ran.
    pub(crate) mode: &'static str,
}

impl Reflection {
    /// As a measurement of a load, for comparisons.
    pub(crate) fn into_sample(self, span: Duration) -> Sample {
        Sample {
            latencies: self.tally.latencies().clone(),
            bytes: self.tally.bytes(),
            seconds: span.as_secs_f64(),
            cpus: self.cpus,
            memory: 0.0,
            xdp_mode: Some(self.mode),
        }
    }
}

struct Pinger<'a> {
    end: End,
    way: &'a Way,
    pings: &'a Pings,
    clock: MonotonicClock,
    tally: Tally,
    stages: [Histogram<u64>; 3],
    kernel: Histogram<u64>,
    /// Numbers of the next ping that is sent, and of the next that may come back: a queue keeps the
    /// order, so what is left out is lost.
    next: u64,
    expected: u64,
    under_way: usize,
    heard: Instant,
    lost: u64,
}

/// A port of the pinger for which what is reflected comes to this queue: a card may spread by it.
///
/// # Errors
/// Nothing comes back, or the interface is gone.
pub(super) fn find_home(end: &mut End, way: &Way, clock: MonotonicClock) -> anyhow::Result<u16> {
    for port in PORTS {
        let (way, stamps) = (Way { port, ..*way }, Stamps::numbered(port));
        end.send(|bytes| ping::write(bytes, &way, LEAST_TEXT, &stamps));
        end.device.flush()?;
        let until = clock.now() + PATIENCE / 10;
        let mut home = None;
        while home.is_none() && clock.now() < until {
            end.turn(|bytes| {
                home = home.or(ping::read(bytes).map(|stamps| stamps.number as u16));
                false
            });
            end.device.flush()?;
        }
        if let Some(home) = home {
            return Ok(home);
        }
    }
    bail!(
        "nothing comes back to this queue: is a reflector at {}, and does the card spread to \
         this queue (`ethtool -x`)?",
        way.addresses[1]
    )
}

/// Pings until the time that counts is over.
///
/// # Errors
/// Nothing comes back, or the interface is gone.
pub(super) fn ping(
    (end, mode): (End, &'static str),
    (way, pings): (&Way, &Pings),
    clock: MonotonicClock,
) -> anyhow::Result<Reflection> {
    let now = clock.now();
    let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3).context("no histogram");
    let mut pinger = Pinger {
        end,
        way,
        pings,
        clock,
        tally: Tally::new(now, pings.warm_up, pings.span)?,
        stages: [histogram()?, histogram()?, histogram()?],
        kernel: histogram()?,
        next: 1,
        expected: 1,
        under_way: 0,
        heard: now,
        lost: 0,
    };
    let mut watch = Watch::start(None);
    let cpus = pinger.run(&mut watch)?;
    Ok(Reflection {
        tally: pinger.tally,
        stages: pinger.stages,
        kernel: pinger.kernel,
        lost: pinger.lost,
        cpus,
        mode,
    })
}

impl Pinger<'_> {
    fn run(&mut self, watch: &mut Watch) -> anyhow::Result<f64> {
        let mut counts = false;
        loop {
            let now = self.clock.now();
            if self.tally.is_over(now) {
                watch.closes();
                return Ok(watch.cpus());
            }
            if !counts && self.tally.counts(now) {
                counts = true;
                watch.opens();
            }
            let received = self.receive();
            if received > 0 {
                self.heard = self.clock.now();
            } else {
                self.judge_silence(now)?;
            }
            self.fill_up();
            let before = self.clock.now();
            self.end.device.flush()?;
            if received > 0 && counts {
                let took = self.clock.now().since(before).as_nanos() as u64;
                self.kernel.saturating_record(took);
            }
            if received == 0 && self.pings.idle == Idle::Sleep {
                self.end.device.wait(PATIENCE)?;
            }
        }
    }

    /// Takes what came back, and sends each again as a new ping.
    fn receive(&mut self) -> usize {
        let Self {
            end,
            way,
            pings,
            clock,
            tally,
            stages,
            next,
            expected,
            ..
        } = self;
        let mut lost = 0;
        let turn = end.turn(|bytes| {
            let Some(stamps) = ping::read(bytes).filter(|it| it.number >= *expected) else {
                return false;
            };
            lost += stamps.number - *expected;
            *expected = stamps.number + 1;
            let now = clock.now();
            tally.note_done(now, Instant::from_nanos(stamps.sent));
            if tally.counts(now) && stamps.came > 0 {
                let times = [stamps.sent, stamps.came, stamps.went, now.as_nanos()];
                for (stage, pair) in stages.iter_mut().zip(times.windows(2)) {
                    stage.saturating_record(pair[1].saturating_sub(pair[0]));
                }
            }
            ping::write(bytes, way, pings.text, &begin(next, now));
            true
        });
        self.lost += lost;
        let gone = lost as usize + turn.refused;
        self.under_way = self.under_way.saturating_sub(gone);
        turn.received
    }

    fn fill_up(&mut self) {
        while self.under_way < self.pings.in_flight {
            let stamps = begin(&mut self.next, self.clock.now());
            let (way, text) = (self.way, self.pings.text);
            let sent = self
                .end
                .send(|bytes| ping::write(bytes, way, text, &stamps));
            if !sent {
                return;
            }
            self.under_way += 1;
        }
    }

    /// Whether to wait, to send all again, or to give up.
    fn judge_silence(&mut self, now: Instant) -> anyhow::Result<()> {
        let silence = now.since(self.heard);
        if silence > GIVE_UP && self.tally.latencies().is_empty() {
            bail!("nothing comes back: is a reflector at the other end, at this address?");
        }
        if silence > PATIENCE {
            self.lost += std::mem::take(&mut self.under_way) as u64;
            self.expected = self.next;
            self.heard = now;
        }
        Ok(())
    }
}

/// The stamps of the next ping, sent now.
fn begin(next: &mut u64, now: Instant) -> Stamps {
    let number = *next;
    *next += 1;
    Stamps {
        number,
        sent: now.as_nanos(),
        ..Stamps::default()
    }
}
