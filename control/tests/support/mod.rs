//! What the network tests share.
#![allow(dead_code, reason = "no test program uses all of it")]

pub(crate) mod backends;
pub(crate) mod client;
pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod server;
mod tc;
pub(crate) mod vlan;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Waits, at most 10 s, until something that happens outside this process is so.
pub(crate) fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_at_most(Duration::from_secs(10), what, is_so);
}

/// The same with another deadline.
pub(crate) fn wait_at_most(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "{limit:?} have passed, and not yet: {what}"
        );
        sleep(Duration::from_millis(5));
    }
}
