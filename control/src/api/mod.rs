//! HTTP with JSON on a unix socket: how a running server is asked.

mod capture;
mod capture_client;
mod client;
mod model;
mod reload;
mod server;
mod socket;
mod trace;

pub use capture::CaptureQuery;
pub use capture_client::CaptureStream;
pub use client::{Client, Refused, running_servers};
pub use model::{Details, Flow, Stats};
pub use server::{Server, serve};
pub use socket::{ControlSocket, SocketError};
pub use trace::{Trace, TraceEvent, TraceQuery, What};
