//! The client on our own stack and AF_XDP: one worker with an address of its own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use wirepath_stack::app::{App, Socket};
use wirepath_stack::limits::Capacity;
use wirepath_stack::link::LocalAddress;
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{OpenError, Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_wire::tuple::{Endpoint, Tuple};
use wirepath_xdp::XdpDevice;

use super::Tally;
use super::driver::{Driver, Ended, Next};
use crate::queue::{self, Hold};

/// Its address is its own alone, so nobody else has its ports.
const PORTS: std::ops::RangeInclusive<u16> = 1_024..=65_535;
/// Connections from one address: it has ports for those and for some that are closing.
pub(crate) const CONNECTIONS_PER_ADDRESS: usize = 50_000;
const HOP_LIMIT: u8 = 64;
/// How long the answer to a question for the way to the server may take before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(1);
/// Turns after the end, in which the server hears of it.
const LAST_TURNS: usize = 16;

/// Where the client is.
#[derive(Debug, Clone)]
pub(crate) struct XdpEnd {
    /// The interface, of the calling thread's network namespace, and its MAC address.
    pub(crate) interface: String,
    pub(crate) mac: MacAddr,
    /// Addresses that the kernel does not have, as many as the connections need ports.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where the same worker serves echo as well, for a proxy that has it as its backend: at
    /// another address that the kernel does not have.
    pub(crate) echo: Option<SocketAddr>,
}

/// A client on one queue of an interface.
pub(crate) struct XdpClient {
    worker: Worker<XdpDevice, Client>,
    addresses: Vec<IpAddr>,
    server: Endpoint,
    /// By the number of the connection; that of a new one once it is opened.
    tuples: Vec<Option<Tuple>>,
    next_ask: Instant,
    // Goes after the device.
    _hold: Hold,
}

impl XdpClient {
    /// Takes the first queue of an interface, for a load on `server`.
    ///
    /// # Errors
    /// Not root, or the interface is in use.
    pub(crate) fn open(end: &XdpEnd, server: SocketAddr, driver: Driver) -> anyhow::Result<Self> {
        let mut addresses = end.addresses.clone();
        addresses.extend(end.echo.map(|echo| echo.ip()));
        let (device, hold) = queue::open_one(&end.interface, 0, &addresses)?;
        let connections = driver.connections();
        let mut worker = Worker::new(config(&addresses, connections)?, Client { driver });
        worker.attach(device, end.mac);
        if let Some(echo) = end.echo {
            worker.listen(echo.into(), ListenerId(0), tcp());
        }
        Ok(Self {
            worker,
            addresses: end.addresses.clone(),
            server: server.into(),
            tuples: vec![None; connections],
            next_ask: Instant::ZERO,
            _hold: hold,
        })
    }

    /// Carries the load out.
    ///
    /// # Errors
    /// The load cannot be carried out as it is meant.
    pub(crate) fn drive(mut self) -> anyhow::Result<Tally> {
        loop {
            let now = self.driver().now();
            if self.driver().is_over(now) {
                break;
            }
            self.open_more(now);
            self.ask(now);
            self.worker.turn(now).context("the device failed")?;
        }
        let now = self.driver().now();
        self.worker.abort_all(now);
        for _ in 0..LAST_TURNS {
            let now = self.driver().now();
            self.worker.turn(now).context("the device failed")?;
        }
        self.worker.into_app().driver.finish()
    }

    fn driver(&mut self) -> &mut Driver {
        &mut self.worker.app_mut().driver
    }

    fn open_more(&mut self, now: Instant) {
        if now < self.next_ask {
            return;
        }
        while let Some(connection) = self.driver().next_to_open() {
            let source = self
                .addresses
                .get(connection / CONNECTIONS_PER_ADDRESS)
                .copied();
            let ends = (source, self.server);
            let seat = Seat {
                number: Some(connection),
                closed: false,
            };
            match self.worker.connect(now, ends, tcp(), seat) {
                Ok(tuple) => self.tuples[connection] = Some(tuple),
                Err(OpenError::NeighborUnknown) => {
                    self.next_ask = now + ASK_AGAIN;
                    return self.driver().on_refused(connection);
                }
                Err(error) => return self.driver().fail(error.to_string()),
            }
        }
    }

    /// Sends the requests that are due.
    fn ask(&mut self, now: Instant) {
        if self.driver().take_begin() {
            for connection in 0..self.tuples.len() {
                // Others are left at rest.
                if !self.driver().unsent(connection).is_empty() {
                    self.send(now, connection);
                }
            }
        }
        while let Some(connection) = self.driver().next_due(now) {
            self.send(now, connection);
        }
    }

    fn send(&mut self, now: Instant, connection: usize) {
        let Some(tuple) = self.tuples[connection] else {
            return;
        };
        self.worker.with_socket(now, &tuple, |client, socket, _| {
            client.send(socket, connection);
        });
    }
}

fn config(addresses: &[IpAddr], connections: usize) -> anyhow::Result<WorkerConfig> {
    let mut key = [0; 16];
    rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
    let capacity = Capacity {
        // Those of a proxy to an echo service beside them.
        connections: 2 * connections + 64,
        half_open: connections + 64,
        ..Capacity::default()
    };
    Ok(WorkerConfig {
        capacity,
        secret: Secret::new(key),
        addresses: addresses.iter().copied().map(LocalAddress::owned).collect(),
        checksums: ChecksumPolicy::Whole,
        hop_limit: HOP_LIMIT,
        source_ports: PORTS,
    })
}

fn tcp() -> Config {
    Config {
        nagle: false,
        ..Config::default()
    }
}

/// The number of a connection, as its session, and whether we have closed it. Those that others
/// opened have none, and are served echo.
#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    number: Option<usize>,
    closed: bool,
}

struct Client {
    driver: Driver,
}

impl Client {
    fn send(&mut self, socket: &mut Socket<'_>, connection: usize) {
        loop {
            let text = self.driver.unsent(connection);
            let sent = socket.send(text);
            self.driver.note_sent(connection, sent);
            if sent < text.len() || text.is_empty() {
                return;
            }
        }
    }
}

impl App for Client {
    type Session = Seat;

    fn on_open(&mut self, socket: &mut Socket<'_>, seat: &mut Seat) {
        if let Some(connection) = seat.number {
            self.driver.on_open(connection);
            self.send(socket, connection);
        }
    }

    fn on_text(&mut self, socket: &mut Socket<'_>, seat: &mut Seat, text: &[u8]) -> usize {
        let Some(connection) = seat.number else {
            return socket.send(text);
        };
        match self.driver.on_text(connection, text) {
            Next::Send => self.send(socket, connection),
            Next::Close => {
                seat.closed = true;
                socket.shutdown();
            }
        }
        text.len()
    }

    fn on_writable(&mut self, socket: &mut Socket<'_>, seat: &mut Seat) {
        if let Some(connection) = seat.number {
            self.send(socket, connection);
        }
    }

    fn on_closed(&mut self, _: &mut Socket<'_>, seat: &mut Seat, reason: CloseReason) {
        if let Some(connection) = seat.number {
            let end = match reason {
                CloseReason::Finished if seat.closed => Ended::AsMeant,
                CloseReason::Finished => Ended::ByServer,
                broken => Ended::Broken(broken.name()),
            };
            self.driver.on_closed(connection, end);
        }
    }
}
