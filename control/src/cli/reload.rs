//! `wirepath reload`: has a running server read its file again.

use super::Failure;
use super::servers::{Where, block_on, print};

/// What `reload` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: Where,
    /// Only say what would change.
    #[arg(short = 'n', long)]
    preview: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (_, client) = args.at.one()?;
    let diff = block_on(client.reload(args.preview))?;
    print(&diff.to_string())?;
    Ok(())
}
