//! Bytes to values and back, for every protocol the stack speaks.
//!
//! Each protocol is a module with a value type, a `parse` and an `emit`, which are inverses:
//! `parse` borrows the bytes and answers with a value or the [`Error`] that names what is wrong;
//! `emit` writes to the front of a buffer and answers how many bytes it took, or `None` where the
//! buffer is too short. No input makes either panic.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmp;
pub mod icmpv6;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod ndp;
pub mod seq;
pub mod tcp;
pub mod tuple;
pub mod vlan;

mod error;
#[cfg(test)]
mod fixtures;

pub use error::Error;
