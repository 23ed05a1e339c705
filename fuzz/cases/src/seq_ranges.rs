//! `SeqRanges` against a bitmap.

use arbitrary::{Arbitrary, Unstructured};
use wirepath_tcp::buffer::{BlockPool, SeqRange, SeqRanges};
use wirepath_tcp::limits::OUT_OF_ORDER_RANGES;
use wirepath_wire::seq::SeqNum;

/// Sequence numbers that the bitmap knows: room for many more ranges than a set may have.
const SPAN: u16 = 256;

#[derive(Debug, Arbitrary)]
enum Op {
    Insert {
        left: u16,
        len: u8,
    },
    /// So many ranges of one number each, every second one.
    InsertMany {
        left: u16,
        count: u8,
    },
    RemoveBefore(u16),
    Clear,
}

/// Takes the bytes as operations on a set.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(base) = bytes.arbitrary::<u32>() else {
        return;
    };
    let mut set = Set::new(SeqNum::new(base));
    let Ok(ops) = bytes.arbitrary_iter::<Op>() else {
        return;
    };
    for op in ops.flatten().take(128) {
        match op {
            Op::Insert { left, len } => set.insert(left % SPAN, u16::from(len)),
            Op::InsertMany { left, count } => {
                let nth = |nth: u16| (left % SPAN + 2 * nth) % SPAN;
                (0..u16::from(count % 96)).for_each(|at| set.insert(nth(at), 1));
            }
            Op::RemoveBefore(end) => set.remove_before(end % SPAN),
            Op::Clear => set.clear(),
        }
        set.compare();
    }
    set.clear();
    assert_eq!(set.pool.free(), set.pool.total(), "a block is lost");
}

struct Set {
    base: SeqNum,
    pool: BlockPool,
    ranges: SeqRanges,
    model: Vec<bool>,
}

impl Set {
    fn new(base: SeqNum) -> Self {
        Self {
            base,
            pool: BlockPool::new(0),
            ranges: SeqRanges::default(),
            model: vec![false; usize::from(SPAN)],
        }
    }

    fn seq(&self, at: u16) -> SeqNum {
        self.base + u32::from(at)
    }

    fn insert(&mut self, left: u16, len: u16) {
        let right = (left + len).min(SPAN);
        let range = SeqRange {
            left: self.seq(left),
            right: self.seq(right),
        };
        let expected = self.has_room_for(left, right);
        let has_room = self.ranges.has_room_for(&self.pool, range);
        assert!(left == right || has_room == expected, "{range:?}");
        let inserted = self.ranges.insert(&mut self.pool, range).is_ok();
        assert_eq!(inserted, expected || left == right, "{range:?}");
        if inserted {
            self.model[usize::from(left)..usize::from(right)].fill(true);
        }
    }

    /// Whether the model has a range less than the most, or one that `left..right` would join.
    fn has_room_for(&self, left: u16, right: u16) -> bool {
        let near = usize::from(left.saturating_sub(1))..usize::from((right + 1).min(SPAN));
        self.of_model().len() < OUT_OF_ORDER_RANGES || self.model[near].contains(&true)
    }

    fn remove_before(&mut self, end: u16) {
        let seq = self.seq(end);
        self.ranges.remove_before(&mut self.pool, seq);
        self.model[..usize::from(end)].fill(false);
    }

    fn clear(&mut self) {
        self.ranges.clear(&mut self.pool);
        self.model.fill(false);
    }

    fn of_model(&self) -> Vec<SeqRange> {
        let mut ranges: Vec<SeqRange> = Vec::new();
        for at in (0..SPAN).filter(|at| self.model[usize::from(*at)]) {
            let (left, right) = (self.seq(at), self.seq(at + 1));
            match ranges.last_mut() {
                Some(last) if last.right == left => last.right = right,
                _ => ranges.push(SeqRange { left, right }),
            }
        }
        ranges
    }

    fn compare(&self) {
        let expected = self.of_model();
        let there: Vec<SeqRange> = self.ranges.iter(&self.pool).collect();
        assert_eq!(there, expected);
        assert_eq!(self.ranges.len(), expected.len());
        assert_eq!(self.ranges.is_empty(), expected.is_empty());
        let is_free = self.pool.free() == self.pool.total();
        assert!(
            !self.ranges.is_empty() || is_free,
            "an empty set has a block"
        );
        for at in (0..SPAN).step_by(7) {
            let seq = self.seq(at);
            let holds = |range: &&SeqRange| range.left.at_or_before(seq) && range.right.after(seq);
            let after = |range: &&SeqRange| range.left.after(seq);
            let containing = self.ranges.containing(&self.pool, seq);
            assert_eq!(containing.as_ref(), expected.iter().find(holds));
            let first_after = self.ranges.first_after(&self.pool, seq);
            assert_eq!(first_after.as_ref(), expected.iter().find(after));
        }
    }
}
