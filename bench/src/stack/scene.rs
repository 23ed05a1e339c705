//! One worker on a device of memory, and peers that are played by hand.

use std::ops::Range;
use std::time::Duration;

use wirepath_apps::{Service, Services};
use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_sim::by_hand::{self, OURS, Sent};
use wirepath_stack::limits::{Capacity, SOURCE_PORTS};
use wirepath_stack::link::LocalAddress;
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{ChecksumPolicy, Flags, Header, Options, Timestamps, UnscaledWindow};
use wirepath_wire::tuple::{Endpoint, Tuple};

/// Where time begins, and how much of it a turn takes: a million connections are opened before the
/// first would rest, and all have asked again before an answer that they have yet to acknowledge
/// would be sent again.
const START: Instant = Instant::from_millis(1_000_000);
const TURN: Duration = Duration::from_nanos(100);
const MILLISECOND: Duration = Duration::from_millis(1);
const IRS: u32 = 1_000;
const ADDRESS: [u8; 4] = [10, 0, 0, 1];
/// Addresses and ports of the peers: the first, and ports of each address.
const FIRST_PEER: u32 = u32::from_be_bytes([10, 1, 0, 1]);
const FIRST_PORT: u16 = 10_000;
const PORTS: u32 = 50_000;
/// Frames of the device: a turn never has more.
const FRAMES: usize = 2_048;
/// Windows of the peers, unscaled and scaled.
const WINDOW: UnscaledWindow = UnscaledWindow(u16::MAX);

/// A peer's end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    tuple: Tuple,
    /// SND.NXT and RCV.NXT.
    seq: SeqNum,
    ack: SeqNum,
}

/// A worker with connections.
pub struct Scene {
    now: Instant,
    worker: Worker<MemoryDevice, Services>,
    peers: Vec<Peer>,
    /// Time that frames which came alone have taken, and what was due while time passed.
    taken: Duration,
}

impl Scene {
    /// A worker that serves all services, with so many connections to its echo service and room
    /// for as many more.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        let settings = WorkerConfig {
            capacity: Capacity {
                connections: 2 * connections.max(512),
                half_open: 1_024,
                time_wait: 1_024,
                // For an answer that is not acknowledged, and the log of what was sent.
                blocks: 4_096 + 2 * connections,
            },
            secret: Secret::new([9; 16]),
            addresses: vec![LocalAddress::owned(ADDRESS.into())],
            checksums: ChecksumPolicy::Whole,
            hop_limit: 64,
            source_ports: SOURCE_PORTS,
        };
        let mut services = Services::default();
        for (service, id) in Service::ALL.into_iter().zip(0..) {
            services.set(ListenerId(id), service.into());
        }
        let mut worker = Worker::new(settings, services);
        let device = MemoryDevice::new(MemoryDeviceConfig {
            mtu: 1_500,
            frames: FRAMES,
            ring: FRAMES,
        });
        worker.attach(device, OURS);
        let tcp = Config {
            nagle: false,
            ..Config::default()
        };
        for (service, id) in Service::ALL.into_iter().zip(0..) {
            worker.listen(local(service), ListenerId(id), tcp);
        }
        let mut scene = Self {
            now: START,
            worker,
            peers: Vec::with_capacity(connections),
            taken: Duration::ZERO,
        };
        scene.open_more(Service::Echo, connections);
        scene
    }

    /// Opens so many connections more; returns their numbers.
    pub fn open_more(&mut self, service: Service, connections: usize) -> Range<usize> {
        let first = self.peers.len();
        for number in first..first + connections {
            let peer = self.open(service, number);
            self.peers.push(peer);
            self.hear();
        }
        first..self.peers.len()
    }

    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.peers.len()
    }

    /// Brings frames and takes a turn. What callgrind counts is in the functions whose names begin
    /// so.
    #[inline(never)]
    pub fn counted_turn(&mut self, frames: &[Vec<u8>]) {
        self.quiet_turn(frames);
    }

    /// The same, where it is not to be counted.
    pub fn quiet_turn(&mut self, frames: &[Vec<u8>]) {
        self.now = self.now + TURN;
        if let Some(device) = self.worker.device_mut(0) {
            for frame in frames {
                device.deliver(frame);
            }
        }
        self.turn();
    }

    /// The peers hear what was sent to them, and will acknowledge it; returns how many segments
    /// with text that were.
    pub fn hear(&mut self) -> usize {
        let mut heard = 0;
        let mut segment = None;
        while self.take(|bytes| segment = Sent::read(bytes)) {
            let Some(sent) = segment.take().filter(|sent| !sent.text.is_empty()) else {
                continue;
            };
            heard += 1;
            let number = number_of(&sent.tuple.local);
            if let Some(peer) = self.peers.get_mut(number) {
                peer.ack = sent.header.seq + sent.text.len() as u32;
            }
        }
        heard
    }

    fn turn(&mut self) {
        let turned = self.worker.turn(self.now);
        debug_assert!(turned.is_ok(), "a device of memory does not fail");
    }

    fn take(&mut self, see: impl FnOnce(&[u8])) -> bool {
        let device = self.worker.device_mut(0);
        device.is_some_and(|device| device.take_sent(see))
    }

    /// Lets a millisecond pass, and does what was due in it.
    pub fn pass(&mut self) {
        self.now = self.now + MILLISECOND;
        while self.worker.next_deadline().is_some_and(|at| at <= self.now) {
            let began = std::time::Instant::now();
            self.counted_turn(&[]);
            self.taken += began.elapsed();
        }
    }

    /// A segment of so many bytes on a connection; it acknowledges all that was heard.
    pub fn text(&mut self, connection: usize, len: usize) -> Vec<u8> {
        let peer = &mut self.peers[connection];
        let frame = frame(peer, Flags::ACK | Flags::PSH, &vec![7; len]);
        peer.seq += len as u32;
        frame
    }

    /// An ACK of all that was heard.
    #[must_use]
    pub fn ack(&self, connection: usize) -> Vec<u8> {
        frame(&self.peers[connection], Flags::ACK, &[])
    }

    /// Opens a connection; its peer is the `number`th.
    pub fn open(&mut self, service: Service, number: usize) -> Peer {
        let mut peer = Peer {
            tuple: tuple(service, number),
            seq: SeqNum::new(IRS),
            ack: SeqNum::new(0),
        };
        let syn = syn(&peer);
        self.counted_deliver(&syn);
        peer.seq += 1;
        let mut answer = None;
        while self.take(|bytes| answer = Sent::read(bytes)) {}
        peer.ack = answer.map_or(peer.ack, |sent| sent.header.seq + 1);
        let ack = frame(&peer, Flags::ACK, &[]);
        self.counted_deliver(&ack);
        peer
    }

    /// Closes a connection from the peer's side, and hears of the end.
    pub fn close(&mut self, mut peer: Peer) {
        let fin = frame(&peer, Flags::ACK | Flags::FIN, &[]);
        self.counted_deliver(&fin);
        while self.take(|_| {}) {}
        (peer.seq, peer.ack) = (peer.seq + 1, peer.ack + 1);
        let last = frame(&peer, Flags::ACK, &[]);
        self.counted_deliver(&last);
    }

    /// Brings a frame and takes a turn.
    #[inline(never)]
    fn counted_deliver(&mut self, frame: &[u8]) {
        self.now = self.now + TURN;
        let began = std::time::Instant::now();
        if let Some(device) = self.worker.device_mut(0) {
            device.deliver(frame);
        }
        self.turn();
        self.taken += began.elapsed();
    }

    /// The time that the stack took to open and close connections, and while time passed.
    #[must_use]
    pub const fn taken(&self) -> Duration {
        self.taken
    }
}

fn local(service: Service) -> Endpoint {
    Endpoint::new(ADDRESS.into(), service.port())
}

/// The number of the peer at an endpoint, as [`tuple`] gives it one.
fn number_of(peer: &Endpoint) -> usize {
    let std::net::IpAddr::V4(address) = peer.address else {
        return usize::MAX;
    };
    let host = address.to_bits().wrapping_sub(FIRST_PEER);
    host as usize * PORTS as usize + usize::from(peer.port - FIRST_PORT)
}

fn tuple(service: Service, number: usize) -> Tuple {
    let (host, port) = (number as u32 / PORTS, number as u32 % PORTS);
    let address = std::net::Ipv4Addr::from_bits(FIRST_PEER + host);
    Tuple {
        local: local(service),
        remote: Endpoint::new(address.into(), FIRST_PORT + port as u16),
    }
}

fn syn(peer: &Peer) -> Vec<u8> {
    let options = Options {
        mss: Some(1_460),
        window_scale: Some(wirepath_wire::tcp::WindowScale::clamped(7)),
        sack_permitted: true,
        ..options()
    };
    let header = Header {
        seq: peer.seq,
        flags: Flags::SYN,
        window: WINDOW,
        options,
        ..Header::default()
    };
    packed(peer, &header, &[])
}

fn options() -> Options {
    Options {
        timestamps: Some(Timestamps {
            value: 500,
            echo: 0,
        }),
        ..Options::default()
    }
}

fn frame(peer: &Peer, flags: Flags, text: &[u8]) -> Vec<u8> {
    let header = Header {
        seq: peer.seq,
        ack: peer.ack,
        flags,
        window: WINDOW,
        options: options(),
        ..Header::default()
    };
    packed(peer, &header, text)
}

fn packed(peer: &Peer, header: &Header, text: &[u8]) -> Vec<u8> {
    let (packet, segment) = by_hand::segment(Ecn::NotEct, &peer.tuple, header, text);
    by_hand::frame(OURS, &packet, &segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_answered_and_nothing_is_sent_again() {
        for connections in [100, 10_000] {
            let mut scene = Scene::new(connections);
            for round in 0..500 {
                let peers = (0..64).map(|at| (at + 64 * round) % connections);
                let frames: Vec<_> = peers.map(|peer| scene.text(peer, 64)).collect();
                scene.counted_turn(&frames);
                assert_eq!(scene.hear(), 64, "{round} of {connections}");
            }
        }
    }

    #[test]
    fn a_connection_that_was_opened_and_closed_leaves_nothing() {
        let mut scene = Scene::new(0);
        for number in 0..3_000 {
            let peer = scene.open(Service::Echo, number % 100);
            scene.close(peer);
        }
        assert_eq!(scene.worker.flows().count(), 0);
    }
}
