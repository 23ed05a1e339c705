//! A worker with devices of two interfaces, as a proxy between them has.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_stack::limits::SOURCE_PORTS;
use wirepath_stack::link::{InterfaceId, LocalAddress, Way};
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::peers::{Claim, Peers, WorkerId};
use wirepath_stack::worker::{OpenError, Worker, WorkerConfig};
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::time::Instant;
use wirepath_wire::arp::{self, Operation};
use wirepath_wire::ethernet::{self, EtherType, MacAddr};
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{ChecksumPolicy, Flags, Header, UnscaledWindow};
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::lab::{IRS, Note, OURS, PORT, Sent, THEIRS, frame_of, small, v4};

const NOW: Instant = Instant::from_millis(100_000);
const FRONT: InterfaceId = InterfaceId(0);
const BACK: InterfaceId = InterfaceId(1);
const BACK_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
/// Our address in front is 10.0.0.1.
const BACK_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 1));

type TwoSided = Worker<MemoryDevice, Note>;

fn device() -> MemoryDevice {
    MemoryDevice::new(MemoryDeviceConfig {
        mtu: 1_500,
        frames: 64,
        ring: 32,
    })
}

/// It has an address and a device of each, and listens in the back.
fn worker() -> TwoSided {
    let back = LocalAddress {
        interface: BACK,
        ..LocalAddress::owned(BACK_ADDRESS)
    };
    worker_with(vec![LocalAddress::owned(v4(1)), back])
}

fn worker_with(addresses: Vec<LocalAddress>) -> TwoSided {
    let settings = WorkerConfig {
        capacity: small(),
        secret: Secret::new([9; 16]),
        addresses,
        checksums: ChecksumPolicy::Whole,
        hop_limit: 64,
        source_ports: SOURCE_PORTS,
    };
    let mut worker = Worker::new(settings, Note::default());
    worker.attach_to(FRONT, device(), OURS);
    worker.attach_to(BACK, device(), BACK_MAC);
    worker.listen(
        Endpoint::new(BACK_ADDRESS, PORT),
        ListenerId(1),
        Config::default(),
    );
    worker
}

/// What has left by an interface since the last call.
fn sent(worker: &mut TwoSided, by: InterfaceId) -> Vec<Vec<u8>> {
    worker.turn(NOW).expect("a device of memory");
    let device = worker.device_mut(usize::from(by.0)).expect("attached");
    let mut frames = Vec::new();
    while device.take_sent(|bytes| frames.push(bytes.to_vec())) {}
    frames
}

fn source_mac(frame: &[u8]) -> MacAddr {
    ethernet::parse(frame).expect("a frame").header.source
}

fn connect(
    worker: &mut TwoSided,
    local: Option<IpAddr>,
    remote: IpAddr,
) -> Result<Tuple, OpenError> {
    let to = (local, Endpoint::new(remote, 80));
    worker.connect(NOW, to, Config::default(), ())
}

#[test]
fn a_connection_leaves_by_the_interface_that_leads_to_its_remote() {
    let mut worker = worker();
    // It has more in common with our address in front.
    let remote = v4(77);
    worker.set_way(remote, Some(Way::By(BACK, Some(THEIRS))));
    let tuple = connect(&mut worker, None, remote).expect("there is a way");
    assert_eq!(tuple.local.address, BACK_ADDRESS);
    assert!(sent(&mut worker, FRONT).is_empty());
    let frames = sent(&mut worker, BACK);
    assert_eq!(frames.len(), 1);
    assert_eq!(source_mac(&frames[0]), BACK_MAC);
    let syn = Sent::read(&frames[0]).expect("a segment");
    assert_eq!((syn.station, syn.header.flags), (THEIRS, Flags::SYN));
}

#[test]
fn an_address_of_the_other_interface_is_no_source() {
    let mut worker = worker();
    worker.set_way(v4(77), Some(Way::By(BACK, Some(THEIRS))));
    let refused = connect(&mut worker, Some(v4(1)), v4(77));
    assert_eq!(refused, Err(OpenError::OtherInterface));
    // And if the way is lost, none is.
    worker.set_way(v4(77), Some(Way::Nowhere));
    let refused = connect(&mut worker, None, v4(77));
    assert_eq!(refused, Err(OpenError::OtherInterface));
}

#[test]
fn a_host_whose_way_is_known_is_not_looked_for_on_any_link() {
    let mut worker = worker();
    // By a router that the kernel has yet to find; somebody in front has the address as well.
    worker.learn_neighbor(FRONT, v4(77), THEIRS);
    worker.set_way(v4(77), Some(Way::By(BACK, None)));
    let refused = connect(&mut worker, None, v4(77));
    assert_eq!(refused, Err(OpenError::NeighborUnknown));
    for interface in [FRONT, BACK] {
        assert!(sent(&mut worker, interface).is_empty(), "nobody is asked");
    }
    worker.set_way(v4(77), Some(Way::By(BACK, Some(THEIRS))));
    let tuple = connect(&mut worker, None, v4(77)).expect("it is found");
    assert_eq!(tuple.local.address, BACK_ADDRESS);
}

#[test]
fn an_address_of_one_link_is_no_source_for_a_host_beyond_it() {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let back = |text| LocalAddress {
        interface: BACK,
        ..LocalAddress::owned(address(text))
    };
    let remote = address("fd77::1");
    // Which has less in common with the remote than the other.
    let mut worker = worker_with(vec![back("fe80::2"), back("2001:db8::2")]);
    worker.learn_neighbor(BACK, remote, THEIRS);
    let tuple = connect(&mut worker, None, remote).expect("there is a way");
    assert_eq!(tuple.local.address, address("2001:db8::2"));
    let mut worker = worker_with(vec![back("fe80::2")]);
    worker.learn_neighbor(BACK, remote, THEIRS);
    let refused = connect(&mut worker, None, remote);
    assert_eq!(refused, Err(OpenError::BadLocal));
}

#[test]
fn an_unknown_neighbor_is_asked_for_where_the_source_is() {
    let mut worker = worker();
    let remote = IpAddr::from([10, 9, 0, 2]);
    let refused = connect(&mut worker, None, remote);
    assert_eq!(refused, Err(OpenError::NeighborUnknown));
    assert!(sent(&mut worker, FRONT).is_empty());
    let frames = sent(&mut worker, BACK);
    let frame = ethernet::parse(&frames[0]).expect("a frame");
    assert_eq!(frame.header.ether_type, EtherType::ARP);
    let asked = arp::parse(frame.payload).expect("a request");
    assert_eq!(asked.operation, Operation::Request);
    // Its answer tells where it is as well.
    let reply = arp_frame(BACK_MAC, &asked.reply(THEIRS));
    assert!(worker.device_mut(1).expect("attached").deliver(&reply));
    assert!(sent(&mut worker, BACK).is_empty());
    connect(&mut worker, None, remote).expect("it is known now");
}

#[test]
fn an_answer_by_another_interface_than_was_asked_is_not_believed() {
    let mut worker = worker();
    let remote = IpAddr::from([10, 9, 0, 2]);
    let refused = connect(&mut worker, None, remote);
    assert_eq!(refused, Err(OpenError::NeighborUnknown));
    let frames = sent(&mut worker, BACK);
    let asked = arp::parse(ethernet::parse(&frames[0]).expect("a frame").payload);
    let reply = arp_frame(OURS, &asked.expect("a request").reply(THEIRS));
    assert!(worker.device_mut(0).expect("attached").deliver(&reply));
    sent(&mut worker, FRONT);
    let refused = connect(&mut worker, None, remote);
    assert_eq!(refused, Err(OpenError::NeighborUnknown));
}

/// A frame to `station` with this packet.
fn arp_frame(station: MacAddr, packet: &arp::Packet) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    let header = ethernet::Header {
        destination: station,
        source: THEIRS,
        ether_type: EtherType::ARP,
    };
    header.emit(&mut bytes).expect("room");
    packet.emit(&mut bytes[14..]).expect("room");
    bytes
}

/// Another worker that has brought these frames.
struct Colleague {
    brings: VecDeque<(InterfaceId, Vec<u8>)>,
    /// Hears of what is handed over, and by which interface it came.
    hears: Sender<(WorkerId, InterfaceId)>,
}

impl Peers for Colleague {
    fn claim(&mut self, _: u64) -> Claim {
        Claim::Own
    }

    fn release(&mut self, _: u64) {}

    fn owner(&self, _: u64) -> Option<WorkerId> {
        None
    }

    fn hand_over(&mut self, to: WorkerId, from: InterfaceId, _: &[u8]) -> bool {
        self.hears.send((to, from)).is_ok()
    }

    fn take(&mut self, buffer: &mut [u8]) -> Option<(InterfaceId, usize)> {
        let (from, frame) = self.brings.pop_front()?;
        buffer[..frame.len()].copy_from_slice(&frame);
        Some((from, frame.len()))
    }
}

/// Makes it the first of so many workers, which bring these frames; hears what they are brought.
fn join(
    worker: &mut TwoSided,
    of: u8,
    brings: Vec<(InterfaceId, Vec<u8>)>,
) -> Receiver<(WorkerId, InterfaceId)> {
    let (hears, heard) = channel();
    let brings = brings.into();
    let colleague = Colleague { brings, hears };
    worker.join(Box::new(colleague), (WorkerId(0), of), Vec::new());
    heard
}

#[test]
fn an_answer_that_another_worker_may_have_asked_for_is_passed_on() {
    let remote = IpAddr::from([10, 9, 0, 2]);
    let mut asker = worker();
    connect(&mut asker, None, remote).expect_err("it is not known");
    let request = sent(&mut asker, BACK).remove(0);
    let request = arp::parse(ethernet::parse(&request).expect("a frame").payload);
    let reply = arp_frame(BACK_MAC, &request.expect("a request").reply(THEIRS));
    // The card deals it out to one that has not asked.
    let mut other = worker();
    let heard = join(&mut other, 3, Vec::new());
    assert!(other.device_mut(1).expect("attached").deliver(&reply));
    sent(&mut other, BACK);
    let heard: Vec<_> = heard.try_iter().collect();
    assert_eq!(heard, [(WorkerId(1), BACK), (WorkerId(2), BACK)]);
    // And it goes no further from there.
    let heard = join(&mut asker, 3, vec![(BACK, reply)]);
    sent(&mut asker, BACK);
    assert_eq!(heard.try_iter().count(), 0);
    connect(&mut asker, None, remote).expect("it is known now");
}

#[test]
fn what_another_worker_hands_over_is_answered_by_the_interface_that_it_came_by() {
    let mut worker = worker();
    let tuple = Tuple {
        local: Endpoint::new(BACK_ADDRESS, PORT),
        remote: Endpoint::new(v4(77), 50),
    };
    let syn = Header {
        seq: SeqNum::new(IRS),
        flags: Flags::SYN,
        window: UnscaledWindow(60_000),
        ..Header::default()
    };
    let frame = frame_of(BACK_MAC, &tuple, &syn, &[]);
    join(&mut worker, 2, vec![(BACK, frame)]);
    assert!(sent(&mut worker, FRONT).is_empty());
    let frames = sent(&mut worker, BACK);
    assert_eq!(source_mac(&frames[0]), BACK_MAC);
    let answer = Sent::read(&frames[0]).expect("a segment");
    assert_eq!(answer.station, THEIRS);
    assert_eq!(answer.header.flags, Flags::SYN | Flags::ACK);
    assert_eq!(worker.counters().taken_over, 1);
}
