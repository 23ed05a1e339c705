//! The load that a client puts on a server, whatever TCP it has: what is asked when, and what is
//! measured. The clients ([`kernel`], [`xdp`]) only open connections and carry bytes.

mod driver;
mod exchange;
mod kernel;
mod pattern;
mod schedule;
mod tally;
mod xdp;

use std::fmt;
use std::time::Duration;

pub(crate) use driver::{Driver, Gate, Window};
pub(crate) use kernel::drive as drive_kernel;
pub(crate) use pattern::Pattern;
pub(crate) use tally::Tally;
pub(crate) use xdp::{CONNECTIONS_PER_ADDRESS, XdpClient, XdpEnd};

/// What the connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Messages on connections that stay, each sent back.
    Exchange,
    /// A connection for each message.
    Connect,
    /// Text without end towards the server.
    Upload,
    /// Text without end towards the client.
    Download,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "exchange",
            Self::Connect => "connect",
            Self::Upload => "upload",
            Self::Download => "download",
        })
    }
}

/// How the requests of an open loop follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrivals {
    /// At equal gaps.
    Constant,
    /// At random, as many independent users would.
    Poisson,
}

/// What decides when a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// The answer to an earlier one.
    Closed {
        /// Requests of a connection that wait for their answers.
        depth: usize,
        /// How long after an answer the next request is due.
        think: Duration,
    },
    /// The clock.
    Open {
        /// Requests a second, of all connections together.
        rate: f64,
        arrivals: Arrivals,
    },
}

/// How messages and connections differ.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Mix {
    /// Bytes of the shortest message. The size of a load is that of the longest, and each message
    /// is as likely to be of one power of two as of another.
    pub(crate) least: u64,
    /// Share of the answers after which the connection is closed, and another opened.
    pub(crate) churn: f64,
}

impl Mix {
    /// Bytes of the next message.
    fn draw(&self, random: &mut fastrand::Rng, most: u64) -> u64 {
        let (least, most) = (self.least as f64, most.max(self.least) as f64);
        (least * (most / least).powf(random.f64())).round() as u64
    }
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Load {
    pub(crate) task: Task,
    pub(crate) connections: usize,
    /// The first so many of them have something to say; the others are held open.
    pub(crate) active: usize,
    /// Bytes of a message.
    pub(crate) size: u64,
    /// Messages and connections that differ; else all are alike.
    pub(crate) mix: Option<Mix>,
    pub(crate) pace: Pace,
    /// Before what counts.
    pub(crate) warm_up: Duration,
    /// What counts.
    pub(crate) span: Duration,
}

impl Load {
    /// The same in so many parts, each with its share of connections and rate; with fewer parts
    /// where there are fewer connections.
    pub(crate) fn shares(&self, parts: usize) -> Vec<Self> {
        let parts = parts.clamp(1, self.active.max(1));
        let share = |all: usize, part: usize| all / parts + usize::from(part < all % parts);
        let part = |part| Self {
            connections: share(self.connections, part),
            active: share(self.active, part),
            pace: match self.pace {
                Pace::Open { rate, arrivals } => Pace::Open {
                    rate: rate * share(self.active, part) as f64 / self.active as f64,
                    arrivals,
                },
                closed @ Pace::Closed { .. } => closed,
            },
            ..*self
        };
        (0..parts).map(part).collect()
    }
}
