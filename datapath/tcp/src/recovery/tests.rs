//! Recovery with SACK, segment by segment: ten segments of 1,000 bytes from sequence number 0.

use std::time::Duration;

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{SackBlock, SackBlocks};

use super::{AckEvent, AckOutcome, Leaving, Phase, Progress, PrrAck, Recovery, Rtts};
use crate::buffer::{BlockPool, SeqRange};
use crate::config::RecoveryConfig;
use crate::time::Instant;

const SMSS: u32 = 1_000;
const RTT: u64 = 20;

/// A sender that sent its segments one millisecond apart.
struct Sender {
    recovery: Recovery,
    pool: BlockPool,
    una: u32,
    nxt: u32,
    now: u64,
}

impl Sender {
    fn of(segments: u32) -> Self {
        let recovery = Recovery::new(SeqNum::new(0), true, RecoveryConfig::DEFAULT);
        let mut this = Self {
            recovery,
            pool: BlockPool::new(0),
            una: 0,
            nxt: 0,
            now: 0,
        };
        for _ in 0..segments {
            this.send();
        }
        this
    }

    fn send(&mut self) {
        let (left, right) = (SeqNum::new(self.nxt), SeqNum::new(self.nxt + SMSS));
        let range = SeqRange { left, right };
        let leaving = self.leaving();
        self.recovery
            .on_sent(&mut self.pool, range, leaving)
            .expect("a block");
        self.nxt += SMSS;
        self.now += 1;
    }

    /// At `now` milliseconds an ACK of `ack` comes, with SACK blocks.
    fn ack(&mut self, now: u64, ack: u32, blocks: &[(u32, u32)]) -> AckOutcome {
        self.now = now;
        let mut sack = SackBlocks::default();
        for &(left, right) in blocks {
            sack.push(SackBlock {
                left: SeqNum::new(left),
                right: SeqNum::new(right),
            });
        }
        let event = AckEvent {
            ack: SeqNum::new(ack),
            said: SeqNum::new(ack),
            blocks: sack,
            ..self.look()
        };
        let outcome = self.recovery.on_ack(&mut self.pool, &event);
        self.una = self.una.max(ack);
        outcome
    }

    fn look(&self) -> AckEvent {
        AckEvent {
            now: Instant::from_millis(self.now),
            ack: SeqNum::new(self.una),
            said: SeqNum::new(self.una),
            flight: SeqRange {
                left: SeqNum::new(self.una),
                right: SeqNum::new(self.nxt),
            },
            is_duplicate: false,
            blocks: SackBlocks::default(),
            can_send: true,
            smss: SMSS,
            rtts: Rtts {
                min: RTT as u32 * 1_000,
                smoothed: RTT as u32 * 1_000,
            },
        }
    }

    fn leaving(&self) -> Leaving {
        Leaving {
            now: Instant::from_millis(self.now),
            in_flight: self.in_flight(),
        }
    }

    fn in_flight(&self) -> u32 {
        self.recovery.in_flight(self.nxt - self.una)
    }

    /// All that is to be sent again now, by the number of the segment.
    fn resend_all(&mut self) -> Vec<u32> {
        let mut resent = Vec::new();
        while let Some(range) = self.recovery.next_range(&self.pool) {
            let leaving = self.leaving();
            self.recovery
                .on_resent(&mut self.pool, range.right, leaving);
            resent.push(range.left.value() / SMSS);
        }
        resent
    }
}

#[test]
fn three_segments_beyond_a_hole_make_it_lost() {
    let mut sender = Sender::of(10);
    assert_eq!(sender.ack(21, 0, &[(1_000, 2_000)]).loss, None);
    assert_eq!(sender.ack(22, 0, &[(1_000, 3_000)]).loss, None);
    let outcome = sender.ack(23, 0, &[(1_000, 4_000)]);
    assert_eq!(outcome.loss, Some(10_000));
    assert_eq!(sender.recovery.phase(), Phase::FastRecovery);
    assert_eq!(sender.in_flight(), 6_000, "three arrived and one is lost");
    assert_eq!(sender.resend_all(), [0]);
    assert_eq!(sender.in_flight(), 7_000);
}

#[test]
fn a_late_segment_is_given_a_quarter_of_the_round_trip() {
    let mut sender = Sender::of(3);
    let outcome = sender.ack(21, 0, &[(1_000, 2_000)]);
    assert_eq!((outcome.loss, outcome.found_loss), (None, false));
    assert_eq!(
        outcome.wait,
        Duration::from_millis(4),
        "20 ms and 5 ms, less the 21 gone by"
    );
    sender.now = 25;
    let event = sender.look();
    let outcome = sender
        .recovery
        .on_reordering_timeout(&mut sender.pool, &event);
    assert_eq!(outcome.loss, Some(3_000));
    assert_eq!(sender.resend_all(), [0]);
}

/// Ten segments are in flight when the first is lost, and each report lets one more go.
fn lost_after_limited_transmit() -> (Sender, AckOutcome) {
    let mut sender = Sender::of(10);
    for right in [2_000, 3_000] {
        let now = sender.now.max(20) + 1;
        assert_eq!(sender.ack(now, 0, &[(1_000, right)]).loss, None);
        sender.send();
    }
    let outcome = sender.ack(sender.now + 1, 0, &[(1_000, 4_000)]);
    (sender, outcome)
}

/// RFC 5681 3.2 step 2, RFC 6675 5 (4.2).
#[test]
fn what_left_because_others_were_reported_is_not_in_flight_size() {
    let (_, outcome) = lost_after_limited_transmit();
    assert_eq!(outcome.loss, Some(10_000));
}

/// RFC 9937 6: RecoverFS is without what was reported before the recovery.
#[test]
fn half_of_what_is_delivered_in_a_recovery_is_sent_when_half_of_the_flight_is_kept() {
    let (mut sender, mut outcome) = lost_after_limited_transmit();
    assert_eq!(sender.resend_all(), [0]);
    let mut sent = vec![1];
    for right in (5_000..10_000).step_by(1_000) {
        sender.recovery.pace(&PrrAck {
            delivered: outcome.delivered,
            in_flight: sender.in_flight(),
            ssthresh: 5_000,
            smss: SMSS,
            safe: false,
        });
        let mut count = 0;
        while sender.in_flight() + SMSS <= sender.recovery.window(5_000) {
            sender.send();
            count += 1;
        }
        sent.push(count);
        outcome = sender.ack(sender.now + 1, 0, &[(1_000, right)]);
    }
    assert_eq!(sent, [1, 0, 0, 0, 1, 0]);
}

#[test]
fn every_hole_is_found_and_recovery_ends_with_the_last() {
    let mut sender = Sender::of(10);
    sender.ack(29, 1_000, &[(4_000, 5_000), (6_000, 10_000)]);
    assert_eq!(sender.resend_all(), [1, 2, 3, 5]);
    assert_eq!(sender.in_flight(), 4_000);
    let partial = sender.ack(50, 5_000, &[(6_000, 10_000)]);
    assert_eq!(partial.progress, Progress::Normal);
    assert_eq!(sender.recovery.phase(), Phase::FastRecovery);
    assert_eq!(sender.ack(51, 10_000, &[]).progress, Progress::Recovered);
    assert_eq!(sender.recovery.phase(), Phase::Open);
    assert_eq!(sender.pool.free(), sender.pool.total());
}

#[test]
fn a_retransmission_that_is_lost_is_found_by_what_was_sent_after_it() {
    let mut sender = Sender::of(10);
    sender.ack(29, 0, &[(1_000, 10_000)]);
    assert_eq!(sender.resend_all(), [0]);
    sender.now = 30;
    sender.send();
    // What was sent a millisecond after the retransmission arrives; that one does not.
    let outcome = sender.ack(55, 0, &[(1_000, 11_000)]);
    assert!(outcome.found_loss);
    assert_eq!(sender.resend_all(), [0]);
}

#[test]
fn an_answer_faster_than_the_path_is_one_to_the_first_copy() {
    let mut sender = Sender::of(10);
    sender.ack(23, 0, &[(1_000, 4_000)]);
    assert_eq!(sender.resend_all(), [0]);
    // A millisecond later the first arrives on a path of twenty: it says nothing of what was sent
    // before its second copy.
    let outcome = sender.ack(24, 4_000, &[]);
    assert!(!outcome.found_loss);
    assert_eq!(sender.resend_all(), []);
}

#[test]
fn an_answer_as_fast_as_the_path_is_one_to_the_second_copy() {
    let mut sender = Sender::of(10);
    sender.ack(23, 0, &[(1_000, 4_000)]);
    assert_eq!(sender.resend_all(), [0]);
    sender.ack(43, 4_000, &[]);
    assert_eq!(sender.resend_all(), [4, 5, 6, 7, 8, 9]);
}

#[test]
fn what_was_reported_before_the_recovery_is_no_part_of_its_flight() {
    let mut sender = Sender::of(20);
    let mut sent = 0;
    // Three arrive until the first counts as lost, two of them before the ACK that tells.
    for arrived in 1..=11 {
        let ack = sender.ack(21 + arrived, 0, &[(1_000, (arrived as u32 + 1) * SMSS)]);
        sender.recovery.pace(&PrrAck {
            delivered: ack.delivered,
            in_flight: sender.in_flight(),
            ssthresh: 10 * SMSS,
            smss: SMSS,
            safe: false,
        });
        while sender.in_flight() + SMSS <= sender.recovery.window(0) {
            if sender.resend_all().is_empty() {
                sender.send();
            }
            sent += 1;
        }
    }
    assert_eq!(sent, 5, "ten for eighteen (RFC 9937 6), so five for nine");
}

#[test]
fn reordering_that_was_seen_ends_the_rule_of_three() {
    let mut sender = Sender::of(10);
    sender.ack(21, 0, &[(1_000, 2_000)]);
    // The first was late, not lost.
    sender.ack(22, 2_000, &[]);
    let outcome = sender.ack(26, 2_000, &[(3_000, 7_000)]);
    assert_eq!((outcome.loss, outcome.found_loss), (None, false));
    assert!(outcome.wait > Duration::ZERO);
}

#[test]
fn what_arrived_twice_widens_the_window_of_reordering() {
    let mut sender = Sender::of(10);
    sender.ack(21, 0, &[(1_000, 2_000)]);
    sender.ack(22, 2_000, &[]);
    let narrow = sender.ack(24, 2_000, &[(3_000, 4_000)]).wait;
    let wide = sender.ack(24, 2_000, &[(0, 1_000), (3_000, 5_000)]).wait;
    assert!(wide > narrow, "{wide:?} after {narrow:?}");
}

#[test]
fn a_timeout_sends_all_again_but_what_has_arrived() {
    let mut sender = Sender::of(6);
    sender.ack(21, 0, &[(2_000, 3_000)]);
    sender.now = 300;
    let look = sender.look();
    assert!(
        sender
            .recovery
            .on_timeout(&mut sender.pool, look.now, look.flight, look.rtts)
    );
    assert_eq!(sender.recovery.phase(), Phase::Loss);
    assert_eq!(sender.in_flight(), 0);
    assert_eq!(sender.resend_all(), [0, 1, 3, 4, 5]);
    assert_eq!(sender.ack(320, 6_000, &[]).progress, Progress::Repaired);
    assert_eq!(sender.recovery.phase(), Phase::Open);
}

#[test]
fn a_peer_that_takes_its_word_back_gets_all_again() {
    let mut sender = Sender::of(4);
    sender.ack(21, 0, &[(1_000, 4_000)]);
    // The first arrives, and with it nothing of what was said to be there.
    sender.ack(23, 1_000, &[]);
    sender.now = 300;
    let look = sender.look();
    sender
        .recovery
        .on_timeout(&mut sender.pool, look.now, look.flight, look.rtts);
    assert_eq!(sender.resend_all(), [1, 2, 3]);
}

#[test]
fn a_probe_is_for_the_end_of_a_flight_that_nothing_else_tells_of() {
    let mut sender = Sender::of(4);
    let delay = Duration::from_millis(50);
    let after = |sender: &Sender| sender.recovery.probe_timeout(20_000, delay);
    assert_eq!(after(&sender), Some(Duration::from_millis(40)));
    sender.ack(23, 3_000, &[]);
    assert_eq!(
        after(&sender),
        Some(Duration::from_millis(90)),
        "one alone may wait for its ACK"
    );
    let now = Instant::from_millis(120);
    sender.recovery.on_probe(
        &mut sender.pool,
        SeqNum::new(4_000),
        Some(Leaving { now, in_flight: 0 }),
    );
    assert_eq!(after(&sender), None, "one at a time");
    // The ACK of the probe does not say which copy arrived; the first beyond it does, by no DSACK.
    assert_eq!(sender.ack(140, 4_000, &[]).loss, None);
    sender.send();
    assert_eq!(sender.ack(160, 5_000, &[]).loss, Some(1_000));
    sender.send();
    assert!(after(&sender).is_some());
}

#[test]
fn blocks_that_cannot_be_are_passed_over() {
    let mut sender = Sender::of(4);
    for block in [
        (2_000, 1_000),
        (2_000, 2_000),
        (3_000, 90_000),
        (1 << 31, 5),
    ] {
        assert_eq!(sender.ack(21, 0, &[block]).delivered, 0, "{block:?}");
    }
    assert_eq!(sender.in_flight(), 4_000);
}

#[test]
fn the_same_block_twice_delivers_once() {
    let mut sender = Sender::of(8);
    assert_eq!(sender.ack(21, 0, &[(2_000, 4_000)]).delivered, 2_000);
    assert_eq!(sender.ack(22, 0, &[(2_000, 4_000)]).delivered, 0);
    assert_eq!(
        sender.ack(23, 0, &[(1_500, 6_500)]).delivered,
        2_000,
        "whole segments count"
    );
    assert_eq!(sender.ack(24, 0, &[(1_000, 7_000)]).delivered, 2_000);
    let ack = PrrAck {
        delivered: 0,
        in_flight: 0,
        ssthresh: 4_000,
        smss: SMSS,
        safe: false,
    };
    sender.recovery.pace(&ack);
    assert_eq!(sender.ack(25, 8_000, &[]).delivered, 2_000);
    assert_eq!(sender.pool.free(), sender.pool.total());
}

#[test]
fn a_look_at_very_many_segments_is_cut_in_pieces_and_finds_all() {
    let mut sender = Sender::of(2_000);
    let late = 2_100;
    // Every other segment of the first 128 arrived, and the last: all between is lost.
    for pair in 0..16 {
        let block = |n: u32| ((8 * pair + 2 * n + 1) * SMSS, (8 * pair + 2 * n + 2) * SMSS);
        sender.ack(late, 0, &[block(0), block(1), block(2)]);
    }
    sender.ack(late, 0, &[(1_999 * SMSS, 2_000 * SMSS)]);
    let mut looks = 0;
    let lost = loop {
        let event = sender.look();
        let outcome = sender
            .recovery
            .on_reordering_timeout(&mut sender.pool, &event);
        looks += 1;
        if outcome.wait.is_zero() {
            break sender.resend_all();
        }
    };
    assert_eq!(lost.len(), 2_000 - 48 - 1);
    assert!(looks > 5, "{looks} looks");
}

#[test]
fn a_recovery_that_was_for_nothing_is_undone() {
    let mut sender = Sender::of(10);
    sender.ack(25, 0, &[(1_000, 4_000)]);
    assert_eq!(sender.recovery.phase(), Phase::FastRecovery);
    assert_eq!(sender.resend_all(), [0]);
    // The first was late: it fills the hole, and then the copy of it comes.
    sender.ack(27, 5_000, &[]);
    let outcome = sender.ack(48, 6_000, &[(0, 1_000)]);
    assert!(outcome.undo);
    assert_eq!(sender.recovery.phase(), Phase::Open);
    assert!(!sender.ack(49, 7_000, &[(0, 1_000)]).undo, "once");
}

#[test]
fn a_recovery_that_one_copy_was_needed_for_is_not_undone() {
    let mut sender = Sender::of(10);
    sender.ack(25, 0, &[(2_000, 5_000)]);
    assert_eq!(sender.resend_all(), [0, 1]);
    assert!(!sender.ack(48, 5_000, &[(0, 1_000)]).undo);
}

/// RFC 6298 3: what came long ago is acknowledged with the hole before it, which was sent twice.
#[test]
fn an_ack_that_fills_a_hole_gives_no_sample_of_what_lay_beyond() {
    let mut sender = Sender::of(3);
    let look = sender.look();
    sender
        .recovery
        .on_timeout(&mut sender.pool, look.now, look.flight, look.rtts);
    sender.now = 1_000;
    let leaving = sender.leaving();
    sender
        .recovery
        .on_resent(&mut sender.pool, SeqNum::new(SMSS), leaving);
    let outcome = sender.ack(1_000 + RTT, 3 * SMSS, &[]);
    assert_eq!(outcome.delivered, 3 * SMSS);
    assert_eq!(outcome.rtt, None);
}
