//! What all servers can be told on the command line: each flag a setting of the configuration.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::parse_endpoint;
use crate::config::{
    BusyPoll, Configuration, Congestion, Cores, Drain, Ecn, IdleChoice, Limit, Mode,
    MultiBufferChoice, Queues, RxChecksum, Silence, Workers, ZeroCopyChoice,
};

/// What all servers can be told.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Flags {
    /// The interface to serve on.
    #[arg(short, long)]
    interface: Option<String>,
    /// An address to serve, several times for several [default: all of the interface]. One that
    /// the interface does not have is wirepath's own: it answers ARP, NDP and ping for it.
    #[arg(short, long)]
    address: Vec<IpAddr>,
    /// Where the XDP program runs [default: auto].
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Whether the driver writes frames straight into our memory [default: auto].
    #[arg(long, value_enum)]
    zero_copy: Option<ZeroCopyChoice>,
    /// Whether a packet may lie in several frames of memory, as an MTU above 3,822 needs [default:
    /// auto].
    #[arg(long, value_enum)]
    multi_buffer: Option<MultiBufferChoice>,
    /// Whether a worker has the kernel poll its queues in every turn. Helps only where interrupts
    /// are deferred, which `wirepath check` tells; without effect on veth [default: off].
    #[arg(long, value_enum)]
    busy_poll: Option<BusyPoll>,
    /// What to do when there is nothing to do: look again at once, or sleep [default: adaptive].
    #[arg(long, value_enum)]
    idle: Option<IdleChoice>,
    /// The queues to serve, as 0,2,4-7 [default: all]. What is ours on the others is dropped.
    #[arg(long, value_name = "LIST")]
    queues: Option<Queues>,
    /// How many workers share the queues [default: one for each of --cores, or for each core there
    /// is, but no more than queues].
    #[arg(long, value_name = "COUNT")]
    workers: Option<Workers>,
    /// The cores of the workers, one after the other, as 2,4-7 [default: wherever the kernel puts
    /// them].
    #[arg(long, value_name = "LIST")]
    cores: Option<Cores>,
    /// Silence after which a peer is asked whether it is there, in seconds or as "2h 30m", or
    /// `off` [default: 2h].
    #[arg(long, value_name = "TIME|off", value_parser = parse_keep_alive)]
    keep_alive: Option<Silence>,
    /// How the congestion window grows and shrinks [default: cubic].
    #[arg(long, value_enum)]
    congestion: Option<Congestion>,
    /// Whether to agree on explicit congestion notification when a peer offers it [default: on].
    #[arg(long, value_enum)]
    ecn: Option<Ecn>,
    /// Which checksums to take: veth leaves them unfinished while the peer's tx offload is on
    /// [default: whole].
    #[arg(long, value_enum)]
    rx_checksum: Option<RxChecksum>,
    /// Connections of a worker at once [default: 65536].
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<Limit>,
    /// How long connections get to close in peace at the end, in seconds or as "500ms"
    /// [default: 3s].
    #[arg(long, value_name = "TIME", value_parser = parse_drain)]
    drain: Option<Drain>,
    /// Where the control socket is [default: /run/wirepath/INTERFACE-PID.sock].
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// An address of the kernel where Prometheus can ask for /metrics, as 127.0.0.1:9090.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_endpoint)]
    metrics: Option<SocketAddr>,
}

/// A bare number is one of seconds.
fn with_unit(text: &str) -> String {
    let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_bare {
        format!("{text}s")
    } else {
        text.to_owned()
    }
}

fn parse_keep_alive(text: &str) -> Result<Silence, String> {
    with_unit(text).parse()
}

fn parse_drain(text: &str) -> Result<Drain, String> {
    with_unit(text).parse()
}

/// Sets `target` where the flag was given.
fn set<T: Clone>(target: &mut T, flag: &Option<T>) {
    if let Some(flag) = flag {
        target.clone_from(flag);
    }
}

impl Flags {
    /// Says in `configuration` what was given.
    pub(super) fn lay_over(&self, configuration: &mut Configuration) {
        set(&mut configuration.interface, &self.interface);
        if !self.address.is_empty() {
            configuration.addresses.clone_from(&self.address);
        }
        set(&mut configuration.mode, &self.mode);
        set(&mut configuration.zero_copy, &self.zero_copy);
        set(&mut configuration.multi_buffer, &self.multi_buffer);
        set(&mut configuration.busy_poll, &self.busy_poll);
        set(&mut configuration.idle, &self.idle);
        set(&mut configuration.queues, &self.queues);
        set(&mut configuration.workers, &self.workers);
        set(&mut configuration.cores, &self.cores);
        set(&mut configuration.rx_checksum, &self.rx_checksum);
        set(&mut configuration.limits.connections, &self.max_connections);
        set(&mut configuration.drain, &self.drain);
        if self.control.is_some() {
            configuration.control.clone_from(&self.control);
        }
        configuration.metrics = self.metrics.or(configuration.metrics);
        let tcp = &mut configuration.tcp;
        tcp.keep_alive = self.keep_alive.or(tcp.keep_alive);
        tcp.congestion = self.congestion.or(tcp.congestion);
        tcp.ecn = self.ecn.or(tcp.ecn);
    }
}
