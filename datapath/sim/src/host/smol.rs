//! A host that runs smoltcp: a TCP by other people, to be understood by.

use std::collections::VecDeque;

use smoltcp::iface::{Config as InterfaceConfig, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration as SmolDuration, Instant as SmolInstant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use wirepath_tcp::time::Instant;

use super::{Host, HostConfig, ends_of, mac};
use crate::end::{End, Ending, Pipe};
use crate::node::WireFrame;
use crate::plan::{ConnectionPlan, Side};

/// Rounds in a row without time passing, after which it is said to spin.
const MOST_ROUNDS: usize = 10_000;
/// Bytes read at a time.
const READ: usize = 8192;
/// Bytes of the Ethernet header.
const LINK_HEADER: usize = 14;

#[derive(Default)]
struct SmolDevice {
    mtu: usize,
    received: VecDeque<WireFrame>,
    sent: VecDeque<WireFrame>,
}

struct Receive(WireFrame);
struct Send<'a>(&'a mut VecDeque<WireFrame>);

impl smoltcp::phy::RxToken for Receive {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl smoltcp::phy::TxToken for Send<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl smoltcp::phy::Device for SmolDevice {
    type RxToken<'a> = Receive;
    type TxToken<'a> = Send<'a>;

    fn receive(&mut self, _now: SmolInstant) -> Option<(Receive, Send<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Receive(frame), Send(&mut self.sent)))
    }

    fn transmit(&mut self, _now: SmolInstant) -> Option<Send<'_>> {
        Some(Send(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + LINK_HEADER;
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities
    }
}

struct SmolPipe<'a, 'b>(&'a mut tcp::Socket<'b>);

impl Pipe for SmolPipe<'_, '_> {
    fn send(&mut self, text: &[u8]) -> usize {
        self.0.send_slice(text).unwrap_or(0)
    }

    fn shutdown(&mut self) {
        self.0.close();
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn abort(&mut self) {
        self.0.abort();
    }
}

/// A socket and whose it is.
struct Slot {
    handle: SocketHandle,
    end: usize,
    /// When to connect; `None` once it was done, and for servers.
    connect_at: Option<Instant>,
    told_open: bool,
    told_peer_closed: bool,
}

/// A smoltcp interface with its sockets.
pub struct SmolHost {
    config: HostConfig,
    device: SmolDevice,
    interface: Interface,
    sockets: SocketSet<'static>,
    slots: Vec<Slot>,
    ends: Vec<End>,
    wakeup: Option<Instant>,
}

impl SmolHost {
    /// A host at `config.side` of the connections of `plans`.
    #[must_use]
    pub fn new(config: HostConfig, plans: &[ConnectionPlan]) -> Self {
        let mut device = SmolDevice {
            mtu: config.device.mtu,
            ..SmolDevice::default()
        };
        let hardware = HardwareAddress::Ethernet(EthernetAddress(mac(config.side).0));
        let mut interface_config = InterfaceConfig::new(hardware);
        interface_config.random_seed = config.seed;
        let mut interface = Interface::new(interface_config, &mut device, SmolInstant::ZERO);
        let address = IpAddress::from(config.tuple(0).local.address);
        let prefix = if config.ipv6 { 64 } else { 24 };
        interface.update_ip_addrs(|addresses| {
            // The interface is new and has room for one.
            let _ = addresses.push(IpCidr::new(address, prefix));
        });
        let mut host = Self {
            ends: ends_of(plans, config.side),
            sockets: SocketSet::new(Vec::new()),
            slots: Vec::new(),
            wakeup: None,
            config,
            device,
            interface,
        };
        host.add_sockets(plans);
        host
    }

    fn add_sockets(&mut self, plans: &[ConnectionPlan]) {
        let is_client = self.config.side == Side::Client;
        for (number, plan) in plans.iter().enumerate() {
            let tcp = &self.config.tcp;
            let buffer = |len: u32| tcp::SocketBuffer::new(vec![0; len as usize]);
            let mut socket = tcp::Socket::new(buffer(tcp.receive_buffer), buffer(tcp.send_buffer));
            // A window update that was lost may leave it without any timer but this.
            socket.set_keep_alive(Some(SmolDuration::from_secs(10)));
            if plan.aborts() {
                // Else who waits for a peer that is gone waits for ever.
                socket.set_timeout(Some(SmolDuration::from_secs(120)));
            }
            if !is_client {
                let listening = socket.listen(self.config.tuple(number).local.port);
                debug_assert_eq!(listening, Ok(()));
            }
            self.slots.push(Slot {
                handle: self.sockets.add(socket),
                end: number,
                connect_at: is_client.then_some(plan.start),
                told_open: false,
                told_peer_closed: false,
            });
        }
    }

    fn connect_due(&mut self, now: Instant) -> Result<(), String> {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.connect_at.take_if(|at| *at <= now).is_none() {
                continue;
            }
            let tuple = self.config.tuple(number);
            let remote = (IpAddress::from(tuple.remote.address), tuple.remote.port);
            let socket = self.sockets.get_mut::<tcp::Socket>(slot.handle);
            socket.set_nagle_enabled(self.ends[number].nagle());
            socket
                .connect(self.interface.context(), remote, tuple.local.port)
                .map_err(|error| format!("connection {number}: {error}"))?;
        }
        Ok(())
    }

    /// Lets every end do its part; whether anything moved.
    fn serve(&mut self, now: Instant) -> bool {
        let steps = |ends: &[End]| ends.iter().map(End::steps).sum::<u64>();
        let before = steps(&self.ends);
        for slot in &mut self.slots {
            let socket = self.sockets.get_mut::<tcp::Socket>(slot.handle);
            slot.serve(now, socket, &mut self.ends);
        }
        steps(&self.ends) != before
    }
}

impl Slot {
    fn serve(&mut self, now: Instant, socket: &mut tcp::Socket<'_>, ends: &mut [End]) {
        use tcp::State;
        let state = socket.state();
        if self.connect_at.is_some() || matches!(state, State::Listen | State::SynSent) {
            return;
        }
        let end = &mut ends[self.end];
        if end.is_over() || state == State::SynReceived {
            return;
        }
        if !self.told_open && state != State::Closed {
            self.told_open = true;
            socket.set_nagle_enabled(end.nagle());
            end.on_open();
        }
        if matches!(state, State::TimeWait | State::Closing | State::LastAck) {
            // It forgets what is unread when the connection ends.
            end.hurry();
        }
        read_all(now, socket, end);
        let ends_after_fin = matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
        let finished =
            ends_after_fin || socket.recv_slice(&mut []) == Err(tcp::RecvError::Finished);
        if !self.told_peer_closed && socket.recv_queue() == 0 && finished {
            self.told_peer_closed = true;
            end.on_peer_closed();
        }
        end.pump(&mut SmolPipe(socket));
        let ended = matches!(socket.state(), State::Closed | State::TimeWait);
        if ended && socket.recv_queue() == 0 {
            let graceful = self.told_peer_closed && end.has_shut();
            end.on_closed(if graceful {
                Ending::Finished
            } else {
                Ending::Reset
            });
        }
    }
}

fn read_all(now: Instant, socket: &mut tcp::Socket<'_>, end: &mut End) {
    loop {
        let mut scratch = [0; READ];
        let Ok(text) = socket.peek(READ) else { return };
        let len = text.len();
        scratch[..len].copy_from_slice(text);
        if len == 0 {
            return;
        }
        let used = end.take(now, &scratch[..len], &mut SmolPipe(socket));
        let dropped = socket.recv(|_| (used, ()));
        if used == 0 || dropped.is_err() {
            return;
        }
    }
}

fn smol_now(now: Instant) -> SmolInstant {
    SmolInstant::from_micros((now.as_nanos() / 1_000).cast_signed())
}

impl Host for SmolHost {
    fn deliver(&mut self, frame: &[u8]) {
        self.device.received.push_back(frame.to_vec());
    }

    fn run(&mut self, now: Instant, wire: &mut dyn FnMut(WireFrame)) -> Result<(), String> {
        self.connect_due(now)?;
        for end in &mut self.ends {
            end.resume(now);
        }
        let time = smol_now(now);
        for _ in 0..MOST_ROUNDS {
            let polled = self
                .interface
                .poll(time, &mut self.device, &mut self.sockets);
            let sent = !self.device.sent.is_empty();
            self.device.sent.drain(..).for_each(&mut *wire);
            let moved = self.serve(now);
            if !moved && !sent && polled == PollResult::None {
                let at = self.interface.poll_at(time, &self.sockets);
                // Its clock counts microseconds: what is due within this one is due in the next.
                let micros = at.map(|at| at.total_micros().max(time.total_micros() + 1));
                self.wakeup =
                    micros.map(|micros| Instant::from_nanos(micros.cast_unsigned() * 1_000));
                return Ok(());
            }
        }
        Err("smoltcp spins".to_owned())
    }

    fn next_wakeup(&self) -> Option<Instant> {
        let connect = self.slots.iter().filter_map(|slot| slot.connect_at).min();
        let resumes = self.ends.iter().filter_map(End::resumes).min();
        [self.wakeup, connect, resumes].into_iter().flatten().min()
    }

    fn ends(&self) -> &[End] {
        &self.ends
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| {
            let state = self.sockets.get::<tcp::Socket>(slot.handle).state();
            slot.connect_at.is_none() && matches!(state, tcp::State::Closed | tcp::State::Listen)
        })
    }

    fn check_empty(&self) -> Result<(), String> {
        Ok(())
    }

    fn retransmissions(&self) -> u64 {
        0
    }

    fn describe(&self) -> Vec<String> {
        let sockets = self.slots.iter().map(|slot| {
            let socket = self.sockets.get::<tcp::Socket>(slot.handle);
            let (state, end) = (socket.state(), slot.end);
            let (sends, receives) = (socket.send_queue(), socket.recv_queue());
            format!("{end}: {state}, send {sends}, receive {receives}")
        });
        sockets.collect()
    }
}
