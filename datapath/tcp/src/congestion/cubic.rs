//! CUBIC: RFC 9438, with HyStart++ (RFC 9406) in slow start.

use super::AckSample;
use super::hystart::HyStart;
use super::window::Window;
use crate::time::Instant;

/// C, in segments per second cubed: RFC 9438 5.1.
const C: f64 = 0.4;
/// beta_cubic: RFC 9438 4.6.
const BETA: f64 = 0.7;
/// alpha_cubic, as long as W_est is below cwnd_prior: RFC 9438 4.3.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

#[derive(Debug)]
pub(crate) struct Cubic {
    window: Window,
    slow_start: HyStart,
    /// W_max in segments; 0 before the first loss.
    w_max: f32,
    /// cwnd_prior in segments: cwnd when it was last reduced.
    prior: f32,
    /// K in seconds.
    k: f32,
    /// W_max before the last reduction.
    w_max_before: f32,
    /// W_est in segments: what Reno would have.
    w_est: f32,
    /// Fractions of a byte that cwnd is owed.
    credit: f32,
    /// t_epoch; `NEVER` before the first ACK of congestion avoidance after a loss.
    epoch: Instant,
}

/// What the path bore when cwnd was last reduced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    w_max: f32,
    prior: f32,
}

impl Cubic {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            slow_start: HyStart::new(),
            w_max: 0.0,
            w_max_before: 0.0,
            prior: 0.0,
            k: 0.0,
            w_est: 0.0,
            credit: 0.0,
            epoch: Instant::NEVER,
        }
    }

    pub(super) const fn reached(&self) -> Reached {
        let (w_max, prior) = (self.w_max, self.prior);
        Reached { w_max, prior }
    }

    pub(super) const fn resume(&mut self, reached: Reached) {
        (self.w_max, self.prior) = (reached.w_max, reached.prior);
        self.w_max_before = reached.w_max;
    }

    pub(super) const fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    pub(super) const fn window(&self) -> &Window {
        &self.window
    }

    pub(super) fn on_ack(&mut self, sample: &AckSample) {
        if !sample.cwnd_limited {
            // RFC 9438 4.2, 5.8: time in which cwnd was not used does not count.
            self.epoch = Instant::NEVER;
            self.slow_start.pause();
            return;
        }
        if !self.window.in_slow_start() {
            let growth = self.growth(sample);
            self.window.grow(growth);
            return;
        }
        match self.slow_start.growth(sample, self.window.smss) {
            Some(growth) => self.window.grow(growth),
            None => {
                self.window.ssthresh = self.window.cwnd;
                self.slow_start = HyStart::new();
            }
        }
    }

    pub(super) fn on_loss(&mut self, flight_size: u32) {
        self.reduce(flight_size);
    }

    pub(super) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        if first {
            self.reduce(flight_size);
        }
        self.window.collapse();
        self.epoch = Instant::NEVER;
        // RFC 9406 4.3: only the first slow start has no ssthresh to go by, but all are watched.
        self.slow_start = HyStart::new();
    }

    pub(super) fn undo(&mut self) {
        self.window.undo();
        // RFC 9438 4.9.1: what was reached counts again, and K follows from it.
        self.w_max = self.w_max_before;
        self.epoch = Instant::NEVER;
    }

    pub(super) fn on_recovered(&mut self, limit: u32) {
        self.window.settle(limit);
    }

    pub(super) fn restart(&mut self, lost_syn: bool) {
        self.window.restart(lost_syn);
        self.epoch = Instant::NEVER;
    }

    /// ssthresh after a loss: RFC 9438 4.6, with fast convergence (4.7).
    fn reduce(&mut self, flight_size: u32) {
        let window = self.window.cwnd as f32 / self.window.smss as f32;
        let converges = window < self.w_max;
        self.w_max_before = self.w_max;
        self.w_max = if converges {
            window * (1.0 + BETA as f32) / 2.0
        } else {
            window
        };
        self.prior = window;
        self.epoch = Instant::NEVER;
        self.credit = 0.0;
        self.window.reduce((f64::from(flight_size) * BETA) as u32);
    }

    /// How many bytes cwnd grows by an ACK in congestion avoidance.
    fn growth(&mut self, sample: &AckSample) -> u32 {
        let smss = f64::from(self.window.smss);
        let window = f64::from(self.window.cwnd) / smss;
        let acked = f64::from(sample.newly_acked) / smss;
        if self.epoch == Instant::NEVER {
            self.begin_epoch(sample.now, window);
        }
        let elapsed = sample.now.since(self.epoch).as_secs_f64();
        let rtt = f64::from(sample.srtt) / 1e6;
        let (k, w_max) = (f64::from(self.k), f64::from(self.w_max));
        let cubic = |t: f64| C * (t - k).powi(3) + w_max;
        let alpha = if self.w_est < self.prior { ALPHA } else { 1.0 };
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
        let bytes = growth * smss + f64::from(self.credit);
        self.credit = (bytes - bytes.floor()) as f32;
        bytes as u32
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
