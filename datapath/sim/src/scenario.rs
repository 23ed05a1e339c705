//! Everything about one run, drawn from one seed.

use std::time::Duration;

use fastrand::Rng;
use wirepath_tcp::config::{Config, CongestionControl, EcnMode, KeepAlive};
use wirepath_tcp::time::{Instant, Millis};

use crate::node::{
    BurstLoss, Corrupt, Delay, Duplicate, Loss, Narrow, Node, Outage, Path, Queue, Reorder,
};
use crate::plan::{ConnectionPlan, EndPlan, Finish, Pace, Side, SlowRead};
use wirepath_device::memory::MemoryDeviceConfig;

/// Who talks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// Our stack at both ends.
    Stacks,
    /// Our stack opens, smoltcp listens.
    SmolServer,
    /// Smoltcp opens, our stack listens.
    SmolClient,
}

/// What happens to frames in one direction. The default is a wire without length or fault.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// How long a frame takes.
    pub delay: Duration,
    /// How much longer it may take.
    pub jitter: Duration,
    /// Probability of loss.
    pub loss: f64,
    /// Loss in bursts: probabilities to enter and to leave a bad time, in which half are lost.
    pub burst: Option<(f64, f64)>,
    /// Probability of being overtaken, and by how many at most.
    pub reorder: Option<(f64, usize)>,
    /// Probability of being doubled.
    pub duplicate: f64,
    /// Probability of damage.
    pub corrupt: f64,
    /// Bytes per second of a bottleneck, and frames in the queue before it.
    pub queue: Option<(u64, usize)>,
    /// When the link is down.
    pub outage: Option<(Instant, Instant)>,
    /// From when on a link in the middle carries packets of how many bytes, in the order of time.
    pub narrow: Vec<(Instant, usize)>,
    /// Whether it swallows longer ones without a word.
    pub black_hole: bool,
}

impl Faults {
    /// Whether every frame arrives once, whole and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let chances = self.loss + self.duplicate + self.corrupt;
        let lossy = self.burst.is_some() || self.outage.is_some() || !self.narrow.is_empty();
        chances == 0.0 && !lossy && self.reorder.is_none() && self.queue.is_none()
    }

    /// The path that does this, each part with randomness of its own.
    #[must_use]
    pub fn path(&self, rng: &mut Rng) -> Path {
        let mut nodes: Vec<Box<dyn Node>> = Vec::new();
        if let Some((bytes_per_second, limit)) = self.queue {
            nodes.push(Box::new(Queue::new(bytes_per_second, limit)));
        }
        if let Some((from, until)) = self.outage {
            nodes.push(Box::new(Outage::new(from, until)));
        }
        nodes.push(Box::new(Delay::new(self.delay, self.jitter, rng.fork())));
        if !self.narrow.is_empty() {
            nodes.push(Box::new(Narrow::new(self.narrow.clone(), !self.black_hole)));
        }
        if self.loss > 0.0 {
            nodes.push(Box::new(Loss::new(self.loss, rng.fork())));
        }
        if let Some((enter, leave)) = self.burst {
            nodes.push(Box::new(BurstLoss::new(enter, leave, 0.5, rng.fork())));
        }
        if let Some((probability, distance)) = self.reorder {
            nodes.push(Box::new(Reorder::new(probability, distance, rng.fork())));
        }
        if self.duplicate > 0.0 {
            nodes.push(Box::new(Duplicate::new(self.duplicate, rng.fork())));
        }
        if self.corrupt > 0.0 {
            nodes.push(Box::new(Corrupt::new(self.corrupt, rng.fork())));
        }
        Path::new(nodes)
    }

    fn draw(rng: &mut Rng) -> Self {
        let delay = Duration::from_micros(rng.u64(0..=100_000) / rng.u64(1..=100));
        let kinds = rng.u32(..);
        let chosen = |bit: u32| kinds & (3 << (2 * bit)) == 0;
        let mut chance = |chosen: bool, most: f64| if chosen { rng.f64() * most } else { 0.0 };
        let loss = chance(chosen(0) || chosen(1), 0.1);
        let (duplicate, corrupt) = (chance(chosen(2), 0.1), chance(chosen(3), 0.05));
        Self {
            delay,
            jitter: delay.mul_f64(rng.f64() * 0.5),
            loss,
            duplicate,
            corrupt,
            burst: chosen(4).then(|| (rng.f64() * 0.02, 0.1 + rng.f64() * 0.5)),
            reorder: chosen(5).then(|| (rng.f64() * 0.3, rng.usize(1..=8))),
            queue: chosen(6).then(|| (rng.u64(50_000..10_000_000), rng.usize(8..100))),
            outage: (chosen(7) && chosen(8)).then(|| {
                let from = rng.u64(0..5_000);
                let until = from + rng.u64(10..3_000);
                (Instant::from_millis(from), Instant::from_millis(until))
            }),
            ..Self::default()
        }
    }

    /// Packets of `least` bytes and more, up to `most`, get through, and how long they may be
    /// changes.
    fn draw_narrow(&mut self, rng: &mut Rng, least: usize, most: usize) {
        let mut at = Instant::ZERO;
        for _ in 0..rng.usize(1..=3) {
            at = at + Duration::from_millis(rng.u64(0..=2_000));
            self.narrow.push((at, rng.usize(least..=most)));
        }
        self.black_hole = rng.u8(..3) == 0;
    }
}

/// One run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The seed it was drawn from.
    pub seed: u64,
    /// Who talks to whom.
    pub peers: Peers,
    /// Whether over IPv6.
    pub ipv6: bool,
    /// Whether the hosts must ask for each other's station.
    pub asks_neighbor: bool,
    /// The device of our stack, and the MTU of both.
    pub device: MemoryDeviceConfig,
    /// Blocks for text in flight, for each worker of ours.
    pub blocks: usize,
    /// Settings of the client's connections, and of the server's.
    pub tcp: [Config; 2],
    /// What happens to the client's frames, and to the server's.
    pub faults: [Faults; 2],
    /// The connections.
    pub connections: Vec<ConnectionPlan>,
}

impl Scenario {
    /// One of everything, without faults: `connections` that echo `bytes` each.
    #[must_use]
    pub fn clean(connections: usize, bytes: u64) -> Self {
        let client = EndPlan {
            send: bytes,
            ..EndPlan::default()
        };
        let server = EndPlan {
            send: bytes,
            pace: Pace::Echo,
            finish: Finish::AfterPeer,
            ..EndPlan::default()
        };
        let plan = ConnectionPlan {
            start: Instant::ZERO,
            client,
            server,
        };
        Self {
            seed: 0,
            peers: Peers::Stacks,
            ipv6: false,
            asks_neighbor: false,
            device: MemoryDeviceConfig {
                mtu: 1500,
                frames: 4096,
                ring: 1024,
            },
            blocks: 4096,
            tcp: [Config::default(); 2],
            faults: [Faults::default(), Faults::default()],
            connections: vec![plan; connections],
        }
    }

    /// The scenario of `seed`.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let peers = match rng.u8(..4) {
            0 => Peers::SmolServer,
            1 => Peers::SmolClient,
            _ => Peers::Stacks,
        };
        let mtu = *choose(rng, &[576, 1280, 1492, 1500, 1500, 1500, 4000, 9000]);
        let faults = if rng.u8(..5) == 0 {
            let delay = Duration::from_micros(rng.u64(0..=50_000));
            [(); 2].map(|()| Faults {
                delay,
                ..Faults::default()
            })
        } else {
            [Faults::draw(rng), Faults::draw(rng)]
        };
        let may_abort = rng.u8(..4) == 0;
        let count = 1 + rng.usize(..=5) * rng.usize(..=5);
        let mut connections: Vec<_> = (0..count)
            .map(|_| draw_connection(rng, may_abort))
            .collect();
        for (plan, number) in connections.iter_mut().zip(0..) {
            // SYNs of one instant would come together again and again, and never fit a short ring.
            plan.start = plan.start + Duration::from_millis(number);
        }
        let ring = *choose(rng, &[4, 16, 64, 256]);
        let mut scenario = Self {
            seed,
            peers,
            ipv6: mtu >= 1280 && rng.bool(),
            asks_neighbor: rng.u8(..4) == 0,
            device: MemoryDeviceConfig {
                mtu,
                frames: 2 * ring + 2 + rng.usize(..ring),
                ring,
            },
            blocks: *choose(rng, &[128, 512, 4096, 4096]),
            tcp: [draw_config(rng, may_abort), draw_config(rng, may_abort)],
            faults,
            connections,
        };
        scenario.draw_path_mtu(rng);
        for config in &mut scenario.tcp {
            config.congestion = *choose(rng, &CongestionControl::ALL);
            config.ecn = *choose(rng, &[EcnMode::Off, EcnMode::Passive, EcnMode::Active]);
        }
        scenario
    }

    /// A path that carries less than the links at its ends, for what we send: smoltcp does not
    /// listen to what routers say.
    fn draw_path_mtu(&mut self, rng: &mut Rng) {
        let (least, most) = (if self.ipv6 { 1_280 } else { 552 }, self.device.mtu);
        for side in [Side::Client, Side::Server] {
            if rng.u8(..4) == 0 && !self.is_smol(side) {
                let faults = &mut self.faults[side as usize];
                faults.draw_narrow(rng, least, most);
                self.tcp[side as usize].path_probing = faults.black_hole;
            }
        }
    }

    /// The settings of one side.
    #[must_use]
    pub const fn config(&self, side: Side) -> &Config {
        &self.tcp[side as usize]
    }

    /// Whether one side is smoltcp.
    #[must_use]
    pub fn is_smol(&self, side: Side) -> bool {
        let smol = match self.peers {
            Peers::Stacks => None,
            Peers::SmolServer => Some(Side::Server),
            Peers::SmolClient => Some(Side::Client),
        };
        smol == Some(side)
    }

    /// How long a connection may go without anything moving.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let clean = self.faults.iter().all(Faults::is_clean);
        let scarce = self.blocks < 1024 || self.device.ring < 256;
        if clean && !scarce && !self.asks_neighbor {
            Duration::from_secs(5)
        } else {
            // The largest RTO, and a few more losses.
            Duration::from_secs(250)
        }
    }
}

fn choose<'a, T>(rng: &mut Rng, among: &'a [T]) -> &'a T {
    &among[rng.usize(..among.len())]
}

fn draw_config(rng: &mut Rng, keep_alive: bool) -> Config {
    let buffer = |rng: &mut Rng| *choose(rng, &[2_048, 5_000, 16 << 10, 64 << 10, 256 << 10]);
    Config {
        send_buffer: buffer(rng),
        receive_buffer: buffer(rng),
        timestamps: rng.u8(..4) > 0,
        sack: rng.u8(..4) > 0,
        window_scaling: rng.u8(..4) > 0,
        // A peer that only closed may be slow to say the rest.
        fin_wait_2: Millis::from_secs(600),
        // Else whoever waits for a peer that is gone waits for ever.
        keep_alive: keep_alive.then(|| KeepAlive {
            idle: Millis::from_secs(20),
            interval: Millis::from_secs(5),
            probes: 9,
        }),
        ..Config::default()
    }
}

fn draw_size(rng: &mut Rng) -> u64 {
    let most = *choose(rng, &[0, 1, 100, 3_000, 10_000, 10_000, 40_000, 300_000]);
    rng.u64(..=most)
}

fn draw_connection(rng: &mut Rng, may_abort: bool) -> ConnectionPlan {
    let (mut client, mut server) = (draw_end(rng), draw_end(rng));
    match rng.u8(..5) {
        0 => {
            server.send = client.send;
            server.pace = Pace::Echo;
        }
        1 => server.pace = Pace::AfterAll,
        2 => {
            server.send = client.send;
            server.pace = Pace::Echo;
            client.pace = Pace::Rounds(1 + client.send / rng.u64(1..=40));
        }
        3 => server.send = 0,
        _ => {}
    }
    // Two that wait for each other's end wait for ever.
    if client.finish == Finish::AfterPeer && server.finish == Finish::AfterPeer {
        client.finish = Finish::WhenDone;
    }
    let slow = |rng: &mut Rng, bytes: u64| SlowRead {
        chunk: 1 + bytes as usize / rng.usize(1..=40),
        pause: Duration::from_millis(rng.u64(1..=700)),
    };
    client.read = (rng.u8(..8) == 0).then(|| slow(rng, server.send));
    server.read = (rng.u8(..8) == 0).then(|| slow(rng, client.send));
    if may_abort && rng.u8(..3) == 0 {
        let end = if rng.bool() { &mut client } else { &mut server };
        end.abort_after = Some(rng.u64(..=end.send));
    }
    let start = Instant::from_millis(rng.u64(..=3_000) * u64::from(rng.bool()));
    ConnectionPlan {
        start,
        client,
        server,
    }
}

fn draw_end(rng: &mut Rng) -> EndPlan {
    let finishes = [
        Finish::WhenSent,
        Finish::WhenDone,
        Finish::Close,
        Finish::AfterPeer,
    ];
    EndPlan {
        send: draw_size(rng),
        finish: *choose(rng, &finishes),
        nagle: rng.bool(),
        ..EndPlan::default()
    }
}
