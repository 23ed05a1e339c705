//! Linux as a victim: kernel sockets in a network namespace, behind a TUN device whose other end
//! is the peer.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};
use smoltcp::phy::{self, Device as _, Medium, RxToken as _, TunTapInterface, TxToken as _};
use smoltcp::time::{Duration, Instant};
use wirepath::netns::Namespace;
use wirepath_tcp::state::State;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Ports, UnscaledWindow};
use wirepath_wire::tuple::Tuple;

use super::segment::{PEER, Segment, VICTIM, packet, parse};
use super::victim::{OPEN_PORT, Victim};

const INTERFACE: &str = "probe0";
/// Its SYNs find nobody.
const MARKER: Ports = Ports {
    source: 1,
    destination: 1,
};
/// Longest wait for a packet of the kernel's, while one must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Packets that the device keeps until they are read: those of a whole batch that ends at once.
const QUEUE: &str = "10000";

/// Makes Linux comparable, by names below `/proc/sys/net`.
const SYSCTLS: [(&str, &str); 13] = [
    // Only TCP is to leave by the device.
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    // As many connections wait as a batch has, and each as a request of its own.
    ("core/somaxconn", "4096"),
    ("ipv4/tcp_max_syn_backlog", "4096"),
    ("ipv4/tcp_syncookies", "0"),
    // What is limited in number or rate is answered for every probe, not for some.
    ("ipv4/tcp_challenge_ack_limit", "2147483647"),
    ("ipv4/tcp_invalid_ratelimit", "0"),
    // RFC 1337, as we do (docs/decisions.md).
    ("ipv4/tcp_rfc1337", "1"),
    // ECN when the peer offers it, as our default.
    ("ipv4/tcp_ecn", "2"),
    // The peer offers no options; ours of an active open would not be taken.
    ("ipv4/tcp_timestamps", "0"),
    ("ipv4/tcp_window_scaling", "0"),
    // Nothing is sent again while a batch lasts.
    ("ipv4/tcp_early_retrans", "0"),
    ("ipv4/tcp_rto_min_us", "10000000"),
];

/// The kernel of a namespace, seen from a thread inside it.
pub(crate) struct Linux {
    wire: TunTapInterface,
    listener: Option<TcpListener>,
    markers: u32,
}

impl Linux {
    /// To be called, and the value used, in [`Namespace::run`].
    pub(crate) fn new(namespace: &Namespace) -> io::Result<Self> {
        for (name, value) in SYSCTLS {
            fs::write(format!("/proc/sys/net/{name}"), value)
                .map_err(|error| io::Error::other(format!("sysctl {name}: {error}")))?;
        }
        let wire = TunTapInterface::new(INTERFACE, Medium::Ip)?;
        let subnet = format!("{VICTIM}/24");
        let address = ["address", "add", &subnet, "dev", INTERFACE];
        let up = ["link", "set", "dev", INTERFACE, "txqueuelen", QUEUE, "up"];
        namespace.ip(&address).map_err(io::Error::other)?;
        namespace.ip(&up).map_err(io::Error::other)?;
        Ok(Self {
            wire,
            listener: None,
            markers: 0,
        })
    }

    fn send(&mut self, packet: &[u8]) {
        let token = self.wire.transmit(Instant::ZERO);
        let token = token.expect("a TUN device always takes a packet");
        token.consume(packet.len(), |buffer| buffer.copy_from_slice(packet));
    }

    /// The next packet of the kernel's, which may be no TCP.
    fn receive(&mut self) -> Option<Segment> {
        let mut packet = self.wire.receive(Instant::ZERO);
        if packet.is_none() {
            phy::wait(self.wire.as_raw_fd(), Some(PATIENCE)).expect("the device is there");
            packet = self.wire.receive(Instant::ZERO);
        }
        let (packet, _) = packet.expect("a marker is answered");
        packet.consume(parse)
    }
}

impl Victim for Linux {
    type Socket = OwnedFd;

    fn renew(&mut self) {
        // Those that nobody accepted are reset.
        self.listener = None;
        self.exchange(None);
        let listener = TcpListener::bind((VICTIM, OPEN_PORT)).expect("the port is free");
        net::listen(&listener, 4_096).expect("it listens already");
        listener.set_nonblocking(true).expect("a socket");
        self.listener = Some(listener);
    }

    /// A SYN to a closed port follows. Its RST shows that all before it was processed.
    fn exchange(&mut self, arriving: Option<&[u8]>) -> Vec<Segment> {
        if let Some(arriving) = arriving {
            self.send(arriving);
        }
        self.markers += 1;
        let marker = Header {
            seq: SeqNum::new(self.markers),
            flags: Flags::SYN,
            window: UnscaledWindow(u16::MAX),
            ..Header::default()
        };
        self.send(&packet(MARKER, &marker, &[]));
        let mut sent = Vec::new();
        loop {
            let Some(segment) = self.receive() else {
                continue;
            };
            if segment.ports.source != MARKER.destination {
                sent.push(segment);
            } else if segment.header.ack == SeqNum::new(self.markers) + 1 {
                return sent;
            }
        }
    }

    fn connect(&mut self, peer_port: u16) -> OwnedFd {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
        let socket = socket.expect("a file is free");
        let begun = net::connect(&socket, &SocketAddrV4::new(PEER, peer_port));
        assert_eq!(begun, Err(rustix::io::Errno::INPROGRESS));
        socket
    }

    fn accept(&mut self) -> OwnedFd {
        let listener = self.listener.as_ref().expect("it listens");
        let (stream, _) = listener.accept().expect("one waits");
        // Closed, it leaves nothing but a RST.
        sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).expect("a socket");
        stream.into()
    }

    fn shutdown(&mut self, socket: &OwnedFd) {
        net::shutdown(socket, Shutdown::Write).expect("the connection is open");
    }

    fn send(&mut self, socket: &OwnedFd, text: &[u8]) {
        assert_eq!(net::send(socket, text, SendFlags::empty()), Ok(text.len()));
    }

    fn close(&mut self, socket: OwnedFd) {
        sockopt::set_socket_linger(&socket, None).expect("a socket");
    }

    fn read_end(&mut self, socket: &OwnedFd) {
        let read = net::recv(socket, &mut [0; 1], RecvFlags::DONTWAIT);
        assert_eq!(read, Ok((0, 0)), "the peer has closed");
        // The ACK of a FIN waits for something to ride on.
        sockopt::set_tcp_quickack(socket, true).expect("a socket");
    }

    fn states(&mut self, tuples: &[Tuple]) -> Vec<State> {
        let table = fs::read_to_string("/proc/thread-self/net/tcp").expect("proc is mounted");
        let known: HashMap<u16, State> = table.lines().skip(1).filter_map(entry).collect();
        let state = |tuple: &Tuple| known.get(&tuple.remote.port).copied();
        let states = tuples.iter().map(state);
        states.map(|state| state.unwrap_or(State::Closed)).collect()
    }
}

/// The peer's port and the state in a line of `/proc/net/tcp`.
fn entry(line: &str) -> Option<(u16, State)> {
    let mut fields = line.split_whitespace().skip(2);
    let (address, port) = fields.next()?.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    if Ipv4Addr::from(address.to_ne_bytes()) != PEER {
        return None;
    }
    let number = u8::from_str_radix(fields.next()?, 16).ok()?;
    Some((u16::from_str_radix(port, 16).ok()?, state(number)?))
}

/// A state by its number in Linux's `net/tcp_states.h`.
fn state(number: u8) -> Option<State> {
    Some(match number {
        1 => State::Established,
        2 => State::SynSent,
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        7 => State::Closed,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => return None,
    })
}
