//! `wirepath check`.

use super::Failure;

/// What `check` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface to look at.
    interface: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let _ = args;
    Ok(())
}
