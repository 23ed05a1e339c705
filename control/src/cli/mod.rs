//! The `wirepath` command.

mod capture;
mod check;
mod config;
mod demo;
mod flags;
mod listen;
mod pool;
mod reload;
mod script;
mod server;
mod servers;
mod ss;
mod stats;
mod top;
mod trace;

use std::fmt;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::api::{Refused, SocketError};
use crate::config::{ServiceChoice, SourceError};
use crate::runtime::StartError;

/// A kernel-bypass TCP stack on Linux AF_XDP.
#[derive(Debug, Parser)]
#[command(name = "wirepath", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more on standard error; twice for all there is.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve echo (RFC 862): what comes goes back.
    Echo(server::Args),
    /// Serve discard (RFC 863): what comes is thrown away.
    Discard(server::Args),
    /// Serve chargen (RFC 864): characters without end.
    Chargen(server::Args),
    /// Pass connections on to backends.
    Proxy(server::ProxyArgs),
    /// Serve what a file says: services, ports, and settings of all kinds.
    Serve(server::ServeArgs),
    /// Look at a configuration file without serving it.
    Config(config::Args),
    /// Have a running server read its file again, and say what that changes.
    Reload(reload::Args),
    /// Show it all at work: two namespaces, a veth pair, our server and kernel clients.
    Demo(demo::Args),
    /// List the connections of running servers, like ss.
    Ss(ss::Args),
    /// Write the frames that a running server receives and sends to a pcapng file, like tcpdump.
    Capture(capture::Args),
    /// Show what last happened to a connection, segment by segment, or list those that met trouble.
    Trace(trace::Args),
    /// Show what running servers have counted and measured, like nstat.
    Stats(stats::Args),
    /// Watch a running server: load, rates, turn lengths, connections, like top.
    Top(top::Args),
    /// List, add or remove the listeners of a running server.
    Listen(listen::Args),
    /// List pools of backends, or say what a backend may be given.
    Pool(pool::Args),
    /// Play packet scripts against the stack, without a network.
    Script(script::Args),
    /// Say whether and how well an interface will work, and why not.
    Check(check::Args),
}

/// How a command failed: decides the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad arguments or configuration: exit code 2.
    Usage(anyhow::Error),
    /// Anything else: exit code 1.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let start = error.downcast_ref::<StartError>();
        let refused = error.downcast_ref::<Refused>();
        let socket = error.downcast_ref::<SocketError>();
        let usage = error.is::<SourceError>()
            || socket.is_some_and(SocketError::is_configuration)
            || start.is_some_and(StartError::is_configuration)
            || refused.is_some_and(Refused::is_configuration);
        if usage {
            Self::Usage(error)
        } else {
            Self::Other(error)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error) | Self::Other(error)) = self;
        let mut text = error.to_string();
        // With all causes, in one line; many errors tell theirs themselves.
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        f.write_str(&text)
    }
}

/// An address and a port, for clap: the library's own error does not say what should be there.
fn parse_endpoint(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "an address and a port are wanted, as 192.0.2.1:7 or [2001:db8::1]:7".into())
}

/// Parses the arguments and runs the command; returns its exit code: 0 done, 2 bad arguments or
/// configuration, 1 anything else.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match cli.verbose {
        0 => tracing::Level::INFO,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let done = match cli.command {
        Command::Echo(args) => server::run(args, ServiceChoice::Echo),
        Command::Discard(args) => server::run(args, ServiceChoice::Discard),
        Command::Chargen(args) => server::run(args, ServiceChoice::Chargen),
        Command::Proxy(args) => server::run_proxy(args),
        Command::Serve(args) => server::run_file(args),
        Command::Config(args) => config::run(&args),
        Command::Reload(args) => reload::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Ss(args) => ss::run(&args),
        Command::Capture(args) => capture::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Listen(args) => listen::run(&args),
        Command::Pool(args) => pool::run(&args),
        Command::Script(args) => script::run(&args),
        Command::Check(args) => check::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wirepath: {failure}");
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Other(_) => 1,
            })
        }
    }
}
