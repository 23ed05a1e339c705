//! One connection: RFC 9293 as a value.

mod ack;
mod cwnd_use;
mod deadline;
pub(crate) mod ecn;
mod fast_open;
mod glance;
mod icmp;
mod info;
mod input;
mod open;
mod output;
mod pacing;
mod predicted;
mod resting;
mod settings;
mod syn_sent;
#[cfg(test)]
mod tests;
mod urgent;
mod user;
mod user_timeout;
mod verdict;

use cwnd_use::CwndUse;
use ecn::EcnState;
pub use icmp::SoftError;
pub use info::Info;
pub use open::HandshakeDone;
pub(crate) use open::syn_window;
pub use output::Outgoing;
use pacing::Pacer;
pub use resting::Resting;
pub(crate) use user_timeout::advertised as advertised_user_timeout;
pub use verdict::{DropReason, Received};

use wirepath_wire::seq::SeqNum;

use crate::config::Config;
use crate::congestion::Congestion;
use crate::negotiated::Negotiated;
use crate::path_mtu::PathMtu;
use crate::rcv::Rcv;
use crate::recovery::Recovery;
use crate::rtt::RttEstimator;
use crate::snd::Snd;
use crate::state::State;
use crate::time::Instant;
use crate::timers::{Timer, Timers};

bitflags::bitflags! {
    /// What the application has not been told yet.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Pending: u16 {
        const CONNECTED = 0x01;
        const WRITABLE = 0x02;
        const PEER_CLOSED = 0x04;
        const CLOSED = 0x08;
        /// An RST is to be sent.
        const RESET = 0x10;
        /// A SYN or SYN-ACK is to be sent.
        const SYN = 0x20;
        /// A window or keep-alive probe is to be sent.
        const PROBE = 0x40;
        /// Nobody reads any more: `close` was called.
        const DETACHED = 0x80;
        /// A tail loss probe is to be sent.
        const TAIL_PROBE = 0x100;
        const URGENT = 0x200;
        const RETRANSMITTING = 0x400;
        const SOFT_ERROR = 0x800;
        /// The application was told of the connection before the handshake was done.
        const FAST_OPEN = 0x1000;
    }
}

/// What happened to a connection, for its application; each is told once, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done.
    Connected,
    /// The peer has urgent text, up to a new place: RFC 9293 3.8.5 (MUST-32). See
    /// [`Connection::urgent_left`].
    Urgent,
    /// Nothing was acknowledged for R1 = [`limits::R1_RETRANSMISSIONS`](crate::limits): RFC 9293
    /// 3.8.3 (SHLD-9). The connection goes on trying until R2.
    Retransmitting,
    /// The network could not deliver a segment: RFC 9293 3.9.1.8 (MUST-47). The connection goes on.
    SoftError(SoftError),
    /// There is room again after [`Connection::send`] took less than it was given.
    Writable,
    /// The peer has closed, and all it sent is read (RFC 9293 3.6).
    PeerClosed,
    /// The connection is gone, for this reason (MUST-12).
    Closed(CloseReason),
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloseReason {
    /// Both sides closed and all was acknowledged.
    #[default]
    Finished,
    /// The application aborted it.
    Aborted,
    /// The peer reset it.
    Reset,
    /// The peer answered our SYN with a reset.
    Refused,
    /// The peer did not answer for the user timeout.
    TimedOut,
    /// The peer sent text after the application had closed, or that it left unread for too long.
    Unread,
    /// The peer took nothing for too long: RFC 6429.
    Stalled,
}

impl CloseReason {
    /// How many reasons there are.
    pub const COUNT: usize = 7;

    /// The name that reports give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Aborted => "aborted",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::TimedOut => "timed out",
            Self::Unread => "unread",
            Self::Stalled => "stalled",
        }
    }
}

/// What a connection counted, since it was opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
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

/// What is known of the peer being there.
#[derive(Debug)]
struct Liveness {
    /// When the last acceptable segment came.
    heard: Instant,
    /// Since when something waits for an answer; `NEVER` when nothing does.
    unanswered: Instant,
    /// Since when the peer's window is closed to what is queued; `NEVER` when it is not.
    stalled: Instant,
    /// When text was last sent.
    spoke: Instant,
    /// When an unacceptable segment was last answered (RFC 5961 7).
    challenged: Instant,
    /// Keep-alive probes sent since `heard`.
    probes: u8,
    /// Consecutive expiries of the retransmission or persist timer.
    retries: u8,
}

impl Liveness {
    /// The peer was heard at `now`, and is waited for by nobody.
    const fn new(now: Instant) -> Self {
        Self {
            heard: now,
            unanswered: Instant::NEVER,
            stalled: Instant::NEVER,
            spoke: now,
            challenged: Instant::NEVER,
            probes: 0,
            retries: 0,
        }
    }
}

/// One TCP connection, with neither I/O nor clock.
///
/// The world tells it (`on_*`), it tells the world (`poll_*`), the application commands it (verbs)
/// and looks at it (nouns). `now` never goes back. After any `on_*` or command, call
/// [`poll_segment`](Self::poll_segment) until it has nothing, [`poll_event`](Self::poll_event)
/// until it has nothing, and [`on_deadline`](Self::on_deadline) no later than
/// [`next_deadline`](Self::next_deadline). A connection whose [`state`](Self::state) is
/// [`State::Closed`] and that has no segment left is to be [`release`](Self::release)d.
#[derive(Debug)]
pub struct Connection {
    state: State,
    /// Whether it was opened by the peer: RFC 9293 3.10.7.4 (MUST-11).
    passive: bool,
    pending: Pending,
    close_reason: CloseReason,
    snd: Snd,
    rcv: Rcv,
    rtt: RttEstimator,
    recovery: Recovery,
    congestion: Congestion,
    ecn: EcnState,
    cwnd_use: CwndUse,
    pacer: Pacer,
    timers: Timers,
    negotiated: Negotiated,
    path: PathMtu,
    /// TSval of the first retransmission of what is at SND.UNA: RetransmitTS of RFC 3522 3.2.
    resent_ts: Option<u32>,
    /// The last soft error.
    soft_error: Option<SoftError>,
    liveness: Liveness,
    config: Config,
    counts: Counts,
}

// One at rest takes less: `resting`.
const _: () = assert!(size_of::<Connection>() <= 960);

impl Connection {
    /// Its state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// What it counted so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The earliest instant at which [`on_deadline`](Self::on_deadline) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let earliest = self.timers.earliest();
        (earliest != Instant::NEVER).then_some(earliest)
    }

    /// The next thing to tell the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        let meanwhile = [
            (Pending::WRITABLE, Event::Writable),
            (Pending::RETRANSMITTING, Event::Retransmitting),
        ];
        let end = [
            (Pending::PEER_CLOSED, Event::PeerClosed),
            (Pending::CLOSED, Event::Closed(self.close_reason)),
        ];
        self.poll_early_event()
            .or_else(|| self.poll_one_of(&meanwhile))
            .or_else(|| self.poll_soft_error())
            .or_else(|| self.poll_one_of(&end))
    }

    /// As [`poll_event`](Self::poll_event), of what the application must know before it is shown
    /// the text of the segment that told it.
    pub fn poll_early_event(&mut self) -> Option<Event> {
        self.poll_one_of(&[
            (Pending::CONNECTED, Event::Connected),
            (Pending::URGENT, Event::Urgent),
        ])
    }

    fn poll_one_of(&mut self, told: &[(Pending, Event)]) -> Option<Event> {
        let &(flag, event) = told
            .iter()
            .find(|&&(flag, _)| self.pending.contains(flag))?;
        // The peer's end comes after all it said.
        let waits = matches!(event, Event::PeerClosed | Event::Closed(_));
        if waits && self.unread() > 0 {
            return None;
        }
        self.pending.remove(flag);
        Some(event)
    }

    /// Everything that must hold between calls; the simulator asserts it after each event. What
    /// is still to be sent needs no timer yet: sending it arms one.
    ///
    /// # Errors
    /// The name of what does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        let has_timer = self.next_deadline().is_some();
        let waits = !matches!(
            self.state,
            State::Closed | State::Established | State::CloseWait
        );
        let flight = self.state.is_synchronized() && self.snd.una != self.snd.nxt;
        let resend = self.recovery.resend_range();
        [
            (
                self.snd.una.at_or_before(self.snd.nxt),
                "SND.UNA is after SND.NXT",
            ),
            (
                self.snd
                    .nxt
                    .at_or_before(self.snd.end().latest(self.snd.nxt)),
                "SND.NXT ran away",
            ),
            (
                !waits || has_timer || self.syn_is_due() || self.snd.unsent() > 0,
                "a waiting state has no timer",
            ),
            (
                self.state != State::Closed || self.unread() == 0 || has_timer,
                "unread text of a connection that is gone, no timer",
            ),
            (
                !flight || has_timer || self.state == State::TimeWait,
                "text in flight, no timer",
            ),
            (
                resend.is_none_or(|r| r.left.at_or_after(self.snd.una)),
                "resend before SND.UNA",
            ),
            (
                resend.is_none_or(|r| r.right.at_or_before(self.snd.nxt)),
                "resend after SND.NXT",
            ),
        ]
        .into_iter()
        .find(|(holds, _)| !holds)
        .map_or(Ok(()), |(_, what)| Err(what))
    }

    fn syn_is_due(&self) -> bool {
        self.pending.contains(Pending::SYN)
    }

    /// ISS, for tests and traces.
    #[must_use]
    pub const fn iss(&self) -> SeqNum {
        self.snd.iss
    }

    /// Ends the connection: nothing of it is left but what the application must be told.
    fn enter_closed(&mut self, reason: CloseReason) {
        if self.state == State::Closed {
            return;
        }
        // TIME-WAIT was told as the end already.
        if self.state != State::TimeWait {
            self.close_reason = reason;
            self.pending.insert(Pending::CLOSED);
        }
        self.state = State::Closed;
        self.timers.disarm_all();
        if self.unread() > 0 {
            // The application may still read, but not for ever.
            self.timers
                .arm(Timer::Linger, self.liveness.heard + self.config.fin_wait_2);
        }
        self.pending
            .remove(Pending::SYN | Pending::PROBE | Pending::WRITABLE | Pending::RETRANSMITTING);
    }

    /// As [`enter_closed`](Self::enter_closed), and the peer is told by an RST.
    fn enter_reset(&mut self, reason: CloseReason) {
        let peer_knows_us = self.state.is_synchronized() || self.state == State::SynReceived;
        let told_all = self.state == State::TimeWait;
        self.enter_closed(reason);
        if peer_knows_us && !told_all {
            self.pending.insert(Pending::RESET);
        }
    }

    fn enter_time_wait(&mut self, now: Instant) {
        self.state = State::TimeWait;
        self.timers.disarm_all();
        self.arm_time_wait(now);
        self.pending.insert(Pending::CLOSED);
    }

    /// RFC 9293 3.6.1 (MUST-13): 2 MSL.
    fn arm_time_wait(&mut self, now: Instant) {
        self.timers
            .arm(Timer::Linger, now + self.config.msl + self.config.msl);
    }
}
