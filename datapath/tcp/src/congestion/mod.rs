//! How much may be in flight. An algorithm sees summaries of ACKs, never segments.

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
use crate::time::Instant;
use cubic::Cubic;
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
    /// Whether cwnd, and nothing else, held back what was sent before it.
    pub(crate) cwnd_limited: bool,
    /// The round-trip time that it tells, in microseconds.
    pub(crate) rtt: Option<u32>,
    /// SRTT in microseconds.
    pub(crate) srtt: u32,
    /// SEG.ACK.
    pub(crate) ack: SeqNum,
    /// SND.NXT.
    pub(crate) nxt: SeqNum,
}

/// Calls the same method of whichever algorithm it is.
macro_rules! each {
    ($congestion:expr, $c:ident => $call:expr) => {
        match $congestion {
            Congestion::NewReno($c) => $call,
            Congestion::Cubic($c) => $call,
            Congestion::Dctcp($c) => $call,
            Congestion::Vegas($c) => $call,
        }
    };
}

/// The congestion control of one connection. A new algorithm is one file and one line here, one in
/// `each` and one in `new`.
#[derive(Debug)]
pub(crate) enum Congestion {
    NewReno(NewReno),
    Cubic(Cubic),
    Dctcp(Dctcp),
    Vegas(Vegas),
}

impl Congestion {
    /// Before anything is sent; `smss` in bytes.
    pub(crate) fn new(config: &Config, smss: u16) -> Self {
        let window = Window::new(smss.into(), config.initial_window);
        Self::with(config.congestion, window)
    }

    fn with(control: CongestionControl, window: Window) -> Self {
        match control {
            CongestionControl::NewReno => Self::NewReno(NewReno::new(window)),
            CongestionControl::Cubic => Self::Cubic(Cubic::new(window)),
            CongestionControl::Dctcp => Self::Dctcp(Dctcp::new(window)),
            CongestionControl::Vegas => Self::Vegas(Vegas::new(window)),
        }
    }

    /// Goes on by another algorithm from the same cwnd and ssthresh.
    pub(crate) fn switch(&mut self, control: CongestionControl) {
        *self = Self::with(control, *self.window());
    }

    /// Segments are of another size from now on, in bytes.
    pub(crate) fn set_smss(&mut self, smss: u32) {
        each!(self, c => c.window_mut().smss = smss);
    }

    /// New text was acknowledged outside of a recovery.
    pub(crate) fn on_ack(&mut self, sample: &AckSample) {
        each!(self, c => c.on_ack(sample));
    }

    /// A loss was found by ACKs; `flight_size` in bytes.
    pub(crate) fn on_loss(&mut self, flight_size: u32) {
        each!(self, c => c.on_loss(flight_size));
    }

    /// The network marked what it would else have dropped: RFC 3168 6.1.2.
    pub(crate) fn on_mark(&mut self, flight_size: u32) {
        match self {
            Self::Dctcp(dctcp) => dctcp.on_mark(),
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

    /// All that was in flight at the loss is acknowledged.
    pub(crate) fn on_recovered(&mut self, flight_size: u32) {
        each!(self, c => c.on_recovered(flight_size));
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
        };
        control.name()
    }

    fn window(&self) -> &Window {
        each!(self, c => c.window())
    }
}
