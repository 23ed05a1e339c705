//! Socket options, by what they are usually called.

use wirepath_tcp::config::{Config, CongestionControl, KeepAlive};
use wirepath_tcp::time::Millis;

/// The options of a socket. They may change at any time; what a handshake agreed upon stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_NODELAY`.
    pub no_delay: bool,
    /// `TCP_CORK`.
    pub cork: bool,
    /// `TCP_QUICKACK`: so many ACKs are not delayed from now on.
    pub quick_acks: u8,
    /// `TCP_MAXSEG`, in bytes of text and options; before the connection is opened.
    pub max_segment: Option<u16>,
    /// `TCP_USER_TIMEOUT`.
    pub user_timeout: Millis,
    /// `SO_KEEPALIVE` with `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
    pub keep_alive: Option<KeepAlive>,
    /// `SO_LINGER`: after so long a close becomes an abort; zero aborts at once. `None` lets a
    /// closed connection end in its own time.
    pub linger: Option<Millis>,
    /// `TCP_CONGESTION`.
    pub congestion: CongestionControl,
    /// `SO_RCVBUF`, in bytes, 2 KiB to 2 MiB.
    pub receive_buffer: u32,
    /// `SO_SNDBUF`, in bytes, 2 KiB to 2 MiB.
    pub send_buffer: u32,
    /// `TCP_NOTSENT_LOWAT`: the socket is writable while fewer bytes than these were never sent.
    pub not_sent_low_water: u32,
    /// `IP_TOS` and `IPV6_TCLASS`: the upper six bits are the DSCP, the others are not used.
    pub traffic_class: u8,
    /// `IP_TTL` and `IPV6_UNICAST_HOPS`.
    pub hop_limit: Option<u8>,
}

impl SocketOptions {
    /// Those that a new socket has.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            no_delay: !config.nagle,
            cork: config.cork,
            quick_acks: config.quick_acks,
            max_segment: config.max_segment,
            user_timeout: config.user_timeout,
            keep_alive: config.keep_alive,
            linger: None,
            congestion: config.congestion,
            receive_buffer: config.receive_buffer,
            send_buffer: config.send_buffer,
            not_sent_low_water: u32::MAX,
            traffic_class: config.marking.dscp << 2,
            hop_limit: config.marking.hop_limit,
        }
    }

    /// Puts them into the settings of a connection.
    pub(crate) fn apply(&self, config: &mut Config) {
        config.nagle = !self.no_delay;
        config.cork = self.cork;
        config.quick_acks = self.quick_acks;
        config.max_segment = self.max_segment;
        config.user_timeout = self.user_timeout;
        config.keep_alive = self.keep_alive;
        config.congestion = self.congestion;
        config.receive_buffer = self.receive_buffer;
        config.send_buffer = self.send_buffer;
        config.marking.dscp = self.traffic_class >> 2;
        config.marking.hop_limit = self.hop_limit;
    }
}
