//! Round-trip time and retransmission time-out: RFC 6298.

use wirepath_wire::seq::SeqNum;

use crate::config::Config;
use crate::recovery::Rtts;
use crate::time::Instant;

/// Granularity of the clock, G in RFC 6298 2, in microseconds.
const CLOCK_GRANULARITY: u32 = 1;

/// What stands for the least round-trip time before the first sample, in microseconds.
const UNKNOWN_MIN_RTT: u32 = 1_000;

/// The retransmission time-out with its back-off; it cannot leave the range it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rto {
    micros: u32,
    min: u32,
    max: u32,
}

impl Rto {
    /// The initial time-out of `config`: RFC 6298 2.1.
    #[must_use]
    pub fn initial(config: &Config) -> Self {
        let min = config.min_rto.micros();
        let max = config.max_rto.micros().max(min);
        Self {
            micros: config.initial_rto.micros().clamp(min, max),
            min,
            max,
        }
    }

    /// The time-out in microseconds.
    #[must_use]
    pub const fn micros(self) -> u32 {
        self.micros
    }

    /// The time-out as a span.
    #[must_use]
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.micros as u64)
    }

    /// The same range with another value, clamped to it.
    #[must_use]
    pub fn set(self, micros: u32) -> Self {
        Self {
            micros: micros.clamp(self.min, self.max),
            ..self
        }
    }

    /// Twice the time-out, as long as that is allowed: RFC 6298 5.5.
    #[must_use]
    pub fn doubled(self) -> Self {
        self.set(self.micros.saturating_mul(2))
    }
}

/// Estimates the round-trip time of a connection: RFC 6298.
#[derive(Debug)]
pub(crate) struct RttEstimator {
    /// SRTT in microseconds; 0 before the first sample. A share of a sample may be far less than
    /// one of them.
    srtt: f32,
    /// RTTVAR in microseconds.
    rttvar: f32,
    /// The last sample, and SRTT and RTTVAR before it.
    last: (u32, f32, f32),
    /// Least sample, in microseconds; `u32::MAX` before the first.
    min_rtt: u32,
    rto: Rto,
    /// The end of the segment being timed.
    timed: SeqNum,
    /// When it was sent; `NEVER` when none is being timed.
    timed_at: Instant,
}

/// What is kept of it while nothing is timed.
#[derive(Debug)]
pub(crate) struct RestingRtt {
    srtt: f32,
    rttvar: f32,
    min_rtt: u32,
    rto: u32,
}

impl RttEstimator {
    pub(crate) fn new(config: &Config) -> Self {
        let rto = Rto::initial(config);
        Self {
            srtt: 0.0,
            rttvar: 0.0,
            last: (0, 0.0, 0.0),
            min_rtt: u32::MAX,
            rto,
            timed: SeqNum::default(),
            timed_at: Instant::NEVER,
        }
    }

    /// What is to be kept; `None` while a segment is timed.
    pub(crate) fn rest(&self) -> Option<RestingRtt> {
        (self.timed_at == Instant::NEVER).then_some(RestingRtt {
            srtt: self.srtt,
            rttvar: self.rttvar,
            min_rtt: self.min_rtt,
            rto: self.rto.micros(),
        })
    }

    pub(crate) fn resume(config: &Config, resting: &RestingRtt) -> Self {
        let &RestingRtt {
            srtt,
            rttvar,
            min_rtt,
            rto,
        } = resting;
        Self {
            srtt,
            rttvar,
            last: (rounded(srtt), srtt, rttvar),
            min_rtt,
            rto: Rto::initial(config).set(rto),
            timed: SeqNum::default(),
            timed_at: Instant::NEVER,
        }
    }

    pub(crate) const fn srtt(&self) -> u32 {
        rounded(self.srtt)
    }

    /// SRTT as a span; before the first sample the first RTO.
    pub(crate) fn round_trip(&self) -> std::time::Duration {
        match self.srtt() {
            0 => self.rto.duration(),
            micros => std::time::Duration::from_micros(micros.into()),
        }
    }

    pub(crate) const fn rttvar(&self) -> u32 {
        rounded(self.rttvar)
    }

    /// What the reordering window is made of.
    pub(crate) fn rtts(&self) -> Rtts {
        let min = self.min_rtt().unwrap_or(UNKNOWN_MIN_RTT);
        Rtts {
            min,
            smoothed: self.srtt(),
        }
    }

    pub(crate) fn min_rtt(&self) -> Option<u32> {
        (self.min_rtt != u32::MAX).then_some(self.min_rtt)
    }

    pub(crate) const fn rto(&self) -> Rto {
        self.rto
    }

    /// New text up to `end` left: time it, unless another segment is being timed.
    pub(crate) fn on_sent(&mut self, now: Instant, end: SeqNum) {
        if self.timed_at == Instant::NEVER {
            (self.timed, self.timed_at) = (end, now);
        }
    }

    /// Something was sent again: an ACK no longer says which copy it answers (Karn's algorithm,
    /// RFC 6298 3, MUST-18).
    pub(crate) fn on_retransmitted(&mut self) {
        self.timed_at = Instant::NEVER;
    }

    /// The sample that an ACK of everything before `ack` gives, in microseconds.
    pub(crate) fn take_sample(&mut self, now: Instant, ack: SeqNum) -> Option<u32> {
        if self.timed_at == Instant::NEVER || self.timed.after(ack) {
            return None;
        }
        let sent_at = std::mem::replace(&mut self.timed_at, Instant::NEVER);
        Some(now.micros_since(sent_at).max(1))
    }

    /// Takes a sample of at least one microsecond in and ends the back-off: RFC 6298 2.2, 2.3.
    /// It weighs as much as its `share`, above 0 to 1, of what was in flight (RFC 7323 4.2).
    pub(crate) fn on_sample(&mut self, rtt: u32, share: f32) {
        self.min_rtt = self.min_rtt.min(rtt);
        self.last = (rtt, self.srtt, self.rttvar);
        let sample = rtt as f32;
        if self.srtt == 0.0 {
            (self.srtt, self.rttvar) = (sample, sample / 2.0);
        } else {
            let error = (self.srtt - sample).abs();
            self.rttvar += (error - self.rttvar) * share / 4.0;
            self.srtt += (sample - self.srtt) * share / 8.0;
        }
        self.restore();
    }

    /// The last sample shows that the timer was too hasty: RFC 4015 3.2 (3).
    pub(crate) fn on_spurious_timeout(&mut self) {
        let (rtt, srtt, rttvar) = self.last;
        self.srtt = srtt.max(rtt as f32);
        self.rttvar = rttvar.max(rtt as f32 / 2.0);
        self.restore();
    }

    /// The time-out without back-off.
    pub(crate) fn restore(&mut self) {
        if self.srtt != 0.0 {
            let variation = self.rttvar().saturating_mul(4).max(CLOCK_GRANULARITY);
            self.rto = self.rto.set(self.srtt().saturating_add(variation));
        }
    }

    /// The timer expired: RFC 6298 5.5.
    pub(crate) fn back_off(&mut self) {
        self.rto = self.rto.doubled();
        self.timed_at = Instant::NEVER;
    }

    /// The SYN had to be sent again: the first time-out for data is 3 s (RFC 6298 5.7).
    pub(crate) fn on_syn_retransmitted(&mut self) {
        self.rto = self.rto.set(3_000_000);
    }
}

/// To the nearest; `f32::round` is a function call where the processor is not known to have it.
const fn rounded(micros: f32) -> u32 {
    (micros + 0.5) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sample_sets_srtt_and_half_of_it_as_variation() {
        let mut rtt = RttEstimator::new(&Config::default());
        assert_eq!(rtt.rto().micros(), 1_000_000);
        rtt.on_sample(400_000, 1.0);
        assert_eq!((rtt.srtt(), rtt.rttvar()), (400_000, 200_000));
        assert_eq!(rtt.rto().micros(), 1_200_000);
    }

    #[test]
    fn the_timeout_stays_in_its_range_and_doubles() {
        let mut rtt = RttEstimator::new(&Config::default());
        rtt.on_sample(100, 1.0);
        assert_eq!(rtt.rto().micros(), 200_000);
        rtt.back_off();
        assert_eq!(rtt.rto().micros(), 400_000);
        for _ in 0..20 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto().micros(), 120_000_000);
        rtt.restore();
        assert_eq!(rtt.rto().micros(), 200_000);
    }

    #[test]
    fn a_retransmitted_segment_gives_no_sample() {
        let mut rtt = RttEstimator::new(&Config::default());
        let end = SeqNum::new(100);
        rtt.on_sent(Instant::ZERO, end);
        rtt.on_retransmitted();
        assert_eq!(rtt.take_sample(Instant::from_millis(5), end), None);
    }

    #[test]
    fn a_partial_ack_does_not_end_the_timing() {
        let mut rtt = RttEstimator::new(&Config::default());
        rtt.on_sent(Instant::ZERO, SeqNum::new(100));
        rtt.on_sent(Instant::from_millis(1), SeqNum::new(200));
        assert_eq!(
            rtt.take_sample(Instant::from_millis(5), SeqNum::new(99)),
            None
        );
        assert_eq!(
            rtt.take_sample(Instant::from_millis(6), SeqNum::new(100)),
            Some(6_000)
        );
    }
}
