//! How many frames go into a node, and how many come out.

use std::cell::Cell;
use std::rc::Rc;

use wirepath_sim::node::{Node, Output, WireFrame};
use wirepath_tcp::time::Instant;

/// Frames that entered a node and that left it.
#[derive(Debug, Clone, Default)]
pub(super) struct Passage {
    entered: Rc<Cell<u64>>,
    left: Rc<Cell<u64>>,
}

impl Passage {
    /// Frames that came and did not leave: lost there, unless some wait inside.
    pub(super) fn kept(&self) -> u64 {
        self.entered.get() - self.left.get()
    }
}

/// A node whose frames are counted.
pub(super) struct Counted<N> {
    node: N,
    passage: Passage,
}

impl<N: Node> Counted<N> {
    /// The node, and the counts that go on while it works.
    pub(super) fn new(node: N) -> (Self, Passage) {
        let passage = Passage::default();
        let counts = passage.clone();
        (Self { node, passage }, counts)
    }
}

impl<N: Node> Node for Counted<N> {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        let count = |cell: &Cell<u64>| cell.set(cell.get() + 1);
        if frame.is_some() {
            count(&self.passage.entered);
        }
        let output = self.node.process(now, frame);
        if matches!(output, Output::Frame(_)) {
            count(&self.passage.left);
        }
        output
    }
}
