//! What the two SYNs agreed upon.

use wirepath_wire::tcp::{Options, Timestamps, UserTimeout, WindowScale};

use crate::config::Config;
use crate::limits::{SMSS_DEFAULT_IPV4, SMSS_DEFAULT_IPV6, SMSS_MIN, TS_RECENT_LIFE};
use crate::time::Instant;

/// What a path carries in one segment: text and TCP options, without the fixed headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// MMS_R - 20 and MMS_S - 20: the MTU less the IP and TCP headers, in bytes (RFC 9293 3.7.1).
    pub mss: u16,
    /// Whether the addresses are IPv6.
    pub ipv6: bool,
}

impl Path {
    /// The path of an interface with this MTU, in bytes.
    #[must_use]
    pub fn from_mtu(mtu: usize, ipv6: bool) -> Self {
        let headers = if ipv6 { 60 } else { 40 };
        Self {
            mss: u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX),
            ipv6,
        }
    }

    /// The same with segments of `most` bytes at most.
    pub(crate) fn clamped(self, most: Option<u16>) -> Self {
        Self {
            mss: self
                .mss
                .min(most.unwrap_or(u16::MAX))
                .max(SMSS_MIN.min(self.mss)),
            ..self
        }
    }

    /// Send MSS where the peer names none: RFC 9293 3.7.1 (MUST-15).
    pub(crate) const fn default_smss(&self) -> u16 {
        if self.ipv6 {
            SMSS_DEFAULT_IPV6
        } else {
            SMSS_DEFAULT_IPV4
        }
    }
}

/// Options agreed upon in the handshake, and the state of the timestamps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Negotiated {
    /// Eff.snd.MSS before options, in bytes: RFC 9293 3.7.1 (MUST-16).
    smss: u16,
    /// Whether our SYN or SYN-ACK offers window scaling: RFC 7323 2.2.
    pub(crate) scaling: bool,
    /// Shift of the windows the peer sends.
    pub(crate) snd_scale: WindowScale,
    /// Shift of the windows we send.
    pub(crate) rcv_scale: WindowScale,
    /// Whether SACK blocks may be sent either way: RFC 2018 2.
    pub(crate) sack: bool,
    /// What the peer asked for last: REMOTE_UTO of RFC 5482 3.1.
    pub(crate) remote_user_timeout: Option<UserTimeout>,
    timestamps: bool,
    ts_offset: u32,
    ts_recent: u32,
    ts_recent_at: Instant,
}

impl Negotiated {
    /// Before the peer's SYN is seen.
    pub(crate) fn offered(config: &Config, path: Path, ts_offset: u32) -> Self {
        Self {
            smss: path.mss.max(SMSS_MIN),
            scaling: config.window_scaling,
            snd_scale: WindowScale::default(),
            rcv_scale: config.window_scale(),
            sack: config.sack,
            remote_user_timeout: None,
            timestamps: config.timestamps,
            ts_offset,
            ts_recent: 0,
            ts_recent_at: Instant::ZERO,
        }
    }

    /// Takes the options of the peer's SYN in; what either side left out is off.
    pub(crate) fn on_syn(&mut self, now: Instant, options: &Options, config: &Config, path: Path) {
        let mss = options.mss.unwrap_or_else(|| path.default_smss());
        self.smss = mss.min(path.mss).max(SMSS_MIN);
        // RFC 7323 2.2: scaling is on only when both SYNs carry the option.
        match options.window_scale.filter(|_| config.window_scaling) {
            Some(scale) => self.snd_scale = scale,
            None => {
                self.rcv_scale = WindowScale::default();
                self.scaling = false;
            }
        }
        self.remote_user_timeout = options.user_timeout;
        self.sack = config.sack && options.sack_permitted;
        self.timestamps = config.timestamps && options.timestamps.is_some();
        if let Some(timestamps) = options.timestamps {
            self.ts_recent = timestamps.value;
            self.ts_recent_at = now;
        }
    }

    pub(crate) const fn smss(&self) -> u16 {
        self.smss
    }

    pub(crate) const fn timestamps(&self) -> bool {
        self.timestamps
    }

    pub(crate) const fn ts_recent(&self) -> u32 {
        self.ts_recent
    }

    pub(crate) const fn ts_offset(&self) -> u32 {
        self.ts_offset
    }

    /// TSval now.
    pub(crate) fn ts_now(&self, now: Instant) -> u32 {
        ts_value(now, self.ts_offset)
    }

    /// The option to send on every segment once agreed upon: RFC 7323 3.2.
    pub(crate) fn timestamps_option(&self, now: Instant) -> Option<Timestamps> {
        let value = self.ts_now(now);
        self.timestamps.then_some(Timestamps {
            value,
            echo: self.ts_recent,
        })
    }

    /// Whether PAWS rejects this TSval: RFC 7323 5.3 R1.
    pub(crate) fn is_old(&self, now: Instant, value: u32) -> bool {
        // RFC 7323 5.5: after 24 days TS.Recent says nothing.
        let valid = now.since(self.ts_recent_at) < TS_RECENT_LIFE;
        valid && value.wrapping_sub(self.ts_recent).cast_signed() < 0
    }

    /// Remembers the TSval to echo: RFC 7323 4.3 (2).
    pub(crate) fn remember(&mut self, now: Instant, value: u32) {
        self.ts_recent = value;
        self.ts_recent_at = now;
    }
}

/// TSval: a clock of 1 ms with an offset of the connection's own (RFC 7323 5.4).
pub(crate) fn ts_value(now: Instant, offset: u32) -> u32 {
    (now.as_millis() as u32).wrapping_add(offset)
}
