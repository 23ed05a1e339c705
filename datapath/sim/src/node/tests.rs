use std::time::Duration;

use fastrand::Rng;
use wirepath_tcp::time::Instant;

use wirepath_wire::icmp::{self, Cause};
use wirepath_wire::ip::{self, Ecn};
use wirepath_wire::tcp::Header;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::*;
use crate::by_hand;

fn frame(number: u8) -> WireFrame {
    let mut frame = vec![number; 64];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame
}

/// Sends `count` numbered frames a millisecond apart; answers the numbers and times of arrival.
fn through(node: impl Node + 'static, count: u8) -> Vec<(u8, u64)> {
    let mut path = Path::new(vec![Box::new(node)]);
    let mut arrivals = Vec::new();
    for millis in 0..1_000 {
        let now = Instant::from_millis(millis);
        path.advance(now);
        if millis < u64::from(count) {
            path.send(now, frame(millis as u8));
        }
        arrivals.extend(path.arrivals().map(|frame| (frame[0], millis)));
    }
    assert_eq!(
        path.next_wakeup(Instant::from_millis(1_000)),
        None,
        "a frame is stuck"
    );
    arrivals
}

#[test]
fn a_delay_keeps_the_order() {
    let (base, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
    let arrivals = through(Delay::new(base, jitter, Rng::with_seed(1)), 100);
    assert_eq!(arrivals.len(), 100);
    assert!(arrivals.is_sorted());
    let spans: Vec<u64> = arrivals.iter().map(|(n, at)| at - u64::from(*n)).collect();
    assert!(
        spans.iter().all(|span| (20..=31).contains(span)),
        "{spans:?}"
    );
    assert!(spans.iter().min() < spans.iter().max());
}

#[test]
fn losses_come_alone_or_in_bursts() {
    let alone = through(Loss::new(0.2, Rng::with_seed(1)), 250).len();
    assert!((180..220).contains(&alone), "{alone}");
    let burst = through(BurstLoss::new(0.05, 0.2, 1.0, Rng::with_seed(1)), 250);
    assert!((150..240).contains(&burst.len()), "{}", burst.len());
    let gaps = burst.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.max() > Some(3));
}

#[test]
fn an_outage_begins_and_ends() {
    let outage = Outage::new(Instant::from_millis(10), Instant::from_millis(20));
    let arrivals = through(outage, 30);
    assert_eq!(arrivals.len(), 20);
    assert!(!arrivals.iter().any(|(n, _)| (10..20).contains(n)));
}

#[test]
fn a_duplicate_follows_its_original() {
    let arrivals = through(Duplicate::new(0.5, Rng::with_seed(1)), 100);
    assert!((130..170).contains(&arrivals.len()), "{}", arrivals.len());
    assert!(arrivals.is_sorted());
}

#[test]
fn a_reordered_frame_is_overtaken_by_so_many_at_most() {
    let arrivals = through(Reorder::new(0.3, 3, Rng::with_seed(1)), 100);
    assert_eq!(arrivals.len(), 100);
    assert!(!arrivals.is_sorted());
    for (place, (number, _)) in arrivals.iter().enumerate() {
        let ahead = arrivals[..place].iter().filter(|(n, _)| n > number).count();
        assert!(ahead <= 3, "{number} was overtaken by {ahead}");
    }
}

#[test]
fn a_queue_has_a_rate_and_a_limit() {
    // 64 bytes take 2 ms, and frames come every millisecond.
    let arrivals = through(Queue::new(32_000, 10), 100);
    assert!((50..70).contains(&arrivals.len()), "{}", arrivals.len());
    let mut gaps = arrivals.windows(2).map(|pair| pair[1].1 - pair[0].1);
    assert!(gaps.all(|gap| gap == 2));
}

#[test]
fn damage_changes_one_byte_of_the_packet() {
    let mut node = Corrupt::new(1.0, Rng::with_seed(1));
    for _ in 0..100 {
        let Output::Frame(damaged) = node.process(Instant::ZERO, Some(frame(7))) else {
            panic!("no frame");
        };
        let differing = (0..64).filter(|&at| damaged[at] != frame(7)[at]);
        let differing: Vec<usize> = differing.collect();
        assert!(differing.len() == 1 && differing[0] >= 14, "{differing:?}");
    }
}

/// A frame with a packet of `len` bytes.
fn frame_of(len: usize) -> WireFrame {
    let tuple = Tuple {
        local: Endpoint::new([10, 0, 0, 1].into(), 7),
        remote: Endpoint::new([10, 0, 0, 2].into(), 40_000),
    };
    let (packet, segment) =
        by_hand::segment(Ecn::NotEct, &tuple, &Header::default(), &vec![0; len - 40]);
    by_hand::frame(by_hand::OURS, &packet, &segment)
}

#[test]
fn a_link_that_becomes_narrow_says_so_or_is_a_black_hole() {
    let narrow_at = Instant::from_millis(10);
    for tells in [true, false] {
        let mut node = Narrow::new(vec![(narrow_at, 1_000)], tells);
        let long = || Some(frame_of(1_001));
        let before = node.process(Instant::from_millis(9), long());
        assert!(matches!(before, Output::Frame(_)));
        let short = node.process(narrow_at, Some(frame_of(1_000)));
        assert!(matches!(short, Output::Frame(_)));
        match node.process(narrow_at, long()) {
            Output::Back(report) => {
                let packet = ip::parse(&report[14..]).expect("a packet");
                let said = icmp::parse(&packet).expect("a report");
                let icmp::Message::Report(report) = said else {
                    panic!("{said:?}");
                };
                assert_eq!(report.cause, Cause::PacketTooBig { mtu: 1_000 });
                assert!(tells);
            }
            other => assert!(!tells && other == Output::None),
        }
    }
}
