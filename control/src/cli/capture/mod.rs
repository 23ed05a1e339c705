//! `wirepath capture`.

mod blocks;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::servers::{Where, block_on};
use crate::api::{CaptureQuery, CaptureStream, Client};
use crate::capture::Filter;
use blocks::WholeBlocks;

/// What `capture` can be told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "docs/capture.md documents the filter language, a part of tcpdump's. \
    To watch: wirepath capture -w - port 7 | tshark -r -"
)]
pub(super) struct Args {
    /// The file to write, or - for standard output.
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
    /// Bytes of each frame to keep [default: all].
    #[arg(short, long, value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=65_535))]
    snaplen: Option<u32>,
    /// End after so many frames.
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    seconds: Option<u64>,
    #[command(flatten)]
    at: Where,
    /// Which frames, as: tcp port 7 and host 192.0.2.1 [default: all].
    filter: Vec<String>,
}

/// How long the rest may take after a signal.
const REST: Duration = Duration::from_secs(5);

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let filter = args.filter.join(" ");
    let is_filter = filter.parse::<Filter>();
    is_filter.map_err(|error| Failure::Usage(error.into()))?;
    let query = CaptureQuery {
        filter,
        snaplen: args.snaplen,
        count: args.count,
        seconds: args.seconds,
    };
    let (_, client) = args.at.one()?;
    block_on(capture(args, &client, &query))
}

async fn capture(args: &Args, client: &Client, query: &CaptureQuery) -> anyhow::Result<()> {
    // Before the file, which must get its last block.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stream = client.capture(query).await?;
    let mut copy = Copy {
        stream,
        blocks: WholeBlocks::default(),
        to: open(&args.write)?,
    };
    let name = args.write.display();
    eprintln!("capturing to {name}; Ctrl-C ends it");
    let ended = tokio::select! {
        done = copy.run() => Some(done),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    let done = match ended {
        Some(done) => done,
        None => copy.end().await,
    };
    let WholeBlocks { frames, lost, .. } = copy.blocks;
    eprintln!("{frames} frames captured, {lost} lost for want of room");
    done.with_context(|| format!("the capture to {name} ended early, at a whole block"))
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(file))
}

struct Copy {
    stream: CaptureStream,
    blocks: WholeBlocks,
    to: Box<dyn Write>,
}

impl Copy {
    /// Copies whole blocks until the server ends the capture, or whoever reads has seen enough.
    async fn run(&mut self) -> anyhow::Result<()> {
        while let Some(bytes) = self.stream.next().await? {
            let (begun, rest) = self.blocks.whole(&bytes);
            let written = self.to.write_all(&begun);
            let written = written.and_then(|()| self.to.write_all(rest));
            let written = written.and_then(|()| self.to.flush());
            match written {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
        }
        Ok(())
    }

    /// Has the server end it, and copies what is left.
    async fn end(&mut self) -> anyhow::Result<()> {
        self.stream.end().await?;
        let rest = tokio::time::timeout(REST, self.run()).await;
        rest.unwrap_or_else(|_| bail!("the server has not ended the capture for {REST:?}"))
    }
}
