//! Reflecting between two machines, over their network cards.

use std::net::Ipv4Addr;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use wirepath::runtime;
use wirepath_stack::clock::MonotonicClock;
use wirepath_wire::ethernet::MacAddr;
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

/// Serves or measures, and answers what there is to print.
///
/// # Errors
/// Not root, the interface is in use, or nothing comes back.
pub(super) fn run(args: &Args, interface: &str) -> anyhow::Result<String> {
    let here = args.card.address.context("--address is wanted")?;
    let queues = args.queues(Interface::find(interface)?.queues());
    let open = |queues: &[u32]| queue::open(interface, queues, &[here.into()]);
    if args.card.serve {
        let (devices, hold) = open(&queues)?;
        eprintln!(
            "reflecting at {here} on {interface} in {} mode; Ctrl-C ends it",
            hold.mode()
        );
        let all = devices.into_iter().map(End::new).collect();
        reflector::reflect(all, None, (args.idle, &AtomicBool::new(false)))?;
        return Ok(String::new());
    }
    let (Some(to), Some(to_mac)) = (args.card.to, args.card.to_mac) else {
        bail!(BadArguments("--serve is wanted, or --to with --to-mac"));
    };
    let way = Way {
        macs: [mac_of(interface)?, to_mac],
        addresses: [here, to],
        port: 0,
    };
    args.table(&queues, |queue, pings| -> anyhow::Result<Reflection> {
        let (mut devices, _hold) = open(&[queue])?;
        let mut end = End::new(devices.pop().context("one queue was asked for")?);
        let clock = MonotonicClock::start();
        let port = pinger::find_home(&mut end, &way, clock);
        let port = port.with_context(|| format!("queue {queue} of {interface}"))?;
        pinger::ping(end, (&Way { port, ..way }, pings), clock)
    })
}

fn mac_of(interface: &str) -> anyhow::Result<MacAddr> {
    let found = Interface::find(interface)?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mac = tokio.block_on(runtime::look(&found))?.mac;
    mac.with_context(|| format!("{interface} has no Ethernet address"))
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
