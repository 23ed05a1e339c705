//! A connection that a peer asked for, before it proved that it is there: SYN-RECEIVED of a
//! passive open, kept small because anybody can make us keep it (RFC 4987).

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    Flags, Header, Options, Segment, Timestamps, UnscaledWindow, UserTimeout, WindowScale,
};

use crate::config::{Config, EcnMode};
use crate::connection::ecn::{self, OFFER};
use crate::connection::{Connection, HandshakeDone, advertised_user_timeout};
use crate::negotiated::{Path, ts_value};
use crate::reset;
use crate::rtt::Rto;
use crate::time::Instant;

/// SYN-ACKs after the first; about a minute with the default RTO. Fewer than MUST-23's three
/// minutes ask for: the peer is not proven (docs/decisions.md).
pub const SYN_ACK_RETRIES: u8 = 5;

/// A half-open connection. Of the options that the SYN offered it has those that our SYN-ACK takes
/// up: the listener may get other settings before the handshake ends.
#[derive(Debug, Clone, Copy)]
pub struct HalfOpen {
    irs: SeqNum,
    iss: SeqNum,
    /// TSval of the peer's SYN; counts when `timestamps`.
    ts_value: u32,
    ts_offset: u32,
    syn_at: Instant,
    deadline: Instant,
    window: UnscaledWindow,
    mss: Option<u16>,
    user_timeout: Option<UserTimeout>,
    /// The peer's shift; `None` where windows are not scaled.
    window_scale: Option<WindowScale>,
    /// Ours.
    rcv_scale: WindowScale,
    timestamps: bool,
    sack_permitted: bool,
    ecn: bool,
    retries: u8,
}

const _: () = assert!(size_of::<HalfOpen>() <= 64);

/// What a segment means for a half-open connection.
#[derive(Debug, Clone, Copy)]
pub enum HalfOpenVerdict {
    /// The handshake is done: make the connection and give it this same segment.
    Accept,
    /// Send this and keep waiting.
    Reply(Header),
    /// Forget the entry.
    Forget,
    /// Nothing to do.
    Ignore,
}

impl HalfOpen {
    /// The entry for `syn`; its SYN-ACK is to be sent at once.
    #[must_use]
    pub fn new(now: Instant, syn: &Header, config: &Config, iss: SeqNum, ts_offset: u32) -> Self {
        let Options {
            mss,
            window_scale,
            sack_permitted,
            timestamps,
            user_timeout,
            ..
        } = syn.options;
        Self {
            irs: syn.seq,
            iss,
            ts_value: timestamps.map_or(0, |t| t.value),
            ts_offset,
            syn_at: now,
            deadline: now + Rto::initial(config).duration(),
            window: syn.window,
            mss,
            user_timeout,
            window_scale: window_scale.filter(|_| config.window_scaling),
            rcv_scale: config.window_scale(),
            timestamps: config.timestamps && timestamps.is_some(),
            sack_permitted: config.sack && sack_permitted,
            ecn: ecn::takes_up(config, syn),
            retries: 0,
        }
    }

    /// The entry that was not kept, of a SYN that a cookie brought back.
    pub(crate) fn of_cookie(
        now: Instant,
        syn: &Header,
        config: &Config,
        iss: SeqNum,
        ts_offset: u32,
    ) -> Self {
        Self {
            // When the SYN-ACK left is not known.
            syn_at: Instant::NEVER,
            ..Self::new(now, syn, config, iss, ts_offset)
        }
    }

    /// The peer's SYN, with the options that we take up.
    fn syn(&self) -> Header {
        let timestamps = Timestamps {
            value: self.ts_value,
            echo: 0,
        };
        let options = Options {
            mss: self.mss,
            window_scale: self.window_scale,
            sack_permitted: self.sack_permitted,
            timestamps: self.timestamps.then_some(timestamps),
            user_timeout: self.user_timeout,
            ..Options::default()
        };
        let offer = if self.ecn { OFFER } else { Flags::empty() };
        let (seq, flags, window) = (self.irs, Flags::SYN | offer, self.window);
        Header {
            seq,
            flags,
            window,
            options,
            ..Header::default()
        }
    }

    /// When [`on_deadline`](Self::on_deadline) is due.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// SYN-ACKs sent again so far.
    #[must_use]
    pub const fn retries(&self) -> u8 {
        self.retries
    }

    /// Our SYN-ACK: RFC 9293 3.10.7.2.
    #[must_use]
    pub fn syn_ack(&self, now: Instant, config: &Config, path: Path) -> Header {
        let value = ts_value(now, self.ts_offset);
        let timestamps = Timestamps {
            value,
            echo: self.ts_value,
        };
        let options = Options {
            mss: Some(path.clamped(config.max_segment).mss),
            window_scale: self.window_scale.map(|_| self.rcv_scale),
            sack_permitted: self.sack_permitted,
            timestamps: self.timestamps.then_some(timestamps),
            user_timeout: advertised_user_timeout(config),
            ..Options::default()
        };
        let flags = match self.ecn {
            true => Flags::SYN | Flags::ACK | Flags::ECE,
            false => Flags::SYN | Flags::ACK,
        };
        Header {
            seq: self.iss,
            ack: self.irs + 1,
            flags,
            window: crate::connection::syn_window(config),
            urgent: 0,
            options,
        }
    }

    /// A segment of the peer: RFC 9293 3.10.7.4 in SYN-RECEIVED.
    #[must_use]
    pub fn on_segment(&mut self, segment: &Segment<'_>, syn_ack: Header) -> HalfOpenVerdict {
        let seq = segment.header.seq;
        let reset = segment.has(Flags::RST);
        if segment.has(Flags::SYN) && !segment.has(Flags::ACK) && seq == self.irs && !reset {
            // The peer did not get our SYN-ACK, and which one it answers is not known (MUST-18).
            self.syn_at = Instant::NEVER;
            return HalfOpenVerdict::Reply(syn_ack);
        }
        let acceptable = self.is_acceptable(segment, u32::from(syn_ack.window.0));
        if !acceptable && (segment.is_empty() || reset) {
            // No ACK answers an ACK, nor an RST that is not ours.
            return HalfOpenVerdict::Ignore;
        }
        if reset && seq == self.irs + 1 {
            return HalfOpenVerdict::Forget;
        }
        if !acceptable || reset || segment.has(Flags::SYN) {
            // RFC 5961 3.2 and 4.2: who is there, and means it, resets at RCV.NXT.
            return HalfOpenVerdict::Reply(self.ack(syn_ack));
        }
        if !segment.has(Flags::ACK) {
            return HalfOpenVerdict::Ignore;
        }
        if segment.header.ack != self.iss + 1 {
            // RFC 9293 3.10.7.4, fifth step: what is not ours does not end the wait.
            return reset::reply_to(segment)
                .map_or(HalfOpenVerdict::Ignore, HalfOpenVerdict::Reply);
        }
        HalfOpenVerdict::Accept
    }

    /// RFC 9293 3.10.7.4, first step; the window is never zero.
    fn is_acceptable(&self, segment: &Segment<'_>, window: u32) -> bool {
        let nxt = self.irs + 1;
        let inside = |seq: SeqNum| seq.at_or_after(nxt) && seq.before(nxt + window);
        let last = || segment.end() - 1;
        inside(segment.header.seq) || (!segment.is_empty() && inside(last()))
    }

    /// The ACK of a segment that is not acceptable, or a challenge.
    fn ack(&self, syn_ack: Header) -> Header {
        Header {
            seq: self.iss + 1,
            flags: Flags::ACK,
            options: Options {
                timestamps: syn_ack.options.timestamps,
                ..Options::default()
            },
            ..syn_ack
        }
    }

    /// The SYN-ACK was not answered in time: whether to send it again, or to forget the entry.
    pub fn on_deadline(&mut self, now: Instant, config: &Config) -> bool {
        self.retries += 1;
        let mut rto = Rto::initial(config);
        (0..self.retries).for_each(|_| rto = rto.doubled());
        self.deadline = now + rto.duration();
        self.retries <= SYN_ACK_RETRIES
    }

    /// The connection, once a segment was [`Accept`](HalfOpenVerdict::Accept)ed.
    #[must_use]
    pub fn accept(&self, now: Instant, config: Config, path: Path) -> Connection {
        // What was not agreed upon is not in the SYN that the handshake hands over.
        let agreed = Config {
            window_scaling: true,
            timestamps: true,
            sack: true,
            ecn: EcnMode::Passive,
            ..config
        };
        Connection::accept(now, agreed, path, &self.handshake())
    }

    /// What the connection must know of the handshake.
    #[must_use]
    pub fn handshake(&self) -> HandshakeDone {
        HandshakeDone {
            iss: self.iss,
            syn: self.syn(),
            rcv_scale: self.rcv_scale,
            ts_offset: self.ts_offset,
            syn_at: self.syn_at,
            retransmitted: self.retries > 0,
        }
    }
}
