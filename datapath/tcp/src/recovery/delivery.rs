//! How fast text arrives: the estimator of draft-ietf-ccwg-bbr 4.1 (Delivery Rate Samples).

use crate::time::Instant;

/// The moment when a segment left, as its arrival is measured from: the `P.` of the draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Departure {
    /// P.send_time.
    pub(super) at: Instant,
    /// P.delivered: bytes that had arrived by then, modulo 2^32.
    pub(super) delivered: u32,
    /// P.lost: bytes that had counted as lost by then, as [`coarse`] has them.
    pub(super) lost: u32,
    /// Microseconds since P.delivered_time, when the last of those arrived.
    pub(super) since_delivered: u32,
    /// Microseconds since P.first_send_time, when the last of those had left.
    pub(super) since_first: u32,
    /// P.tx_in_flight: bytes in the network, with it.
    pub(super) in_flight: u32,
    /// P.is_app_limited.
    pub(super) app_limited: bool,
}

/// What an ACK says of the path's rate: `RS` of the draft.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RateSample {
    /// Bytes per second; `None` where the interval is too short to tell.
    pub(crate) rate: Option<f32>,
    /// Bytes that arrived in the interval.
    pub(crate) delivered: u32,
    /// C.delivered, and what it was when the newest segment that arrived was sent: modulo 2^32.
    pub(crate) total: u32,
    pub(crate) prior: u32,
    /// Bytes that were lost since then.
    pub(crate) lost: u32,
    /// Bytes that were in the network when it was sent, with it.
    pub(crate) tx_in_flight: u32,
    /// Whether the application, not the network, set the pace.
    pub(crate) app_limited: bool,
}

/// What has arrived so far: the `C.` of the draft.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    delivered: u32,
    delivered_at: Instant,
    first_sent_at: Instant,
    /// C.app_limited: samples that end before this many bytes count as such.
    app_limited_until: Option<u32>,
    /// The last rate in bytes per second, 0 before the first.
    rate: f32,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            delivered: 0,
            delivered_at: Instant::ZERO,
            first_sent_at: Instant::ZERO,
            app_limited_until: None,
            rate: 0.0,
        }
    }
}

impl Delivery {
    /// A segment leaves, `in_flight` bytes with it; `lost` as the scoreboard counts; `alone` when
    /// nothing else is on its way.
    pub(super) fn depart(
        &mut self,
        now: Instant,
        in_flight: u32,
        lost: u32,
        alone: bool,
    ) -> Departure {
        if alone {
            (self.first_sent_at, self.delivered_at) = (now, now);
        }
        Departure {
            at: now,
            delivered: self.delivered,
            lost: coarse(lost),
            since_delivered: now.micros_since(self.delivered_at),
            since_first: now.micros_since(self.first_sent_at),
            in_flight,
            app_limited: self.app_limited_until.is_some(),
        }
    }

    /// `bytes` that left so have arrived; `newest` is what the sample of this ACK goes by.
    pub(super) fn on_arrival(
        &mut self,
        now: Instant,
        departure: &Departure,
        bytes: u32,
        newest: &mut Option<Departure>,
    ) {
        self.delivered = self.delivered.wrapping_add(bytes);
        self.delivered_at = now;
        let is_newer = |newest: &Departure| {
            let later = departure
                .delivered
                .wrapping_sub(newest.delivered)
                .cast_signed();
            later > 0 || later == 0 && departure.at >= newest.at
        };
        if newest.as_ref().is_none_or(is_newer) {
            self.first_sent_at = departure.at;
            *newest = Some(*departure);
        }
    }

    /// The sample of an ACK whose newest arrival left so; an interval below `min_rtt`
    /// microseconds tells nothing.
    pub(super) fn sample(&mut self, newest: &Departure, min_rtt: u32, lost: u32) -> RateSample {
        let passed = |until: &u32| self.delivered.wrapping_sub(*until).cast_signed() > 0;
        if self.app_limited_until.as_ref().is_some_and(passed) {
            self.app_limited_until = None;
        }
        let delivered = self.delivered.wrapping_sub(newest.delivered);
        let acked_in = self.delivered_at.micros_since(newest.at);
        let acked_in = acked_in.saturating_add(newest.since_delivered);
        let interval = acked_in.max(newest.since_first);
        let tells = interval > 0 && interval >= min_rtt;
        let rate = tells.then(|| delivered as f32 / interval as f32 * 1e6);
        if let Some(rate) = rate
            && (!newest.app_limited || rate > self.rate)
        {
            self.rate = rate;
        }
        RateSample {
            rate,
            delivered,
            total: self.delivered,
            prior: newest.delivered,
            lost: coarse(coarse(lost).wrapping_sub(newest.lost)),
            tx_in_flight: newest.in_flight,
            app_limited: newest.app_limited,
        }
    }

    /// The application has nothing more to send, with `in_flight` bytes in the network.
    pub(super) fn on_app_limited(&mut self, in_flight: u32) {
        self.app_limited_until = Some(self.delivered.wrapping_add(in_flight));
    }

    /// The last rate in bytes per second, 0 before the first, and whether the application set it.
    pub(super) const fn rate(&self) -> (f32, bool) {
        (self.rate, self.app_limited_until.is_some())
    }
}

/// What is only compared with a share of the flight is kept in units of so many bytes, as a power
/// of two: 65,536 of them are a whole send buffer.
pub(super) const GRAIN: u32 = 5;

/// Lost bytes in units of the grain, modulo what the log has room for: more than a flight.
const fn coarse(lost: u32) -> u32 {
    lost & ((1 << (16 + GRAIN)) - (1 << GRAIN))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SMSS: u32 = 1_000;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Segments sent one a millisecond arrive ten milliseconds later, one a `gap`.
    fn rate_of(gap: u64) -> RateSample {
        let mut delivery = Delivery::default();
        let sent: Vec<_> = (0..10)
            .map(|n| delivery.depart(at(n), SMSS * (n as u32 + 1), 0, n == 0))
            .collect();
        let mut sample = None;
        for (n, departure) in sent.iter().enumerate() {
            let mut newest = None;
            delivery.on_arrival(at(10 + gap * n as u64), departure, SMSS, &mut newest);
            sample = newest.map(|newest| delivery.sample(&newest, 10_000, 0));
        }
        sample.expect("ten arrived")
    }

    #[test]
    fn the_slower_of_sending_and_arriving_is_the_rate() {
        // Ten arrive in 10 + 9 * 2 ms, counted from the first departure.
        let rate = rate_of(2)
            .rate
            .expect("the interval is longer than a round trip");
        assert!(
            (rate / (10.0 * 1_000.0 / 0.028) - 1.0).abs() < 1e-3,
            "{rate}"
        );
        // Squeezed together by the path they still left one a millisecond.
        let squeezed = rate_of(0).rate.expect("the interval is a round trip");
        assert!(squeezed <= 10.0 * 1_000.0 / 0.010);
    }

    #[test]
    fn what_arrives_within_less_than_a_round_trip_tells_nothing() {
        let mut delivery = Delivery::default();
        let departure = delivery.depart(at(0), SMSS, 0, true);
        let mut newest = None;
        delivery.on_arrival(at(3), &departure, SMSS, &mut newest);
        let sample = delivery.sample(&newest.expect("one arrived"), 5_000, 0);
        assert_eq!(sample.rate, None);
    }

    #[test]
    fn of_a_burst_the_last_tells() {
        let mut delivery = Delivery::default();
        let burst: Vec<_> = (1..=32)
            .map(|n| delivery.depart(at(0), SMSS * n, 0, n == 1))
            .collect();
        let mut newest = None;
        for departure in &burst {
            delivery.on_arrival(at(10), departure, SMSS, &mut newest);
        }
        let sample = delivery.sample(&newest.expect("all arrived"), 1, 0);
        assert_eq!(sample.tx_in_flight, 32 * SMSS);
    }

    #[test]
    fn samples_are_the_applications_until_what_was_in_flight_has_arrived() {
        let mut delivery = Delivery::default();
        let first = delivery.depart(at(0), SMSS, 0, true);
        delivery.on_app_limited(SMSS);
        let second = delivery.depart(at(1), 2 * SMSS, 0, false);
        let mut newest = None;
        delivery.on_arrival(at(10), &first, SMSS, &mut newest);
        assert!(
            !delivery
                .sample(&newest.expect("one arrived"), 1, 0)
                .app_limited
        );
        delivery.on_arrival(at(11), &second, SMSS, &mut newest);
        assert!(
            delivery
                .sample(&newest.expect("one arrived"), 1, 0)
                .app_limited
        );
        assert!(!delivery.depart(at(12), SMSS, 0, true).app_limited);
    }

    #[test]
    fn what_was_lost_meanwhile_is_told_in_steps_of_32_bytes() {
        let two_mebibytes = 2 << 20;
        for (before, after, told) in [
            (0, 3_200, 3_200),
            (100, 3_300, 3_200),
            (0, 31, 0),
            (two_mebibytes - 320, two_mebibytes, 320),
            (1_600, 1_600, 0),
        ] {
            let mut delivery = Delivery::default();
            let departure = delivery.depart(at(0), SMSS, before, true);
            let mut newest = None;
            delivery.on_arrival(at(10), &departure, SMSS, &mut newest);
            let sample = delivery.sample(&newest.expect("one arrived"), 1, after);
            assert_eq!(sample.lost, told, "{before} {after}");
        }
    }
}
