//! The host itself.

use std::collections::VecDeque;

use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_stack::link::LocalAddress;
use wirepath_stack::worker::{Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::tcp::ChecksumPolicy;

use crate::app::HostApp;
use crate::config::HostConfig;
use crate::link;

/// Frames of the device, and of each of its rings.
const FRAMES: usize = 1_024;
const RING: usize = 256;

/// A packet that left the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// From its IP header on.
    pub packet: Vec<u8>,
}

/// A host with sockets. `now` never goes back; socket calls happen at [`now`](Self::now), the
/// latest instant that the host was told.
pub struct Host {
    pub(crate) worker: Worker<MemoryDevice, HostApp>,
    /// Settings of new sockets.
    pub(crate) tcp: Config,
    pub(crate) now: Instant,
    sent: VecDeque<Sent>,
    frame: Vec<u8>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sockets = &self.worker.app().sockets;
        let mut debug = f.debug_struct("Host");
        debug.field("now", &self.now).field("sockets", sockets);
        debug.finish_non_exhaustive()
    }
}

impl Host {
    /// A host without sockets, at the beginning of time.
    #[must_use]
    pub fn new(config: HostConfig) -> Self {
        let addresses = config.addresses.iter().copied();
        let worker_config = WorkerConfig {
            capacity: config.capacity,
            secret: Secret::new(config.secret),
            addresses: addresses.map(LocalAddress::owned).collect(),
            checksums: ChecksumPolicy::Whole,
            hop_limit: config.hop_limit,
            source_ports: config.source_ports,
        };
        let mut worker = Worker::new(worker_config, HostApp::default());
        let device = MemoryDeviceConfig {
            mtu: config.mtu,
            frames: FRAMES,
            ring: RING,
        };
        worker.attach(MemoryDevice::new(device), link::OURS);
        Self {
            worker,
            tcp: config.tcp.clamped(),
            now: Instant::ZERO,
            sent: VecDeque::new(),
            frame: Vec::new(),
        }
    }

    /// An IP packet arrives at `now`; one that is none, or longer than the MTU, is dropped. What
    /// arrives at one instant is processed together, at the next [`poll`](Self::poll) or when a
    /// later packet comes.
    pub fn inject(&mut self, now: Instant, packet: &[u8]) {
        if now > self.now {
            self.run_until(now);
        }
        if !link::wrap(packet, &mut self.frame) {
            return;
        }
        if !self.deliver() {
            // The ring is full: what waits in it goes first.
            self.turn();
            self.deliver();
        }
    }

    /// Goes on to `now`: everything due up to then happens at its own instant. What left since the
    /// last call.
    pub fn poll(&mut self, now: Instant) -> Vec<Sent> {
        self.run_until(now.max(self.now));
        self.turn();
        self.sent.drain(..).collect()
    }

    /// When [`poll`](Self::poll) has something to do, if nothing arrives until then.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.worker.has_work() || !self.sent.is_empty() {
            Some(self.now)
        } else {
            self.worker.next_deadline()
        }
    }

    /// The latest instant that it was told.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    fn deliver(&mut self) -> bool {
        let device = self.worker.device_mut(0);
        device.is_some_and(|device| device.deliver(&self.frame))
    }

    /// Everything that is due before `now`, each at its own instant; then it is `now`.
    fn run_until(&mut self, now: Instant) {
        self.turn();
        while let Some(due) = self.worker.next_deadline().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.turn();
        }
        self.now = now;
    }

    /// Turns the worker until it is at rest, and takes what it sent.
    pub(crate) fn turn(&mut self) {
        loop {
            let progress = self.worker.turn(self.now);
            debug_assert!(progress.is_ok(), "a device of memory");
            let (now, sent) = (self.now, &mut self.sent);
            let Some(device) = self.worker.device_mut(0) else {
                return;
            };
            while device.take_sent(|frame| {
                if let Some(packet) = link::unwrap(frame) {
                    sent.push_back(Sent {
                        at: now,
                        packet: packet.to_vec(),
                    });
                }
            }) {}
            let waits = device.has_received() || self.worker.has_work();
            let due = self
                .worker
                .next_deadline()
                .is_some_and(|due| due <= self.now);
            if !waits && !due {
                return;
            }
        }
    }
}
