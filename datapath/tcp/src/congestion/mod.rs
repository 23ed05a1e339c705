//! How much may be in flight. An algorithm sees summaries of ACKs, never segments.

mod new_reno;

use new_reno::NewReno;

/// What one ACK said, for congestion control.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckSample {
    /// Bytes that this ACK acknowledged for the first time.
    pub(crate) newly_acked: u32,
    /// Whether cwnd, and nothing else, held back what was sent before it.
    pub(crate) cwnd_limited: bool,
}

/// The congestion control of one connection.
#[derive(Debug)]
pub(crate) enum Congestion {
    NewReno(NewReno),
}

impl Congestion {
    pub(crate) fn new(smss: u16) -> Self {
        Self::NewReno(NewReno::new(u32::from(smss)))
    }

    /// New text was acknowledged outside of a recovery.
    pub(crate) fn on_ack(&mut self, sample: &AckSample) {
        match self {
            Self::NewReno(c) => c.on_ack(sample),
        }
    }

    /// A loss was found by duplicate ACKs; `flight_size` in bytes.
    pub(crate) fn on_loss(&mut self, flight_size: u32) {
        match self {
            Self::NewReno(c) => c.on_loss(flight_size),
        }
    }

    /// The retransmission timer expired; `first` unless it did so for the same text before.
    pub(crate) fn on_timeout(&mut self, flight_size: u32, first: bool) {
        match self {
            Self::NewReno(c) => c.on_timeout(flight_size, first),
        }
    }

    /// All that was in flight at the loss is acknowledged.
    pub(crate) fn on_recovered(&mut self, flight_size: u32) {
        match self {
            Self::NewReno(c) => c.on_recovered(flight_size),
        }
    }

    /// The handshake needed more than one SYN, or nothing was sent for an RTO: back to the initial
    /// or restart window (RFC 5681 3.1, 4.1).
    pub(crate) fn restart(&mut self, lost_syn: bool) {
        match self {
            Self::NewReno(c) => c.restart(lost_syn),
        }
    }

    /// cwnd in bytes.
    pub(crate) fn cwnd(&self) -> u32 {
        match self {
            Self::NewReno(c) => c.cwnd(),
        }
    }

    /// ssthresh in bytes; `u32::MAX` before the first loss.
    pub(crate) fn ssthresh(&self) -> u32 {
        match self {
            Self::NewReno(c) => c.ssthresh(),
        }
    }

    /// The name that `ss` gives it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NewReno(_) => "reno",
        }
    }
}

#[cfg(test)]
mod tests;
