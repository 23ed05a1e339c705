//! A connection as `ss -tin` shows it.

use super::Connection;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

/// A snapshot of one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Info {
    /// Its state.
    pub state: State,
    /// Bytes in order that the application has not taken.
    pub recv_queue: u32,
    /// Bytes not acknowledged by the peer.
    pub send_queue: u32,
    /// Bytes never sent, FIN included.
    pub unsent: u32,
    /// Consecutive expiries of the retransmission or persist timer.
    pub retries: u8,
    /// Largest packet that the path is taken to carry, in bytes.
    pub path_mtu: u32,
    /// SND.WND in bytes.
    pub snd_wnd: u32,
    /// RCV.WND in bytes.
    pub rcv_wnd: u32,
    /// cwnd in bytes.
    pub cwnd: u32,
    /// ssthresh in bytes, once there was a loss.
    pub ssthresh: Option<u32>,
    /// Effective send MSS in bytes.
    pub smss: u16,
    /// SRTT in microseconds, 0 before the first sample.
    pub srtt: u32,
    /// RTTVAR in microseconds.
    pub rttvar: u32,
    /// Least round-trip time seen, in microseconds.
    pub min_rtt: Option<u32>,
    /// RTO in microseconds.
    pub rto: u32,
    /// Shift of the peer's windows and of ours.
    pub window_scale: (u8, u8),
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether SACK is in use.
    pub sack: bool,
    /// Name of the congestion control.
    pub congestion: &'static str,
    /// Phase of the loss recovery.
    pub recovery: &'static str,
    /// Bytes that the peer has beyond the cumulative ACK, by SACK.
    pub sacked: u32,
    /// Bytes that count as lost and were not sent again since, with SACK.
    pub lost: u32,
    /// Bytes in the network, as far as is known.
    pub in_flight: u32,
    /// How long, in microseconds, RACK waits for segments that were overtaken, once some were
    /// (RFC 8985 6.2, RACK.reo_wnd).
    pub reordering_window: Option<u32>,
    /// Bytes per second that arrived lately, with SACK.
    pub delivery_rate: Option<u64>,
    /// Whether the application, not the network, sets that rate.
    pub app_limited: bool,
    /// Bytes per second that may leave, where it is paced.
    pub pacing_rate: Option<u64>,
    /// The timer that fires next and when.
    pub timer: Option<(Timer, Instant)>,
    /// Segments received.
    pub segments_in: u64,
    /// Segments sent.
    pub segments_out: u64,
    /// Bytes of text delivered in order.
    pub bytes_received: u64,
    /// Bytes of text acknowledged by the peer.
    pub bytes_acked: u64,
    /// Segments sent again.
    pub retransmissions: u64,
}

impl Connection {
    /// A snapshot of it.
    #[must_use]
    pub fn info(&self) -> Info {
        let ssthresh = self.congestion.ssthresh();
        let recovery = self.recovery.report(self.rtt.rtts());
        Info {
            state: self.state,
            recv_queue: self.unread(),
            send_queue: self.snd.queued(),
            unsent: self.snd.unsent(),
            retries: self.liveness.retries,
            path_mtu: self.path.mtu(),
            snd_wnd: self.snd.wnd,
            rcv_wnd: self.rcv.wnd(),
            cwnd: self.congestion.cwnd(),
            ssthresh: (ssthresh != u32::MAX).then_some(ssthresh),
            smss: self.effective_mss(),
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.rttvar(),
            min_rtt: self.rtt.min_rtt(),
            rto: self.rtt.rto().micros(),
            window_scale: (
                self.negotiated.snd_scale.shift(),
                self.negotiated.rcv_scale.shift(),
            ),
            timestamps: self.negotiated.timestamps(),
            sack: self.negotiated.sack,
            congestion: self.congestion.name(),
            recovery: self.recovery.phase().name(),
            sacked: recovery.sacked,
            lost: recovery.lost,
            in_flight: self.recovery.in_flight(self.snd.flight().len()),
            reordering_window: recovery
                .reordering_window
                .map(|window| u32::try_from(window.as_micros()).unwrap_or(u32::MAX)),
            delivery_rate: (recovery.delivery_rate > 0.0).then_some(recovery.delivery_rate as u64),
            app_limited: recovery.app_limited,
            pacing_rate: self.pacing_rate().map(|rate| rate as u64),
            timer: self.timers.next(),
            segments_in: self.counts.segments_in,
            segments_out: self.counts.segments_out,
            bytes_received: self.counts.bytes_received,
            bytes_acked: self.counts.bytes_acked,
            retransmissions: self.counts.retransmissions,
        }
    }
}
