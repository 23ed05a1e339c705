//! When requests are due.

use std::collections::VecDeque;
use std::time::Duration;

use wirepath_tcp::time::Instant;

use super::{Arrivals, Pace};

/// Gives each request its time. In an open loop that does not depend on answers: a request that a
/// slow server delays is late from when it was due, not from when it could be sent.
#[derive(Debug)]
pub(crate) struct Schedule {
    next: Option<Arrival>,
    connections: usize,
    /// Those that think, in the order of their times.
    thinking: VecDeque<(Instant, usize)>,
    think: Duration,
    random: fastrand::Rng,
}

/// The next request of an open loop.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Instant,
    number: usize,
    /// Nanoseconds between two on the average.
    gap: f64,
    arrivals: Arrivals,
}

impl Schedule {
    pub(crate) fn new(start: Instant, pace: Pace, connections: usize, seed: u64) -> Self {
        let (next, think) = match pace {
            Pace::Closed { think, .. } => (None, think),
            Pace::Open { rate, arrivals } => {
                let arrival = Arrival {
                    at: start,
                    number: 0,
                    gap: 1e9 / rate,
                    arrivals,
                };
                (Some(arrival), Duration::ZERO)
            }
        };
        Self {
            next,
            connections,
            thinking: VecDeque::new(),
            think,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The connection got its answer. Whether it asks again at once; else it thinks first, or its
    /// next request comes when it is due.
    pub(crate) fn on_answer(&mut self, now: Instant, connection: usize) -> bool {
        if self.next.is_some() {
            return false;
        }
        if !self.think.is_zero() {
            self.thinking.push_back((now + self.think, connection));
        }
        self.think.is_zero()
    }

    /// The next request that is due, when it was, and on which connection.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<(Instant, usize)> {
        if let Some(&due) = self.thinking.front()
            && due.0 <= now
        {
            self.thinking.pop_front();
            return Some(due);
        }
        let arrival = self.next.as_mut().filter(|arrival| arrival.at <= now)?;
        let due = (arrival.at, arrival.number % self.connections);
        arrival.number += 1;
        let gap = match arrival.arrivals {
            Arrivals::Constant => arrival.gap,
            // Exponential gaps: RFC 2330 11.1.1.
            Arrivals::Poisson => -arrival.gap * (1.0 - self.random.f64()).ln(),
        };
        arrival.at = arrival.at + Duration::from_nanos(gap.round() as u64);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Instant = Instant::from_millis(1_000);

    fn open(rate: f64, arrivals: Arrivals) -> Schedule {
        Schedule::new(Instant::ZERO, Pace::Open { rate, arrivals }, 3, 1)
    }

    #[test]
    fn constant_requests_are_due_at_equal_gaps_on_one_connection_after_the_other() {
        let mut schedule = open(1_000.0, Arrivals::Constant);
        for n in 0..10 {
            let due = schedule.next_due(SECOND);
            assert_eq!(due, Some((Instant::from_millis(n), n as usize % 3)));
        }
        assert_eq!(schedule.next_due(Instant::from_millis(9)), None);
    }

    #[test]
    fn poisson_requests_have_the_rate_and_the_spread_of_their_gaps() {
        let mut schedule = open(100_000.0, Arrivals::Poisson);
        let times = std::iter::from_fn(|| schedule.next_due(SECOND));
        let times: Vec<f64> = times.map(|(at, _)| at.as_nanos() as f64).collect();
        assert!((99_000..101_000).contains(&times.len()), "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
        let deviation = (variance / gaps.len() as f64).sqrt();
        assert!(
            (0.98..1.02).contains(&(deviation / mean)),
            "{deviation} {mean}"
        );
    }

    #[test]
    fn who_thinks_asks_later_and_who_does_not_at_once() {
        let closed = |think| Pace::Closed { depth: 1, think };
        let mut eager = Schedule::new(Instant::ZERO, closed(Duration::ZERO), 1, 1);
        assert!(eager.on_answer(SECOND, 0));
        let millisecond = Duration::from_millis(1);
        let mut thinker = Schedule::new(Instant::ZERO, closed(millisecond), 1, 1);
        assert!(!thinker.on_answer(SECOND, 0));
        assert_eq!(thinker.next_due(SECOND), None);
        let later = SECOND + millisecond;
        assert_eq!(thinker.next_due(later), Some((later, 0)));
    }
}
