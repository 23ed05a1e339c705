//! Hosts at the ends of the link.

mod smol;
mod stack;

pub use smol::SmolHost;
pub use stack::{StackHost, TestApp, TestWorker, Turn};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::end::End;
use crate::node::WireFrame;
use crate::plan::{ConnectionPlan, Side};
use wirepath_device::memory::MemoryDeviceConfig;

/// Where the server listens, or the first such port.
const SERVER_PORT: u16 = 7;
/// The first client port; the others follow by the number of the connection.
const FIRST_PORT: u16 = 40_000;

/// What a host is made with.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Which side this is; one host has all clients, the other all servers.
    pub side: Side,
    /// Whether the addresses are IPv6.
    pub ipv6: bool,
    /// Whether the server listens at a port of its own for each connection: smoltcp has no
    /// listeners but in sockets, and a SYN that comes twice would open two of them.
    pub own_ports: bool,
    /// Whether the peer is smoltcp, whose TIME-WAIT is ten seconds.
    pub peer_forgets: bool,
    /// Settings of its connections.
    pub tcp: Config,
    /// Its device.
    pub device: MemoryDeviceConfig,
    /// Blocks for text in flight.
    pub blocks: usize,
    /// Whether it knows the peer's station from the start. If not, it asks, and answers.
    pub knows_neighbor: bool,
    /// Where its secrets come from.
    pub seed: u64,
}

/// A host in virtual time.
pub trait Host {
    /// A frame has arrived.
    fn deliver(&mut self, frame: &[u8]);

    /// Does all that there is to do at `now`, and hands what it sends to `wire`.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn run(&mut self, now: Instant, wire: &mut dyn FnMut(WireFrame)) -> Result<(), String>;

    /// When it wants to run again, if no frame comes before.
    fn next_wakeup(&self) -> Option<Instant>;

    /// Its ends of the connections.
    fn ends(&self) -> &[End];

    /// What must hold at any time.
    ///
    /// # Errors
    /// What does not, in words.
    fn check(&self) -> Result<(), String>;

    /// Whether every connection is gone.
    fn is_empty(&self) -> bool;

    /// What must hold once every connection is gone.
    ///
    /// # Errors
    /// What does not, in words.
    fn check_empty(&self) -> Result<(), String>;

    /// Segments it sent again, where it counts them.
    fn retransmissions(&self) -> u64;

    /// What it holds, for a report.
    fn describe(&self) -> Vec<String>;
}

/// The ends of all connections at one side.
fn ends_of(plans: &[ConnectionPlan], side: Side) -> Vec<End> {
    let plans = plans.iter().enumerate();
    plans
        .map(|(number, plan)| End::new(number, side, plan))
        .collect()
}

const fn mac(side: Side) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, side as u8 + 1])
}

fn address(side: Side, ipv6: bool) -> IpAddr {
    let number = side as u8 + 1;
    if ipv6 {
        Ipv6Addr::new(0xFD00, 0, 0, 0, 0, 0, 0, u16::from(number)).into()
    } else {
        Ipv4Addr::new(10, 0, 0, number).into()
    }
}

impl HostConfig {
    /// The addresses and ports of a connection, seen from here.
    fn tuple(&self, connection: usize) -> Tuple {
        let number = connection as u16;
        let port = SERVER_PORT + if self.own_ports { number } else { 0 };
        let server = Endpoint::new(address(Side::Server, self.ipv6), port);
        let client = Endpoint::new(address(Side::Client, self.ipv6), FIRST_PORT + number);
        match self.side {
            Side::Client => Tuple {
                local: client,
                remote: server,
            },
            Side::Server => Tuple {
                local: server,
                remote: client,
            },
        }
    }
}

/// The number of the connection whose client has this port.
pub(crate) fn connection_of(client_port: u16) -> usize {
    usize::from(client_port.wrapping_sub(FIRST_PORT))
}
