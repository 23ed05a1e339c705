//! CUBIC: RFC 9438.

use super::AckSample;
use crate::time::Instant;

/// C, in segments per second cubed: RFC 9438 5.1.
const C: f64 = 0.4;
/// beta_cubic: RFC 9438 4.6.
const BETA: f64 = 0.7;
/// alpha_cubic, as long as W_est is below W_max: RFC 9438 4.3.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// Congestion avoidance by a cubic function of the time since the last loss.
#[derive(Debug)]
pub(super) struct Cubic {
    /// W_max in segments; 0 before the first loss.
    w_max: f32,
    /// K in seconds.
    k: f32,
    /// W_est in segments: what Reno would have.
    w_est: f32,
    /// Fractions of a byte that cwnd is owed.
    credit: f32,
    /// t_epoch; `NEVER` before the first ACK of congestion avoidance after a loss.
    epoch: Instant,
}

impl Cubic {
    pub(super) const fn new() -> Self {
        Self { w_max: 0.0, k: 0.0, w_est: 0.0, credit: 0.0, epoch: Instant::NEVER }
    }

    /// How many bytes cwnd grows by an ACK in congestion avoidance.
    pub(super) fn growth(&mut self, sample: &AckSample, cwnd: u32, smss: u32) -> u32 {
        let window = f64::from(cwnd) / f64::from(smss);
        let acked = f64::from(sample.newly_acked) / f64::from(smss);
        if self.epoch == Instant::NEVER {
            self.begin_epoch(sample.now, window);
        }
        let elapsed = sample.now.since(self.epoch).as_secs_f64();
        let rtt = f64::from(sample.srtt) / 1e6;
        let (k, w_max) = (f64::from(self.k), f64::from(self.w_max));
        let cubic = |t: f64| C * (t - k).powi(3) + w_max;
        let alpha = if f64::from(self.w_est) < w_max { ALPHA } else { 1.0 };
        self.w_est += (alpha * acked / window) as f32;
        // RFC 9438 4.3: where Reno would have more, be as Reno.
        let w_est = f64::from(self.w_est);
        let growth = if cubic(elapsed) < w_est {
            (w_est - window).max(0.0)
        } else {
            // RFC 9438 4.4, 4.5: one RTT ahead, at most half as much again.
            let target = cubic(elapsed + rtt).clamp(window, 1.5 * window);
            (target - window) / window * acked
        };
        let bytes = growth * f64::from(smss) + f64::from(self.credit);
        self.credit = (bytes - bytes.floor()) as f32;
        bytes as u32
    }

    /// ssthresh in bytes after a loss: RFC 9438 4.6, with fast convergence (4.7).
    pub(super) fn on_loss(&mut self, cwnd: u32, flight_size: u32, smss: u32) -> u32 {
        let window = cwnd as f32 / smss as f32;
        let converges = window < self.w_max;
        self.w_max = if converges { window * (1.0 + BETA as f32) / 2.0 } else { window };
        self.epoch = Instant::NEVER;
        self.credit = 0.0;
        let reduced = (f64::from(flight_size) * BETA) as u32;
        reduced.max(2 * smss)
    }

    /// The sender was idle or had little to send: the time does not count (RFC 9438 4.2, 5.8).
    pub(super) fn on_idle(&mut self) {
        self.epoch = Instant::NEVER;
    }

    fn begin_epoch(&mut self, now: Instant, window: f64) {
        self.epoch = now;
        self.w_est = window as f32;
        let missing = f64::from(self.w_max) - window;
        if missing > 0.0 {
            // RFC 9438 4.2, equation (2).
            self.k = (missing / C).cbrt() as f32;
        } else {
            self.k = 0.0;
            self.w_max = window as f32;
        }
    }
}
