//! A network as a list of nodes: each takes frames and gives frames, some later, some never.

mod corrupt;
mod delay;
mod duplicate;
mod loss;
mod narrow;
mod outage;
mod queue;
mod reorder;

pub use corrupt::Corrupt;
pub use delay::Delay;
pub use duplicate::Duplicate;
pub use loss::{BurstLoss, Loss};
pub use narrow::Narrow;
pub use outage::Outage;
pub use queue::Queue;
pub use reorder::Reorder;

use wirepath_tcp::time::Instant;

/// The bytes of a frame on the wire.
pub type WireFrame = Vec<u8>;

/// What a node answers when it is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Nothing until another frame comes.
    None,
    /// This frame leaves now; ask again.
    Frame(WireFrame),
    /// This frame goes back to where the others come from; ask again.
    Back(WireFrame),
    /// Nothing until then; ask again at that time.
    Wait(Instant),
}

/// One thing that happens to frames on their way.
pub trait Node {
    /// Takes a frame, if one comes at `now`, and says what leaves. Asked again, without a frame,
    /// until it says [`Output::None`] or [`Output::Wait`].
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output;
}

/// One direction of a link: nodes from the sender to the receiver.
#[derive(Default)]
pub struct Path {
    nodes: Vec<Box<dyn Node>>,
    wakeups: Vec<Option<Instant>>,
    arrived: Vec<WireFrame>,
    returned: Vec<WireFrame>,
}

impl Path {
    /// A path through `nodes`, in this order. Without nodes a frame arrives at once.
    #[must_use]
    pub fn new(nodes: Vec<Box<dyn Node>>) -> Self {
        Self {
            wakeups: vec![None; nodes.len()],
            nodes,
            arrived: Vec::new(),
            returned: Vec::new(),
        }
    }

    /// A frame enters at `now`.
    pub fn send(&mut self, now: Instant, frame: WireFrame) {
        self.enter(0, now, frame);
    }

    /// Lets every node that waits for `now` go on.
    pub fn advance(&mut self, now: Instant) {
        for at in 0..self.nodes.len() {
            if self.wakeups[at].is_some_and(|wakeup| wakeup <= now) {
                self.ask(at, now, None);
            }
        }
    }

    /// The frames that have arrived since this was last asked.
    pub fn arrivals(&mut self) -> impl Iterator<Item = WireFrame> + '_ {
        self.arrived.drain(..)
    }

    /// The frames that nodes have sent back since this was last asked.
    pub fn returned(&mut self) -> impl Iterator<Item = WireFrame> + use<> {
        std::mem::take(&mut self.returned).into_iter()
    }

    /// When there is something to do: at `now` where frames have arrived or were sent back.
    #[must_use]
    pub fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        let waits = !self.arrived.is_empty() || !self.returned.is_empty();
        let first = self.wakeups.iter().flatten().min().copied();
        waits.then_some(now).or(first)
    }

    fn enter(&mut self, at: usize, now: Instant, frame: WireFrame) {
        if at == self.nodes.len() {
            self.arrived.push(frame);
        } else {
            self.ask(at, now, Some(frame));
        }
    }

    fn ask(&mut self, at: usize, now: Instant, mut frame: Option<WireFrame>) {
        loop {
            match self.nodes[at].process(now, frame.take()) {
                Output::Frame(leaving) => self.enter(at + 1, now, leaving),
                Output::Back(report) => self.returned.push(report),
                Output::Wait(wakeup) => return self.wakeups[at] = Some(wakeup),
                Output::None => return self.wakeups[at] = None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
