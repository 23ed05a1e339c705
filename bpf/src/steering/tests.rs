//! The program on frames of all kinds, through BPF_PROG_TEST_RUN.

mod frames;
mod lists;
mod neighbors;
mod segments;

use std::net::{Ipv4Addr, Ipv6Addr};

use libbpf_rs::ProgramInput;
use rustix::net::{AddressFamily, SocketType, socket};

use super::*;
use crate::{Action, Verdict::*};
use frames::*;

const OWNED_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OWNED_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);
const SOLICITED_NODE: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff12, 0x3456);
const SHARED_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SHARED_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const OWNED: [IpAddr; 2] = [IpAddr::V4(OWNED_V4), IpAddr::V6(OWNED_V6)];
const SHARED: [IpAddr; 2] = [IpAddr::V4(SHARED_V4), IpAddr::V6(SHARED_V6)];
/// The kernel's alone.
const OTHER: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 3)),
];
// The port of the listeners, the first and last for active opens, and one that is not ours.
const HTTP: u16 = 80;
const FIRST: u16 = 40000;
const LAST: u16 = 40009;
const SSH: u16 = 22;

struct Bench<'a> {
    skeleton: SteerSkel<'a>,
    steering: Steering,
    _socket: OwnedFd,
}

/// Runs a test on a program that has the addresses and ports above, and a socket on queue 0.
fn on_bench(test: impl FnOnce(&Bench<'_>)) {
    let mut object = MaybeUninit::uninit();
    let skeleton = match load_skeleton(&mut object) {
        Ok(skeleton) => skeleton,
        Err(error @ SteerError::NoPrivilege { .. }) => return println!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let steering = Steering::of(&skeleton).unwrap();
    for (addresses, kind) in [(OWNED, AddressKind::Owned), (SHARED, AddressKind::Shared)] {
        for address in addresses {
            steering.set_address(address, kind).unwrap();
            steering.add_listener((address, HTTP).into()).unwrap();
        }
    }
    steering.set_port_range(Some(FIRST..=LAST)).unwrap();
    let socket = socket(AddressFamily::XDP, SocketType::RAW, None).unwrap();
    steering.set_socket(0, socket.as_fd()).unwrap();
    test(&Bench {
        skeleton,
        steering,
        _socket: socket,
    });
}

impl Bench<'_> {
    /// What the program decides: counted once, acted on accordingly, and the frame untouched.
    fn judge(&self, frame: &[u8]) -> Verdict {
        let before = self.steering.counters().unwrap();
        let mut out = vec![0; frame.len()];
        let output = self
            .skeleton
            .progs
            .steer
            .test_run(ProgramInput {
                data_in: Some(frame),
                data_out: Some(&mut out),
                ..ProgramInput::default()
            })
            .unwrap();
        let returned = output.return_value;
        assert_eq!(out, frame);
        let after = self.steering.counters().unwrap();
        let counted: Vec<_> = Verdict::ALL
            .iter()
            .filter(|&&verdict| after.get(verdict) != before.get(verdict))
            .collect();
        let [verdict] = counted[..] else {
            panic!("counted as {counted:?}");
        };
        let action = match returned {
            1 => Action::Drop,
            2 => Action::Pass,
            4 => Action::Redirect,
            other => panic!("the program returned {other}"),
        };
        assert_eq!(action, verdict.action(), "{verdict:?}");
        *verdict
    }

    fn check(&self, table: &[(&str, Packet, Verdict)]) {
        for (what, packet, verdict) in table {
            assert_eq!(self.judge(&packet.frame()), *verdict, "{what}");
            let tagged = packet.tagged(0x8100);
            assert_eq!(self.judge(&tagged.frame()), *verdict, "{what}, tagged");
            let twice = tagged.tagged(0x8100);
            assert_eq!(self.judge(&twice.frame()), Passed, "{what}, tagged twice");
            assert_eq!(
                self.judge(&packet.tagged(0x88a8).frame()),
                Passed,
                "{what}, 802.1ad"
            );
        }
    }

    /// Cuts the frame at every length; `steps` says from which length on which verdict holds.
    fn check_cut(&self, what: &str, packet: &Packet, steps: &[(usize, Verdict)]) {
        let frame = packet.frame();
        // The test run wants an Ethernet header.
        for length in 14..=frame.len() {
            let step = steps.iter().rev().find(|(from, _)| *from <= length);
            let verdict = step.map_or(Passed, |(_, verdict)| *verdict);
            assert_eq!(
                self.judge(&frame[..length]),
                verdict,
                "{what}, cut to {length} bytes"
            );
        }
    }
}

#[test]
fn without_a_socket_ours_is_dropped_and_the_rest_passes() {
    on_bench(|bench| {
        let cases = [
            (tcp(SHARED[0], HTTP), Listener),
            (tcp(SHARED[1], FIRST), ActiveOpen),
            (tcp(OWNED[0], SSH), OwnedPort),
            (arp(1, OWNED_V4), Arp),
            (ndp(135, OWNED[1], OWNED_V6), Ndp),
            (icmp(OWNED[0], 8, &[]), Icmp),
            (icmp(SHARED[0], 3, &quote(SHARED[0], HTTP)), IcmpQuote),
        ];
        for (packet, verdict) in &cases {
            assert_eq!(bench.judge(&packet.frame()), *verdict);
        }
        bench.steering.clear_socket(0).unwrap();
        bench.steering.clear_socket(0).unwrap();
        for (packet, verdict) in &cases {
            assert_eq!(bench.judge(&packet.frame()), NoSocket, "{verdict:?}");
        }
        assert_eq!(bench.judge(&tcp(SHARED[0], SSH).frame()), Passed);
        let counters = bench.steering.counters().unwrap();
        assert_eq!(counters.total(Action::Redirect), 7);
        assert_eq!(counters.total(Action::Drop), 7);
        assert_eq!(counters.total(Action::Pass), 1);
    });
}

#[test]
fn what_is_taken_back_passes_again() {
    on_bench(|bench| {
        let (steering, [shared, _], [owned, _]) = (&bench.steering, SHARED, OWNED);
        for _ in 0..2 {
            steering.remove_listener((shared, HTTP).into()).unwrap();
            assert_eq!(bench.judge(&tcp(shared, HTTP).frame()), Passed);
        }
        steering.set_port_range(None).unwrap();
        assert_eq!(bench.judge(&tcp(shared, 0).frame()), Passed);
        assert_eq!(bench.judge(&tcp(shared, FIRST).frame()), Passed);
        assert_eq!(bench.judge(&tcp(owned, FIRST).frame()), OwnedPort);
        steering.set_address(owned, AddressKind::Shared).unwrap();
        assert_eq!(bench.judge(&arp(1, OWNED_V4).frame()), Passed);
        assert_eq!(bench.judge(&tcp(owned, SSH).frame()), Passed);
        for _ in 0..2 {
            steering.remove_address(owned).unwrap();
        }
        assert_eq!(bench.judge(&tcp(owned, HTTP).frame()), Listener);
    });
}

#[test]
fn listeners_need_an_address_of_ours() {
    on_bench(|bench| {
        for address in [OTHER[0], OTHER[1], Ipv4Addr::UNSPECIFIED.into()] {
            let error = bench
                .steering
                .add_listener((address, HTTP).into())
                .unwrap_err();
            assert!(matches!(error, SteerError::UnknownAddress(unknown) if unknown == address));
        }
        assert!(
            bench
                .steering
                .set_socket(1024, bench.steering.program.as_fd())
                .is_err()
        );
    });
}

#[test]
fn a_program_just_loaded_claims_nothing() {
    let Ok(steering) = Steering::load() else {
        return println!("skipped: the program cannot be loaded; run as root");
    };
    assert!(
        steering
            .counters()
            .unwrap()
            .iter()
            .all(|(_, count)| count == 0)
    );
    let mut object = MaybeUninit::uninit();
    let skeleton = load_skeleton(&mut object).unwrap();
    let steering = Steering::of(&skeleton).unwrap();
    let socket = socket(AddressFamily::XDP, SocketType::RAW, None).unwrap();
    let bench = Bench {
        skeleton,
        steering,
        _socket: socket,
    };
    for packet in [
        tcp(OWNED[0], 0),
        tcp(OWNED[1], HTTP),
        arp(1, OWNED_V4),
        tcp(PEER4, 65535),
    ] {
        assert_eq!(bench.judge(&packet.frame()), Passed);
    }
}
