//! The program on frames of all kinds, through BPF_PROG_TEST_RUN.

mod frames;

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
fn tcp_is_steered_by_address_and_port() {
    on_bench(|bench| {
        for ((owned, shared), other) in OWNED.into_iter().zip(SHARED).zip(OTHER) {
            bench.check(&[
                ("a listener on an owned address", tcp(owned, HTTP), Listener),
                (
                    "a listener on a shared address",
                    tcp(shared, HTTP),
                    Listener,
                ),
                ("its port on another address", tcp(other, HTTP), Passed),
                (
                    "the first port for active opens",
                    tcp(owned, FIRST),
                    ActiveOpen,
                ),
                ("the same, shared", tcp(shared, FIRST), ActiveOpen),
                (
                    "the last port for active opens",
                    tcp(shared, LAST),
                    ActiveOpen,
                ),
                ("one port below", tcp(shared, FIRST - 1), Passed),
                ("one port above", tcp(shared, LAST + 1), Passed),
                ("the same, owned", tcp(owned, LAST + 1), OwnedPort),
                (
                    "a port for active opens elsewhere",
                    tcp(other, FIRST),
                    Passed,
                ),
                (
                    "a closed port of an owned address",
                    tcp(owned, SSH),
                    OwnedPort,
                ),
                ("a port of the kernel's", tcp(shared, SSH), Passed),
                ("port 0", tcp(shared, 0), Passed),
                ("port 0, owned", tcp(owned, 0), OwnedPort),
                (
                    "UDP to a listener's port",
                    ip(shared, UDP, &segment(1, HTTP)),
                    Passed,
                ),
                ("UDP, owned", ip(owned, UDP, &segment(1, HTTP)), Passed),
            ]);
        }
    });
}

#[test]
fn other_ethertypes_pass() {
    on_bench(|bench| {
        let ours = tcp(SHARED[0], HTTP);
        for ethertype in [0, 0x05dc, 0x0806, 0x86dd, 0x8847, 0x88cc, 0xffff] {
            let frame = Packet {
                ethertype,
                ..ours.clone()
            }
            .frame();
            assert_eq!(bench.judge(&frame), Passed, "{ethertype:#06x}");
        }
        let as_ipv4 = Packet {
            ethertype: 0x0800,
            ..tcp(SHARED[1], HTTP)
        };
        assert_eq!(bench.judge(&as_ipv4.frame()), Passed);
    });
}

#[test]
fn headers_that_contradict_themselves_are_dropped_where_they_are_ours() {
    on_bench(|bench| {
        let (owned, shared) = (OWNED[0], SHARED[0]);
        bench.check(&[
            (
                "IPv4 that says it is version 6",
                tcp(shared, HTTP).with(0, 0x65),
                Passed,
            ),
            (
                "IPv6 that says it is version 4",
                tcp(SHARED[1], HTTP).with(0, 0x40),
                Passed,
            ),
            (
                "an IPv4 header of 16 bytes",
                tcp(shared, HTTP).with(0, 0x44),
                Passed,
            ),
            ("the same, owned", tcp(owned, HTTP).with(0, 0x44), Malformed),
            (
                "a TCP header of 16 bytes",
                tcp(shared, HTTP).with(32, 0x40),
                Malformed,
            ),
            (
                "a TCP header longer than the frame",
                tcp(shared, HTTP).with(32, 0x60),
                Malformed,
            ),
            (
                "the same to a port of the kernel's",
                tcp(shared, SSH).with(32, 0x60),
                Passed,
            ),
            (
                "the same to a closed port of ours",
                tcp(owned, SSH).with(32, 0x60),
                Malformed,
            ),
        ]);
    });
}

#[test]
fn ipv4_options_are_skipped() {
    on_bench(|bench| {
        for words in [1, 5, 10] {
            let options = vec![1; 4 * words];
            let with_options = |packet: Packet| packet.options(&options);
            bench.check(&[
                ("a listener", with_options(tcp(SHARED[0], HTTP)), Listener),
                ("the kernel's", with_options(tcp(SHARED[0], SSH)), Passed),
                ("echo", with_options(icmp(OWNED[0], 8, &[])), Icmp),
            ]);
        }
    });
}

#[test]
fn ipv6_extension_headers_are_skipped() {
    let [_, owned] = OWNED;
    let [_, shared] = SHARED;
    let http = segment(33000, HTTP);
    let chain = |count, first: u8, last: &[u8]| {
        (0..count).fold((TCP, last.to_vec()), |(next, payload), _| {
            (first, extension(next, 0, &payload))
        })
    };
    let many = |to, count| {
        let (next, payload) = chain(count, DESTINATION_OPTIONS, &http);
        ip(to, next, &payload)
    };
    on_bench(|bench| {
        for first in [HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS] {
            for length in [0, 1, 100] {
                let packet = ip(shared, first, &extension(TCP, length, &http));
                bench.check(&[("one extension header", packet, Listener)]);
            }
        }
        let echo = extension(ICMPV6, 0, &[128, 0, 0, 0, 0, 0, 0, 0]);
        bench.check(&[
            ("as many as we follow", many(shared, 7), Listener),
            ("one too many, shared", many(shared, 8), Malformed),
            ("one too many, owned", many(owned, 8), Malformed),
            ("one too many, elsewhere", many(OTHER[1], 8), Passed),
            ("no next header", ip(owned, 59, &http), Passed),
            ("ESP", ip(owned, 50, &http), Passed),
            (
                "echo behind an extension",
                ip(owned, HOP_BY_HOP, &echo),
                Icmp,
            ),
            (
                "longer than the frame, owned",
                ip(owned, HOP_BY_HOP, &extension(TCP, 0, &http)).with(41, 200),
                Malformed,
            ),
            (
                "longer than the frame, shared",
                ip(shared, HOP_BY_HOP, &extension(TCP, 0, &http)).with(41, 200),
                Passed,
            ),
        ]);
    });
}

#[test]
fn ipv4_fragments_of_ours_are_dropped() {
    on_bench(|bench| {
        let ([owned, _], [shared, _], [other, _]) = (OWNED, SHARED, OTHER);
        let echo = icmp(owned, 8, &[]);
        bench.check(&[
            ("first, owned", tcp(owned, SSH).fragment(0, true), Fragment),
            ("later, owned", tcp(owned, SSH).fragment(3, true), Fragment),
            (
                "last, owned",
                tcp(owned, SSH).fragment(185, false),
                Fragment,
            ),
            (
                "first, a listener",
                tcp(shared, HTTP).fragment(0, true),
                Fragment,
            ),
            (
                "first, an active open",
                tcp(shared, FIRST).fragment(0, true),
                Fragment,
            ),
            (
                "first, the kernel's",
                tcp(shared, SSH).fragment(0, true),
                Passed,
            ),
            (
                "later, nobody can tell",
                tcp(shared, HTTP).fragment(1, false),
                Passed,
            ),
            ("elsewhere", tcp(other, HTTP).fragment(0, true), Passed),
            ("ICMP, owned", echo.clone().fragment(0, true), Fragment),
            ("ICMP, owned, later", echo.fragment(9, false), Fragment),
            (
                "ICMP, shared",
                icmp(shared, 8, &[]).fragment(0, true),
                Passed,
            ),
            (
                "UDP, owned",
                ip(owned, UDP, &[0; 8]).fragment(0, true),
                Passed,
            ),
            (
                "behind options",
                tcp(shared, HTTP).options(&[1; 8]).fragment(0, true),
                Fragment,
            ),
            (
                "don't fragment is no fragment",
                tcp(shared, HTTP).with(6, 0x40),
                Listener,
            ),
        ]);
    });
}

#[test]
fn ipv6_fragments_of_ours_are_dropped() {
    on_bench(|bench| {
        let ([_, owned], [_, shared]) = (OWNED, SHARED);
        let fragment = |to, port, offset, more| {
            ip(
                to,
                FRAGMENT,
                &fragment_header(TCP, offset, more, &segment(33000, port)),
            )
        };
        let options = extension(TCP, 0, &segment(33000, HTTP));
        let inner = fragment_header(DESTINATION_OPTIONS, 0, true, &options);
        let outer = extension(
            FRAGMENT,
            0,
            &fragment_header(TCP, 0, true, &segment(1, HTTP)),
        );
        let tail = fragment_header(DESTINATION_OPTIONS, 7, false, &options);
        let echo = fragment_header(ICMPV6, 0, true, &[128, 0, 0, 0, 0, 0, 0, 0]);
        bench.check(&[
            ("first, owned", fragment(owned, SSH, 0, true), Fragment),
            ("later, owned", fragment(owned, SSH, 7, true), Fragment),
            (
                "first, a listener",
                fragment(shared, HTTP, 0, true),
                Fragment,
            ),
            (
                "atomic, a listener",
                fragment(shared, HTTP, 0, false),
                Fragment,
            ),
            (
                "first, the kernel's",
                fragment(shared, SSH, 0, true),
                Passed,
            ),
            (
                "later, nobody can tell",
                fragment(shared, HTTP, 7, false),
                Passed,
            ),
            (
                "before destination options",
                ip(shared, FRAGMENT, &inner),
                Fragment,
            ),
            (
                "behind hop-by-hop options",
                ip(shared, HOP_BY_HOP, &outer),
                Fragment,
            ),
            (
                "later, of options and who knows what",
                ip(owned, FRAGMENT, &tail),
                Passed,
            ),
            ("ICMPv6, owned", ip(owned, FRAGMENT, &echo), Fragment),
            ("ICMPv6, shared", ip(shared, FRAGMENT, &echo), Passed),
        ]);
    });
}

#[test]
fn arp_is_ours_for_owned_addresses() {
    on_bench(|bench| {
        bench.check(&[
            ("a request", arp(1, OWNED_V4), Arp),
            ("a reply to us", arp(2, OWNED_V4), Arp),
            ("for a shared address", arp(1, SHARED_V4), Passed),
            ("a reply to the kernel", arp(2, SHARED_V4), Passed),
            ("not of Ethernet", arp(1, OWNED_V4).with(1, 6), Passed),
            ("not for IPv4", arp(1, OWNED_V4).with(2, 9), Passed),
            (
                "with long hardware addresses",
                arp(1, OWNED_V4).with(4, 8),
                Passed,
            ),
            (
                "with long protocol addresses",
                arp(1, OWNED_V4).with(5, 16),
                Passed,
            ),
        ]);
        bench.check_cut("ARP", &arp(1, OWNED_V4), &[(14 + 28, Arp)]);
    });
}

#[test]
fn ndp_is_ours_for_owned_addresses() {
    let [_, owned] = OWNED;
    let [_, shared] = SHARED;
    let solicited_node = IpAddr::V6(SOLICITED_NODE);
    let all_nodes = "ff02::1".parse().unwrap();
    let neighbor = "2001:db8::99".parse().unwrap();
    on_bench(|bench| {
        bench.check(&[
            ("a solicitation", ndp(135, solicited_node, OWNED_V6), Ndp),
            ("a probe of reachability", ndp(135, owned, OWNED_V6), Ndp),
            (
                "a colliding solicited-node address",
                ndp(135, solicited_node, neighbor),
                Passed,
            ),
            ("an advertisement to us", ndp(136, owned, neighbor), Ndp),
            (
                "somebody claims our address",
                ndp(136, all_nodes, OWNED_V6),
                Ndp,
            ),
            (
                "somebody claims his own",
                ndp(136, all_nodes, neighbor),
                Passed,
            ),
            ("of a shared address", ndp(135, shared, SHARED_V6), Passed),
            ("a reply to the kernel", ndp(136, shared, neighbor), Passed),
            (
                "a router advertisement",
                icmp(all_nodes, 134, &[0; 8]),
                Passed,
            ),
            ("a redirect", icmp(owned, 137, &[0; 32]), Passed),
        ]);
        let multicast = ndp(135, solicited_node, OWNED_V6);
        bench.check_cut("a solicitation", &multicast, &[(14 + 40 + 24, Ndp)]);
        let unicast = ndp(135, owned, OWNED_V6);
        bench.check_cut(
            "a probe",
            &unicast,
            &[(14 + 40, Malformed), (14 + 40 + 24, Ndp)],
        );
    });
}

#[test]
fn icmp_is_ours_for_owned_addresses_and_quoted_segments_of_ours() {
    on_bench(|bench| {
        for (v6, (owned, shared)) in OWNED.into_iter().zip(SHARED).enumerate() {
            let (echoes, errors, others) = match v6 {
                0 => ([8, 0], vec![3, 11, 12], vec![4, 5, 9, 13, 17]),
                _ => ([128, 129], vec![1, 2, 3, 4], vec![0, 5, 127, 130, 143]),
            };
            for kind in echoes {
                bench.check(&[
                    ("echo, owned", icmp(owned, kind, &[]), Icmp),
                    (
                        "echo, shared",
                        icmp(shared, kind, &quote(shared, HTTP)),
                        Passed,
                    ),
                ]);
            }
            for kind in errors {
                let about = |from, port| icmp(shared, kind, &quote(from, port));
                bench.check(&[
                    ("an error to an owned address", icmp(owned, kind, &[]), Icmp),
                    ("about a listener's", about(shared, HTTP), IcmpQuote),
                    ("about an active open", about(shared, LAST), IcmpQuote),
                    ("about an owned address", about(owned, SSH), IcmpQuote),
                    ("about the kernel's", about(shared, SSH), Passed),
                    ("about somebody else's", about(OTHER[v6], HTTP), Passed),
                    ("about nothing", icmp(shared, kind, &[]), Passed),
                ]);
            }
            for kind in others {
                bench.check(&[
                    (
                        "another type, owned",
                        icmp(owned, kind, &quote(owned, HTTP)),
                        Passed,
                    ),
                    (
                        "another type, shared",
                        icmp(shared, kind, &quote(shared, HTTP)),
                        Passed,
                    ),
                ]);
            }
        }
    });
}

#[test]
fn only_a_quote_that_shows_a_port_of_ours_counts() {
    let [shared, shared6] = SHARED;
    let quoted = |edit: &dyn Fn(Packet) -> Packet| {
        let packet = between(shared, PEER4, TCP, &segment(HTTP, 443)[..8]);
        icmp(shared, 3, &edit(packet).bytes)
    };
    let hop = extension(TCP, 0, &segment(HTTP, 443)[..8]);
    let with_extension = between(shared6, PEER6, HOP_BY_HOP, &hop).bytes;
    on_bench(|bench| {
        bench.check(&[
            ("UDP", quoted(&|packet| packet.with(9, UDP)), Passed),
            (
                "with options",
                quoted(&|packet| packet.options(&[1; 40])),
                IcmpQuote,
            ),
            (
                "a first fragment",
                quoted(&|packet| packet.fragment(0, true)),
                IcmpQuote,
            ),
            (
                "a later fragment",
                quoted(&|packet| packet.fragment(1, true)),
                Passed,
            ),
            (
                "of no version",
                quoted(&|packet| packet.with(0, 0x05)),
                Passed,
            ),
            (
                "with an extension header",
                icmp(shared6, 1, &with_extension),
                IcmpQuote,
            ),
        ]);
        let v4 = icmp(shared, 3, &quote(shared, HTTP));
        bench.check_cut("a quote", &v4, &[(14 + 20 + 8 + 20 + 4, IcmpQuote)]);
        let v6 = icmp(shared6, 1, &quote(shared6, HTTP));
        bench.check_cut("a quote", &v6, &[(14 + 40 + 8 + 40 + 4, IcmpQuote)]);
    });
}

#[test]
fn a_frame_cut_short_is_never_redirected_and_ours_never_passed() {
    on_bench(|bench| {
        for (owned, shared, ip) in [
            (OWNED[0], SHARED[0], 14 + 20),
            (OWNED[1], SHARED[1], 14 + 40),
        ] {
            let whole = ip + 20;
            let steps = [(ip + 4, Malformed), (whole, Listener)];
            bench.check_cut("a listener", &tcp(shared, HTTP), &steps);
            let steps = [(ip, Malformed), (whole, OwnedPort)];
            bench.check_cut("a closed port", &tcp(owned, SSH), &steps);
            bench.check_cut("the kernel's", &tcp(shared, SSH), &[]);
            bench.check_cut(
                "echo",
                &icmp(owned, 8 + 120 * (ip > 34) as u8, &[]),
                &[(ip, Malformed), (ip + 8, Icmp)],
            );
            let tagged = tcp(shared, HTTP).tagged(0x8100);
            bench.check_cut(
                "tagged",
                &tagged,
                &[(ip + 8, Malformed), (whole + 4, Listener)],
            );
        }
        let long = tcp(OWNED[0], HTTP).options(&[1; 40]);
        let steps = [(14 + 20, Malformed), (14 + 60 + 20, Listener)];
        bench.check_cut("behind options", &long, &steps);
        let chain = extension(
            DESTINATION_OPTIONS,
            0,
            &extension(TCP, 1, &segment(1, HTTP)),
        );
        let steps = [(14 + 40, Malformed), (14 + 40 + 24 + 20, Listener)];
        bench.check_cut(
            "behind extensions",
            &ip(OWNED[1], HOP_BY_HOP, &chain),
            &steps,
        );
    });
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
