//! How long a flow is to be silent before it rests.

use std::time::Duration;

use crate::limits::{REST_AFTER, REST_DOUBLINGS};

/// The patience with one flow. To rest and to go on costs half an echo, so who speaks now and then
/// is to do it seldom.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    doublings: u8,
}

impl Patience {
    /// The silence that it takes.
    pub(crate) fn silence(self) -> Duration {
        REST_AFTER * (1 << self.doublings)
    }

    /// Twice as much, up to a limit, for one whose rest was ended.
    pub(crate) fn longer(self) -> Self {
        Self {
            doublings: (self.doublings + 1).min(REST_DOUBLINGS),
        }
    }
}
