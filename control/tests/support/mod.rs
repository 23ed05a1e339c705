//! What the network tests share.
#![allow(dead_code, reason = "no test program uses all of it")]

pub(crate) mod fault;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Waits, at most 10 s, until something that happens outside this process is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "10 s have passed, and not yet: {what}"
        );
        sleep(Duration::from_millis(5));
    }
}
