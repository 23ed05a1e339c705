//! `wirepath reload`: has a running server read its file again.

use super::Failure;
use super::servers::{Where, block_on};

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
    print!("{}", block_on(client.reload(args.preview))?);
    Ok(())
}
