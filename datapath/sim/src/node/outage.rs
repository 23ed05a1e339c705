//! A link that is down for a while.

use wirepath_tcp::time::Instant;

use super::{Node, Output, WireFrame};

/// Everything is lost from one instant to another.
pub struct Outage {
    from: Instant,
    until: Instant,
}

impl Outage {
    /// The link is down from `from` until before `until`.
    #[must_use]
    pub const fn new(from: Instant, until: Instant) -> Self {
        Self { from, until }
    }
}

impl Node for Outage {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        let down = self.from <= now && now < self.until;
        let kept = frame.filter(|_| !down);
        kept.map_or(Output::None, Output::Frame)
    }
}
