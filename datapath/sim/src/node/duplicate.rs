//! Frames that come twice.

use fastrand::Rng;
use wirepath_tcp::time::Instant;

use super::{Node, Output, WireFrame};

/// Some frames leave twice, the copy right behind.
pub struct Duplicate {
    probability: f64,
    rng: Rng,
    copy: Option<WireFrame>,
}

impl Duplicate {
    /// Frames are doubled with this probability.
    #[must_use]
    pub const fn new(probability: f64, rng: Rng) -> Self {
        Self {
            probability,
            rng,
            copy: None,
        }
    }
}

impl Node for Duplicate {
    fn process(&mut self, _now: Instant, frame: Option<WireFrame>) -> Output {
        let Some(frame) = frame else {
            return self.copy.take().map_or(Output::None, Output::Frame);
        };
        if self.rng.f64() < self.probability {
            self.copy = Some(frame.clone());
        }
        Output::Frame(frame)
    }
}
