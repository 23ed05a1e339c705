//! `wirepath echo`, `discard` and `chargen`.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};
use wirepath_apps::Service;
use wirepath_bpf::Mode;
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::{Config, CongestionControl, EcnMode, KeepAlive};
use wirepath_tcp::time::Millis;
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_xdp::{MultiBuffer, Options, ZeroCopy};

use super::Failure;
use crate::api::{self, ControlSocket};
use crate::runtime::{Idle, Runtime, ServerOptions};

/// What all servers can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface to serve on.
    #[arg(short, long)]
    interface: String,
    /// The port to listen at [default: that of the service's RFC].
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// An address to serve, several times for several [default: all of the interface]. One that
    /// the interface does not have is wirepath's own: it answers ARP, NDP and ping for it.
    #[arg(short, long)]
    address: Vec<IpAddr>,
    /// Where the XDP program runs.
    #[arg(long, value_enum, default_value_t = ModeArg::Auto)]
    mode: ModeArg,
    /// Whether the driver writes frames straight into our memory.
    #[arg(long, value_enum, default_value_t = ZeroCopyArg::Auto)]
    zero_copy: ZeroCopyArg,
    /// Whether a packet may lie in several frames of memory, as an MTU above 3,822 needs.
    #[arg(long, value_enum, default_value_t = MultiBufferArg::Auto)]
    multi_buffer: MultiBufferArg,
    /// Whether a worker has the kernel poll its queues in every turn. Helps only where interrupts
    /// are deferred, which `wirepath check` tells; without effect on veth.
    #[arg(long, value_enum, default_value_t = BusyPollArg::Off)]
    busy_poll: BusyPollArg,
    /// What to do when there is nothing to do: look again at once, or sleep.
    #[arg(long, value_enum, default_value_t = IdleArg::Adaptive)]
    idle: IdleArg,
    /// The queues to serve, as 0,2,4-7 [default: all]. What is ours on the others is dropped.
    #[arg(long, value_name = "LIST", value_parser = parse_queues)]
    queues: Option<Queues>,
    /// How many workers share the queues [default: one for each of --cores, or for each core there
    /// is, but no more than queues].
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// The cores of the workers, one after the other [default: wherever the kernel puts them].
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
    /// Seconds of silence after which a peer is asked whether it is there, or `off`.
    #[arg(long, value_name = "SECONDS|off", default_value = "7200",
        value_parser = parse_keep_alive)]
    keep_alive: KeepAliveArg,
    /// How the congestion window grows and shrinks.
    #[arg(long, value_enum, default_value_t = CongestionArg::Cubic)]
    congestion: CongestionArg,
    /// Whether to agree on explicit congestion notification when a peer offers it.
    #[arg(long, value_enum, default_value_t = EcnArg::On)]
    ecn: EcnArg,
    /// Which checksums to take: veth leaves them unfinished while the peer's tx offload is on.
    #[arg(long, value_enum, default_value_t = ChecksumArg::Whole)]
    rx_checksum: ChecksumArg,
    /// Connections at once.
    #[arg(long, default_value_t = Capacity::default().connections,
        value_parser = parse_connections)]
    max_connections: usize,
    /// Where the control socket is [default: /run/wirepath/INTERFACE-PID.sock].
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// Native, or skb where the driver has none.
    Auto,
    /// In the driver.
    Native,
    /// In the generic hook: slower, on any interface.
    Skb,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ZeroCopyArg {
    /// Where the driver can.
    Auto,
    /// Or fail.
    On,
    /// Never.
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MultiBufferArg {
    /// Where the MTU needs it and the kernel can; otherwise larger packets are dropped.
    Auto,
    /// Never: some drivers have zero-copy only without it.
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BusyPollArg {
    /// Where the driver's queues can be polled.
    On,
    /// Never.
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IdleArg {
    /// Least latency, a whole core.
    Spin,
    /// Sleep until a frame comes.
    Adaptive,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CongestionArg {
    /// RFC 9438, with HyStart++.
    Cubic,
    /// NewReno: RFC 5681 and RFC 6582.
    Reno,
    /// RFC 8257, for networks that mark early.
    Dctcp,
    /// Gives way when round trips grow.
    Vegas,
    /// Version 3: by a model of the path, and paced.
    Bbr,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EcnArg {
    /// Never.
    Off,
    /// When a peer offers it.
    On,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ChecksumArg {
    /// Only whole ones.
    Whole,
    /// Also those that hold just the pseudo-header, as veth peers with tx offload send.
    PartialOk,
}

/// After how long a silence to probe, if ever.
#[derive(Debug, Clone, Copy)]
struct KeepAliveArg(Option<u32>);

fn parse_keep_alive(text: &str) -> Result<KeepAliveArg, String> {
    if text == "off" {
        return Ok(KeepAliveArg(None));
    }
    let range = 1..=4_000_000;
    let seconds = text.parse().map_err(|error| format!("{error}"))?;
    if range.contains(&seconds) {
        Ok(KeepAliveArg(Some(seconds)))
    } else {
        Err(format!("{seconds} is not in {range:?}"))
    }
}

/// Numbers of queues.
#[derive(Debug, Clone)]
struct Queues(Vec<u32>);

fn parse_queues(text: &str) -> Result<Queues, String> {
    let number = |text: &str| {
        let number = text.parse::<u16>().map(u32::from);
        number.map_err(|error| format!("{text:?} is no queue: {error}"))
    };
    let mut queues = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => queues.push(number(part)?),
            Some((first, last)) => queues.extend(number(first)?..=number(last)?),
        }
    }
    if queues.is_empty() {
        return Err(format!("{text:?} names no queue"));
    }
    Ok(Queues(queues))
}

fn parse_connections(text: &str) -> Result<usize, String> {
    let range = 1..=16_777_216;
    let count = text.parse().map_err(|error| format!("{error}"))?;
    if range.contains(&count) {
        Ok(count)
    } else {
        Err(format!("{count} is not in {range:?}"))
    }
}

impl Args {
    fn options(&self, service: Service) -> ServerOptions {
        let port = self.port.unwrap_or(service.port());
        let connections = self.max_connections;
        let default = Capacity::default();
        ServerOptions {
            interface: self.interface.clone(),
            addresses: self.address.clone(),
            services: BTreeMap::from([(port, service)]),
            mode: match self.mode {
                ModeArg::Auto => None,
                ModeArg::Native => Some(Mode::Native),
                ModeArg::Skb => Some(Mode::Skb),
            },
            device: Options {
                zero_copy: match self.zero_copy {
                    ZeroCopyArg::Auto => ZeroCopy::Auto,
                    ZeroCopyArg::On => ZeroCopy::On,
                    ZeroCopyArg::Off => ZeroCopy::Off,
                },
                multi_buffer: match self.multi_buffer {
                    MultiBufferArg::Auto => MultiBuffer::Auto,
                    MultiBufferArg::Off => MultiBuffer::Off,
                },
                busy_poll: self.busy_poll == BusyPollArg::On,
                ..Options::default()
            },
            queues: self.queues.clone().map_or_else(Vec::new, |queues| queues.0),
            workers: self.workers,
            cores: self.cores.clone(),
            idle: match self.idle {
                IdleArg::Spin => Idle::Spin,
                IdleArg::Adaptive => Idle::Adaptive,
            },
            tcp: Config {
                // What is echoed goes at once: nothing better will come to join it.
                nagle: false,
                // A client that vanished must not hold its place for ever.
                keep_alive: self.keep_alive.0.map(|seconds| KeepAlive {
                    idle: Millis::from_secs(seconds),
                    ..KeepAlive::default()
                }),
                congestion: match self.congestion {
                    CongestionArg::Cubic => CongestionControl::Cubic,
                    CongestionArg::Reno => CongestionControl::NewReno,
                    CongestionArg::Dctcp => CongestionControl::Dctcp,
                    CongestionArg::Vegas => CongestionControl::Vegas,
                    CongestionArg::Bbr => CongestionControl::Bbr,
                },
                ecn: match self.ecn {
                    EcnArg::Off => EcnMode::Off,
                    EcnArg::On => EcnMode::Active,
                },
                ..Config::default()
            },
            capacity: Capacity {
                connections,
                ..default
            },
            checksums: match self.rx_checksum {
                ChecksumArg::Whole => ChecksumPolicy::Whole,
                ChecksumArg::PartialOk => ChecksumPolicy::PartialOk,
            },
        }
    }
}

/// Serves until a signal comes.
pub(super) fn run(args: Args, service: Service) -> Result<(), Failure> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(serve(&args, service))
}

async fn serve(args: &Args, service: Service) -> Result<(), Failure> {
    // Before anything is made that a signal would leave behind.
    let mut ends = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ];
    let runtime = Runtime::start(args.options(service)).await?;
    let control = ControlSocket::bind(args.control.as_deref(), &args.interface)?;
    let plane = runtime.plane();
    announce(&runtime, &control).await?;
    let state = api::Server::new(runtime.plane());
    tokio::select! {
        signal = any(&mut ends) => tracing::info!("{signal}: closing connections"),
        () = runtime.failed() => tracing::error!("a worker has ended"),
        result = api::serve(&control, state) => result?,
        () = plane.watch() => {}
    }
    let interface = args.interface.as_str();
    let stopped = runtime.stop().await;
    Ok(stopped.with_context(|| format!("the server on {interface} failed"))?)
}

async fn any([interrupt, terminate]: &mut [Signal; 2]) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// Says that all is ready, to whoever listens: a server serves without a terminal as well.
async fn announce(runtime: &Runtime, control: &ControlSocket) -> anyhow::Result<()> {
    let plane = runtime.plane();
    let listeners = plane.listeners().await?;
    let mut out = std::io::stdout().lock();
    let mode = runtime
        .mode()
        .map_or_else(String::new, |mode| format!(" in {mode} mode"));
    for listener in listeners {
        let (endpoint, service) = (listener.endpoint, listener.service.name());
        let interface = plane.interface();
        let _ = writeln!(out, "{service} at {endpoint} on {interface}{mode}");
    }
    let _ = writeln!(out, "control socket {}", control.path().display());
    Ok(())
}
