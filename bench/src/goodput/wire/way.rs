//! One direction of the wire.

use std::io;
use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;
use wirepath_sim::node::{Delay, Loss, Node, Path, Queue};
use wirepath_tcp::time::Instant;

use super::clocks::Clocks;
use super::counted::{Counted, Passage};
use super::packet_socket::{PacketSocket, Received};

/// Frames taken from a socket in one turn.
const BATCH: usize = 64;

/// What happens to the frames of one direction, in this order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// A bottleneck: bytes per second, Ethernet header included, and the frames that it holds at
    /// most, the one that is leaving included. More are lost.
    pub(crate) queue: Option<(u64, usize)>,
    /// How long each frame takes from there.
    pub(crate) delay: Duration,
    /// Each is lost with this probability.
    pub(crate) loss: f64,
}

/// What happened to the frames of one direction.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct WayCounts {
    /// Frames that came to the wire.
    pub(crate) frames: u64,
    /// Those that found the queue full.
    pub(crate) queue_full: u64,
    /// Those lost by chance.
    pub(crate) lost: u64,
    /// Those that the interface at the end did not take. There should be none.
    pub(crate) refused: u64,
}

/// One direction of the wire.
pub(super) struct Way {
    path: Path,
    queue: Option<Passage>,
    loss: Passage,
    frames: u64,
    /// When the last of them came.
    taken: Instant,
    refused: u64,
}

impl Way {
    /// Randomness of its own is drawn from `rng`.
    pub(super) fn new(faults: &Faults, rng: &mut Rng) -> Self {
        let mut nodes: Vec<Box<dyn Node>> = Vec::new();
        let mut queue = None;
        if let Some((bytes_per_second, limit)) = faults.queue {
            let (node, passage) = Counted::new(Queue::new(bytes_per_second, limit));
            nodes.push(Box::new(node));
            queue = Some(passage);
        }
        nodes.push(Box::new(Delay::new(
            faults.delay,
            Duration::ZERO,
            rng.fork(),
        )));
        let (node, loss) = Counted::new(Loss::new(faults.loss, rng.fork()));
        nodes.push(Box::new(node));
        Self {
            path: Path::new(nodes),
            queue,
            loss,
            frames: 0,
            taken: Instant::ZERO,
            refused: 0,
        }
    }

    /// Takes what has come to `from`, each at the time at which it came: a turn that is late does
    /// not make a burst of it, for which the queue would have no room.
    pub(super) fn take(&mut self, from: &PacketSocket, clocks: &Clocks) -> io::Result<()> {
        for _ in 0..BATCH {
            let Some(Received { frame, at }) = from.receive()? else {
                break;
            };
            let at = clocks.instant_of(at).max(self.taken);
            self.path.advance(at);
            self.path.send(at, frame);
            self.frames += 1;
            self.taken = at;
        }
        Ok(())
    }

    /// Lets time pass, and says how much later than it should have been, if anything was due.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Duration> {
        let due = self.next_wakeup(now).filter(|due| *due <= now)?;
        self.path.advance(now);
        Some(now.since(due))
    }

    /// Gives what has arrived to `to`.
    pub(super) fn give(&mut self, to: &PacketSocket) -> io::Result<()> {
        for frame in self.path.arrivals() {
            if !to.send(&frame)? {
                self.refused += 1;
            }
        }
        Ok(())
    }

    pub(super) fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        self.path.next_wakeup(now)
    }

    pub(super) fn counts(&self) -> WayCounts {
        WayCounts {
            frames: self.frames,
            // The queue keeps what it loses, and what it could not send before the end.
            queue_full: self.queue.as_ref().map_or(0, Passage::kept),
            lost: self.loss.kept(),
            refused: self.refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn frames_beyond_the_queue_are_counted_apart_from_those_lost_by_chance() {
        let faults = Faults {
            queue: Some((1_000_000, 4)),
            delay: Duration::from_millis(10),
            loss: 0.5,
        };
        let mut way = Way::new(&faults, &mut Rng::with_seed(1));
        let mut arrived = 0;
        // Ten bursts of five frames of a millisecond each, of which the fifth finds no room.
        for burst in 0..10 {
            let now = Instant::from_nanos(burst * 20 * MILLISECOND);
            way.advance(now);
            for _ in 0..5 {
                way.path.send(now, vec![0; 1_000]);
            }
        }
        for millis in 0..300 {
            way.advance(Instant::from_nanos(millis * MILLISECOND));
            arrived += way.path.arrivals().count() as u64;
        }
        let counts = way.counts();
        assert_eq!(counts.queue_full, 10, "{counts:?}");
        assert_eq!(arrived + counts.lost, 40, "{counts:?}");
        assert!((10..30).contains(&counts.lost), "{counts:?}");
    }

    #[test]
    fn a_frame_that_leaves_late_is_told() {
        let faults = Faults {
            queue: None,
            delay: Duration::from_millis(10),
            loss: 0.0,
        };
        let mut way = Way::new(&faults, &mut Rng::with_seed(1));
        way.path.send(Instant::ZERO, vec![0; 60]);
        assert_eq!(way.advance(Instant::from_millis(9)), None);
        let late = way.advance(Instant::from_millis(13));
        assert_eq!(late, Some(Duration::from_millis(3)));
    }
}
