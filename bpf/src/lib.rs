//! The XDP program that steers frames, and typed access to its maps.
//!
//! [`Steering`] is the program with its maps, loaded into the kernel; [`Steering::attach`] puts it
//! on an interface for as long as the [`Attachment`] lives. What it does with a frame is its
//! [`Verdict`]: frames of our addresses and ports go to the socket of their queue, and the kernel
//! gets all others untouched.
#![deny(unsafe_code)]

mod attach;
mod error;
mod keys;
mod steering;
mod verdict;

pub use attach::{Attachment, Mode};
pub use error::SteerError;
pub use steering::{AddressKind, Rule, Steering};
pub use verdict::{Action, Counters, Verdict};

/// Most endpoints that can be listened at: `MAX_LISTENERS` of `maps.h`.
pub const MAX_LISTENERS: usize = 4096;
/// Most networks that the lists of all listeners can have together: `MAX_NETWORKS` of `maps.h`.
pub const MAX_NETWORKS: usize = 65_536;
