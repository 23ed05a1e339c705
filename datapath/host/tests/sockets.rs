//! Two hosts on a wire of ten milliseconds, and their sockets.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use wirepath_host::{Host, HostConfig, Readiness, Shutdown, SocketError, SocketId};
use wirepath_tcp::config::CongestionControl;
use wirepath_tcp::time::{Instant, Millis};
use wirepath_wire::tuple::Endpoint;

const DELAY: Duration = Duration::from_millis(10);
const SERVER: &str = "192.0.2.1";
const CLIENT: &str = "192.0.2.2";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn service() -> Endpoint {
    Endpoint::new(address(SERVER), 7)
}

/// A server that listens, a client, and the packets between them.
struct Net {
    server: Host,
    client: Host,
    listener: SocketId,
    service: Endpoint,
    now: Instant,
    wire: VecDeque<(Instant, bool, Vec<u8>)>,
    /// Whether packets vanish.
    broken: bool,
    carried: Vec<(Instant, Vec<u8>)>,
}

impl Net {
    fn new() -> Self {
        Self::between(service(), address(CLIENT))
    }

    /// Two hosts that have these addresses.
    fn between(service: Endpoint, client: IpAddr) -> Self {
        let mut server = Host::new(HostConfig::new(service.address, [1; 16]));
        let mut client = Host::new(HostConfig::new(client, [2; 16]));
        let now = Instant::from_millis(1_000);
        server.poll(now);
        client.poll(now);
        let listener = server.socket();
        server.bind(listener, service).expect("free");
        server.listen(listener, 2).expect("bound");
        Self {
            server,
            client,
            listener,
            now,
            service,
            wire: VecDeque::new(),
            broken: false,
            carried: Vec::new(),
        }
    }

    /// Time goes on by so many milliseconds, for both hosts.
    fn run(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        loop {
            for (host, to_server) in [(&mut self.client, true), (&mut self.server, false)] {
                for sent in host.poll(self.now) {
                    self.carried.push((sent.at, sent.packet.clone()));
                    if !self.broken {
                        self.wire
                            .push_back((sent.at + DELAY, to_server, sent.packet));
                    }
                }
            }
            let arrives = self.wire.front().map(|(at, ..)| *at);
            let due = [
                self.client.next_deadline(),
                self.server.next_deadline(),
                arrives,
            ];
            let next = due.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                self.server.poll(until);
                self.client.poll(until);
                return;
            };
            self.now = self.now.max(next);
            while let Some((at, to_server, packet)) = self.wire.pop_front() {
                if at > self.now {
                    self.wire.push_front((at, to_server, packet));
                    break;
                }
                let host = if to_server {
                    &mut self.server
                } else {
                    &mut self.client
                };
                host.inject(at, &packet);
            }
        }
    }

    /// A connection: the client's socket and the server's.
    fn connected(&mut self) -> [SocketId; 2] {
        let socket = self.client.socket();
        self.client.connect(socket, self.service).expect("a port");
        self.run(100);
        [
            socket,
            self.server.accept(self.listener).expect("a connection"),
        ]
    }
}

fn drain(host: &mut Host, id: SocketId) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(len @ 1..) = host.recv(id, &mut buffer) {
        all.extend_from_slice(&buffer[..len]);
    }
    all
}

#[test]
fn a_megabyte_goes_through_sockets_that_never_block() {
    let mut net = Net::new();
    let [client, server] = net.connected();
    let text: Vec<u8> = (0..1_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let (mut sent, mut received) = (0, Vec::new());
    while received.len() < text.len() {
        match net.client.send(client, &text[sent..]) {
            Ok(len) => sent += len,
            Err(error) => assert!(error == SocketError::WouldBlock || sent == text.len()),
        }
        net.run(5);
        received.extend(drain(&mut net.server, server));
    }
    assert!(received == text);
    let mut nothing = [0; 1];
    assert_eq!(
        net.server.recv(server, &mut nothing),
        Err(SocketError::WouldBlock)
    );
}

#[test]
fn hosts_with_addresses_of_version_6_talk_likewise() {
    let service = Endpoint::new(address("2001:db8::1"), 7);
    let mut net = Net::between(service, address("2001:db8::2"));
    let [client, server] = net.connected();
    net.client.send(client, b"hello").expect("room");
    net.run(100);
    assert_eq!(drain(&mut net.server, server), b"hello");
    assert!(net.carried.iter().all(|(_, packet)| packet[0] >> 4 == 6));
    assert_eq!(net.client.info(client).expect("open").snd_mss, 1_428);
}

#[test]
fn a_timer_acts_at_its_instant_though_poll_is_called_later() {
    let mut net = Net::new();
    net.broken = true;
    let socket = net.client.socket();
    net.client.connect(socket, service()).expect("a port");
    let late = net.now + Duration::from_secs(10);
    let at: Vec<u64> = net
        .client
        .poll(late)
        .iter()
        .map(|sent| sent.at.since(net.now).as_millis() as u64)
        .collect();
    assert_eq!(at, [0, 1_000, 3_000, 7_000], "RFC 6298 5.5");
}

#[test]
fn a_connection_is_writable_once_it_is_open_and_readable_once_there_is_text() {
    let mut net = Net::new();
    let socket = net.client.socket();
    net.client.connect(socket, service()).expect("a port");
    assert_eq!(net.client.readiness(socket), Ok(Readiness::default()));
    let listener = net.listener;
    assert_eq!(net.server.accept(listener), Err(SocketError::WouldBlock));
    net.run(100);
    assert!(net.client.readiness(socket).expect("open").writable);
    assert!(net.server.readiness(listener).expect("open").readable);
    let accepted = net.server.accept(listener).expect("waits");
    assert!(!net.server.readiness(accepted).expect("open").readable);
    net.client.send(socket, b"hello").expect("room");
    net.run(100);
    assert!(net.server.readiness(accepted).expect("open").readable);
}

#[test]
fn half_a_connection_goes_on_until_the_other_half_is_closed() {
    let mut net = Net::new();
    let [client, server] = net.connected();
    net.client.send(client, b"question").expect("room");
    net.client.shutdown(client, Shutdown::Write).expect("open");
    assert_eq!(
        net.client.send(client, b"more"),
        Err(SocketError::BrokenPipe)
    );
    net.run(100);
    let mut buffer = [0; 32];
    assert_eq!(net.server.recv(server, &mut buffer), Ok(8));
    net.run(100);
    assert_eq!(net.server.recv(server, &mut buffer), Ok(0), "the end");
    assert!(net.server.readiness(server).expect("open").peer_closed);
    net.server.send(server, b"answer").expect("room");
    net.server.close(server).expect("open");
    net.run(100);
    assert_eq!(drain(&mut net.client, client), b"answer");
    net.run(100);
    assert_eq!(net.client.recv(client, &mut buffer), Ok(0));
    assert_eq!(net.client.take_error(client), Ok(None));
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let mut net = Net::new();
    let socket = net.client.socket();
    let nobody = Endpoint::new(address(SERVER), 8);
    net.client.connect(socket, nobody).expect("a port");
    net.run(100);
    let ready = net.client.readiness(socket).expect("a socket");
    assert!(ready.hang_up && ready.error);
    assert_eq!(
        net.client.send(socket, b"x"),
        Err(SocketError::ConnectionRefused)
    );
    assert_eq!(net.client.take_error(socket), Ok(None), "told once");
}

#[test]
fn a_peer_that_aborts_resets_and_one_that_vanishes_times_out() {
    let mut net = Net::new();
    let [client, server] = net.connected();
    let at_once = |options: &mut wirepath_host::SocketOptions| options.linger = Some(Millis(0));
    net.server.set_options(server, at_once).expect("a socket");
    net.server.close(server).expect("a socket");
    net.run(100);
    let mut buffer = [0; 1];
    assert_eq!(
        net.client.recv(client, &mut buffer),
        Err(SocketError::ConnectionReset)
    );

    let [client, _] = net.connected();
    let soon = |options: &mut wirepath_host::SocketOptions| options.user_timeout = Millis(5_000);
    net.client.set_options(client, soon).expect("a socket");
    net.broken = true;
    net.client.send(client, b"hello?").expect("room");
    net.run(20_000);
    assert_eq!(
        net.client.recv(client, &mut buffer),
        Err(SocketError::TimedOut)
    );
}

#[test]
fn no_more_connections_wait_than_the_backlog() {
    let mut net = Net::new();
    let sockets: Vec<SocketId> = (0..4)
        .map(|_| {
            let socket = net.client.socket();
            net.client.connect(socket, service()).expect("a port");
            socket
        })
        .collect();
    net.run(200);
    let open = |id: &&SocketId| !net.client.readiness(**id).expect("a socket").hang_up;
    assert_eq!(sockets.iter().filter(open).count(), 2);
    assert!(net.server.accept(net.listener).is_ok());
    assert!(net.server.accept(net.listener).is_ok());
    assert_eq!(
        net.server.accept(net.listener),
        Err(SocketError::WouldBlock)
    );
}

#[test]
fn options_reach_the_connection_and_info_tells_of_it() {
    let mut net = Net::new();
    let [client, _] = net.connected();
    let change = |options: &mut wirepath_host::SocketOptions| {
        options.congestion = CongestionControl::NewReno;
        options.traffic_class = 0xB8;
        options.hop_limit = Some(9);
    };
    net.client.set_options(client, change).expect("a socket");
    assert_eq!(
        net.client.options(client).expect("a socket").traffic_class,
        0xB8
    );
    net.carried.clear();
    net.client.send(client, &[b'x'; 3_000]).expect("room");
    net.run(5);
    let classes: Vec<u8> = net.carried.iter().map(|(_, packet)| packet[1]).collect();
    assert_eq!(classes, [0xB8; 2], "the rest waits for an ACK");
    assert!(net.carried.iter().all(|(_, packet)| packet[8] == 9), "TTL");
    let info = net.client.info(client).expect("open");
    assert_eq!(
        (info.state, info.in_flight, info.notsent_bytes),
        (1, 2, 104)
    );
    assert_eq!(info.rtt, 20_000);
    assert_eq!((info.snd_mss, info.pmtu, info.snd_cwnd), (1_448, 1_500, 10));
    net.run(100);
    assert_eq!(net.client.info(client).expect("open").bytes_acked, 3_000);
}

#[test]
fn a_socket_is_writable_while_little_is_unsent() {
    let mut net = Net::new();
    let [client, _] = net.connected();
    let low = |options: &mut wirepath_host::SocketOptions| options.not_sent_low_water = 10_000;
    net.client.set_options(client, low).expect("a socket");
    net.client.send(client, &[b'x'; 50_000]).expect("room");
    assert!(!net.client.readiness(client).expect("open").writable);
    net.run(500);
    assert!(net.client.readiness(client).expect("open").writable);
}

#[test]
fn the_same_calls_give_the_same_packets() {
    let run = || {
        let mut net = Net::new();
        let [client, server] = net.connected();
        net.client.send(client, &[b'x'; 30_000]).expect("room");
        net.run(300);
        drain(&mut net.server, server);
        net.client.close(client).expect("open");
        net.run(100_000);
        net.carried
    };
    assert!(run() == run());
}

#[test]
fn calls_that_make_no_sense_say_so() {
    let mut net = Net::new();
    let [client, _] = net.connected();
    let host = &mut net.client;
    assert_eq!(
        host.connect(client, service()),
        Err(SocketError::IsConnected)
    );
    assert_eq!(host.listen(client, 1), Err(SocketError::Invalid));
    assert_eq!(host.accept(client), Err(SocketError::Invalid));
    let idle = host.socket();
    assert_eq!(host.send(idle, b"x"), Err(SocketError::NotConnected));
    assert_eq!(host.listen(idle, 1), Err(SocketError::Invalid), "not bound");
    let elsewhere = Endpoint::new(address("198.51.100.1"), 9);
    host.bind(idle, elsewhere).expect("idle");
    assert_eq!(
        host.connect(idle, service()),
        Err(SocketError::AddressNotAvailable)
    );
    host.close(idle).expect("a socket");
    assert_eq!(host.close(idle), Err(SocketError::BadSocket));
    let second = net.server.socket();
    net.server.bind(second, service()).expect("a socket");
    assert_eq!(net.server.listen(second, 1), Err(SocketError::AddressInUse));
}

#[test]
fn what_is_no_packet_does_no_harm() {
    let mut net = Net::new();
    for bytes in [
        &[][..],
        &[0x45],
        &[0xFF; 40],
        &[0x45; 5_000],
        &[0x60; 1_500],
    ] {
        net.server.inject(net.now, bytes);
    }
    assert_eq!(net.server.poll(net.now), []);
    net.connected();
}
