//! `wirepath reload`: has a running server read its file again.

use std::path::PathBuf;

use anyhow::{Context, anyhow};

use super::Failure;
use crate::api::{Client, running_servers};

/// What `reload` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The control socket of the server [default: that of the only server in /run/wirepath].
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Only say what would change.
    #[arg(short = 'n', long)]
    preview: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = Client::new(&socket(args)?);
    print!("{}", tokio.block_on(client.reload(args.preview))?);
    Ok(())
}

fn socket(args: &Args) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.control {
        return Ok(path.clone());
    }
    let mut running = running_servers().context("cannot look for servers in /run/wirepath")?;
    match running.len() {
        1 => Ok(running.remove(0)),
        0 => Err(
            anyhow!("no server is running; one with --control elsewhere is not looked for").into(),
        ),
        count => Err(Failure::Usage(anyhow!(
            "{count} servers are running: say with --control which to reload, such as {}",
            running[0].display()
        ))),
    }
}
