//! How a connection begins: RFC 9293 3.10.1, 3.5.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Header, UnscaledWindow, WindowScale};

use super::cwnd_use::CwndUse;
use super::ecn::EcnState;
use super::pacing::Pacer;
use super::{CloseReason, Connection, Counts, Liveness, Pending};
use crate::config::Config;
use crate::congestion::Congestion;
use crate::negotiated::{Negotiated, Path};
use crate::path_mtu::PathMtu;
use crate::rcv::Rcv;
use crate::recovery::Recovery;
use crate::rtt::RttEstimator;
use crate::snd::Snd;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timers;

/// What a half-open entry knows when the handshake is about to end.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeDone {
    /// Our SYN-ACK's sequence number.
    pub iss: SeqNum,
    /// The peer's SYN, as a header, with the options that our SYN-ACK has taken up.
    pub syn: Header,
    /// Shift of the windows we send, where it has one.
    pub rcv_scale: WindowScale,
    /// What is added to the clock of our timestamps.
    pub ts_offset: u32,
    /// When the SYN came; `NEVER` when that is not known.
    pub syn_at: Instant,
    /// Whether the SYN-ACK had to be sent again.
    pub retransmitted: bool,
}

impl Connection {
    /// An active open: RFC 9293 3.10.1. The first [`poll_segment`](Self::poll_segment) is its SYN.
    #[must_use]
    pub fn open(now: Instant, config: Config, path: Path, iss: SeqNum, ts_offset: u32) -> Self {
        let mut connection = Self::new(now, config, path, iss, ts_offset);
        connection.state = State::SynSent;
        connection.snd.nxt = iss + 1;
        connection.pending.insert(Pending::SYN);
        connection
    }

    /// A passive open whose handshake ends with the next segment, in SYN-RECEIVED.
    #[must_use]
    pub fn accept(now: Instant, config: Config, path: Path, done: &HandshakeDone) -> Self {
        let mut connection = Self::new(now, config, path, done.iss, done.ts_offset);
        connection.passive = true;
        connection.state = State::SynReceived;
        connection.snd.nxt = done.iss + 1;
        connection.negotiated.rcv_scale = done.rcv_scale;
        connection.on_peer_syn(now, &done.syn);
        if done.retransmitted {
            connection.liveness.retries = 1;
        } else if done.syn_at != Instant::NEVER {
            connection.rtt.on_sent(done.syn_at, connection.snd.nxt);
        }
        connection.arm_retransmit(now);
        connection
    }

    /// Takes the peer's SYN in, on either kind of open.
    pub(super) fn on_peer_syn(&mut self, now: Instant, syn: &Header) {
        self.negotiated
            .on_syn(now, &syn.options, &self.config, self.path.link());
        self.congestion = Congestion::new(&self.config, self.effective_mss(), self.negotiated.sack);
        self.recovery = Recovery::new(self.snd.iss, self.negotiated.sack, self.config.recovery);
        self.agree_on_ecn(syn);
        let offered = u32::from(syn_window(&self.config).0);
        let most = self.negotiated.rcv_scale.bytes(UnscaledWindow(u16::MAX));
        self.rcv.on_syn(syn.seq, offered, most);
        // RFC 7323 2.2: the window of a SYN is never scaled.
        self.snd
            .set_window(syn.seq, syn.ack, u32::from(syn.window.0));
    }

    fn new(now: Instant, config: Config, path: Path, iss: SeqNum, ts_offset: u32) -> Self {
        let config = config.clamped();
        let path = path.clamped(config.max_segment);
        Self {
            state: State::Closed,
            passive: false,
            pending: Pending::empty(),
            close_reason: CloseReason::Finished,
            snd: Snd::new(iss),
            rcv: Rcv::new(config.receive_buffer, config.quick_acks),
            rtt: RttEstimator::new(&config),
            recovery: Recovery::new(iss, false, config.recovery),
            congestion: Congestion::new(&config, path.mss, config.sack),
            ecn: EcnState::new(iss),
            cwnd_use: CwndUse::new(iss),
            pacer: Pacer::default(),
            timers: Timers::default(),
            negotiated: Negotiated::offered(&config, path, ts_offset),
            path: PathMtu::new(path),
            resent_ts: None,
            soft_error: None,
            liveness: Liveness::new(now),
            config,
            counts: Counts::default(),
        }
    }
}

/// The window field of our SYN or SYN-ACK, in bytes: never scaled (RFC 7323 2.2).
pub(crate) fn syn_window(config: &Config) -> UnscaledWindow {
    UnscaledWindow(u16::try_from(config.clamped().receive_buffer).unwrap_or(u16::MAX))
}
