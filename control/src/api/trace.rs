//! What the flight recorders know, over the API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use wirepath_stack::flight::{Event, Recording};
use wirepath_stack::tap::Direction;
use wirepath_tcp::time::Instant;

use super::client::Client;
use super::failure::Parameters;
use super::server::Answer;
use crate::runtime::ControlPlane;

/// What last happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The end at the server.
    pub local: SocketAddr,
    /// The end at the peer.
    pub remote: SocketAddr,
    /// Why it was saved: rto, reset or zero window; `None` for what is known now.
    pub trouble: Option<String>,
    /// Shift of the peer's windows, and of ours.
    pub window_scale: (u8, u8),
    /// Older events that are gone.
    pub forgotten: u64,
    /// In the order of time.
    pub events: Vec<TraceEvent>,
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// Microseconds since 1970.
    pub at_us: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A segment came, or was sent.
    Segment {
        /// Whether it was sent.
        sent: bool,
        /// SEG.SEQ.
        seq: u32,
        /// SEG.ACK, where the flags say that it counts.
        ack: u32,
        /// Bytes of text.
        len: u16,
        /// SEG.WND as on the wire.
        window: u16,
        /// Control bits, as in the header.
        flags: u8,
    },
    /// A timer fired.
    Timer {
        /// Its name, as `ss` has it.
        name: String,
        /// RTO in microseconds.
        rto_us: u32,
    },
    /// The congestion control changed what may be in flight.
    Congestion {
        /// In bytes.
        cwnd: u32,
        /// In bytes, once there was a loss.
        ssthresh: Option<u32>,
    },
    /// The application was called, and did something.
    Application {
        /// Bytes of text that it took.
        took: u32,
        /// Bytes of text that it sent.
        sent: u32,
        /// It has ended its half, or all.
        ended: bool,
    },
    /// The connection is gone.
    Closed {
        /// Why.
        reason: String,
    },
}

/// Where traces are.
pub(super) const TRACE: &str = "/v1/trace";

/// Which traces.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct TraceQuery {
    /// Of connections with this peer; without it all that were saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<SocketAddr>,
}

impl Client {
    /// What last happened to connections.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn traces(&self, query: TraceQuery) -> anyhow::Result<Vec<Trace>> {
        let query = serde_urlencoded::to_string(query)?;
        self.get(&format!("/v1/trace?{query}")).await
    }
}

pub(super) fn routes(plane: Arc<ControlPlane>) -> Router {
    Router::new().route(TRACE, get(traces)).with_state(plane)
}

async fn traces(
    State(plane): State<Arc<ControlPlane>>,
    Parameters(query): Parameters<TraceQuery>,
) -> Answer<Vec<Trace>> {
    let mut traces = Vec::new();
    for worker in plane.workers() {
        let answer = worker.ask(move |now, worker| {
            let recordings = worker.flight().recordings(|tuple, trouble| {
                query.remote.map_or(trouble.is_some(), |remote| {
                    SocketAddr::from(tuple.remote) == remote
                })
            });
            (now, recordings)
        });
        let (now, recordings) = answer.await?;
        let wall = Wall::at(now);
        traces.extend(recordings.iter().map(|recording| wall.trace(recording)));
    }
    Ok(Json(traces))
}

/// When the worker's clock was zero, in microseconds since 1970.
struct Wall(u64);

impl Wall {
    fn at(now: Instant) -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = wall.unwrap_or_default().as_micros() as u64;
        Self(micros.saturating_sub(now.as_nanos() / 1_000))
    }

    fn trace(&self, recording: &Recording) -> Trace {
        let event = |&(at, event): &(Instant, Event)| TraceEvent {
            at_us: self.0 + at.as_nanos() / 1_000,
            what: What::from(event),
        };
        Trace {
            local: recording.tuple.local.into(),
            remote: recording.tuple.remote.into(),
            trouble: recording.trouble.map(|trouble| trouble.name().to_owned()),
            window_scale: recording.window_scale,
            forgotten: recording.forgotten,
            events: recording.events.iter().map(event).collect(),
        }
    }
}

impl From<Event> for What {
    fn from(event: Event) -> Self {
        match event {
            Event::Segment {
                direction,
                seq,
                ack,
                len,
                window,
                flags,
            } => Self::Segment {
                sent: direction == Direction::Out,
                seq: seq.value(),
                ack: ack.value(),
                len,
                window: window.0,
                flags: flags.bits(),
            },
            Event::Timer(timer, rto_us) => Self::Timer {
                name: timer.name().to_owned(),
                rto_us,
            },
            Event::Congestion { cwnd, ssthresh } => Self::Congestion {
                cwnd,
                ssthresh: (ssthresh != u32::MAX).then_some(ssthresh),
            },
            Event::Application { took, sent, ended } => Self::Application { took, sent, ended },
            Event::Closed(reason) => Self::Closed {
                reason: reason.name().to_owned(),
            },
        }
    }
}
