//! `wirepath demo`: two namespaces, a veth pair, our server, kernel clients.

mod client;
mod report;
mod server;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::netns::{self, Link, Network};
use client::{Exchange, Load};
use report::Report;
use server::Server;

/// What `demo` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Connections at once.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Short connections in a row.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    short: u32,
    /// Seconds of each of the two measurements.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

/// Bytes that each of the connections at once exchanges, in turn.
const SIZES: [usize; 5] = [1, 64, 1_448, 16 << 10, 256 << 10];
/// Connections of the load that counts requests.
const LOADED: usize = 32;
/// Bytes of one request of the load.
const REQUEST: usize = 64;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let parameters = Parameters {
        connections: args.connections as usize,
        short: args.short as usize,
        span: Duration::from_secs(args.seconds),
        control: std::env::temp_dir().join(format!("wp-{}-demo.sock", std::process::id())),
    };
    let control = parameters.control.clone();
    let report = netns::guarded(move || demonstrate(&parameters));
    // Whatever has ended it: a server that was killed leaves it behind.
    let _ = std::fs::remove_file(control);
    print!("{}", report?);
    Ok(())
}

struct Parameters {
    connections: usize,
    short: usize,
    span: Duration,
    /// The control socket of the server.
    control: PathBuf,
}

fn demonstrate(parameters: &Parameters) -> anyhow::Result<Report> {
    netns::sweep_stale()?;
    let steps = Steps::new();
    steps.begin("making two namespaces and a veth pair");
    let network = Network::direct("demo", &Link::default())?;
    steps.begin("starting wirepath echo on the server's end");
    let server = Server::start(&network.server, &parameters.control)?;
    let addresses = [
        IpAddr::V4(Network::SERVER_V4),
        IpAddr::V6(Network::SERVER_V6),
    ];
    let servers = addresses.map(|address| SocketAddr::new(address, 7));
    let mut report = Report::default();
    // Kernel sockets belong to the namespace of the thread that makes them.
    network
        .client
        .run(|| drive(parameters, &servers, &steps, &mut report))??;
    steps.begin("stopping the server");
    report.stats = server.stop()?;
    steps.end();
    Ok(report)
}

/// What the clients do, in order.
fn drive(
    parameters: &Parameters,
    servers: &[SocketAddr],
    steps: &Steps,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Parameters {
        connections,
        short,
        span,
        ..
    } = *parameters;
    steps.count(connections, "connections at once, every byte compared");
    let exchange = Exchange {
        servers,
        connections,
        sizes: &SIZES,
    };
    report.bytes_verified += exchange.run(|| steps.step())?;
    steps.count(short, "short connections in a row");
    for number in 0..short {
        let server = servers[number % servers.len()];
        report.bytes_verified += client::exchange_once(server, number)?;
        steps.step();
    }
    report.connections = connections + short;
    steps.begin("one connection, one request at a time");
    let load = Load {
        server: servers[0],
        connections: 1,
        request: REQUEST,
        span,
    };
    report.ping_pong = Some(load.run()?);
    steps.begin("32 connections, one request each at a time");
    let load = Load {
        connections: LOADED,
        ..load
    };
    report.load = Some(load.run()?);
    report.connections += 1 + LOADED;
    for measured in [&report.ping_pong, &report.load].into_iter().flatten() {
        report.bytes_verified += measured.bytes;
    }
    Ok(())
}

/// Progress, on standard error.
struct Steps(ProgressBar);

impl Steps {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn begin(&self, what: &str) {
        self.0.set_style(ProgressStyle::default_spinner());
        self.0.set_message(what.to_owned());
        if self.0.is_hidden() {
            eprintln!("{what}");
        }
    }

    fn count(&self, steps: usize, what: &str) {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        self.begin(&format!("{steps} {what}"));
        self.0
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.0.set_message(what.to_owned());
        self.0.set_length(steps as u64);
        self.0.set_position(0);
    }

    fn step(&self) {
        self.0.inc(1);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
