//! `wirepath config`: looks at configuration files.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;

use wirepath_apps::Service;

use super::Failure;
use super::servers::{block_on, print};
use crate::config::{Back, Configuration, ListenerEntry, Source};
use crate::runtime::rehearse;

/// What `config` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what a server would do with a file, or what is wrong with it. Nothing is changed.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print a file with every setting that it leaves out.
    Show {
        /// The file.
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Check { file } => {
            let configuration = Source::file(file).load()?;
            let mut text = summary(&configuration);
            for obstacle in obstacles(&configuration)? {
                let _ = writeln!(text, "but not on this machine as it is: {obstacle}");
            }
            print(&text)?;
        }
        Command::Show { file } => {
            let configuration = Source::file(file).load()?;
            let effective = configuration.effective().to_toml();
            print(&effective.map_err(anyhow::Error::from)?)?;
        }
    }
    Ok(())
}

/// The backends of a proxy.
fn to(configuration: &Configuration, listener: &ListenerEntry) -> String {
    let pools = configuration.pools.iter();
    let pool = pools.filter(|pool| listener.pool.as_ref() == Some(&pool.name));
    let backends = pool.flat_map(|pool| &pool.backends);
    let backends: Vec<_> = backends
        .map(|backend| backend.address.to_string())
        .collect();
    match backends.is_empty() {
        true => String::new(),
        false => format!(", to {}", backends.join(", ")),
    }
}

/// What a server would do.
fn summary(configuration: &Configuration) -> String {
    let front = &configuration.interface;
    let mut text = format!(
        "would serve {} of {front}\n",
        list(&configuration.addresses)
    );
    if let Some(Back {
        interface,
        addresses,
        ..
    }) = &configuration.back
    {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "would reach backends by {interface} too, from {}",
            list(addresses)
        );
    }
    for listener in &configuration.listeners {
        let service = Option::<Service>::from(listener.service).map_or("proxy", Service::name);
        let place = listener.place();
        let place = place.as_ref().map_or_else(String::new, ToString::to_string);
        let _ = writeln!(
            text,
            "would serve {service} at {place}{}",
            to(configuration, listener)
        );
    }
    if configuration.listeners.is_empty() {
        text.push_str("would listen nowhere: there is no [[listener]]\n");
    }
    text
}

/// What keeps a server from it on this machine; the file may be for another.
fn obstacles(configuration: &Configuration) -> Result<Vec<String>, Failure> {
    let options = configuration.options();
    let rehearsed = block_on(async { Ok::<_, Failure>(rehearse(&options).await) })?;
    let metrics = configuration.metrics.and_then(|address| {
        let error = TcpListener::bind(address).err()?;
        // A server that runs has it.
        let is_taken = error.kind() == ErrorKind::AddrInUse;
        (!is_taken).then(|| format!("metrics at {address}: {error}"))
    });
    let log = configuration.access_log.as_ref().and_then(|file| {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let missing = folder.filter(|folder| !folder.is_dir())?;
        Some(format!(
            "access_log: there is no folder {}",
            missing.display()
        ))
    });
    let rehearsed = rehearsed.err().map(|error| error.to_string());
    Ok([rehearsed, metrics, log].into_iter().flatten().collect())
}

fn list(addresses: &[IpAddr]) -> String {
    let named: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    match named.is_empty() {
        true => "all addresses".to_owned(),
        false => named.join(", "),
    }
}
