//! Packet scripts: what a host and a peer played by hand say to each other, line by line.
//!
//! ```text
//! # RFC 9293 3.5: a passive open.
//! set quick_acks 0
//! 0.0  listen
//! +0   < S 0:0(0) win 65535 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>
//! +0   > S. 0:0(0) ack 1 <...>
//! +.01 < . 1:1(0) ack 1 win 512 <nop,nop,TS val 110 ecr 0>
//! +0   accept
//! +0   send 1000
//! +0   > P. 1:1001(1000) ack 1
//! ```
//!
//! A time is absolute, or `+` since the last line; `~` and a span after it allow for so much more
//! or less. `<` is a packet of the peer, `>` one that the host must send, at that instant and
//! before anything else. Sequence numbers count from the SYN of their side, our timestamps from
//! the start in milliseconds. `docs/scripts.md` of the project has the whole of the format.

mod envelope;
pub mod flags;
mod line;
mod options;
mod packet;
mod parse;
mod run;
mod settings;

pub use parse::{ParseError, Script};
pub use run::{Played, RunError};
