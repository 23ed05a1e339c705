//! The clock of the path, and that of the kernel's time stamps.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wirepath_stack::clock::MonotonicClock;
use wirepath_tcp::time::Instant;

/// The same moment on both clocks: the system's may be set meanwhile, so it is looked up anew in
/// each turn.
pub(super) struct Clocks {
    pub(super) now: Instant,
    /// Time since 1970.
    system: Duration,
}

impl Clocks {
    pub(super) fn read(clock: &MonotonicClock) -> Self {
        let system = clock_gettime(ClockId::Realtime);
        Self {
            now: clock.now(),
            // Before 1970 there was no such time stamp.
            system: system.try_into().unwrap_or_default(),
        }
    }

    /// When this was by the path's clock. Nothing comes from the future.
    pub(super) fn instant_of(&self, stamp: Duration) -> Instant {
        let ago = self.system.saturating_sub(stamp);
        let ago = u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(self.now.as_nanos().saturating_sub(ago))
    }
}
