//! `wirepath echo`, `discard`, `chargen` and `serve`: from a configuration to the end of a server.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::Failure;
use super::flags::Flags;
use crate::access_log::AccessLog;
use crate::api::{self, ControlSocket};
use crate::config::{
    Back, BackendEntry, BalanceChoice, Configuration, HeaderChoice, ListenerEntry, Place,
    PoolEntry, Reloader, ServiceChoice, Source, TcpSettings,
};
use crate::runtime::{ControlPlane, Runtime};

/// What a server of one service can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The port to listen at [default: that of the service's RFC].
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    flags: Flags,
}

/// What `serve` can be told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Flags win over the file, also when it is read again: SIGHUP and `wirepath \
    reload` do so. What a [[listener]] of the file says itself wins over flags."
)]
pub(super) struct ServeArgs {
    /// The configuration, a TOML file: docs/wirepath.toml tells all of it.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    back: BackFlag,
    #[command(flatten)]
    flags: Flags,
}

/// Where backends are.
#[derive(Debug, Clone, clap::Args)]
struct BackFlag {
    /// Another interface, by which backends of a proxy are reached: with all its addresses and
    /// queues, or those that [back] of a configuration file gives it.
    #[arg(long, value_name = "INTERFACE")]
    back: Option<String>,
}

impl BackFlag {
    fn lay_over(&self, configuration: &mut Configuration) {
        let Some(name) = &self.back else {
            return;
        };
        let back = configuration.back.get_or_insert_default();
        if back.interface != *name {
            *back = Back {
                interface: name.clone(),
                ..Back::default()
            };
        }
    }
}

/// Serves one service until a signal comes.
pub(super) fn run(args: Args, service: ServiceChoice) -> Result<(), Failure> {
    let listener = ListenerEntry {
        service,
        listen: args.port.map(|port| Place {
            address: None,
            port,
        }),
        pool: None,
        allow: Vec::new(),
        deny: Vec::new(),
        tcp: TcpSettings::default(),
    };
    let source = Source::new(None, move |configuration| {
        args.flags.lay_over(configuration);
        configuration.listeners = vec![listener.clone()];
    });
    serve(source)
}

/// What `proxy` can be told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Weights, checks, limits and more than one pool: `wirepath serve` with a file \
    such as docs/wirepath.toml."
)]
pub(super) struct ProxyArgs {
    /// The port to listen at, or ADDRESS:PORT.
    #[arg(short, long, value_name = "PORT")]
    listen: Place,
    /// The backends, as 10.0.0.5:80,10.0.0.6:80.
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', required = true,
        value_parser = super::parse_endpoint)]
    to: Vec<SocketAddr>,
    /// How a backend is chosen [default: round-robin].
    #[arg(long, value_enum)]
    balance: Option<BalanceChoice>,
    /// The header of the PROXY protocol that tells backends of the client [default: off].
    #[arg(long, value_enum)]
    proxy_header: Option<HeaderChoice>,
    #[command(flatten)]
    back: BackFlag,
    #[command(flatten)]
    flags: Flags,
}

/// The name of the only pool that flags know.
const POOL: &str = "proxy";

/// Passes connections on until a signal comes.
pub(super) fn run_proxy(args: ProxyArgs) -> Result<(), Failure> {
    let mut pool = PoolEntry {
        name: POOL.to_owned(),
        backends: args.to.into_iter().map(BackendEntry::new).collect(),
        ..PoolEntry::default()
    };
    pool.balance = args.balance.unwrap_or(pool.balance);
    pool.proxy_header = args.proxy_header.unwrap_or(pool.proxy_header);
    let listener = ListenerEntry {
        service: ServiceChoice::Proxy,
        listen: Some(args.listen),
        pool: Some(POOL.to_owned()),
        allow: Vec::new(),
        deny: Vec::new(),
        tcp: TcpSettings::default(),
    };
    serve(Source::new(None, move |configuration| {
        args.flags.lay_over(configuration);
        args.back.lay_over(configuration);
        configuration.listeners = vec![listener.clone()];
        configuration.pools = vec![pool.clone()];
    }))
}

/// Serves what a file says until a signal comes.
pub(super) fn run_file(args: ServeArgs) -> Result<(), Failure> {
    let (flags, back) = (args.flags, args.back);
    serve(Source::new(Some(args.config), move |configuration| {
        flags.lay_over(configuration);
        back.lay_over(configuration);
    }))
}

fn serve(source: Source) -> Result<(), Failure> {
    let configuration = source.load()?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = tokio.block_on(run_until_told(source, configuration));
    // Not waiting for a disk.
    tokio.shutdown_background();
    served
}

/// The signals that a server heeds.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Only with a file: who has none is ended by its terminal, as ever.
    hang_up: Option<Signal>,
}

impl Signals {
    fn new(has_file: bool) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: has_file.then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for the next that asks for the end.
    async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Waits for the next that asks for the end; meanwhile reloads for each that asks for that.
    async fn end_or_reload(&mut self, reloader: &Reloader) -> &'static str {
        loop {
            let hung_up = async {
                match &mut self.hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = hung_up => {}
            }
            // Outside of the choice: a reload is never left in its middle.
            reload(reloader).await;
        }
    }
}

async fn run_until_told(source: Source, configuration: Configuration) -> Result<(), Failure> {
    // Before anything is made that a signal would leave behind.
    let signals = Signals::new(source.has_file())?;
    let runtime = Runtime::start(configuration.options()).await?;
    let interface = configuration.interface.clone();
    let control = ControlSocket::bind(configuration.control.as_deref(), &interface)?;
    let plane = runtime.plane();
    let metrics = metrics_listener(configuration.metrics).await?;
    let log = open_log(configuration.access_log.as_deref())?;
    announce(&runtime, &control).await?;
    let reloader = Arc::new(Reloader::new(source, configuration, runtime.plane()));
    let state = api::Server::new(runtime.plane()).with_reloader(Arc::clone(&reloader));
    tell_manager(&[NotifyState::Ready]);
    // While connections are closed as well.
    let attend = async {
        tokio::select! {
            result = api::serve(&control, state.clone()) => result,
            result = serve_metrics(metrics, state) => result,
            () = plane.watch() => Ok(()),
        }
    };
    let (close, closed) = watch::channel(false);
    let live = async {
        live(&runtime, &reloader, signals).await;
        close.send_replace(true);
    };
    let live_and_log = async { tokio::join!(live, write_log(log, closed, &plane)) };
    tokio::select! {
        result = attend => result?,
        _ = live_and_log => {}
    }
    let ended = runtime.end();
    Ok(ended.with_context(|| format!("the server on {interface} failed"))?)
}

/// Serves until a signal comes, and then closes all connections.
async fn live(runtime: &Runtime, reloader: &Reloader, mut signals: Signals) {
    tokio::select! {
        signal = signals.end_or_reload(reloader) => {
            tracing::info!("{signal}: closing connections");
        }
        () = runtime.failed() => tracing::error!("a worker has ended"),
    }
    tell_manager(&[NotifyState::Stopping]);
    let drain = reloader.end().await;
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            signal = signals.end() => tracing::info!("{signal} again: resetting connections"),
        }
    };
    runtime.close(patience).await;
}

/// Both ways it has been said aloud.
async fn reload(reloader: &Reloader) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell_manager(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot tell the service manager"),
    }
    let _ = reloader.reload().await;
    tell_manager(&[NotifyState::Ready]);
}

/// Tells a service manager that has asked to be told, such as systemd.
fn tell_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

async fn metrics_listener(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = address else {
        return Ok(None);
    };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|error| {
        let not_here = error.kind() == ErrorKind::AddrNotAvailable;
        let failed = format!("cannot listen for Prometheus at {address}; choose another --metrics");
        let error = anyhow::Error::new(error).context(failed);
        match not_here {
            true => Failure::Usage(error),
            false => Failure::Other(error),
        }
    })
}

/// Before anything is logged, so that nobody relies on a log that there is not.
fn open_log(file: Option<&Path>) -> Result<Option<AccessLog>, Failure> {
    let log = file.map(|file| {
        AccessLog::open(file).map_err(|error| {
            let failed = format!("cannot write the access log to {}", file.display());
            Failure::Usage(anyhow::Error::new(error).context(failed))
        })
    });
    log.transpose()
}

async fn write_log(log: Option<AccessLog>, closed: watch::Receiver<bool>, plane: &ControlPlane) {
    if let Some(mut log) = log {
        log.write_until(closed, plane).await;
    }
}

async fn serve_metrics(listener: Option<TcpListener>, state: api::Server) -> std::io::Result<()> {
    match listener {
        Some(listener) => api::serve_metrics(listener, state).await,
        None => std::future::pending().await,
    }
}

/// Says that all is ready, to whoever listens: a server serves without a terminal as well.
async fn announce(runtime: &Runtime, control: &ControlSocket) -> anyhow::Result<()> {
    let plane = runtime.plane();
    let listeners = plane.listeners().await?;
    let mut out = std::io::stdout().lock();
    if listeners.is_empty() {
        tracing::warn!("nobody listens yet: `wirepath listen add` does it, or [[listener]]");
    }
    for listener in listeners {
        let (endpoint, service) = (listener.endpoint, listener.role.name());
        if let Some((interface, mode)) = plane.interface_of(endpoint.ip()) {
            let _ = writeln!(out, "{service} at {endpoint} on {interface} in {mode} mode");
        }
    }
    // The first is where listeners are.
    for (interface, mode) in plane.interfaces().skip(1) {
        let _ = writeln!(out, "backends by {interface} too, in {mode} mode");
    }
    let _ = writeln!(out, "control socket {}", control.path().display());
    Ok(())
}
