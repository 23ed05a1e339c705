//! TCP over IPv4 and IPv6, with all that can stand in between.

use super::*;

#[test]
#[rustfmt::skip]
fn tcp_is_steered_by_address_and_port() {
    on_bench(|bench| {
        for ((owned, shared), other) in OWNED.into_iter().zip(SHARED).zip(OTHER) {
            bench.check(&[
                ("a listener on an owned address", tcp(owned, HTTP), Listener),
                ("a listener on a shared address", tcp(shared, HTTP), Listener),
                ("its port on another address", tcp(other, HTTP), Passed),
                ("the first port for active opens", tcp(owned, FIRST), ActiveOpen),
                ("the same, shared", tcp(shared, FIRST), ActiveOpen),
                ("the last port for active opens", tcp(shared, LAST), ActiveOpen),
                ("one port below", tcp(shared, FIRST - 1), Passed),
                ("one port above", tcp(shared, LAST + 1), Passed),
                ("the same, owned", tcp(owned, LAST + 1), OwnedPort),
                ("a port for active opens elsewhere", tcp(other, FIRST), Passed),
                ("a closed port of an owned address", tcp(owned, SSH), OwnedPort),
                ("a port of the kernel's", tcp(shared, SSH), Passed),
                ("port 0", tcp(shared, 0), Passed),
                ("port 0, owned", tcp(owned, 0), OwnedPort),
                ("UDP to a listener's port", ip(shared, UDP, &segment(1, HTTP)), Passed),
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
#[rustfmt::skip]
fn headers_that_contradict_themselves_are_dropped_where_they_are_ours() {
    on_bench(|bench| {
        let (owned, shared) = (OWNED[0], SHARED[0]);
        bench.check(&[
            ("IPv4 that says it is version 6", tcp(shared, HTTP).with(0, 0x65), Passed),
            ("IPv6 that says it is version 4", tcp(SHARED[1], HTTP).with(0, 0x40), Passed),
            ("an IPv4 header of 16 bytes", tcp(shared, HTTP).with(0, 0x44), Passed),
            ("the same, owned", tcp(owned, HTTP).with(0, 0x44), Malformed),
            ("a TCP header of 16 bytes", tcp(shared, HTTP).with(32, 0x40), Malformed),
            ("a TCP header longer than the frame", tcp(shared, HTTP).with(32, 0x60), Malformed),
            ("the same to a port of the kernel's", tcp(shared, SSH).with(32, 0x60), Passed),
            ("the same to a closed port of ours", tcp(owned, SSH).with(32, 0x60), Malformed),
        ]);
    });
}

#[test]
#[rustfmt::skip]
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
#[rustfmt::skip]
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
            ("echo behind an extension", ip(owned, HOP_BY_HOP, &echo), Icmp),
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
#[rustfmt::skip]
fn ipv4_fragments_of_ours_are_dropped() {
    on_bench(|bench| {
        let ([owned, _], [shared, _], [other, _]) = (OWNED, SHARED, OTHER);
        let echo = icmp(owned, 8, &[]);
        bench.check(&[
            ("first, owned", tcp(owned, SSH).fragment(0, true), Fragment),
            ("later, owned", tcp(owned, SSH).fragment(3, true), Fragment),
            ("last, owned", tcp(owned, SSH).fragment(185, false), Fragment),
            ("first, a listener", tcp(shared, HTTP).fragment(0, true), Fragment),
            ("first, an active open", tcp(shared, FIRST).fragment(0, true), Fragment),
            ("first, the kernel's", tcp(shared, SSH).fragment(0, true), Passed),
            ("later, nobody can tell", tcp(shared, HTTP).fragment(1, false), Passed),
            ("elsewhere", tcp(other, HTTP).fragment(0, true), Passed),
            ("ICMP, owned", echo.clone().fragment(0, true), Fragment),
            ("ICMP, owned, later", echo.fragment(9, false), Fragment),
            ("ICMP, shared", icmp(shared, 8, &[]).fragment(0, true), Passed),
            ("UDP, owned", ip(owned, UDP, &[0; 8]).fragment(0, true), Passed),
            ("behind options", tcp(shared, HTTP).options(&[1; 8]).fragment(0, true), Fragment),
            ("don't fragment is no fragment", tcp(shared, HTTP).with(6, 0x40), Listener),
        ]);
    });
}

#[test]
#[rustfmt::skip]
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
            ("first, a listener", fragment(shared, HTTP, 0, true), Fragment),
            ("atomic, a listener", fragment(shared, HTTP, 0, false), Fragment),
            ("first, the kernel's", fragment(shared, SSH, 0, true), Passed),
            ("later, nobody can tell", fragment(shared, HTTP, 7, false), Passed),
            ("before destination options", ip(shared, FRAGMENT, &inner), Fragment),
            ("behind hop-by-hop options", ip(shared, HOP_BY_HOP, &outer), Fragment),
            ("later, of options and who knows what", ip(owned, FRAGMENT, &tail), Passed),
            ("ICMPv6, owned", ip(owned, FRAGMENT, &echo), Fragment),
            ("ICMPv6, shared", ip(shared, FRAGMENT, &echo), Passed),
        ]);
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
fn a_segment_of_9000_bytes_is_judged_by_its_first_buffer() {
    on_bench(|bench| {
        for ((owned, shared), other) in OWNED.into_iter().zip(SHARED).zip(OTHER) {
            for (address, verdict) in [(owned, Listener), (shared, Listener), (other, Passed)] {
                let mut text = segment(33000, HTTP);
                text.resize(8_900, 0x5a);
                let packet = ip(address, TCP, &text);
                assert_eq!(bench.judge(&packet.frame()), verdict);
                assert_eq!(bench.judge(&packet.tagged(0x8100).frame()), verdict);
            }
        }
    });
}
