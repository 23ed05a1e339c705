//! Two hosts, and between them a path with a bottleneck, for whole transfers in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use wirepath_host::{Host, HostConfig, SocketId};
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Instant;
use wirepath_wire::checksum::Sum;
use wirepath_wire::tuple::Endpoint;

/// What a path does to the packets of a bulk transfer. ACKs come back after half of the round
/// trip, whole and in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) bits_per_second: u64,
    pub(crate) round_trip: Duration,
    /// Packets that wait for the bottleneck; one too many is lost.
    pub(crate) queue: usize,
    /// With so many waiting, packets that may be are marked (RFC 3168).
    pub(crate) mark: usize,
    /// Of a million packets so many are lost.
    pub(crate) loss: u32,
    /// Of a million packets so many arrive after the next three.
    pub(crate) reorder: u32,
    pub(crate) seed: u64,
}

impl Path {
    /// 100 Mbit/s, 20 ms, 64 packets.
    pub(crate) const fn of_the_office() -> Self {
        Self {
            bits_per_second: 100_000_000,
            round_trip: Duration::from_millis(20),
            queue: 64,
            mark: usize::MAX,
            loss: 0,
            reorder: 0,
            seed: 1,
        }
    }
}

/// What came of a transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Bytes of text that arrived, per second.
    pub(crate) bytes_per_second: u64,
    /// Segments sent again.
    pub(crate) resent: u64,
    /// Packets that the path lost.
    pub(crate) lost: u64,
    /// Packets that it carried.
    pub(crate) carried: u64,
}

impl Outcome {
    /// The share of the link that text could fill at most: 1,448 of 1,514 bytes on the wire.
    pub(crate) fn share_of(&self, path: &Path) -> f64 {
        let most = path.bits_per_second as f64 / 8.0 * 1_448.0 / 1_500.0;
        self.bytes_per_second as f64 / most
    }
}

struct Lab {
    sender: Host,
    receiver: Host,
    socket: SocketId,
    accepted: Option<SocketId>,
    listener: SocketId,
    path: Path,
    now: Instant,
    /// When the bottleneck is free again.
    free_at: Instant,
    /// On their way, by arrival and number: whether to the receiver, and the packet.
    wire: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    number: u64,
    random: u64,
    lost: u64,
    carried: u64,
    received: u64,
}

/// Sends for `warm_up` and then for `time`; the outcome is of the latter.
pub(crate) fn transfer(config: Config, path: Path, warm_up: Duration, time: Duration) -> Outcome {
    let mut lab = Lab::new(config, path);
    lab.run(warm_up);
    let (received, resent, lost, carried) = (lab.received, lab.resent(), lab.lost, lab.carried);
    lab.run(time);
    Outcome {
        bytes_per_second: (lab.received - received) * 1_000 / time.as_millis() as u64,
        resent: lab.resent() - resent,
        lost: lab.lost - lost,
        carried: lab.carried - carried,
    }
}

impl Lab {
    fn new(config: Config, path: Path) -> Self {
        let host = |last: u8, secret| {
            let mut settings = HostConfig::new([192, 0, 2, last].into(), [secret; 16]);
            settings.tcp = config;
            Host::new(settings)
        };
        let (mut sender, mut receiver) = (host(1, 1), host(2, 2));
        let service = Endpoint::new([192, 0, 2, 2].into(), 9);
        let now = Instant::from_millis(1_000);
        sender.poll(now);
        receiver.poll(now);
        let listener = receiver.socket();
        receiver.bind(listener, service).expect("free");
        receiver.listen(listener, 1).expect("bound");
        let socket = sender.socket();
        sender.connect(socket, service).expect("a port");
        Self {
            sender,
            receiver,
            socket,
            accepted: None,
            listener,
            path,
            now,
            free_at: now,
            wire: BTreeMap::new(),
            number: 0,
            random: path.seed,
            lost: 0,
            carried: 0,
            received: 0,
        }
    }

    fn resent(&mut self) -> u64 {
        let info = self.sender.info(self.socket).expect("open");
        u64::from(info.total_retrans)
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.work();
            let arrives = self.wire.first_key_value().map(|((at, _), _)| *at);
            let due = [
                self.sender.next_deadline(),
                self.receiver.next_deadline(),
                arrives,
            ];
            let next = due.into_iter().flatten().min();
            let next = next.filter(|next| *next <= until);
            let Some(next) = next else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.wire.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to_receiver, packet) = entry.remove();
                let host = if to_receiver {
                    &mut self.receiver
                } else {
                    &mut self.sender
                };
                host.inject(self.now, &packet);
            }
        }
    }

    /// What the hosts and the applications do at this instant.
    fn work(&mut self) {
        let text = [0; 16_384];
        let acks = self.receiver.poll(self.now);
        for ack in acks {
            let at = ack.at + self.path.round_trip / 2;
            self.carry(at, false, ack.packet);
        }
        if self.accepted.is_none() {
            self.accepted = self.receiver.accept(self.listener).ok();
        }
        if let Some(accepted) = self.accepted {
            let mut buffer = [0; 65_536];
            while let Ok(len @ 1..) = self.receiver.recv(accepted, &mut buffer) {
                self.received += len as u64;
            }
        }
        let packets = self.sender.poll(self.now);
        while self.sender.send(self.socket, &text).is_ok() {}
        for sent in packets.into_iter().chain(self.sender.poll(self.now)) {
            self.forward(sent.at, sent.packet);
        }
    }

    /// A packet meets the bottleneck.
    fn forward(&mut self, at: Instant, mut packet: Vec<u8>) {
        let bits = 8 * packet.len() as u64;
        let takes = Duration::from_nanos(bits * 1_000_000_000 / self.path.bits_per_second);
        let waiting = self.free_at.since(at).as_nanos() / takes.as_nanos().max(1);
        if waiting as usize >= self.path.queue || self.chance(self.path.loss) {
            self.lost += 1;
            return;
        }
        if waiting as usize >= self.path.mark {
            mark(&mut packet);
        }
        self.free_at = self.free_at.max(at) + takes;
        let late = if self.chance(self.path.reorder) {
            takes * 3 + takes / 2
        } else {
            Duration::ZERO
        };
        self.carried += 1;
        let arrives = self.free_at + self.path.round_trip / 2 + late;
        self.carry(arrives, true, packet);
    }

    fn carry(&mut self, at: Instant, to_receiver: bool, packet: Vec<u8>) {
        self.number += 1;
        self.wire.insert((at, self.number), (to_receiver, packet));
    }

    /// Whether the dice say so, so many times of a million.
    fn chance(&mut self, of_a_million: u32) -> bool {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.random >> 33) % 1_000_000) < u64::from(of_a_million)
    }
}

/// Congestion experienced, where the sender said that it knows what that is.
fn mark(packet: &mut [u8]) {
    if packet[1] & 3 == 0 {
        return;
    }
    packet[1] |= 3;
    packet[10..12].fill(0);
    let sum = Sum::of(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}
