//! What a connection may be told.

use wirepath_wire::tcp::WindowScale;

use crate::limits;
use crate::time::Millis;

/// Settings of one connection. A listener holds one and gives it to each connection it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Most bytes that may wait for acknowledgment, from 2 KiB to 2 MiB. A connection begins with
    /// less and has twice cwnd when that is more.
    pub send_buffer: u32,
    /// Most bytes that may wait for the application, from 2 KiB to 2 MiB; the most we ever
    /// advertise. A connection begins with less and has twice what is read in a round trip when
    /// that is more.
    pub receive_buffer: u32,
    /// First RTO, and least time to the first SYN retransmission: RFC 6298 2.1.
    pub initial_rto: Millis,
    /// Least RTO. RFC 6298 2.4 says 1 s; Linux's 200 ms is the default (docs/decisions.md).
    pub min_rto: Millis,
    /// Largest RTO after back-off, at least 60 s: RFC 6298 2.5.
    pub max_rto: Millis,
    /// Longest that an ACK waits for data to ride on: RFC 9293 3.8.6.3, under 500 ms (MUST-40).
    pub delayed_ack: Millis,
    /// R2: unacknowledged for this long, the connection is given up: RFC 9293 3.8.3, at least 100 s
    /// (SHLD-11).
    pub user_timeout: Millis,
    /// Tell the peer `user_timeout`, and bear with it as long as it asks for: RFC 5482. Off by
    /// default.
    pub user_timeout_option: bool,
    /// How long a peer may keep its window closed to what is queued: RFC 6429. Without one it may
    /// for ever, as long as it answers (RFC 9293 3.8.6.1, MUST-37).
    pub stall_timeout: Option<Millis>,
    /// R2 for SYN: RFC 9293 3.8.3, at least 3 minutes (MUST-23).
    pub syn_timeout: Millis,
    /// Maximum segment lifetime; TIME-WAIT lasts twice as long. RFC 9293 3.4.2 says 2 minutes;
    /// Linux's TIME-WAIT of 60 s is the default (docs/decisions.md).
    pub msl: Millis,
    /// How long FIN-WAIT-2 waits for the peer once nobody reads any more.
    pub fin_wait_2: Millis,
    /// Keep-alive, off by default: RFC 9293 3.8.4 (MUST-24, MUST-25).
    pub keep_alive: Option<KeepAlive>,
    /// Congestion control: RFC 9293 3.8.2 (MUST-19) asks for RFC 5681, and allows others (MAY-18).
    pub congestion: CongestionControl,
    /// How losses are found.
    pub recovery: RecoveryConfig,
    /// Spread what may be sent over the round trip, where that is at least a millisecond. BBR does
    /// so in any case.
    pub pacing: bool,
    /// When a SYN is answered with a cookie instead of being kept: RFC 4987 3.6.
    pub syn_cookies: SynCookies,
    /// Take text on the SYN of a peer that shows our cookie: RFC 7413, of a passive open. Off by
    /// default: such text may come twice.
    pub fast_open: bool,
    /// Try shorter segments when the path swallows long ones and no router says so: RFC 4821. Off
    /// by default: most lost text is lost for other reasons.
    pub path_probing: bool,
    /// Explicit congestion notification: RFC 3168.
    pub ecn: EcnMode,
    /// What its packets say to the network.
    pub marking: Marking,
    /// Nagle's algorithm: RFC 9293 3.7.4 (SHLD-7); off sends every byte at once (MUST-17).
    pub nagle: bool,
    /// Keep what does not fill a segment back while more may come, for an RTO at most: TCP_CORK.
    pub cork: bool,
    /// ACKs at the begin of a connection that are not delayed, so that slow start gets on; as Linux
    /// does, until text goes the other way.
    pub quick_acks: u8,
    /// Largest segment sent and offered, in bytes of text and options: TCP_MAXSEG.
    pub max_segment: Option<u16>,
    /// cwnd at first and after an idle time, in segments, 1 to 255: RFC 6928 2 says 10, and fewer
    /// where segments are large.
    pub initial_window: u8,
    /// Offer and accept timestamps: RFC 7323 3.
    pub timestamps: bool,
    /// Offer and accept SACK: RFC 2018.
    pub sack: bool,
    /// Offer and accept window scaling: RFC 7323 2.
    pub window_scaling: bool,
}

/// How cwnd grows and shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CongestionControl {
    /// RFC 9438, with HyStart++ (RFC 9406).
    #[default]
    Cubic,
    /// RFC 5681 and RFC 6582.
    NewReno,
    /// RFC 8257, for networks that mark early; as Reno where ECN is not agreed upon.
    Dctcp,
    /// Brakmo and Peterson: gives way when round trips grow.
    Vegas,
    /// Version 3, draft-ietf-ccwg-bbr: by a model of the path, and paced; as Cubic where SACK is
    /// not agreed upon.
    Bbr,
}

impl CongestionControl {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Cubic,
        Self::NewReno,
        Self::Dctcp,
        Self::Vegas,
        Self::Bbr,
    ];

    /// Its name, as `ss` shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cubic => "cubic",
            Self::NewReno => "reno",
            Self::Dctcp => "dctcp",
            Self::Vegas => "vegas",
            Self::Bbr => "bbr",
        }
    }
}

bitflags::bitflags! {
    /// Parts of loss recovery that can be left out, to measure what each is worth. What the
    /// handshake agrees upon has settings of its own: SACK, timestamps, ECN.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RecoveryFeatures: u8 {
        /// Tell what came twice, and heed it: RFC 2883.
        const DSACK = 0x01;
        /// Tail loss probes: RFC 8985 7.
        const TAIL_PROBE = 0x02;
        /// Find spurious time-outs by what is acknowledged after them: RFC 5682.
        const F_RTO = 0x04;
        /// Find spurious retransmissions by timestamps: RFC 3522.
        const EIFEL = 0x08;
    }
}

/// How losses are found, from the begin of a connection on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryConfig {
    /// What of it is in use; all by default.
    pub features: RecoveryFeatures,
    /// Segments that may overtake another, at least 1, before it counts as lost: DupThresh of
    /// RFC 8985 6.2 and RFC 5681 3.2, 3 by default.
    pub reordering: u8,
}

impl RecoveryConfig {
    /// Everything, and three segments.
    pub const DEFAULT: Self = Self {
        features: RecoveryFeatures::all(),
        reordering: limits::DUPLICATE_ACK_THRESHOLD,
    };

    pub(crate) const fn uses(&self, feature: RecoveryFeatures) -> bool {
        self.features.contains(feature)
    }
}

/// Whether to agree on ECN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EcnMode {
    /// Never.
    Off,
    /// When the peer offers it.
    #[default]
    Passive,
    /// And offer it to those we connect to.
    Active,
}

/// What the packets of a connection say to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marking {
    /// The differentiated services code point, 0 to 63: RFC 9293 3.9.1 (MUST-48).
    pub dscp: u8,
    /// Hop limit or TTL; that of the host where it says none (MUST-49).
    pub hop_limit: Option<u8>,
}

impl Marking {
    /// Nothing, and the hop limit of the host.
    pub const NONE: Self = Self {
        dscp: 0,
        hop_limit: None,
    };
}

/// When a listener answers without keeping an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SynCookies {
    /// Never: a SYN that finds no room is dropped.
    Off,
    /// When there is no room for an entry.
    #[default]
    WhenFull,
    /// Always.
    Always,
}

/// Keep-alive settings: RFC 9293 3.8.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Idle time before the first probe, at least 1 ms (MUST-27, MUST-28).
    pub idle: Millis,
    /// Time between probes, at least 1 ms.
    pub interval: Millis,
    /// Unanswered probes after which the connection is dead, at least 2 (MUST-29).
    pub probes: u8,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            idle: Millis::from_secs(7200),
            interval: Millis::from_secs(75),
            probes: 9,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            send_buffer: limits::BUFFER_MAX,
            receive_buffer: limits::BUFFER_MAX,
            initial_rto: Millis(1_000),
            min_rto: Millis(200),
            max_rto: Millis::from_secs(120),
            delayed_ack: Millis(40),
            user_timeout: Millis::from_secs(300),
            user_timeout_option: false,
            stall_timeout: None,
            syn_timeout: Millis::from_secs(180),
            msl: Millis::from_secs(30),
            fin_wait_2: Millis::from_secs(60),
            keep_alive: None,
            congestion: CongestionControl::default(),
            recovery: RecoveryConfig::DEFAULT,
            pacing: true,
            syn_cookies: SynCookies::default(),
            fast_open: false,
            path_probing: false,
            ecn: EcnMode::default(),
            marking: Marking::default(),
            nagle: true,
            cork: false,
            quick_acks: 16,
            max_segment: None,
            initial_window: 10,
            timestamps: true,
            sack: true,
            window_scaling: true,
        }
    }
}

impl Config {
    /// The same settings with every value inside its range.
    #[must_use]
    pub fn clamped(self) -> Self {
        let buffer = |bytes: u32| bytes.clamp(limits::BUFFER_MIN, limits::BUFFER_MAX);
        let keep_alive = |k: KeepAlive| KeepAlive {
            idle: k.idle.max(Millis(1)),
            interval: k.interval.max(Millis(1)),
            probes: k.probes.max(2),
        };
        Self {
            send_buffer: buffer(self.send_buffer),
            receive_buffer: buffer(self.receive_buffer),
            delayed_ack: self.delayed_ack.min(Millis(499)),
            // RFC 6298 2.5, RFC 9293 3.8.3 (MUST-23).
            max_rto: self.max_rto.max(self.min_rto).max(Millis::from_secs(60)),
            syn_timeout: self.syn_timeout.max(Millis::from_secs(180)),
            initial_window: self.initial_window.max(1),
            recovery: RecoveryConfig {
                reordering: self.recovery.reordering.max(1),
                ..self.recovery
            },
            keep_alive: self.keep_alive.map(keep_alive),
            marking: Marking {
                dscp: self.marking.dscp & 0x3F,
                ..self.marking
            },
            ..self
        }
    }

    /// The shift that lets the window field reach the whole receive buffer: RFC 7323 2.2.
    #[must_use]
    pub fn window_scale(&self) -> WindowScale {
        let (unscaled, buffer) = (u32::from(u16::MAX), self.clamped().receive_buffer);
        let shift = (0..WindowScale::MAX.shift()).find(|&s| (unscaled << s) >= buffer);
        shift.map_or(WindowScale::MAX, WindowScale::clamped)
    }
}
