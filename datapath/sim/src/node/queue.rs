//! A bottleneck: bandwidth, and a queue in front of it.

use std::collections::VecDeque;
use std::time::Duration;

use wirepath_tcp::time::Instant;

use super::{Node, Output, WireFrame};

/// Frames leave one after the other at a rate; those that find the queue full are lost.
pub struct Queue {
    bytes_per_second: u64,
    limit: usize,
    /// Each with the instant at which its last bit has left.
    frames: VecDeque<(Instant, WireFrame)>,
}

impl Queue {
    /// A link of `bytes_per_second` behind a queue of at most `limit` frames.
    #[must_use]
    pub const fn new(bytes_per_second: u64, limit: usize) -> Self {
        Self {
            bytes_per_second,
            limit,
            frames: VecDeque::new(),
        }
    }
}

impl Node for Queue {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        if let Some(frame) = frame.filter(|_| self.frames.len() < self.limit) {
            let nanos = frame.len() as u64 * 1_000_000_000 / self.bytes_per_second.max(1);
            let starts = self.frames.back().map_or(now, |(last, _)| now.max(*last));
            self.frames
                .push_back((starts + Duration::from_nanos(nanos), frame));
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
