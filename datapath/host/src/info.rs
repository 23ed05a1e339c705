//! What `TCP_INFO` tells of a connection.

use wirepath_tcp::connection::Info;
use wirepath_tcp::state::State;

/// The fields of Linux's `struct tcp_info` that have a meaning here, by their names without
/// `tcpi_`, in its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// The state by Linux's number: 1 is ESTABLISHED, 7 CLOSE.
    pub state: u8,
    /// 0 open, 3 recovery, 4 loss.
    pub ca_state: u8,
    /// Consecutive time-outs of the same text.
    pub retransmits: u8,
    /// Bits: 1 timestamps, 2 SACK, 4 window scale.
    pub options: u8,
    /// Shift of the windows that the peer sends.
    pub snd_wscale: u8,
    /// Shift of the windows that we send.
    pub rcv_wscale: u8,
    /// RTO in microseconds.
    pub rto: u32,
    /// Send MSS in bytes, without options.
    pub snd_mss: u32,
    /// Segments in flight: the first of Linux's three counts of them.
    pub in_flight: u32,
    /// Segments beyond the cumulative ACK that the peer has.
    pub sacked: u32,
    /// Segments that count as lost and were not sent again.
    pub lost: u32,
    /// Path MTU in bytes.
    pub pmtu: u32,
    /// SRTT in microseconds.
    pub rtt: u32,
    /// RTTVAR in microseconds.
    pub rttvar: u32,
    /// ssthresh in segments; 0x7FFF_FFFF before the first loss.
    pub snd_ssthresh: u32,
    /// cwnd in segments.
    pub snd_cwnd: u32,
    /// Segments sent again, ever.
    pub total_retrans: u32,
    /// Bytes of text that the peer acknowledged.
    pub bytes_acked: u64,
    /// Bytes of text received in order.
    pub bytes_received: u64,
    /// Segments sent.
    pub segs_out: u64,
    /// Segments received.
    pub segs_in: u64,
    /// Bytes per second that arrived lately; 0 where it is not known.
    pub delivery_rate: u64,
    /// Whether the application sets that rate.
    pub delivery_rate_app_limited: bool,
    /// Bytes per second that may leave; `u64::MAX` where it is not paced.
    pub pacing_rate: u64,
    /// Bytes never sent.
    pub notsent_bytes: u32,
    /// Least round-trip time in microseconds; 0 before the first sample.
    pub min_rtt: u32,
    /// The peer's window in bytes.
    pub snd_wnd: u32,
    /// Our window in bytes.
    pub rcv_wnd: u32,
}

const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WINDOW_SCALE: u8 = 4;
const INFINITE_SSTHRESH: u32 = 0x7FFF_FFFF;

impl From<&Info> for TcpInfo {
    fn from(info: &Info) -> Self {
        let smss = u32::from(info.smss).max(1);
        let scaled = info.window_scale != (0, 0);
        let bits = [
            (info.timestamps, TIMESTAMPS),
            (info.sack, SACK),
            (scaled, WINDOW_SCALE),
        ];
        let flight = info.send_queue.saturating_sub(info.unsent);
        Self {
            state: linux_state(info.state),
            ca_state: match info.recovery {
                "recovery" => 3,
                "loss" => 4,
                _ => 0,
            },
            retransmits: info.retries,
            options: bits.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum(),
            snd_wscale: info.window_scale.0,
            rcv_wscale: info.window_scale.1,
            rto: info.rto,
            snd_mss: smss,
            in_flight: flight.div_ceil(smss),
            sacked: info.sacked.div_ceil(smss),
            lost: info.lost.div_ceil(smss),
            pmtu: info.path_mtu,
            rtt: info.srtt,
            rttvar: info.rttvar,
            snd_ssthresh: info
                .ssthresh
                .map_or(INFINITE_SSTHRESH, |bytes| bytes / smss),
            snd_cwnd: info.cwnd / smss,
            total_retrans: u32::try_from(info.retransmissions).unwrap_or(u32::MAX),
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            segs_out: info.segments_out,
            segs_in: info.segments_in,
            delivery_rate: info.delivery_rate.unwrap_or(0),
            delivery_rate_app_limited: info.app_limited,
            pacing_rate: info.pacing_rate.unwrap_or(u64::MAX),
            notsent_bytes: info.unsent,
            min_rtt: info.min_rtt.unwrap_or(0),
            snd_wnd: info.snd_wnd,
            rcv_wnd: info.rcv_wnd,
        }
    }
}

/// The numbers of Linux's `net/tcp_states.h`.
pub(crate) const fn linux_state(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}
