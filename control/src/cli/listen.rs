//! `wirepath listen`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::servers::{Where, block_on, print_listing};
use super::{Failure, parse_endpoint};
use crate::api::{Listener, NewListener};

/// What `listen` can be told.
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
    /// Have a service wait at an endpoint of the server.
    Add {
        /// As 192.0.2.1:7 or [2001:db8::1]:7.
        #[arg(value_parser = parse_endpoint)]
        endpoint: SocketAddr,
        /// What is to answer there: echo, discard, chargen or proxy.
        service: String,
        /// The pool that proxy passes connections on to.
        pool: Option<String>,
    },
    /// Have nobody wait there any more; connections go on until they end.
    Remove {
        /// As `add` has it.
        #[arg(value_parser = parse_endpoint)]
        endpoint: SocketAddr,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    block_on(async {
        match &args.change {
            None => list(&args.servers, args.json).await?,
            Some(Change::Add {
                endpoint,
                service,
                pool,
            }) => {
                let (_, client) = args.servers.one()?;
                let new = NewListener {
                    endpoint: *endpoint,
                    service: service.clone(),
                    pool: pool.clone(),
                };
                client.listen(&new).await?;
            }
            Some(Change::Remove { endpoint }) => {
                let (_, client) = args.servers.one()?;
                client.unlisten(*endpoint).await?;
            }
        }
        Ok::<_, Failure>(())
    })
}

/// Prints who listens.
pub(super) async fn list(servers: &Where, json: bool) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for (_, client) in servers.all()? {
        all.extend(client.listeners().await?);
    }
    print_listing(&all, json, |all| table(all))
}

/// Listeners in columns.
pub(super) fn table(listeners: &[Listener]) -> String {
    let ends = listeners.iter().map(|l| l.endpoint.to_string().len());
    let width = ends.max().unwrap_or(0).max("Local Address:Port".len());
    let mut text = format!(
        "{:<8} {:<width$} {:<8} {:>8} {:>10} {:>14} {:>14}\n",
        "State", "Local Address:Port", "Service", "Held", "Opened", "Bytes in", "Bytes out"
    );
    for listener in listeners {
        let state = if listener.closing {
            "closing"
        } else {
            "LISTEN"
        };
        let endpoint = listener.endpoint.to_string();
        let Listener {
            service,
            held,
            opened,
            text_in,
            text_out,
            ..
        } = listener;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{state:<8} {endpoint:<width$} {service:<8} {held:>8} {opened:>10} {text_in:>14} \
             {text_out:>14}"
        );
    }
    text
}
