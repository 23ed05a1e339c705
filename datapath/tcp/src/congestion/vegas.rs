//! Vegas (Brakmo and Peterson, 1995): round trips that grow say that packets of ours wait in a
//! queue, and a few may.

use wirepath_wire::seq::SeqNum;

use super::AckSample;
use super::new_reno::NewReno;
use super::window::Window;

/// Segments that may wait: fewer let cwnd grow, more make it shrink. As Linux has them.
const ALPHA: u32 = 2;
const BETA: u32 = 4;
/// Segments that end slow start.
const GAMMA: u32 = 1;
/// Round trips of one round that must be seen, or they may all be delayed ACKs.
const SAMPLES: u8 = 3;

/// The state of Vegas: losses and time-outs are those of Reno.
#[derive(Debug)]
pub(crate) struct Vegas {
    reno: NewReno,
    /// The least round trip ever, and of this round, in microseconds.
    base_rtt: u32,
    round_rtt: u32,
    samples: u8,
    /// Where this round ends; `None` before the first ACK.
    round_end: Option<SeqNum>,
}

impl Vegas {
    pub(super) fn new(window: Window) -> Self {
        Self {
            reno: NewReno::new(window),
            base_rtt: u32::MAX,
            round_rtt: u32::MAX,
            samples: 0,
            round_end: None,
        }
    }

    pub(super) const fn window(&self) -> &Window {
        self.reno.window()
    }

    pub(super) const fn window_mut(&mut self) -> &mut Window {
        self.reno.window_mut()
    }

    pub(super) fn on_ack(&mut self, sample: &AckSample) {
        if let Some(rtt) = sample.rtt {
            self.base_rtt = self.base_rtt.min(rtt.max(1));
            self.round_rtt = self.round_rtt.min(rtt.max(1));
            self.samples = self.samples.saturating_add(1);
        }
        let end = *self.round_end.get_or_insert(sample.nxt);
        let in_slow_start = self.window().in_slow_start();
        if sample.ack.at_or_after(end) {
            if self.samples >= SAMPLES && sample.cwnd_limited {
                self.on_round();
            }
            self.round_end = Some(sample.nxt);
            (self.round_rtt, self.samples) = (u32::MAX, 0);
        }
        if in_slow_start && self.window().in_slow_start() {
            self.reno.on_ack(sample);
        }
    }

    /// Once a round trip: how many segments wait, and what follows.
    fn on_round(&mut self) {
        let (base, now) = (u64::from(self.base_rtt), u64::from(self.round_rtt));
        let window = self.reno.window_mut();
        let segments = u64::from(window.cwnd / window.smss);
        // cwnd * (1 - BaseRTT / RTT).
        let waiting = u32::try_from(segments * (now - base) / now).unwrap_or(u32::MAX);
        if window.in_slow_start() {
            if waiting > GAMMA {
                let fits = u32::try_from(segments * base / now).unwrap_or(u32::MAX);
                window.reduce((fits + 1).saturating_mul(window.smss).min(window.cwnd));
            }
        } else if waiting > BETA {
            let smss = window.smss;
            window.cwnd = window.cwnd.saturating_sub(smss).max(2 * smss);
            window.ssthresh = window.ssthresh.min(window.cwnd);
        } else if waiting < ALPHA {
            window.grow(window.smss);
        }
    }

    pub(super) fn on_loss(&mut self, flight_size: u32) {
        self.reno.on_loss(flight_size);
    }

    pub(super) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        self.reno.on_timeout(flight_size, first);
    }

    pub(super) fn undo(&mut self) {
        self.reno.undo();
    }

    pub(super) fn on_recovered(&mut self, limit: u32) {
        self.reno.on_recovered(limit);
    }

    pub(super) fn restart(&mut self, lost_syn: bool) {
        self.reno.restart(lost_syn);
    }
}
