//! A worker with devices of two interfaces, as a proxy between them has.

use std::collections::VecDeque;
use std::net::IpAddr;

use wirepath_device::memory::{MemoryDevice, MemoryDeviceConfig};
use wirepath_stack::limits::SOURCE_PORTS;
use wirepath_stack::link::{InterfaceId, LocalAddress};
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

/// It has a device of each, and listens in the back.
fn worker() -> TwoSided {
    let back = LocalAddress {
        interface: BACK,
        ..LocalAddress::owned(BACK_ADDRESS)
    };
    let settings = WorkerConfig {
        capacity: small(),
        secret: Secret::new([9; 16]),
        addresses: vec![LocalAddress::owned(v4(1)), back],
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
    worker.learn_neighbor(BACK, remote, THEIRS);
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
    worker.learn_neighbor(BACK, v4(77), THEIRS);
    let refused = connect(&mut worker, Some(v4(1)), v4(77));
    assert_eq!(refused, Err(OpenError::OtherInterface));
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
    let reply = asked.reply(THEIRS);
    let mut bytes = vec![0; 60];
    let header = ethernet::Header {
        destination: BACK_MAC,
        source: THEIRS,
        ether_type: EtherType::ARP,
    };
    header.emit(&mut bytes).expect("room");
    reply.emit(&mut bytes[14..]).expect("room");
    assert!(worker.device_mut(1).expect("attached").deliver(&bytes));
    assert!(sent(&mut worker, BACK).is_empty());
    connect(&mut worker, None, remote).expect("it is known now");
}

/// Another worker that has brought these frames.
struct Colleague(VecDeque<(InterfaceId, Vec<u8>)>);

impl Peers for Colleague {
    fn claim(&mut self, _: u64) -> Claim {
        Claim::Own
    }

    fn release(&mut self, _: u64) {}

    fn owner(&self, _: u64) -> Option<WorkerId> {
        None
    }

    fn hand_over(&mut self, _: WorkerId, _: InterfaceId, _: &[u8]) -> bool {
        false
    }

    fn take(&mut self, buffer: &mut [u8]) -> Option<(InterfaceId, usize)> {
        let (from, frame) = self.0.pop_front()?;
        buffer[..frame.len()].copy_from_slice(&frame);
        Some((from, frame.len()))
    }
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
    let colleague = Colleague([(BACK, frame)].into());
    worker.join(Box::new(colleague), (WorkerId(0), 2), Vec::new());
    assert!(sent(&mut worker, FRONT).is_empty());
    let frames = sent(&mut worker, BACK);
    assert_eq!(source_mac(&frames[0]), BACK_MAC);
    let answer = Sent::read(&frames[0]).expect("a segment");
    assert_eq!(answer.station, THEIRS);
    assert_eq!(answer.header.flags, Flags::SYN | Flags::ACK);
    assert_eq!(worker.counters().taken_over, 1);
}
