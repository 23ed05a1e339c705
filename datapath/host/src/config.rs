//! What a host is made with.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use wirepath_stack::limits::{Capacity, SOURCE_PORTS};
use wirepath_tcp::config::Config;

/// What a host is made with: what Linux has as addresses and sysctls.
///
/// | sysctl `net.ipv4.` | here |
/// |---|---|
/// | `tcp_rto_min_us`, `tcp_timeout_init` | `tcp.min_rto`, `tcp.initial_rto` |
/// | `tcp_wmem`, `tcp_rmem` | `tcp.send_buffer`, `tcp.receive_buffer`; the window scale follows |
/// | `tcp_timestamps`, `tcp_sack` | `tcp.timestamps`, `tcp.sack` |
/// | `tcp_window_scaling` | `tcp.window_scaling` |
/// | `tcp_ecn`, `tcp_congestion_control` | `tcp.ecn`, `tcp.congestion` |
/// | `tcp_syncookies`, `tcp_fastopen` | `tcp.syn_cookies`, `tcp.fast_open` |
/// | `tcp_max_syn_backlog`, `tcp_max_tw_buckets` | `capacity.half_open`, `capacity.time_wait` |
/// | `tcp_keepalive_*`, `tcp_retries2` | `tcp.keep_alive`, `tcp.user_timeout` |
/// | `tcp_fin_timeout`, `tcp_mtu_probing` | `tcp.fin_wait_2`, `tcp.path_probing` |
/// | `ip_default_ttl`, `ip_local_port_range` | `hop_limit`, `source_ports` |
///
/// The delayed ACK, quick ACKs and the initial window, which Linux fixes or has per route, are
/// `tcp.delayed_ack`, `tcp.quick_acks` and `tcp.initial_window`.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Addresses of the host; at most 64 count.
    pub addresses: Vec<IpAddr>,
    /// Largest packet, in bytes, from 576 (IPv4) or 1,280 (IPv6) to 65,535.
    pub mtu: usize,
    /// Key of sequence numbers, timestamps, ports and tables.
    pub secret: [u8; 16],
    /// Hop limit of packets whose socket says none.
    pub hop_limit: u8,
    /// Source ports of active opens.
    pub source_ports: RangeInclusive<u16>,
    /// How much it may hold.
    pub capacity: Capacity,
    /// Settings of new sockets.
    pub tcp: Config,
}

impl HostConfig {
    /// A small host with one address, on a link of 1,500 bytes.
    #[must_use]
    pub fn new(address: IpAddr, secret: [u8; 16]) -> Self {
        Self {
            addresses: vec![address],
            mtu: 1_500,
            secret,
            hop_limit: 64,
            source_ports: SOURCE_PORTS,
            capacity: Capacity {
                connections: 1_024,
                half_open: 256,
                time_wait: 1_024,
                blocks: 4_096,
            },
            tcp: Config::default(),
        }
    }
}
