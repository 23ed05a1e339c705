//! `wirepath ss`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, anyhow};

use super::Failure;
use crate::api::{Client, Details, Flow, running_servers};

/// What `ss` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The control socket of the server to ask [default: all servers in /run/wirepath].
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// One line for each connection, without what -i adds.
    #[arg(short, long)]
    brief: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let flows = tokio.block_on(ask(args))?;
    let text = if args.json {
        json(&flows)?
    } else {
        table(&flows, args.brief)
    };
    // Whoever reads may have seen enough.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

async fn ask(args: &Args) -> anyhow::Result<Vec<Flow>> {
    let sockets = match &args.control {
        Some(path) => vec![path.clone()],
        None => running_servers().context("cannot look for servers in /run/wirepath")?,
    };
    if sockets.is_empty() {
        return Err(anyhow!(
            "no server is running; one with --control elsewhere is not looked for"
        ));
    }
    let mut flows = Vec::new();
    for socket in sockets {
        flows.extend(Client::new(&socket).flows().await?);
    }
    Ok(flows)
}

fn json(flows: &[Flow]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(flows)? + "\n")
}

/// As `ss -tin` shows it.
fn table(flows: &[Flow], brief: bool) -> String {
    let width = |end: fn(&Flow) -> String| flows.iter().map(|f| end(f).len()).max().unwrap_or(0);
    let local = width(|flow| flow.local.to_string()).max("Local Address:Port".len());
    let remote = width(|flow| flow.remote.to_string()).max("Peer Address:Port".len());
    let mut text = format!(
        "{:<12} {:>7} {:>7} {:<local$} {:<remote$}\n",
        "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port"
    );
    for flow in flows {
        let Flow {
            state,
            recv_queue,
            send_queue,
            ..
        } = flow;
        let (here, there) = (flow.local.to_string(), flow.remote.to_string());
        let line =
            format!("{state:<12} {recv_queue:>7} {send_queue:>7} {here:<local$} {there:<remote$}");
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(details) = flow.details.as_ref().filter(|_| !brief) {
            text.push_str(&line_of(details));
        }
    }
    text
}

fn line_of(details: &Details) -> String {
    let millis = |micros: u32| f64::from(micros) / 1_000.0;
    let (snd, rcv) = details.window_scale;
    let mut line = String::from("\t");
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{}{}{} wscale:{snd},{rcv} rto:{} rtt:{:.3}/{:.3}",
        details.congestion,
        if details.timestamps { " ts" } else { "" },
        if details.sack { " sack" } else { "" },
        millis(details.rto_us),
        millis(details.srtt_us),
        millis(details.rttvar_us),
    );
    if let Some(min_rtt) = details.min_rtt_us {
        let _ = write!(line, " minrtt:{:.3}", millis(min_rtt));
    }
    let _ = write!(line, " mss:{} cwnd:{}", details.smss, details.cwnd);
    if let Some(ssthresh) = details.ssthresh {
        let _ = write!(line, " ssthresh:{ssthresh}");
    }
    let _ = writeln!(
        line,
        " snd_wnd:{} rcv_wnd:{} bytes_acked:{} bytes_received:{} segs_out:{} segs_in:{} \
         retrans:{} {}",
        details.snd_wnd,
        details.rcv_wnd,
        details.bytes_acked,
        details.bytes_received,
        details.segments_out,
        details.segments_in,
        details.retransmissions,
        details.recovery,
    );
    line
}
