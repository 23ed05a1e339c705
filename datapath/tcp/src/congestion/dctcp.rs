//! DCTCP: RFC 8257. Marks tell how much a queue is too long, and cwnd gives way in that measure.

use wirepath_wire::seq::SeqNum;

use super::AckSample;
use super::new_reno::NewReno;
use super::window::Window;

/// g, the weight of the newest window: RFC 8257 4.1.
const GAIN: f32 = 1.0 / 16.0;

/// The state of DCTCP: growth, losses and time-outs are those of Reno (RFC 8257 3.4, 3.5).
#[derive(Debug)]
pub(crate) struct Dctcp {
    reno: NewReno,
    /// DCTCP.Alpha: which share of the bytes is marked.
    alpha: f32,
    /// DCTCP.BytesAcked and DCTCP.BytesMarked.
    acked: u32,
    marked: u32,
    /// DCTCP.WindowEnd; `None` before the first ACK.
    window_end: Option<SeqNum>,
}

impl Dctcp {
    pub(super) fn new(window: Window) -> Self {
        Self {
            reno: NewReno::new(window),
            // RFC 8257 4.2: at first as a loss would.
            alpha: 1.0,
            acked: 0,
            marked: 0,
            window_end: None,
        }
    }

    pub(super) const fn alpha(&self) -> f32 {
        self.alpha
    }

    pub(super) const fn resume(&mut self, alpha: f32) {
        self.alpha = alpha;
    }

    pub(super) const fn window(&self) -> &Window {
        self.reno.window()
    }

    pub(super) const fn window_mut(&mut self) -> &mut Window {
        self.reno.window_mut()
    }

    pub(super) fn on_ack(&mut self, sample: &AckSample) {
        self.acked = self.acked.saturating_add(sample.newly_acked);
        if sample.marked {
            self.marked = self.marked.saturating_add(sample.newly_acked);
        }
        // RFC 8257 3.3: once a window.
        let end = *self.window_end.get_or_insert(sample.nxt);
        if sample.ack.at_or_after(end) && self.acked > 0 {
            let share = self.marked as f32 / self.acked as f32;
            self.alpha += GAIN * (share - self.alpha);
            (self.acked, self.marked) = (0, 0);
            self.window_end = Some(sample.nxt);
        }
        self.reno.on_ack(sample);
    }

    /// RFC 8257 3.3 (equation 9): less the more was marked.
    pub(super) fn on_mark(&mut self) {
        let window = self.reno.window_mut();
        let kept = window.cwnd as f32 * (1.0 - self.alpha / 2.0);
        window.reduce(kept as u32);
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
