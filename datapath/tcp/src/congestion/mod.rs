//! How much may be in flight. An algorithm sees summaries of ACKs, never segments.

mod bbr;
mod cubic;
mod dctcp;
mod hystart;
mod new_reno;
#[cfg(test)]
mod tests;
mod vegas;
mod window;

use wirepath_wire::seq::SeqNum;

use crate::config::{Config, CongestionControl};
use crate::recovery::RateSample;
use crate::time::Instant;
use bbr::Bbr;
use cubic::{Cubic, Reached};
use dctcp::Dctcp;
use new_reno::NewReno;
use vegas::Vegas;
use window::Window;

/// What one ACK said, for congestion control.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckSample {
    pub(crate) now: Instant,
    /// Bytes that this ACK acknowledged for the first time.
    pub(crate) newly_acked: u32,
    /// Whether it echoes a mark of the network.
    pub(crate) marked: bool,
    /// Whether cwnd held back what was sent in its round trip.
    pub(crate) cwnd_limited: bool,
    /// Whether what is sent is paced.
    pub(crate) paced: bool,
    /// The round-trip time that it tells, in microseconds.
    pub(crate) rtt: Option<u32>,
    /// SRTT in microseconds.
    pub(crate) srtt: u32,
    /// SEG.ACK.
    pub(crate) ack: SeqNum,
    /// SND.NXT.
    pub(crate) nxt: SeqNum,
}

/// What one ACK said of the path, also in recovery, for control by a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeliverySample {
    pub(crate) ack: AckSample,
    pub(crate) rate: RateSample,
    /// Bytes that count as lost by this ACK.
    pub(crate) newly_lost: u32,
    /// Bytes in the network now.
    pub(crate) in_flight: u32,
    /// Whether a recovery goes on.
    pub(crate) recovering: bool,
}

/// LossThresh of draft-ietf-ccwg-bbr 2.7: the share of a flight that may be lost.
const LOSS_THRESHOLD: f32 = 0.02;

impl DeliverySample {
    /// IsInflightTooHigh of draft-ietf-ccwg-bbr.
    fn is_in_flight_too_high(&self) -> bool {
        self.ack.marked || self.rate.lost as f32 > LOSS_THRESHOLD * self.rate.tx_in_flight as f32
    }
}

/// Calls the same method of whichever algorithm it is.
macro_rules! each {
    ($congestion:expr, $c:ident => $call:expr) => {
        match $congestion {
            Congestion::NewReno($c) => $call,
            Congestion::Cubic($c) => $call,
            Congestion::Dctcp($c) => $call,
            Congestion::Vegas($c) => $call,
            Congestion::Bbr($c) => $call,
        }
    };
}

/// The congestion control of one connection. A new algorithm is one file and one line here, one in
/// `each` and one in `with`.
#[derive(Debug)]
pub(crate) enum Congestion {
    NewReno(NewReno),
    Cubic(Cubic),
    Dctcp(Dctcp),
    Vegas(Vegas),
    Bbr(Bbr),
}

/// What is kept of it while nothing is under way.
#[derive(Debug)]
pub(crate) struct RestingCongestion {
    window: Window,
    learned: Learned,
}

/// What an algorithm knows of the path beside the window, and does not forget in a pause.
#[derive(Debug, Clone, Copy)]
enum Learned {
    Nothing,
    Cubic(Reached),
    /// DCTCP.Alpha.
    Alpha(f32),
}

impl Congestion {
    /// Before anything is sent; `smss` in bytes.
    pub(crate) fn new(config: &Config, smss: u16, sack: bool) -> Self {
        Self::with(
            config,
            sack,
            Window::new(smss.into(), config.initial_window),
        )
    }

    fn with(config: &Config, sack: bool, window: Window) -> Self {
        match choice(config, sack) {
            CongestionControl::NewReno => Self::NewReno(NewReno::new(window)),
            CongestionControl::Cubic => Self::Cubic(Cubic::new(window)),
            CongestionControl::Dctcp => Self::Dctcp(Dctcp::new(window)),
            CongestionControl::Vegas => Self::Vegas(Vegas::new(window)),
            CongestionControl::Bbr => Self::Bbr(Bbr::new(window)),
        }
    }

    /// Goes on by another algorithm from the same cwnd and ssthresh.
    pub(crate) fn switch(&mut self, config: &Config, sack: bool) {
        *self = Self::with(config, sack, *self.window());
    }

    /// What a pause leaves of it; `None` where that would be too little.
    pub(crate) fn rest(&self) -> Option<RestingCongestion> {
        let learned = match self {
            Self::Bbr(_) => return None,
            Self::NewReno(_) | Self::Vegas(_) => Learned::Nothing,
            Self::Cubic(cubic) => Learned::Cubic(cubic.reached()),
            Self::Dctcp(dctcp) => Learned::Alpha(dctcp.alpha()),
        };
        let window = *self.window();
        Some(RestingCongestion { window, learned })
    }

    pub(crate) fn resume(config: &Config, sack: bool, resting: &RestingCongestion) -> Self {
        let mut congestion = Self::with(config, sack, resting.window);
        match (&mut congestion, resting.learned) {
            (Self::Cubic(cubic), Learned::Cubic(reached)) => cubic.resume(reached),
            (Self::Dctcp(dctcp), Learned::Alpha(alpha)) => dctcp.resume(alpha),
            _ => {}
        }
        congestion
    }

    /// Segments are of another size from now on, in bytes.
    pub(crate) fn set_smss(&mut self, smss: u32) {
        each!(self, c => c.window_mut().smss = smss);
    }

    /// New text was acknowledged outside of a recovery.
    pub(crate) fn on_ack(&mut self, sample: &AckSample) {
        each!(self, c => c.on_ack(sample));
    }

    /// Every ACK that something arrived with, also in a recovery.
    pub(crate) fn on_delivery(&mut self, sample: &DeliverySample) {
        if let Self::Bbr(bbr) = self {
            bbr.on_delivery(sample);
        }
    }

    /// More counts as lost, and nothing arrived that would tell of it.
    pub(crate) fn on_silent_loss(&mut self) {
        if let Self::Bbr(bbr) = self {
            bbr.on_silent_loss();
        }
    }

    /// What may be in flight at the end of a recovery, in bytes: RecoverFS times the share kept.
    pub(crate) fn recovery_target(&self) -> u32 {
        match self {
            Self::Bbr(bbr) => bbr.window().cwnd,
            other => other.ssthresh(),
        }
    }

    /// Bytes per second that may leave, for who paces itself or where the round trip of `srtt`
    /// microseconds is known. Linux's gains: room for slow start to double, and some for growth.
    pub(crate) fn pacing_rate(&self, srtt: u32) -> Option<f32> {
        if let Self::Bbr(bbr) = self {
            return bbr.pacing_rate();
        }
        let window = self.window();
        let gain = if window.cwnd < window.ssthresh / 2 {
            2.0
        } else {
            1.2
        };
        (srtt > 0).then(|| gain * window.cwnd as f32 * 1e6 / srtt as f32)
    }

    /// Whether it paces itself, whatever the settings say.
    pub(crate) const fn is_paced(&self) -> bool {
        matches!(self, Self::Bbr(_))
    }

    /// A loss was found by ACKs; `flight_size` in bytes.
    pub(crate) fn on_loss(&mut self, flight_size: u32) {
        each!(self, c => c.on_loss(flight_size));
    }

    /// The network marked what it would else have dropped: RFC 3168 6.1.2.
    pub(crate) fn on_mark(&mut self, flight_size: u32) {
        match self {
            Self::Dctcp(dctcp) => dctcp.on_mark(),
            // Its samples tell of marks.
            Self::Bbr(_) => {}
            other => other.on_loss(flight_size),
        }
    }

    /// The retransmission timer expired; `first` unless it did so for the same text before.
    pub(crate) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        each!(self, c => c.on_timeout(flight_size, first));
    }

    /// The last reduction was for nothing: back to before it (RFC 4015 3).
    pub(crate) fn undo(&mut self) {
        each!(self, c => c.undo());
    }

    /// All that was in flight at the loss is acknowledged; recovery allows cwnd `limit` bytes.
    pub(crate) fn on_recovered(&mut self, limit: u32) {
        each!(self, c => c.on_recovered(limit));
    }

    /// All that was in flight at a time-out is acknowledged. Who grows from one segment goes on.
    pub(crate) fn on_repaired(&mut self) {
        if let Self::Bbr(bbr) = self {
            bbr.on_recovered(0);
        }
    }

    /// The handshake needed more than one SYN, or nothing was sent for an RTO: back to the initial
    /// or restart window (RFC 5681 3.1, 4.1).
    pub(crate) fn restart(&mut self, lost_syn: bool) {
        each!(self, c => c.restart(lost_syn));
    }

    /// cwnd in bytes.
    pub(crate) fn cwnd(&self) -> u32 {
        self.window().cwnd
    }

    /// ssthresh in bytes; `u32::MAX` before the first loss.
    pub(crate) fn ssthresh(&self) -> u32 {
        self.window().ssthresh
    }

    /// The name that `ss` gives it.
    pub(crate) const fn name(&self) -> &'static str {
        let control = match self {
            Self::NewReno(_) => CongestionControl::NewReno,
            Self::Cubic(_) => CongestionControl::Cubic,
            Self::Dctcp(_) => CongestionControl::Dctcp,
            Self::Vegas(_) => CongestionControl::Vegas,
            Self::Bbr(_) => CongestionControl::Bbr,
        };
        control.name()
    }

    fn window(&self) -> &Window {
        each!(self, c => c.window())
    }
}

/// Without SACK nothing tells the rate of delivery.
fn choice(config: &Config, sack: bool) -> CongestionControl {
    match config.congestion {
        CongestionControl::Bbr if !sack => CongestionControl::Cubic,
        chosen => chosen,
    }
}
