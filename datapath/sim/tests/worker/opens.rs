//! Opens, passive and active: RFC 9293 3.9.1.1, 3.9.2.3.

use std::net::IpAddr;

use wirepath_stack::link::InterfaceId;
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::OpenError;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::state::State;
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, UnscaledWindow};
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::lab::{IRS, Lab, PORT, THEIRS, Told, frame_of, syn_options, tuple, v4};

const PEER: u8 = 2;

fn lab() -> Lab {
    let mut lab = Lab::new(Config::default());
    lab.worker
        .learn_neighbor(InterfaceId::default(), v4(PEER), THEIRS);
    lab
}

fn peer(port: u16) -> Endpoint {
    Endpoint::new(v4(PEER), port)
}

fn connect(lab: &mut Lab, local: Option<IpAddr>, remote: Endpoint) -> Result<Tuple, OpenError> {
    let now = lab.now;
    let opened = lab
        .worker
        .connect(now, (local, remote), Config::default(), ());
    lab.turn();
    opened
}

fn syn() -> Header {
    Header {
        seq: SeqNum::new(IRS),
        flags: Flags::SYN,
        options: syn_options(),
        ..Header::default()
    }
}

#[test]
fn a_passive_open_leaves_other_connections_alone() {
    let mut lab = lab();
    lab.open(&tuple(50));
    let endpoint = Endpoint::new(v4(11), PORT);
    lab.worker
        .listen(endpoint, ListenerId(2), Config::default());
    lab.worker
        .listen(tuple(0).local, ListenerId(3), Config::default());
    assert_eq!(lab.state(&tuple(50)), Some(State::Established), "MUST-41");
}

#[test]
fn a_port_listens_while_it_opens_and_is_being_opened() {
    let mut lab = lab();
    lab.syn(&tuple(50));
    lab.sent();
    let ours = Tuple {
        local: tuple(0).local,
        remote: peer(80),
    };
    let now = lab.now;
    lab.worker
        .open(now, ours, Config::default(), ())
        .expect("SYN-SENT");
    lab.turn();
    lab.sent();
    lab.worker
        .listen(tuple(0).local, ListenerId(2), Config::default());
    assert_eq!(lab.state(&tuple(50)), Some(State::SynReceived), "MUST-42");
    assert_eq!(lab.state(&ours), Some(State::SynSent), "MUST-42");
    lab.open(&tuple(51));
    assert_eq!(lab.state(&tuple(51)), Some(State::Established));
}

#[test]
fn the_source_address_is_the_callers_or_the_closest() {
    let mut lab = lab();
    let named = connect(&mut lab, Some(v4(11)), peer(80)).expect("MUST-43");
    assert_eq!(named.local.address, v4(11));
    let chosen = connect(&mut lab, None, peer(80)).expect("MUST-44");
    assert_eq!(
        chosen.local.address,
        v4(1),
        "10.0.0.1 is nearer to .2 than 10.0.0.11"
    );
    let v6: IpAddr = "fd00::2".parse().expect("an address");
    let none = connect(&mut lab, None, Endpoint::new(v6, 80));
    assert_eq!(none, Err(OpenError::BadLocal), "no address of that family");
    assert_eq!(
        connect(&mut lab, Some(v4(77)), peer(80)),
        Err(OpenError::BadLocal)
    );
}

#[test]
fn a_connection_keeps_its_source_address() {
    let mut lab = lab();
    let ours = connect(&mut lab, Some(v4(11)), peer(80)).expect("a connection");
    let syn = lab.one();
    assert_eq!(syn.packet.source, v4(11));
    let answer = Header {
        ack: syn.header.seq + 1,
        flags: Flags::SYN | Flags::ACK,
        ..self::syn()
    };
    lab.segment(&ours, &answer, &[]);
    assert_eq!(lab.one().packet.source, v4(11), "MUST-45");
    lab.segment(&ours, &Lab::answer(&syn, 1, Flags::ACK | Flags::FIN), &[]);
    let rest = lab.sent();
    assert!(!rest.is_empty() && rest.iter().all(|sent| sent.packet.source == v4(11)));
}

#[test]
fn no_open_goes_to_what_is_no_single_host() {
    for remote in [
        "255.255.255.255",
        "224.0.0.1",
        "0.0.0.0",
        "127.0.0.1",
        "10.0.0.1",
    ] {
        let remote = Endpoint::new(remote.parse().expect("an address"), 80);
        let opened = connect(&mut lab(), Some(v4(1)), remote);
        assert_eq!(opened, Err(OpenError::BadRemote), "MUST-46: {remote:?}");
    }
    let group: IpAddr = "ff02::1".parse().expect("an address");
    let opened = connect(&mut lab(), Some(v4(1)), Endpoint::new(group, 80));
    assert_eq!(opened, Err(OpenError::BadRemote));
}

#[test]
fn a_syn_to_or_from_what_is_no_single_host_is_discarded() {
    for source in [
        "255.255.255.255",
        "224.0.0.9",
        "0.0.0.0",
        "127.0.0.1",
        "10.0.0.1",
    ] {
        let mut lab = lab();
        let mut from = tuple(50);
        from.remote.address = source.parse().expect("an address");
        lab.segment(&from, &syn(), &[]);
        assert_eq!(lab.frames().len(), 0, "MUST-63: {source}");
        assert_eq!(lab.worker.flows().count(), 0);
    }
    for destination in ["255.255.255.255", "224.0.0.9"] {
        let mut lab = lab();
        let mut to = tuple(50);
        to.local.address = destination.parse().expect("an address");
        lab.segment(&to, &syn(), &[]);
        assert_eq!(lab.frames().len(), 0, "MUST-57: {destination}");
    }
    for station in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5E, 0, 0, 1])] {
        let mut lab = lab();
        lab.frame(&frame_of(station, &tuple(50), &syn(), &[]));
        assert_eq!(lab.frames().len(), 0, "MUST-57: {station:?}");
    }
}

#[test]
fn packets_carry_the_hop_limit_that_was_set() {
    let mut lab = lab();
    assert_eq!(lab.open(&tuple(50)).packet.hop_limit, 64, "MUST-49");
}

#[test]
fn a_peer_is_asked_for_and_an_answer_that_was_not_asked_for_is_not_believed() {
    let mut lab = Lab::new(Config::default());
    lab.frame(&crate::lab::arp_reply(
        v4(PEER),
        MacAddr([2, 0, 0, 0, 0, 66]),
    ));
    let first = connect(&mut lab, None, peer(80));
    assert_eq!(first, Err(OpenError::NeighborUnknown));
    assert_eq!(lab.frames().len(), 1, "an ARP request");
    lab.frame(&crate::lab::arp_reply(v4(PEER), THEIRS));
    connect(&mut lab, None, peer(80)).expect("a connection");
    assert_eq!(lab.one().station, THEIRS);
    lab.frame(&crate::lab::arp_reply(
        v4(PEER),
        MacAddr([2, 0, 0, 0, 0, 66]),
    ));
    connect(&mut lab, None, peer(81)).expect("a connection");
    assert_eq!(lab.one().station, THEIRS);
}

#[test]
fn after_r1_the_way_to_the_peer_is_asked_for_again() {
    let mut lab = lab();
    let ours = connect(&mut lab, None, peer(80)).expect("a connection");
    assert_eq!(lab.one().station, THEIRS);
    lab.pass(7_500);
    let asked = lab.frames().iter().any(|bytes| bytes[12..14] == [8, 6]);
    assert!(asked, "MUST-20: ARP after three retransmissions");
    let moved = MacAddr([2, 0, 0, 0, 0, 3]);
    lab.frame(&crate::lab::arp_reply(v4(PEER), moved));
    lab.pass(8_000);
    let stations: Vec<MacAddr> = lab
        .frames()
        .iter()
        .filter(|bytes| bytes[12..14] == [8, 0])
        .map(|bytes| MacAddr(bytes[..6].try_into().expect("six bytes")))
        .collect();
    assert_eq!(stations, [moved], "{ours:?}");
}

#[test]
fn a_new_connection_in_time_wait_has_an_isn_beyond_the_old_one() {
    let mut lab = lab();
    let syn_ack = lab.open(&tuple(50));
    lab.worker.drain(lab.now);
    lab.worker
        .listen(tuple(0).local, ListenerId(1), Config::default());
    lab.turn();
    let fin = lab.one();
    assert!(fin.header.flags.contains(Flags::FIN));
    lab.segment(
        &tuple(50),
        &Lab::answer(&fin, 1, Flags::ACK | Flags::FIN),
        &[],
    );
    assert_eq!(lab.state(&tuple(50)), Some(State::TimeWait));
    lab.sent();
    let mut again = Header {
        seq: SeqNum::new(IRS) + 10_000,
        ..syn()
    };
    if let Some(timestamps) = &mut again.options.timestamps {
        timestamps.value = 600;
    }
    lab.segment(&tuple(50), &again, &[]);
    let second = lab.one();
    assert_eq!(second.header.flags, Flags::SYN | Flags::ACK);
    assert!(second.header.seq.after(fin.header.seq + 1), "RFC 6191 2");
    assert!(second.header.seq.after(syn_ack.header.seq));
}

/// A connection of ours that we closed, in TIME-WAIT; with the header of our FIN.
fn closed_by_us(lab: &mut Lab, timestamps: bool) -> (Tuple, Header) {
    let ours = connect(lab, None, peer(80)).expect("a connection");
    let syn = lab.one();
    let mut answer = Header {
        ack: syn.header.seq + 1,
        flags: Flags::SYN | Flags::ACK,
        window: UnscaledWindow(1_000),
        ..self::syn()
    };
    if !timestamps {
        answer.options.timestamps = None;
    }
    lab.segment(&ours, &answer, &[]);
    lab.sent();
    let now = lab.now;
    lab.worker
        .with_socket(now, &ours, |_, socket, _| socket.shutdown());
    lab.turn();
    let fin = lab.one();
    let mut last = Lab::answer(&fin, 1, Flags::ACK | Flags::FIN);
    if !timestamps {
        last.options.timestamps = None;
    }
    lab.segment(&ours, &last, &[]);
    assert_eq!(lab.state(&ours), Some(State::TimeWait));
    lab.sent();
    (ours, fin.header)
}

#[test]
fn a_connection_of_ours_takes_the_place_of_one_in_time_wait_once_timestamps_tell_them_apart() {
    let mut lab = lab();
    let (ours, fin) = closed_by_us(&mut lab, true);
    let again = |lab: &mut Lab| lab.worker.open(lab.now, ours, Config::default(), ());
    assert_eq!(
        again(&mut lab),
        Err(OpenError::InUse),
        "the same millisecond"
    );
    lab.pass(1);
    again(&mut lab).expect("RFC 6191 2");
    lab.turn();
    let syn = lab.one();
    assert_eq!(lab.state(&ours), Some(State::SynSent));
    assert!(syn.header.seq.after(fin.seq + 1), "beyond the old numbers");
    let value = |header: &Header| header.options.timestamps.map(|stamps| stamps.value);
    assert!(value(&syn.header) > value(&fin));
}

#[test]
fn without_timestamps_time_wait_keeps_its_tuple() {
    for old_has_them in [false, true] {
        let mut lab = lab();
        let (ours, _) = closed_by_us(&mut lab, old_has_them);
        lab.pass(1_000);
        let config = Config {
            timestamps: !old_has_them,
            ..Config::default()
        };
        let again = lab.worker.open(lab.now, ours, config, ());
        assert_eq!(again, Err(OpenError::InUse), "{old_has_them}");
    }
}

#[test]
fn who_is_not_connected_yet_hears_of_the_drain() {
    let mut lab = lab();
    let ends = (None, Endpoint::new(v4(PEER), 80));
    let opened = lab.worker.connect(lab.now, ends, Config::default(), ());
    opened.expect("a connection");
    lab.turn();
    lab.worker.drain(lab.now);
    lab.turn();
    assert_eq!(lab.worker.flows().count(), 0);
    assert_eq!(lab.told(), [Told::Closed(CloseReason::Aborted)]);
}
