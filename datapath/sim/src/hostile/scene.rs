//! A worker, a connection of it, and a peer that may say anything.

use std::io;
use std::time::Duration;

use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_stack::app::{App, Socket};
use wirepath_stack::limits::{Capacity, SOURCE_PORTS};
use wirepath_stack::link::LocalAddress;
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{Progress, Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::checksum::Sum;
use wirepath_wire::icmp::Cause;
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    self, ChecksumPolicy, Flags, Header, Options, SackBlock, SackBlocks, Timestamps, UnscaledWindow,
};
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::{Held, Kind, MOST_HALF_OPEN, Service, syn_options};
use crate::by_hand::{self, OURS, Sent};

/// The first TSval of the peer.
pub(super) const TS_START: u32 = 1_000_000;
/// ISN of the peer.
const IRS: u32 = 5_000;
/// The port of the service, and the first of the peer.
const PORT: u16 = 7;
const PEER_PORT: u16 = 40_000;
/// Round trips after which the path counts as full.
const ROUND_TRIPS: u32 = 64;
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The service that is attacked.
#[derive(Debug)]
pub(super) struct Target(Service);

impl Target {
    fn send(&self, socket: &mut Socket<'_>) {
        static TEXT: [u8; 16_384] = [0x5A; 16_384];
        while self.0 == Service::Source && socket.send(&TEXT) == TEXT.len() {}
    }
}

impl App for Target {
    type Session = ();

    fn on_open(&mut self, socket: &mut Socket<'_>, (): &mut ()) {
        self.send(socket);
    }

    fn on_text(&mut self, _: &mut Socket<'_>, (): &mut (), text: &[u8]) -> usize {
        if self.0 == Service::Deaf {
            0
        } else {
            text.len()
        }
    }

    fn on_writable(&mut self, socket: &mut Socket<'_>, (): &mut ()) {
        self.send(socket);
    }
}

type TargetWorker = Worker<MemoryDevice, Target>;
type Turn = fn(&mut TargetWorker, Instant) -> io::Result<Progress>;

/// What callgrind counts.
#[inline(never)]
pub(super) fn counted_turn(worker: &mut TargetWorker, now: Instant) -> io::Result<Progress> {
    worker.turn(now)
}

/// A worker, a connection of it, and its peer.
pub struct Scene {
    pub(super) now: Instant,
    pub(super) tuple: Tuple,
    /// Next sequence number of the peer.
    pub(super) seq: SeqNum,
    /// What the peer acknowledges, and where the text ends that it saw.
    pub(super) ack: SeqNum,
    pub(super) nxt: SeqNum,
    /// Window field of the peer.
    pub(super) window: u16,
    /// The longest text that it saw.
    pub(super) longest: u32,
    /// Text that it saw more than once, and did not speak of yet.
    pub(super) again: Vec<SackBlock>,
    /// The last TSval that it saw.
    echo: u32,
    pub(super) held: Held,
    worker: TargetWorker,
    random: u32,
}

impl Scene {
    pub(super) fn new(kind: &Kind) -> Self {
        let [local, remote] = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let tuple = Tuple {
            local: Endpoint::new(local.into(), PORT),
            remote: Endpoint::new(remote.into(), PEER_PORT),
        };
        // Time does not pass between segments: pacing would let next to nothing go.
        let mut config = Config {
            pacing: false,
            ..Config::default()
        };
        (kind.config)(&mut config);
        let settings = WorkerConfig {
            capacity: Capacity {
                connections: 1_024,
                half_open: MOST_HALF_OPEN,
                time_wait: 64,
                blocks: 4_096,
            },
            secret: Secret::new([9; 16]),
            addresses: vec![LocalAddress::owned(local.into())],
            checksums: ChecksumPolicy::Whole,
            hop_limit: 64,
            source_ports: SOURCE_PORTS,
        };
        let mut worker = Worker::new(settings, Target(kind.service));
        worker.attach(
            MemoryDevice::new(MemoryDeviceConfig {
                mtu: 1_500,
                frames: 8_192,
                ring: 8_000,
            }),
            OURS,
        );
        worker.listen(tuple.local, ListenerId(1), config);
        let mut scene = Self {
            now: Instant::from_millis(1_000_000),
            tuple,
            seq: SeqNum::new(IRS),
            ack: SeqNum::new(0),
            nxt: SeqNum::new(0),
            window: u16::MAX,
            longest: 0,
            again: Vec::new(),
            echo: 0,
            held: Held::default(),
            worker,
            random: 1,
        };
        scene.open(kind.syn);
        scene
    }

    fn open(&mut self, change: fn(&mut Options)) {
        let syn = self.syn(change);
        let frame = self.frame(&syn, &[]);
        self.deliver(&frame);
        self.seq += 1;
        self.ack = self.nxt;
        self.now = self.now + ROUND_TRIP;
        let frame = self.frame(&self.header(), &[]);
        self.deliver(&frame);
    }

    /// A SYN of the peer.
    pub(super) fn syn(&self, change: fn(&mut Options)) -> Header {
        let mut options = syn_options();
        change(&mut options);
        Header {
            seq: SeqNum::new(IRS),
            flags: Flags::SYN,
            window: UnscaledWindow(self.window),
            options,
            ..Header::default()
        }
    }

    /// What the peer says when it only acknowledges.
    pub(super) fn header(&self) -> Header {
        let timestamps = Timestamps {
            value: self.timestamp(),
            echo: self.echo,
        };
        Header {
            seq: self.seq,
            ack: self.ack,
            flags: Flags::ACK,
            window: UnscaledWindow(self.window),
            options: Options {
                timestamps: Some(timestamps),
                ..Options::default()
            },
            ..Header::default()
        }
    }

    /// TSval of now.
    pub(super) fn timestamp(&self) -> u32 {
        TS_START.wrapping_add(self.now.as_millis() as u32)
    }

    pub(super) fn frame(&self, header: &Header, text: &[u8]) -> Vec<u8> {
        frame_of(&self.tuple, header, text)
    }

    /// A segment without text whose options are these bytes.
    pub(super) fn frame_with_options(&self, header: &Header, options: &[u8; 40]) -> Vec<u8> {
        let bare = Header {
            options: Options::default(),
            ..*header
        };
        let (packet, mut segment) = by_hand::segment(Ecn::NotEct, &self.tuple, &bare, &[]);
        segment[12] = 15 << 4;
        segment.extend_from_slice(options);
        let pseudo = packet.pseudo_header(segment.len());
        let filled = tcp::fill_checksum(&mut segment, pseudo, Sum::EMPTY);
        debug_assert!(filled.is_some(), "a header is there");
        by_hand::frame(OURS, &packet, &segment)
    }

    /// An ACK with these blocks, each counted in bytes from the peer's ACK.
    pub(super) fn sack(&self, blocks: &[(i64, i64)]) -> Vec<u8> {
        let mut sack = SackBlocks::default();
        for (left, right) in blocks {
            let [left, right] = [left, right].map(|at| self.ack + *at as u32);
            sack.push(SackBlock { left, right });
        }
        let mut header = self.header();
        header.options.sack = sack;
        self.frame(&header, &[])
    }

    /// An ACK that says that this came twice: RFC 2883.
    pub(super) fn duplicate_sack(&self, block: SackBlock) -> Vec<u8> {
        let mut header = self.header();
        // RFC 2883 4: what lies above the ACK stands inside of a second block.
        header.options.sack.push(block);
        header.options.sack.push(block);
        self.frame(&header, &[])
    }

    /// The next text of the peer.
    pub(super) fn text_in_order(&mut self, len: usize) -> Vec<u8> {
        let frame = self.frame(&self.header(), &vec![0; len]);
        self.seq += len as u32;
        frame
    }

    /// An ACK of one more segment.
    pub(super) fn ack_one(&mut self) -> Vec<u8> {
        self.ack = (self.ack + self.longest).earliest(self.nxt);
        self.frame(&self.header(), &[])
    }

    /// An ACK of all that is in flight.
    pub(super) fn ack_all(&mut self) -> Vec<u8> {
        self.ack = self.nxt;
        self.frame(&self.header(), &[])
    }

    /// An ICMP error about the first segment in flight.
    pub(super) fn report(&self, cause: Cause, at: u32) -> Vec<u8> {
        let ours = Tuple {
            local: self.tuple.remote,
            remote: self.tuple.local,
        };
        let header = Header {
            seq: self.ack + at,
            flags: Flags::ACK,
            ..Header::default()
        };
        let (packet, segment) = by_hand::segment(Ecn::NotEct, &ours, &header, &[]);
        let quoted = by_hand::frame(OURS, &packet, &segment);
        let report = by_hand::report(self.tuple.remote.address, cause, &quoted[14..]);
        report.map_or_else(Vec::new, |(packet, message)| {
            by_hand::frame(OURS, &packet, &message)
        })
    }

    /// A number below `most`, one after the other the same in every run.
    pub(super) fn random(&mut self, most: u32) -> u32 {
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.random >> 8) % most.max(1)
    }

    /// Bytes in flight, as the peer sees it.
    pub(super) fn flight(&self) -> u32 {
        self.nxt.bytes_since(self.ack)
    }

    /// Whole segments in flight.
    pub(super) fn segments(&self) -> u32 {
        self.flight() / self.longest.max(1)
    }

    /// Acknowledges all, round trip by round trip, until no more is in flight than the last time.
    pub(super) fn fill_path(&mut self) {
        let mut most = 0;
        for _ in 0..ROUND_TRIPS {
            self.now = self.now + ROUND_TRIP;
            let end = self.nxt;
            while self.ack.before(end) {
                self.ack = (self.ack + 2 * self.longest).earliest(end);
                let frame = self.frame(&self.header(), &[]);
                self.deliver(&frame);
            }
            if self.flight() <= most {
                return;
            }
            most = self.flight();
        }
    }

    /// The service sends nothing more.
    pub(super) const fn fall_silent(&mut self) {
        self.worker.app_mut().0 = Service::Deaf;
    }

    /// A segment comes, and all that it causes counts.
    pub(super) fn strike(&mut self, frame: &[u8]) {
        self.deliver_to(frame, counted_turn);
    }

    /// A segment comes that does not count.
    pub(super) fn deliver(&mut self, frame: &[u8]) {
        self.deliver_to(frame, TargetWorker::turn);
    }

    /// Time goes by, and all that is due happens at its own instant; it counts.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.worker.next_deadline().filter(|due| *due < until) {
            self.now = self.now.max(due);
            self.turn(counted_turn);
        }
        self.now = until;
    }

    fn deliver_to(&mut self, frame: &[u8], turn: Turn) {
        let device = self.worker.device_mut(0);
        let delivered = device.is_some_and(|device| device.deliver(frame));
        debug_assert!(delivered, "there is room");
        self.turn(turn);
    }

    /// Turns the worker until it has nothing more to do now.
    fn turn(&mut self, turn: Turn) {
        loop {
            let turned = turn(&mut self.worker, self.now);
            debug_assert!(turned.is_ok(), "a device of memory");
            let held = self.worker.holdings();
            self.held.blocks = self.held.blocks.max(held.blocks);
            self.held.half_open = self.held.half_open.max(held.half_open);
            self.look();
            if !self.worker.has_work() {
                return;
            }
        }
    }

    /// What the worker has sent.
    fn look(&mut self) {
        let Some(device) = self.worker.device_mut(0) else {
            return;
        };
        let mut segments = Vec::new();
        while device.take_sent(|bytes| segments.extend(Sent::read(bytes))) {}
        for sent in segments {
            self.held.sent += 1.0;
            if sent.tuple.local != self.tuple.remote {
                continue;
            }
            let syn = u32::from(sent.header.flags.contains(Flags::SYN));
            let len = sent.text.len() as u32;
            let end = sent.header.seq + (len + syn);
            if len > 0 && end.at_or_before(self.nxt) {
                self.again.push(SackBlock {
                    left: sent.header.seq,
                    right: end,
                });
            }
            self.nxt = if syn == 1 { end } else { self.nxt.latest(end) };
            self.longest = self.longest.max(len);
            if let Some(timestamps) = sent.header.options.timestamps {
                self.echo = timestamps.value;
            }
        }
    }
}

/// A segment to us.
pub(super) fn frame_of(tuple: &Tuple, header: &Header, text: &[u8]) -> Vec<u8> {
    let (packet, segment) = by_hand::segment(Ecn::NotEct, tuple, header, text);
    by_hand::frame(OURS, &packet, &segment)
}
