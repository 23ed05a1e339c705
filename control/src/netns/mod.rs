//! Network namespaces and the veth pairs between them, for the demo, the tests and the
//! benchmarks.
//!
//! A [`Namespace`] is there as long as its value. What a killed process could not remove is
//! removed by the next one's [`sweep_stale`].

mod guard;
mod namespace;
mod network;
mod tool;
mod veth;

pub use guard::guarded;
pub use namespace::{Namespace, remove_all, sweep_stale};
pub use network::Network;
pub use tool::Error;
pub use veth::{End, Link, Offloads, connect};
