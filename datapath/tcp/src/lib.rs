//! TCP as a value: no device, frame, thread, clock or randomness.
//!
//! [`connection::Connection`] is the protocol; [`half_open::HalfOpen`] and
//! [`time_wait::TimeWait`] are what is kept of one before the handshake and after the end.
//! Sequence numbers and segments are those of `wirepath-wire`; bytes lie in the blocks of a
//! [`buffer::BlockPool`] that all connections of a worker share.
#![forbid(unsafe_code)]

pub mod buffer;
pub mod config;
mod congestion;
pub mod connection;
pub mod half_open;
pub mod isn;
pub mod limits;
mod negotiated;
mod path_mtu;
mod rcv;
mod recovery;
pub mod reset;
mod rtt;
mod snd;
pub mod state;
pub mod syn_cookie;
pub mod time;
pub mod time_wait;
pub mod timers;

pub use negotiated::Path;
pub use rtt::Rto;
pub use timers::Timer;
