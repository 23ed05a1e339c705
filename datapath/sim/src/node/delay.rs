//! Propagation delay.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use wirepath_tcp::time::Instant;

use super::{Node, Output, WireFrame};

/// Every frame takes some time, and keeps its place in the order.
pub struct Delay {
    base: Duration,
    jitter: Duration,
    rng: Rng,
    frames: VecDeque<(Instant, WireFrame)>,
}

impl Delay {
    /// Each frame takes `base`, and up to `jitter` more.
    #[must_use]
    pub const fn new(base: Duration, jitter: Duration, rng: Rng) -> Self {
        Self {
            base,
            jitter,
            rng,
            frames: VecDeque::new(),
        }
    }
}

impl Node for Delay {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        if let Some(frame) = frame {
            let due = now + self.base + self.jitter.mul_f64(self.rng.f64());
            // A frame that was quicker waits for the one before it.
            let last = self.frames.back().map_or(due, |(last, _)| *last);
            self.frames.push_back((due.max(last), frame));
        }
        match self.frames.front() {
            Some((due, _)) if *due > now => Output::Wait(*due),
            _ => self
                .frames
                .pop_front()
                .map_or(Output::None, |(_, frame)| Output::Frame(frame)),
        }
    }
}
