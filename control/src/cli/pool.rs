//! `wirepath pool`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::servers::{Where, block_on, print_listing};
use super::{Failure, parse_endpoint, stats};
use crate::api::BackendChange;
use crate::config::AdminChoice;

/// What `pool` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    servers: Where,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, clap::Subcommand)]
enum Change {
    /// Say what a backend may be given, until the file says otherwise than now.
    Set {
        /// The name of the pool.
        pool: String,
        /// The backend, as 192.0.2.10:80 or [2001:db8::1]:80.
        #[arg(value_parser = parse_endpoint)]
        backend: SocketAddr,
        /// Connections, or no more of them; those of one that is disabled are reset.
        #[arg(value_enum)]
        state: AdminChoice,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    block_on(async {
        let Some(Change::Set {
            pool,
            backend,
            state,
        }) = &args.change
        else {
            return Ok(list(args).await?);
        };
        let (_, client) = args.servers.one()?;
        let change = BackendChange {
            pool: pool.clone(),
            address: *backend,
            state: *state,
        };
        client.change_backend(&change).await?;
        Ok::<_, Failure>(())
    })
}

async fn list(args: &Args) -> anyhow::Result<()> {
    let mut all = BTreeMap::new();
    for (_, client) in args.servers.all()? {
        all.extend(client.pools().await?);
    }
    print_listing(&all, args.json, |all| {
        let mut text = String::new();
        stats::pools(&mut text, all);
        text.trim_start().to_owned()
    })
}
