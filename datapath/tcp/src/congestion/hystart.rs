//! When slow start ends before it hurts: HyStart++, RFC 9406.

use wirepath_wire::seq::SeqNum;

use super::AckSample;

/// MIN_RTT_THRESH and MAX_RTT_THRESH in microseconds: RFC 9406 4.3.
const THRESHOLD: std::ops::RangeInclusive<u32> = 4_000..=16_000;
/// MIN_RTT_DIVISOR.
const DIVISOR: u32 = 8;
/// N_RTT_SAMPLE.
const SAMPLES: u8 = 8;
/// CSS_GROWTH_DIVISOR.
const CSS_DIVISOR: u32 = 4;
/// CSS_ROUNDS.
const CSS_ROUNDS: u8 = 5;
/// L where nothing is paced: RFC 9406 4.3.
const GROWTH_SEGMENTS: u32 = 8;
/// No sample yet: infinity.
const NONE: u32 = u32::MAX;

/// The state of HyStart++.
#[derive(Debug, Clone, Copy)]
pub(super) struct HyStart {
    /// windowEnd.
    round_end: SeqNum,
    /// lastRoundMinRTT in microseconds.
    last_min: u32,
    /// currentRoundMinRTT in microseconds.
    current_min: u32,
    /// cssBaselineMinRtt in microseconds; `NONE` outside of conservative slow start.
    baseline: u32,
    /// rttSampleCount.
    samples: u8,
    /// Rounds of conservative slow start.
    css_rounds: u8,
    begun: bool,
}

impl HyStart {
    pub(super) const fn new() -> Self {
        Self {
            round_end: SeqNum::new(0),
            last_min: NONE,
            current_min: NONE,
            baseline: NONE,
            samples: 0,
            css_rounds: 0,
            begun: false,
        }
    }

    /// How many bytes cwnd grows by an ACK in slow start; `None` when slow start is over.
    pub(super) fn growth(&mut self, sample: &AckSample, smss: u32) -> Option<u32> {
        self.follow_rounds(sample);
        if let Some(rtt) = sample.rtt {
            self.current_min = self.current_min.min(rtt);
            self.samples = self.samples.saturating_add(1);
        }
        self.judge();
        if self.css_rounds > CSS_ROUNDS {
            return None;
        }
        let growth = if sample.paced {
            sample.newly_acked
        } else {
            sample.newly_acked.min(GROWTH_SEGMENTS * smss)
        };
        Some(if self.baseline == NONE {
            growth
        } else {
            growth / CSS_DIVISOR
        })
    }

    /// cwnd was not used: the round that was counted may be long over.
    pub(super) fn pause(&mut self) {
        self.begun = false;
    }

    fn follow_rounds(&mut self, sample: &AckSample) {
        if self.begun && sample.ack.before(self.round_end) {
            return;
        }
        self.begun = true;
        self.round_end = sample.nxt;
        self.last_min = std::mem::replace(&mut self.current_min, NONE);
        self.samples = 0;
        if self.baseline != NONE {
            self.css_rounds = self.css_rounds.saturating_add(1);
        }
    }

    fn judge(&mut self) {
        if self.samples < SAMPLES || self.current_min == NONE {
            return;
        }
        if self.baseline != NONE {
            if self.current_min < self.baseline {
                // The delay was gone again: back to slow start.
                (self.baseline, self.css_rounds) = (NONE, 0);
            }
        } else if self.last_min != NONE {
            let threshold = (self.last_min / DIVISOR).clamp(*THRESHOLD.start(), *THRESHOLD.end());
            if self.current_min >= self.last_min.saturating_add(threshold) {
                (self.baseline, self.css_rounds) = (self.current_min, 1);
            }
        }
    }
}
