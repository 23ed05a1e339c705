//! smoltcp on the same AF_XDP device: a TCP in Rust by other people, made for small machines.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use wirepath::netns::Network;
use wirepath_apps::Service;
use wirepath_device::{Batch, Device as _, Frame as _};
use wirepath_stack::clock::MonotonicClock;
use wirepath_xdp::{XdpDevice, XdpFrame};

use crate::load::Pattern;
use crate::queue::Hold;

/// Bytes of each buffer of a connection: as much as windows without a scale offer.
const BUFFER: usize = 65_535;
const BATCH: usize = 64;
const LINK_HEADER: usize = 14;
const PREFIX: u8 = 24;

/// The device, shared by the tokens of a packet that comes and of its answer.
struct Queue {
    device: RefCell<XdpDevice>,
    received: Batch<XdpFrame>,
    waiting: Vec<XdpFrame>,
}

struct Receive<'a>(&'a RefCell<XdpDevice>, XdpFrame);
struct Send<'a>(&'a RefCell<XdpDevice>);

impl RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        let Self(device, frame) = self;
        let result = read(frame.bytes());
        device.borrow_mut().release(frame);
        result
    }
}

impl TxToken for Send<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut device = self.0.borrow_mut();
        let Some(mut frame) = device.allocate() else {
            // As a wire that loses it.
            return write(&mut vec![0; len]);
        };
        let result = write(&mut frame.buffer()[..len]);
        frame.set_len(len);
        if let Err(full) = device.transmit(frame) {
            device.release(full.0);
        }
        result
    }
}

impl Device for Queue {
    type RxToken<'a> = Receive<'a>;
    type TxToken<'a> = Send<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Receive<'_>, Send<'_>)> {
        if self.waiting.is_empty() {
            self.device.get_mut().receive(&mut self.received);
            self.waiting.extend(self.received.drain());
            self.waiting.reverse();
        }
        let frame = self.waiting.pop()?;
        Some((Receive(&self.device, frame), Send(&self.device)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Send<'_>> {
        Some(Send(&self.device))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        let mtu = self.device.borrow().capabilities().mtu;
        capabilities.max_transmission_unit = mtu + LINK_HEADER;
        capabilities.max_burst_size = Some(BATCH);
        capabilities
    }
}

/// A host with sockets that all serve the same.
pub(super) struct SmolServer {
    queue: Queue,
    interface: Interface,
    sockets: SocketSet<'static>,
    handles: Vec<(SocketHandle, u64)>,
    service: Service,
    port: u16,
    clock: MonotonicClock,
    // Goes after the device.
    _hold: Hold,
}

impl SmolServer {
    /// A host at `endpoint`, on the server's queue.
    pub(super) fn new(
        (device, hold): (XdpDevice, Hold),
        endpoint: SocketAddr,
        (service, sockets): (Service, usize),
    ) -> Self {
        let mut queue = Queue {
            device: RefCell::new(device),
            received: Batch::with_capacity(BATCH),
            waiting: Vec::with_capacity(BATCH),
        };
        let clock = MonotonicClock::start();
        let mac = HardwareAddress::Ethernet(EthernetAddress(Network::SERVER_MAC));
        let mut interface = Interface::new(Config::new(mac), &mut queue, now(clock));
        interface.update_ip_addrs(|addresses| {
            // Of a new interface there is room for it.
            let _ = addresses.push(cidr(endpoint.ip()));
        });
        let mut server = Self {
            queue,
            interface,
            sockets: SocketSet::new(Vec::new()),
            handles: Vec::new(),
            service,
            port: endpoint.port(),
            clock,
            _hold: hold,
        };
        for _ in 0..sockets {
            let buffer = || SocketBuffer::new(vec![0; BUFFER]);
            let mut socket = Socket::new(buffer(), buffer());
            socket.set_nagle_enabled(false);
            let handle = server.sockets.add(socket);
            server.handles.push((handle, 0));
        }
        server
    }

    /// Serves, never asleep, until it is told to end.
    pub(super) fn run(&mut self, ends: &AtomicBool) -> anyhow::Result<()> {
        while !ends.load(Ordering::Relaxed) {
            let now = now(self.clock);
            self.interface.poll(now, &mut self.queue, &mut self.sockets);
            for (handle, sent) in &mut self.handles {
                let socket = self.sockets.get_mut::<Socket<'_>>(*handle);
                if !socket.is_open() {
                    *sent = 0;
                    // Refused only while it is open.
                    let _ = socket.listen(self.port);
                }
                serve(socket, self.service, sent);
            }
            self.interface.poll(now, &mut self.queue, &mut self.sockets);
            self.queue.device.get_mut().flush()?;
        }
        Ok(())
    }
}

fn serve(socket: &mut Socket<'_>, service: Service, sent: &mut u64) {
    match service {
        Service::Echo => {
            while socket.can_recv() && socket.can_send() {
                let room = socket.send_capacity() - socket.send_queue();
                let mut piece = [0; 4_096];
                let most = room.min(piece.len());
                let len = socket.recv_slice(&mut piece[..most]).unwrap_or(0);
                let _ = socket.send_slice(&piece[..len]);
            }
        }
        Service::Discard => {
            while socket.can_recv() {
                let _ = socket.recv(|text| (text.len(), ()));
            }
        }
        Service::Chargen => {
            while socket.can_send() {
                let text = Pattern::characters().from(*sent, u64::MAX);
                *sent += socket.send_slice(text).unwrap_or(0) as u64;
            }
        }
    }
    if !socket.may_recv() && socket.may_send() {
        socket.close();
    }
}

fn cidr(address: IpAddr) -> IpCidr {
    IpCidr::new(IpAddress::from(address), PREFIX)
}

fn now(clock: MonotonicClock) -> Instant {
    Instant::from_micros((clock.now().as_nanos() / 1_000).cast_signed())
}
