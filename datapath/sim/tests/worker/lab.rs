//! One worker on a wire of memory, and a peer played by hand, frame by frame.

use std::net::IpAddr;
use std::time::Duration;

use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_sim::by_hand;
use wirepath_stack::app::{App, Socket};
use wirepath_stack::limits::{Capacity, SOURCE_PORTS};
use wirepath_stack::link::LocalAddress;
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::{CloseReason, SoftError};
use wirepath_tcp::isn::Secret;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::arp;
use wirepath_wire::ethernet::{self, EtherType, MacAddr};
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    self, ChecksumPolicy, Flags, Header, Options, UnscaledWindow, WindowScale,
};
use wirepath_wire::tuple::{Endpoint, Tuple};

pub(crate) use wirepath_sim::by_hand::{OURS, Sent, THEIRS};

pub(crate) const PORT: u16 = 7;
/// ISN of the peer.
pub(crate) const IRS: u32 = 1_000;

/// What the application was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Opened,
    Urgent,
    Retransmitting,
    SoftError(SoftError),
    Closed(CloseReason),
}

/// Sends back what it gets, and takes note of the rest.
#[derive(Debug, Default)]
pub(crate) struct Note {
    pub(crate) told: Vec<Told>,
}

impl App for Note {
    type Session = ();

    fn on_open(&mut self, _: &mut Socket<'_>, (): &mut ()) {
        self.told.push(Told::Opened);
    }

    /// Text that begins with a code point asks for it.
    fn on_text(&mut self, socket: &mut Socket<'_>, (): &mut (), text: &[u8]) -> usize {
        if let Some(&dscp) = text.first().filter(|dscp| **dscp < 64 && **dscp > 0) {
            socket.configure(|config| config.marking.dscp = dscp);
        }
        socket.send(text)
    }

    fn on_urgent(&mut self, _: &mut Socket<'_>, (): &mut ()) {
        self.told.push(Told::Urgent);
    }

    fn on_retransmitting(&mut self, _: &mut Socket<'_>, (): &mut ()) {
        self.told.push(Told::Retransmitting);
    }

    fn on_soft_error(&mut self, _: &mut Socket<'_>, (): &mut (), error: SoftError) {
        self.told.push(Told::SoftError(error));
    }

    fn on_closed(&mut self, _: &mut Socket<'_>, (): &mut (), reason: CloseReason) {
        self.told.push(Told::Closed(reason));
    }
}

/// The worker and its wire.
pub(crate) struct Lab {
    pub(crate) now: Instant,
    pub(crate) worker: Worker<MemoryDevice, Note>,
}

/// Address `host` of the test network.
pub(crate) fn v4(host: u8) -> IpAddr {
    [10, 0, 0, host].into()
}

/// From port `port` of host 2 to our service, as we see it.
pub(crate) fn tuple(port: u16) -> Tuple {
    Tuple {
        local: Endpoint::new(v4(1), PORT),
        remote: Endpoint::new(v4(2), port),
    }
}

/// The options of a usual SYN.
pub(crate) fn syn_options() -> Options {
    Options {
        mss: Some(1_460),
        window_scale: Some(WindowScale::clamped(7)),
        sack_permitted: true,
        timestamps: Some(tcp::Timestamps {
            value: 500,
            echo: 0,
        }),
        ..Options::default()
    }
}

impl Lab {
    /// A worker that has the addresses 10.0.0.1 and 10.0.0.11 and listens at port 7 of the first.
    pub(crate) fn new(config: Config) -> Self {
        Self::with_capacity(
            config,
            Capacity {
                half_open: 4,
                ..small()
            },
        )
    }

    pub(crate) fn with_capacity(config: Config, capacity: Capacity) -> Self {
        let settings = WorkerConfig {
            capacity,
            secret: Secret::new([9; 16]),
            addresses: [v4(1), v4(11)].map(LocalAddress::owned).into(),
            checksums: ChecksumPolicy::Whole,
            hop_limit: 64,
            source_ports: SOURCE_PORTS,
        };
        let mut worker = Worker::new(settings, Note::default());
        worker.attach(
            MemoryDevice::new(MemoryDeviceConfig {
                mtu: 1_500,
                frames: 512,
                ring: 128,
            }),
            OURS,
        );
        worker.listen(tuple(0).local, ListenerId(1), config);
        Self {
            now: Instant::from_millis(100_000),
            worker,
        }
    }

    /// The worker gets a frame and has a turn.
    pub(crate) fn frame(&mut self, bytes: &[u8]) {
        assert!(self.device().deliver(bytes), "no room");
        self.turn();
    }

    pub(crate) fn turn(&mut self) {
        self.worker.turn(self.now).expect("a device of memory");
    }

    /// Time goes on by so many milliseconds, with turns whenever something is due.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(at) = self.worker.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.turn();
        }
        self.now = until;
        self.turn();
    }

    /// A segment arrives, from `tuple.remote` to `tuple.local`.
    pub(crate) fn segment(&mut self, tuple: &Tuple, header: &Header, text: &[u8]) {
        let bytes = frame_of(OURS, tuple, header, text);
        self.frame(&bytes);
    }

    /// What the worker has sent since the last call, as frames.
    pub(crate) fn frames(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while self.device().take_sent(|bytes| frames.push(bytes.to_vec())) {}
        frames
    }

    /// The segments that the worker has sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        let frames = self.frames();
        let arp = |bytes: &&Vec<u8>| bytes[12..14] == [8, 6];
        let packets = frames.iter().filter(|bytes| !arp(bytes));
        let read = |bytes: &Vec<u8>| Sent::read(bytes).expect("a segment");
        packets.map(read).collect()
    }

    /// The one segment that the worker has sent.
    #[track_caller]
    pub(crate) fn one(&mut self) -> Sent {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// A SYN from `tuple.remote`.
    pub(crate) fn syn(&mut self, tuple: &Tuple) {
        self.syn_with(tuple, syn_options(), &[]);
    }

    /// A SYN with these options and this text.
    pub(crate) fn syn_with(&mut self, tuple: &Tuple, options: Options, text: &[u8]) {
        let header = Header {
            seq: SeqNum::new(IRS),
            flags: Flags::SYN,
            window: UnscaledWindow(60_000),
            options,
            ..Header::default()
        };
        self.segment(tuple, &header, text);
    }

    /// The segment that the peer sends after `last` of ours, `seq` bytes after its SYN.
    pub(crate) fn answer(last: &Sent, seq: u32, flags: Flags) -> Header {
        let fin_or_syn = u32::from(last.header.flags.intersects(Flags::SYN | Flags::FIN));
        let timestamps = last.header.options.timestamps.map(|ours| tcp::Timestamps {
            value: 501,
            echo: ours.value,
        });
        Header {
            seq: SeqNum::new(IRS) + seq,
            ack: last.header.seq + last.text.len() as u32 + fin_or_syn,
            flags,
            window: UnscaledWindow(600),
            options: Options {
                timestamps,
                ..Options::default()
            },
            ..Header::default()
        }
    }

    /// A whole handshake; our SYN-ACK.
    pub(crate) fn open(&mut self, tuple: &Tuple) -> Sent {
        self.syn(tuple);
        let syn_ack = self.one();
        assert_eq!(syn_ack.header.flags, Flags::SYN | Flags::ACK);
        self.segment(tuple, &Self::answer(&syn_ack, 1, Flags::ACK), &[]);
        syn_ack
    }

    /// The state of the connection of `tuple`, if there is one.
    pub(crate) fn state(&self, tuple: &Tuple) -> Option<State> {
        let mut flows = self.worker.flows();
        flows
            .find(|flow| flow.tuple == *tuple)
            .map(|flow| flow.state)
    }

    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.worker.app_mut().told)
    }

    fn device(&mut self) -> &mut MemoryDevice {
        self.worker.device_mut(0).expect("attached")
    }
}

/// A worker for few connections.
pub(crate) fn small() -> Capacity {
    Capacity {
        connections: 64,
        half_open: 64,
        time_wait: 64,
        blocks: 256,
    }
}

/// The frame of a segment from `tuple.remote` to `tuple.local`, addressed to `station`.
pub(crate) fn frame_of(station: MacAddr, tuple: &Tuple, header: &Header, text: &[u8]) -> Vec<u8> {
    let (packet, segment) = by_hand::segment(Ecn::NotEct, tuple, header, text);
    by_hand::frame(station, &packet, &segment)
}

/// The frame of a segment to us in a packet with this mark.
pub(crate) fn frame_marked(ecn: Ecn, tuple: &Tuple, header: &Header, text: &[u8]) -> Vec<u8> {
    let (packet, segment) = by_hand::segment(ecn, tuple, header, text);
    by_hand::frame(OURS, &packet, &segment)
}

/// `address` says that its station is `mac`.
pub(crate) fn arp_reply(address: IpAddr, mac: MacAddr) -> Vec<u8> {
    let (IpAddr::V4(sender), IpAddr::V4(target)) = (address, v4(1)) else {
        unreachable!("ARP is for IPv4");
    };
    let reply = arp::Packet {
        operation: arp::Operation::Reply,
        sender_mac: mac,
        sender,
        target_mac: OURS,
        target,
    };
    let outer = ethernet::Header {
        destination: OURS,
        source: mac,
        ether_type: EtherType::ARP,
    };
    let mut bytes = vec![0; 60];
    outer.emit(&mut bytes).expect("room");
    reply.emit(&mut bytes[14..]).expect("room");
    bytes
}
