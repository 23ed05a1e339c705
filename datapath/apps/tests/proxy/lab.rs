//! A proxy on a wire of memory in virtual time; clients and backends are played by hand.

use std::net::IpAddr;
use std::time::Duration;

use wirepath_apps::proxy::{
    Admin, BackendReport, BackendSettings, PoolId, PoolReport, PoolSettings,
};
use wirepath_apps::{Role, Services};
use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_sim::by_hand::{self, OURS, Sent, THEIRS};
use wirepath_stack::limits::Capacity;
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{ChecksumPolicy, Flags, Header, UnscaledWindow};
use wirepath_wire::tuple::{Endpoint, Tuple};

/// The pool of the proxy.
pub(crate) const POOL: PoolId = PoolId(0);
const FRONT: u16 = 8_080;
/// ISS of whoever is played by hand.
const THEIR_ISS: u32 = 7_000;

/// The worker and its wire.
pub(crate) struct Lab {
    now: Instant,
    pub(crate) worker: Worker<MemoryDevice, Services>,
    /// What was sent and nobody has looked at yet.
    sent: Vec<Sent>,
}

/// One end that is played by hand, and what it has heard.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// As the proxy sees it.
    pub(crate) tuple: Tuple,
    seq: SeqNum,
    ack: SeqNum,
    pub(crate) text: Vec<u8>,
    pub(crate) has_fin: bool,
    pub(crate) has_rst: bool,
}

fn v4(host: u8) -> IpAddr {
    [10, 0, 0, host].into()
}

/// The place of a backend.
pub(crate) fn at(number: u8) -> Endpoint {
    Endpoint::new(v4(100 + number), 80)
}

/// A backend with this many connections at most; 0 for any.
pub(crate) fn backend(number: u8, max_connections: usize) -> BackendSettings {
    BackendSettings {
        endpoint: at(number),
        weight: 1,
        max_connections,
        admin: Admin::Ready,
    }
}

impl Lab {
    /// A proxy with this pool, which has `ports` for connections to backends.
    pub(crate) fn new(settings: PoolSettings, ports: std::ops::RangeInclusive<u16>) -> Self {
        let config = WorkerConfig {
            capacity: Capacity {
                connections: 256,
                half_open: 64,
                time_wait: 64,
                blocks: 512,
            },
            secret: Secret::new([9; 16]),
            addresses: vec![LocalAddress::owned(v4(1))],
            checksums: ChecksumPolicy::Whole,
            hop_limit: 64,
            source_ports: ports,
        };
        let mut services = Services::default();
        services.set(ListenerId(0), Role::Proxy(POOL));
        let mut worker = Worker::new(config, services);
        let device = MemoryDevice::new(MemoryDeviceConfig {
            mtu: 1_500,
            frames: 1_024,
            ring: 512,
        });
        worker.attach(device, OURS);
        worker.listen(
            Endpoint::new(v4(1), FRONT),
            ListenerId(0),
            Config::default(),
        );
        for number in 0..10 {
            worker.learn_neighbor(InterfaceId::default(), at(number).address, THEIRS);
        }
        let mut lab = Self {
            now: Instant::from_millis(100_000),
            worker,
            sent: Vec::new(),
        };
        lab.set_pool(settings);
        lab
    }

    pub(crate) fn set_pool(&mut self, settings: PoolSettings) {
        let proxy = self.worker.app_mut().proxy_mut();
        proxy.set_pool(self.now, POOL, settings);
        self.turn();
    }

    pub(crate) fn set_admin(&mut self, number: u8, admin: Admin) {
        let proxy = self.worker.app_mut().proxy_mut();
        assert!(proxy.set_admin(self.now, (POOL, at(number)), admin));
        self.turn();
    }

    pub(crate) fn report(&self) -> PoolReport {
        let proxy = self.worker.app().proxy();
        proxy.report(self.now, POOL).expect("it has the pool")
    }

    pub(crate) fn backend(&self, number: u8) -> BackendReport {
        let backends = self.report().backends;
        let mut backends = backends.into_iter();
        backends
            .find(|it| it.endpoint == at(number))
            .expect("it is there")
    }

    pub(crate) fn drain(&mut self) {
        self.worker.drain(self.now);
        self.turn();
    }

    fn turn(&mut self) {
        // Once more for what the first has asked for.
        for _ in 0..2 {
            self.worker.turn(self.now).expect("a device of memory");
        }
        let device = self.worker.device_mut(0).expect("attached");
        let mut frames = Vec::new();
        while device.take_sent(|bytes| frames.push(bytes.to_vec())) {}
        self.sent
            .extend(frames.iter().filter_map(|frame| Sent::read(frame)));
    }

    /// Time goes on, with turns whenever something is due.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(at) = self.worker.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.turn();
        }
        self.now = until;
        self.turn();
    }

    fn segment(&mut self, tuple: &Tuple, header: &Header, text: &[u8]) {
        let (packet, segment) = by_hand::segment(Ecn::NotEct, tuple, header, text);
        let frame = by_hand::frame(OURS, &packet, &segment);
        let device = self.worker.device_mut(0).expect("attached");
        assert!(device.deliver(&frame), "no room");
        self.turn();
    }

    /// A client opens a connection from this port.
    pub(crate) fn client(&mut self, port: u16) -> Peer {
        let tuple = Tuple {
            local: Endpoint::new(v4(1), FRONT),
            remote: Endpoint::new(v4(50), port),
        };
        let mut peer = Peer::new(tuple);
        self.segment(&tuple, &peer.header(Flags::SYN), &[]);
        peer.seq += 1;
        let syn_ack = self.take(&tuple).pop().expect("a SYN-ACK");
        peer.ack = syn_ack.header.seq + 1;
        self.segment(&tuple, &peer.header(Flags::ACK), &[]);
        self.hear(&mut peer);
        peer
    }

    /// A client opens a connection from this port, and the backend that is asked takes it.
    #[track_caller]
    pub(crate) fn pair(&mut self, port: u16) -> (Peer, Peer) {
        let client = self.client(port);
        let mut server = self.asked_one();
        self.accept(&mut server);
        (client, server)
    }

    /// The SYNs to backends since the last call, as their hosts see them.
    pub(crate) fn asked(&mut self) -> Vec<Peer> {
        let is_syn = |sent: &Sent| sent.header.flags == Flags::SYN;
        let (syns, others): (Vec<Sent>, _) = self.sent.drain(..).partition(is_syn);
        self.sent = others;
        let peer = |syn: &Sent| {
            let mut peer = Peer::new(syn.tuple.reversed());
            peer.ack = syn.header.seq + 1;
            peer
        };
        syns.iter().map(peer).collect()
    }

    /// The only one.
    #[track_caller]
    pub(crate) fn asked_one(&mut self) -> Peer {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }

    /// A backend takes the connection that it was asked for.
    pub(crate) fn accept(&mut self, peer: &mut Peer) {
        self.segment(&peer.tuple, &peer.header(Flags::SYN | Flags::ACK), &[]);
        peer.seq += 1;
        self.hear(peer);
    }

    /// It does not.
    pub(crate) fn refuse(&mut self, peer: &Peer) {
        self.segment(&peer.tuple, &peer.header(Flags::RST | Flags::ACK), &[]);
    }

    pub(crate) fn send(&mut self, peer: &mut Peer, text: &[u8]) {
        self.segment(&peer.tuple, &peer.header(Flags::ACK | Flags::PSH), text);
        peer.seq += text.len() as u32;
        self.hear(peer);
    }

    pub(crate) fn close(&mut self, peer: &mut Peer) {
        self.segment(&peer.tuple, &peer.header(Flags::FIN | Flags::ACK), &[]);
        peer.seq += 1;
        self.hear(peer);
    }

    pub(crate) fn reset(&mut self, peer: &Peer) {
        self.segment(&peer.tuple, &peer.header(Flags::RST | Flags::ACK), &[]);
    }

    /// Takes in what was sent to this end, and acknowledges it.
    pub(crate) fn hear(&mut self, peer: &mut Peer) {
        let mut has_news = false;
        for sent in self.take(&peer.tuple) {
            let flags = sent.header.flags;
            peer.has_rst |= flags.contains(Flags::RST);
            if sent.header.seq != peer.ack {
                continue;
            }
            let is_fin = flags.contains(Flags::FIN);
            peer.text.extend_from_slice(&sent.text);
            peer.has_fin |= is_fin;
            peer.ack += sent.text.len() as u32 + u32::from(is_fin);
            has_news |= is_fin || !sent.text.is_empty();
        }
        if has_news && !peer.has_rst {
            self.segment(&peer.tuple, &peer.header(Flags::ACK), &[]);
            self.hear(peer);
        }
    }

    /// What was sent on this connection since the last call.
    fn take(&mut self, tuple: &Tuple) -> Vec<Sent> {
        let theirs = tuple.reversed();
        let (taken, others) = self.sent.drain(..).partition(|sent| sent.tuple == theirs);
        self.sent = others;
        taken
    }
}

impl Peer {
    const fn new(tuple: Tuple) -> Self {
        Self {
            tuple,
            seq: SeqNum::new(THEIR_ISS),
            ack: SeqNum::new(0),
            text: Vec::new(),
            has_fin: false,
            has_rst: false,
        }
    }

    fn header(&self, flags: Flags) -> Header {
        Header {
            seq: self.seq,
            ack: self.ack,
            flags,
            window: UnscaledWindow(60_000),
            ..Header::default()
        }
    }
}
