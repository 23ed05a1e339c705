//! The buffers against naive models.

use proptest::prelude::*;
use wirepath_wire::seq::SeqNum;

use super::{BlockPool, ByteQueue, Purpose, SeqRange, SeqRanges};
use crate::limits::{
    BLOCK_SIZE, LOG_RESERVE_BLOCKS, OUT_OF_ORDER_RANGES, RECEIVE_RESERVE_BLOCKS,
    SEND_RESERVE_BLOCKS,
};

fn read(queue: &ByteQueue, pool: &BlockPool, mut offset: u32, mut len: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while len > 0 {
        let chunk = queue.chunk(pool, offset, len);
        assert!(!chunk.is_empty(), "a hole at {offset}");
        bytes.extend_from_slice(chunk);
        offset += chunk.len() as u32;
        len -= chunk.len() as u32;
    }
    bytes
}

#[test]
fn sending_leaves_the_reserve_to_receiving() {
    let mut pool = BlockPool::new(0);
    let mut queue = ByteQueue::default();
    let much = vec![7; pool.total() * BLOCK_SIZE];
    assert!(queue.write(&mut pool, Purpose::Send, 0, &much).is_err());
    assert_eq!(pool.free(), RECEIVE_RESERVE_BLOCKS + LOG_RESERVE_BLOCKS);
    let block = pool.take(Purpose::Receive).expect("the reserve");
    pool.give(block);
    queue.clear(&mut pool);
    assert_eq!(pool.free(), pool.total());
}

#[test]
fn receiving_leaves_its_reserve_to_sending() {
    let mut pool = BlockPool::new(100);
    let most = pool.total() - SEND_RESERVE_BLOCKS;
    assert!(pool.may_receive(most) && !pool.may_receive(most + 1));
    let kept: Vec<_> = (0..most)
        .flat_map(|_| pool.take(Purpose::Receive))
        .collect();
    assert!(!pool.may_receive(1) && pool.take(Purpose::OutOfOrder).is_err());
    let sent = pool.take(Purpose::Send).expect("the reserve");
    assert!(!pool.may_receive(1), "what is sent makes no room");
    pool.give(sent);
    kept.into_iter().for_each(|block| pool.give(block));
    assert!(pool.may_receive(most));
}

#[test]
fn a_set_refuses_one_range_too_many_and_stays_as_it_was() {
    let mut pool = BlockPool::new(64);
    let mut ranges = SeqRanges::default();
    let nth = |n: usize| {
        let left = SeqNum::new(u32::MAX - 100) + 10 * n as u32;
        SeqRange {
            left,
            right: left + 5,
        }
    };
    for n in 0..OUT_OF_ORDER_RANGES {
        ranges.insert(&mut pool, nth(n)).expect("room");
    }
    assert!(ranges.insert(&mut pool, nth(OUT_OF_ORDER_RANGES)).is_err());
    assert_eq!(ranges.len(), OUT_OF_ORDER_RANGES);
    let bridge = SeqRange {
        left: nth(0).right,
        right: nth(1).left,
    };
    ranges
        .insert(&mut pool, bridge)
        .expect("a bridge joins two");
    assert_eq!(ranges.len(), OUT_OF_ORDER_RANGES - 1);
    ranges.remove_before(&mut pool, nth(OUT_OF_ORDER_RANGES).left);
    assert!(ranges.is_empty());
    assert_eq!(pool.free(), pool.total());
}

#[derive(Debug, Clone)]
enum Op {
    Write { offset: u32, len: u32 },
    Advance { count: u32 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..40_000u32, 1..9_000u32).prop_map(|(offset, len)| Op::Write { offset, len }),
        (0..12_000u32).prop_map(|count| Op::Advance { count }),
    ]
}

proptest! {
    #[test]
    fn a_queue_keeps_what_was_written(ops in prop::collection::vec(op(), 1..60)) {
        let mut pool = BlockPool::new(256);
        let mut queue = ByteQueue::default();
        let mut model: Vec<Option<u8>> = vec![None; 64_000];
        let mut fill = 0u8;
        for op in ops {
            match op {
                Op::Write { offset, len } => {
                    fill = fill.wrapping_add(1);
                    let bytes: Vec<u8> = (0..len).map(|i| fill.wrapping_add(i as u8)).collect();
                    queue.write(&mut pool, Purpose::Receive, offset, &bytes).expect("room");
                    for (slot, byte) in model[offset as usize..].iter_mut().zip(&bytes) {
                        *slot = Some(*byte);
                    }
                }
                Op::Advance { count } => {
                    queue.advance(&mut pool, count);
                    model.drain(..count as usize);
                    model.resize(64_000, None);
                }
            }
        }
        for (offset, byte) in model.iter().enumerate().filter_map(|(o, b)| b.map(|b| (o, b))) {
            prop_assert_eq!(queue.chunk(&pool, offset as u32, 1), &[byte]);
        }
        queue.clear(&mut pool);
        prop_assert_eq!(pool.free(), pool.total());
    }

    #[test]
    fn a_queue_reads_across_blocks(skip in 0..9_000u32, len in 1..30_000u32) {
        let mut pool = BlockPool::new(64);
        let mut queue = ByteQueue::default();
        let bytes: Vec<u8> = (0..skip + len).map(|i| i as u8).collect();
        queue.write(&mut pool, Purpose::Send, 0, &bytes).expect("room");
        queue.advance(&mut pool, skip);
        prop_assert_eq!(read(&queue, &pool, 0, len), &bytes[skip as usize..]);
    }

    #[test]
    fn ranges_are_what_a_set_of_numbers_says(
        base in any::<u32>(),
        inserts in prop::collection::vec((0..300u32, 0..40u32), 1..40),
        cut in 0..300u32,
    ) {
        let mut pool = BlockPool::new(64);
        let mut ranges = SeqRanges::default();
        let mut model = vec![false; 400];
        let at = |n: u32| SeqNum::new(base) + n;
        for (left, len) in inserts {
            let range = SeqRange { left: at(left), right: at(left + len) };
            ranges.insert(&mut pool, range).expect("room");
            model[left as usize..(left + len) as usize].fill(true);
        }
        ranges.remove_before(&mut pool, at(cut));
        model[..cut as usize].fill(false);
        for n in 0..400u32 {
            prop_assert_eq!(ranges.containing(&pool, at(n)).is_some(), model[n as usize]);
        }
        let runs = model.split(|set| !set).filter(|run| !run.is_empty()).count();
        prop_assert_eq!(ranges.len(), runs);
        ranges.clear(&mut pool);
        prop_assert_eq!(pool.free(), pool.total());
    }
}

#[test]
fn logs_and_text_to_send_leave_the_reserve_to_receiving() {
    let mut pool = BlockPool::new(256);
    let take_all = |pool: &mut BlockPool, purpose| {
        std::iter::from_fn(|| pool.take(purpose).ok()).collect::<Vec<_>>()
    };
    let text = take_all(&mut pool, Purpose::Send);
    assert!(pool.has(Purpose::Log, 2), "what is queued can be sent");
    let logs = take_all(&mut pool, Purpose::Log);
    assert!(!text.is_empty() && !logs.is_empty());
    assert!(pool.may_receive(3));
}
