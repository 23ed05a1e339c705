//! HTTP with JSON on a unix socket: how a running server is asked.

mod capture;
mod capture_client;
mod client;
mod connection;
mod failure;
mod filter;
mod flows;
mod metrics;
mod model;
#[cfg(test)]
mod openapi;
mod pools;
mod reload;
mod server;
mod socket;
mod stats;
mod trace;

pub use capture::CaptureQuery;
pub use capture_client::CaptureStream;
pub use client::{Client, Refused, running_servers};
pub use filter::{Filter, FilterError};
pub use model::{Details, Flow, FlowPage, Listener, NewListener, Problem, Rank, Timer};
pub use pools::BackendChange;
pub use server::{Server, serve, serve_metrics};
pub use socket::{ControlSocket, SocketError};
pub use stats::{BackendStats, PoolStats, Quantiles, QueueStats, Stats, WorkerStats};
pub use trace::{Trace, TraceEvent, TraceQuery, What};
