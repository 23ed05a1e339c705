//! Reflecting between two machines, over their network cards.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use wirepath::runtime::{self, HostFacts};
use wirepath_stack::clock::MonotonicClock;
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::ip;
use wirepath_xdp::Interface;

use super::end::End;
use super::ping::Way;
use super::{Args, Reflection, pinger, reflector};
use crate::cli::BadArguments;
use crate::queue;

/// Which end of a link between two machines this is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Card {
    /// A network card, instead of a veth pair of its own with both ends here.
    #[arg(short, long, requires = "address")]
    interface: Option<String>,
    /// An IPv4 address for this end that no kernel has.
    #[arg(long, requires = "interface")]
    address: Option<Ipv4Addr>,
    /// Reflect what comes to --address on these queues until interrupted.
    #[arg(long, requires = "interface", conflicts_with = "to")]
    serve: bool,
    /// The address of the reflector at the other end.
    #[arg(long, value_name = "ADDRESS", requires_all = ["interface", "to_mac"])]
    to: Option<Ipv4Addr>,
    /// The link-layer address of the reflector, or of the router on the way.
    #[arg(long, value_name = "MAC", value_parser = parse_mac, requires = "to")]
    to_mac: Option<MacAddr>,
}

impl Card {
    pub(super) fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }
}

/// Whoever ends a reflector is content with what it did.
fn end_at_a_signal(ends: Arc<AtomicBool>) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = tokio.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    std::thread::spawn(move || {
        tokio.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        ends.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Serves or measures, and answers what there is to print.
///
/// # Errors
/// Not root, the interface is in use, or nothing comes back.
pub(super) fn run(args: &Args, interface: &str) -> anyhow::Result<String> {
    let here = args.card.address.context("--address is wanted")?;
    let found = Interface::find(interface)?;
    let queues = args.queues(found.queues());
    let facts = look(&found)?;
    if !ip::is_unicast(here.into()) || facts.addresses.contains(&here.into()) {
        bail!(BadArguments(
            "--address must be one that no kernel has, of a single host"
        ));
    }
    if args.card.serve {
        let (devices, hold) = queue::open(interface, &queues, &[here.into()])?;
        eprintln!(
            "reflecting at {here} on {interface} in {} mode; Ctrl-C ends it",
            hold.mode()
        );
        let all = devices.into_iter().map(End::new).collect();
        let ends = Arc::new(AtomicBool::new(false));
        end_at_a_signal(Arc::clone(&ends))?;
        reflector::reflect(all, None, (args.idle, &ends))?;
        return Ok(String::new());
    }
    let (Some(to), Some(to_mac)) = (args.card.to, args.card.to_mac) else {
        bail!(BadArguments("--serve is wanted, or --to with --to-mac"));
    };
    let way = Way {
        macs: [
            facts
                .mac
                .with_context(|| format!("{interface} is no Ethernet"))?,
            to_mac,
        ],
        addresses: [here, to],
        port: 0,
    };
    args.table(&queues, |queue, pings| -> anyhow::Result<Reflection> {
        let (device, hold) = queue::open_one(interface, queue, &[here.into()])?;
        let mut end = End::new(device);
        let clock = MonotonicClock::start();
        let port = pinger::find_home(&mut end, &way, clock);
        let port = port.with_context(|| format!("queue {queue} of {interface}"))?;
        pinger::ping((end, hold.mode()), (&Way { port, ..way }, pings), clock)
    })
}

fn look(interface: &Interface) -> anyhow::Result<HostFacts> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(tokio.block_on(runtime::look(interface))?)
}

fn parse_mac(text: &str) -> Result<MacAddr, String> {
    let bytes: Option<Vec<u8>> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(MacAddr)
        .ok_or_else(|| "six bytes are wanted, as 02:00:00:00:00:01".to_owned())
}
