//! Loss: each frame by itself, or in bursts.

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

/// Gilbert-Elliott loss: a good state that loses nothing, and a bad one that loses most.
pub struct BurstLoss {
    enter: f64,
    leave: f64,
    probability: f64,
    bad: bool,
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
            bad: false,
            rng,
        }
    }
}

impl Node for BurstLoss {
    fn process(&mut self, _now: Instant, frame: Option<WireFrame>) -> Output {
        let Some(frame) = frame else {
            return Output::None;
        };
        let change = if self.bad { self.leave } else { self.enter };
        self.bad ^= self.rng.f64() < change;
        if self.bad && self.rng.f64() < self.probability {
            Output::None
        } else {
            Output::Frame(frame)
        }
    }
}
