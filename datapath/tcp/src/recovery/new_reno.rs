//! Recovery without SACK: RFC 5681 3.2, RFC 6582.

use wirepath_wire::seq::SeqNum;

use super::frto::{Frto, FrtoAck};
use super::{AckEvent, AckOutcome, Phase, Progress};
use crate::buffer::SeqRange;
use crate::config::{RecoveryConfig, RecoveryFeatures};

/// The state of NewReno.
#[derive(Debug)]
pub(crate) struct NewReno {
    config: RecoveryConfig,
    phase: Phase,
    duplicate_acks: u8,
    /// "recover" of RFC 6582: SND.NXT when the last loss was found.
    point: SeqNum,
    /// What to send again, in this order.
    resend: SeqRange,
    /// Bytes that duplicate ACKs say have left the network.
    departed: u32,
    /// SND.NXT at the first duplicate ACK, before limited transmit.
    limited_from: SeqNum,
    frto: Frto,
}

impl NewReno {
    pub(super) fn new(iss: SeqNum, config: RecoveryConfig) -> Self {
        let resend = SeqRange {
            left: iss,
            right: iss,
        };
        Self {
            config,
            phase: Phase::Open,
            duplicate_acks: 0,
            point: iss,
            resend,
            departed: 0,
            limited_from: iss,
            frto: Frto::Off,
        }
    }

    /// The next range to send again, if any.
    pub(super) fn next_range(&self) -> Option<SeqRange> {
        let waits = self.resend.is_empty() || self.frto.holds();
        (!waits).then_some(self.resend)
    }

    /// Everything up to `end` was sent again.
    pub(super) fn on_resent(&mut self, end: SeqNum) {
        self.resend.left = end.earliest(self.resend.right);
    }

    /// An estimate of the bytes in the network, of `flight` = SND.NXT - SND.UNA.
    pub(super) fn in_flight(&self, flight: u32) -> u32 {
        flight
            .saturating_sub(self.resend.len())
            .saturating_sub(self.departed)
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// An ACK: of new text, a duplicate, or neither.
    pub(super) fn on_ack_event(&mut self, event: &AckEvent) -> AckOutcome {
        let &AckEvent {
            ack, flight, smss, ..
        } = event;
        let mut outcome = AckOutcome {
            delivered: ack.bytes_since(flight.left),
            longest: ack.bytes_since(flight.left),
            ..AckOutcome::default()
        };
        let (resent, held) = (self.resend.left, self.frto.holds());
        let spurious = self.frto.on_ack(FrtoAck {
            tells: outcome.delivered > 0 || event.is_duplicate,
            advances: outcome.delivered > 0,
            covers_all: ack.at_or_after(self.point),
            // Without SACK only the second ACK tells (RFC 5682 2.1): new text followed the first.
            original: held && ack.after(resent),
            can_send: event.can_send,
        });
        if spurious {
            self.undo();
            outcome.undo = true;
        } else if held {
            // The new text that went instead has left the network.
            self.departed = smss;
        }
        if outcome.delivered > 0 {
            outcome.progress = self.on_ack(ack, outcome.delivered, smss);
        } else if event.is_duplicate {
            outcome.loss = self.on_duplicate_ack(flight, smss);
        }
        outcome
    }

    /// A duplicate ACK of `flight.left`. FlightSize, without what limited transmit has sent, when
    /// it starts a fast retransmit (RFC 5681 3.2 step 2).
    pub(super) fn on_duplicate_ack(&mut self, flight: SeqRange, smss: u32) -> Option<u32> {
        self.duplicate_acks = self.duplicate_acks.saturating_add(1);
        if self.duplicate_acks == 1 {
            self.limited_from = flight.right;
        }
        match self.phase {
            Phase::Loss => None,
            Phase::FastRecovery => {
                self.departed = self.departed.saturating_add(smss).min(flight.len());
                None
            }
            // RFC 6582 3.2 step 2: not for what was in flight at an earlier loss.
            Phase::Open if self.point.after(flight.left) => None,
            Phase::Open if self.duplicate_acks < self.config.reordering => {
                // Limited transmit, RFC 3042 2: each of the first two lets new text go.
                self.departed = u32::from(self.duplicate_acks).saturating_mul(smss);
                None
            }
            Phase::Open => {
                self.phase = Phase::FastRecovery;
                self.point = flight.right;
                self.departed = u32::from(self.config.reordering).saturating_mul(smss);
                self.resend_first(flight.left, smss);
                Some(self.limited_from.bytes_since(flight.left))
            }
        }
    }

    /// `ack` acknowledged `newly_acked` bytes for the first time.
    pub(super) fn on_ack(&mut self, ack: SeqNum, newly_acked: u32, smss: u32) -> Progress {
        self.duplicate_acks = 0;
        self.resend.left = self
            .resend
            .left
            .latest(ack)
            .earliest(self.resend.right.latest(ack));
        self.resend.right = self.resend.right.latest(ack);
        let all = ack.at_or_after(self.point);
        match self.phase {
            Phase::Open => {
                self.departed = 0;
                // Kept near, or after 2^31 bytes it would seem to lie ahead.
                self.point = self.point.latest(ack);
            }
            Phase::Loss => {
                self.departed = 0;
                if all {
                    self.phase = Phase::Open;
                }
            }
            Phase::FastRecovery if all => {
                self.phase = Phase::Open;
                self.departed = 0;
                self.resend.left = self.resend.right;
                return Progress::Recovered;
            }
            Phase::FastRecovery => {
                // RFC 6582 3.2 step 3: deflate by what left, add one segment back.
                let kept = if newly_acked >= smss { smss } else { 0 };
                self.departed = self
                    .departed
                    .saturating_sub(newly_acked)
                    .saturating_add(kept);
                self.resend_first(ack, smss);
                return Progress::Recovering;
            }
        }
        Progress::Normal
    }

    /// The retransmission timer expired: all in flight counts as lost. Whether this is the first
    /// time for this text.
    pub(super) fn on_timeout(&mut self, flight: SeqRange) -> bool {
        let first = self.phase != Phase::Loss;
        self.phase = Phase::Loss;
        self.point = flight.right;
        self.departed = 0;
        self.duplicate_acks = 0;
        self.resend = flight;
        self.frto
            .on_timeout(first && self.config.uses(RecoveryFeatures::F_RTO));
        first
    }

    /// What was sent again was only late.
    pub(super) fn undo(&mut self) {
        self.phase = Phase::Open;
        self.departed = 0;
        self.frto = Frto::Off;
        self.resend.left = self.resend.right;
    }

    /// Sends all in flight again without a word to congestion control: it was a window probe.
    pub(super) fn resend_probe(&mut self, flight: SeqRange) {
        self.resend = flight;
    }

    fn resend_first(&mut self, left: SeqNum, smss: u32) {
        self.resend = SeqRange {
            left,
            right: (left + smss).earliest(self.point),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMSS: u32 = 100;

    fn flight(left: u32, right: u32) -> SeqRange {
        SeqRange {
            left: SeqNum::new(left),
            right: SeqNum::new(right),
        }
    }

    #[test]
    fn the_third_duplicate_ack_resends_the_first_segment() {
        let mut recovery = NewReno::new(SeqNum::new(0), RecoveryConfig::DEFAULT);
        let sent = flight(1, 1_001);
        assert_eq!(recovery.on_duplicate_ack(sent, SMSS), None);
        assert_eq!(recovery.on_duplicate_ack(sent, SMSS), None);
        assert_eq!(recovery.in_flight(1_000), 800, "limited transmit");
        assert_eq!(recovery.on_duplicate_ack(sent, SMSS), Some(1_000));
        assert_eq!(recovery.next_range(), Some(flight(1, 101)));
        assert_eq!(
            recovery.in_flight(1_000),
            600,
            "the lost one and three that arrived"
        );
        recovery.on_resent(SeqNum::new(101));
        assert_eq!(recovery.next_range(), None);
    }

    #[test]
    fn a_partial_ack_resends_the_next_and_a_full_one_ends_it() {
        let mut recovery = NewReno::new(SeqNum::new(0), RecoveryConfig::DEFAULT);
        let third = (0..3)
            .map(|_| recovery.on_duplicate_ack(flight(1, 1_001), SMSS))
            .last();
        assert_eq!(third, Some(Some(1_000)));
        recovery.on_resent(SeqNum::new(101));
        assert_eq!(
            recovery.on_ack(SeqNum::new(501), 500, SMSS),
            Progress::Recovering
        );
        assert_eq!(recovery.next_range(), Some(flight(501, 601)));
        assert_eq!(
            recovery.on_ack(SeqNum::new(1_001), 500, SMSS),
            Progress::Recovered
        );
        assert_eq!(recovery.next_range(), None);
        assert_eq!(recovery.in_flight(0), 0);
    }

    #[test]
    fn after_a_timeout_all_is_sent_again_in_order() {
        let mut recovery = NewReno::new(SeqNum::new(0), RecoveryConfig::DEFAULT);
        assert!(recovery.on_timeout(flight(1, 1_001)));
        assert_eq!(recovery.in_flight(1_000), 0);
        recovery.on_resent(SeqNum::new(101));
        assert_eq!(recovery.in_flight(1_000), 100);
        assert!(
            !recovery.on_timeout(flight(1, 1_001)),
            "the same text again"
        );
        assert_eq!(
            recovery.on_ack(SeqNum::new(301), 300, SMSS),
            Progress::Normal
        );
        assert_eq!(recovery.next_range(), Some(flight(301, 1_001)));
        (0..9).for_each(|_| assert_eq!(recovery.on_duplicate_ack(flight(301, 1_001), SMSS), None));
        recovery.on_ack(SeqNum::new(1_001), 700, SMSS);
        assert!(recovery.phase() != Phase::Loss);
    }

    #[test]
    fn a_loss_after_three_gigabytes_without_one_is_found() {
        let mut recovery = NewReno::new(SeqNum::new(0), RecoveryConfig::DEFAULT);
        let gigabyte = 1 << 30;
        for nth in 1..=3 {
            recovery.on_ack(SeqNum::new(nth * gigabyte), gigabyte, SMSS);
        }
        let sent = flight(3 * gigabyte, 3 * gigabyte + 500);
        let found = (0..3).map(|_| recovery.on_duplicate_ack(sent, SMSS));
        assert_eq!(found.last(), Some(Some(500)));
    }

    #[test]
    fn duplicate_acks_of_old_text_start_nothing() {
        let mut recovery = NewReno::new(SeqNum::new(0), RecoveryConfig::DEFAULT);
        recovery.on_timeout(flight(1, 1_001));
        recovery.on_ack(SeqNum::new(1_001), 1_000, SMSS);
        let again: Vec<bool> = (0..4)
            .map(|_| {
                recovery
                    .on_duplicate_ack(flight(1_001, 1_501), SMSS)
                    .is_some()
            })
            .collect();
        assert_eq!(
            again,
            [false, false, true, false],
            "text after the point may be lost again"
        );
    }
}
