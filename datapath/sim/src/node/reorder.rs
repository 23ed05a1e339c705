//! Frames that are overtaken.

use std::time::Duration;

use fastrand::Rng;
use wirepath_tcp::time::Instant;

use super::{Node, Output, WireFrame};

/// How long a frame is held back when nothing comes to overtake it.
const PATIENCE: Duration = Duration::from_millis(30);

struct Held {
    frame: WireFrame,
    /// Frames that may still overtake it.
    ahead: usize,
    until: Instant,
}

/// Some frames are held back until others have passed.
pub struct Reorder {
    probability: f64,
    distance: usize,
    rng: Rng,
    held: Vec<Held>,
}

impl Reorder {
    /// Frames are overtaken, with this probability, by one to `distance` others.
    #[must_use]
    pub const fn new(probability: f64, distance: usize, rng: Rng) -> Self {
        Self {
            probability,
            distance,
            rng,
            held: Vec::new(),
        }
    }
}

impl Node for Reorder {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        if let Some(frame) = frame {
            if self.rng.f64() >= self.probability {
                let overtaken = self.held.iter_mut();
                overtaken.for_each(|held| held.ahead = held.ahead.saturating_sub(1));
                return Output::Frame(frame);
            }
            let ahead = self.rng.usize(1..=self.distance.max(1));
            let until = now + PATIENCE;
            self.held.push(Held {
                frame,
                ahead,
                until,
            });
        }
        let due = |held: &Held| held.ahead == 0 || held.until <= now;
        if let Some(at) = self.held.iter().position(due) {
            let overtaken = self.held[..at].iter_mut();
            overtaken.for_each(|held| held.ahead = held.ahead.saturating_sub(1));
            return Output::Frame(self.held.remove(at).frame);
        }
        let first = self.held.iter().map(|held| held.until).min();
        first.map_or(Output::None, Output::Wait)
    }
}
