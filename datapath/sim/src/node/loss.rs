//! Loss: each frame by itself, or in bursts.

use std::time::Duration;

use fastrand::Rng;
use wirepath_tcp::time::Instant;

use super::{Node, Output, WireFrame};

/// Each frame is lost with the same probability.
pub struct Loss {
    probability: f64,
    rng: Rng,
}

impl Loss {
    /// Frames are lost with this probability.
    #[must_use]
    pub const fn new(probability: f64, rng: Rng) -> Self {
        Self { probability, rng }
    }
}

impl Node for Loss {
    fn process(&mut self, _now: Instant, frame: Option<WireFrame>) -> Output {
        let kept = frame.filter(|_| self.rng.f64() >= self.probability);
        kept.map_or(Output::None, Output::Frame)
    }
}

/// How long the bad state lasts when hardly a frame comes that could end it.
const WORST: Duration = Duration::from_secs(1);

/// Gilbert-Elliott loss: a good state that loses nothing, and a bad one that loses most.
pub struct BurstLoss {
    enter: f64,
    leave: f64,
    probability: f64,
    /// Since when the state is bad.
    bad_since: Option<Instant>,
    rng: Rng,
}

impl BurstLoss {
    /// Each frame turns the good state bad with probability `enter` and back with `leave`; in the
    /// bad state frames are lost with `probability`.
    #[must_use]
    pub const fn new(enter: f64, leave: f64, probability: f64, rng: Rng) -> Self {
        Self {
            enter,
            leave,
            probability,
            bad_since: None,
            rng,
        }
    }
}

impl Node for BurstLoss {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        let Some(frame) = frame else {
            return Output::None;
        };
        let drawn = self.rng.f64();
        self.bad_since = match self.bad_since {
            None => (drawn < self.enter).then_some(now),
            Some(since) => (drawn >= self.leave && now.since(since) < WORST).then_some(since),
        };
        if self.bad_since.is_some() && self.rng.f64() < self.probability {
            Output::None
        } else {
            Output::Frame(frame)
        }
    }
}
