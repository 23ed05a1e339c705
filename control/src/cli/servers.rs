//! Which running servers a command asks, and how its answer is printed.

use std::future::Future;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use super::Failure;
use crate::api::{Client, running_servers};

/// Where to ask.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Where {
    /// The control socket of the server to ask [default: those in /run/wirepath].
    #[arg(long, value_name = "PATH", global = true)]
    control: Option<PathBuf>,
}

impl Where {
    /// The servers to ask, at least one, each with a name for people.
    pub(super) fn all(&self) -> anyhow::Result<Vec<(String, Client)>> {
        let sockets = match &self.control {
            Some(path) => vec![path.clone()],
            None => running_servers().context("cannot look for servers in /run/wirepath")?,
        };
        if sockets.is_empty() {
            bail!("no server is running; one with --control elsewhere is not looked for");
        }
        let named = |path: PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            (name.into_owned(), Client::new(&path))
        };
        Ok(sockets.into_iter().map(named).collect())
    }

    /// The one server to ask, and its name.
    pub(super) fn one(&self) -> Result<(String, Client), Failure> {
        let mut servers = self.all()?;
        if servers.len() == 1 {
            return Ok(servers.remove(0));
        }
        let paths = running_servers()?;
        let paths: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Err(Failure::Usage(anyhow!(
            "{} servers are running; name one with --control: {}",
            servers.len(),
            paths.join(", ")
        )))
    }
}

/// Runs a command that asks servers.
pub(super) fn block_on<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(tokio.block_on(work)?)
}

/// Prints what servers have said: as JSON, or as people read it.
pub(super) fn print_listing<T: Serialize>(
    all: &T,
    json: bool,
    table: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string_pretty(all)? + "\n"
    } else {
        table(all)
    };
    print(&text)?;
    Ok(())
}

/// Prints; whether anybody still reads. Whoever reads may have seen enough.
pub(super) fn print(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}
