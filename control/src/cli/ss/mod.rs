//! `wirepath ss`.

mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::servers::{Where, block_on, print, print_listing};
use super::{Failure, listen};
use crate::api::{Client, Filter, Flow, FlowPage};
use table::Table;

/// Flows asked for at a time.
const PAGE: usize = 2_000;

/// What `ss` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    servers: Where,
    /// What is known of each connection: congestion, round-trip times, bytes, losses, rates.
    #[arg(short, long)]
    info: bool,
    /// The timer that fires next: (NAME,IN,RETRIES).
    #[arg(short, long, visible_short_alias = 'o')]
    timers: bool,
    /// How many connections are in each state.
    #[arg(short, long, conflicts_with_all = ["info", "timers", "listening"])]
    summary: bool,
    /// Who listens, instead of connections.
    #[arg(short, long, conflicts_with_all = ["info", "timers", "filter"])]
    listening: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// As in ss(8): [state NAME | exclude NAME]... [EXPRESSION], of src, dst, sport, dport, and,
    /// or, not, ( ). For example: state established dst 10.0.0.0/8 and not sport = :7
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let filter = args.filter.join(" ");
    let wrong = |error| Failure::Usage(anyhow::Error::from(error).context("the filter is wrong"));
    filter.parse::<Filter>().map_err(wrong)?;
    block_on(async {
        if args.summary {
            summary(args).await
        } else if args.listening {
            listen::list(&args.servers, args.json).await
        } else {
            flows(args, &filter).await
        }
    })
}

/// Prints page after page, as they come: there may be very many.
async fn flows(args: &Args, filter: &str) -> anyhow::Result<()> {
    let mut printer = if args.json {
        Printer::Json { first: true }
    } else {
        Printer::Table(Table::new(args.info, args.timers))
    };
    for (_, client) in args.servers.all()? {
        let mut after = None;
        loop {
            let FlowPage { flows, next } = page(&client, filter, after.as_deref()).await?;
            let text = printer.page(&flows)?;
            if !print(&text)? {
                return Ok(());
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    print(printer.end())?;
    Ok(())
}

async fn page(client: &Client, filter: &str, after: Option<&str>) -> anyhow::Result<FlowPage> {
    client.flow_page(filter, after, Some(PAGE)).await
}

enum Printer {
    Table(Table),
    Json { first: bool },
}

impl Printer {
    fn page(&mut self, flows: &[Flow]) -> anyhow::Result<String> {
        let first = match self {
            Self::Table(table) => return Ok(table.page(flows)),
            Self::Json { first } => first,
        };
        let mut text = String::new();
        for flow in flows {
            text.push_str(if std::mem::take(first) { "[\n" } else { ",\n" });
            text.push_str(&serde_json::to_string(flow)?);
        }
        Ok(text)
    }

    const fn end(&self) -> &'static str {
        match self {
            Self::Table(_) => "",
            Self::Json { first: true } => "[]\n",
            Self::Json { first: false } => "\n]\n",
        }
    }
}

async fn summary(args: &Args) -> anyhow::Result<()> {
    let mut states = BTreeMap::<String, u64>::new();
    for (_, client) in args.servers.all()? {
        for (state, count) in client.summary().await? {
            *states.entry(state).or_default() += count;
        }
    }
    print_listing(&states, args.json, |states| {
        let mut text = format!("Total: {}\n\n", states.values().sum::<u64>());
        for state in wirepath_tcp::state::State::ALL {
            let count = states.get(state.name()).copied().unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{state:<12} {count:>9}");
        }
        text
    })
}
