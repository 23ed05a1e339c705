//! ARP, neighbor discovery and ICMP.

use super::*;

#[test]
#[rustfmt::skip]
fn arp_is_ours_for_owned_addresses() {
    on_bench(|bench| {
        bench.check(&[
            ("a request", arp(1, OWNED_V4), Arp),
            ("a reply to us", arp(2, OWNED_V4), Arp),
            ("for a shared address", arp(1, SHARED_V4), Passed),
            ("a reply to the kernel", arp(2, SHARED_V4), Passed),
            ("not of Ethernet", arp(1, OWNED_V4).with(1, 6), Passed),
            ("not for IPv4", arp(1, OWNED_V4).with(2, 9), Passed),
            ("with long hardware addresses", arp(1, OWNED_V4).with(4, 8), Passed),
            ("with long protocol addresses", arp(1, OWNED_V4).with(5, 16), Passed),
        ]);
        bench.check_cut("ARP", &arp(1, OWNED_V4), &[(14 + 28, Arp)]);
    });
}

#[test]
#[rustfmt::skip]
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
            ("a colliding solicited-node address", ndp(135, solicited_node, neighbor), Passed),
            ("an advertisement to us", ndp(136, owned, neighbor), Ndp),
            ("somebody claims our address", ndp(136, all_nodes, OWNED_V6), Ndp),
            ("somebody claims his own", ndp(136, all_nodes, neighbor), Passed),
            ("of a shared address", ndp(135, shared, SHARED_V6), Passed),
            ("a reply to the kernel", ndp(136, shared, neighbor), Passed),
            ("a router advertisement", icmp(all_nodes, 134, &[0; 8]), Passed),
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
#[rustfmt::skip]
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
                    ("echo, shared", icmp(shared, kind, &quote(shared, HTTP)), Passed),
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
                    ("another type, owned", icmp(owned, kind, &quote(owned, HTTP)), Passed),
                    ("another type, shared", icmp(shared, kind, &quote(shared, HTTP)), Passed),
                ]);
            }
        }
    });
}

#[test]
#[rustfmt::skip]
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
            ("with options", quoted(&|packet| packet.options(&[1; 40])), IcmpQuote),
            ("a first fragment", quoted(&|packet| packet.fragment(0, true)), IcmpQuote),
            ("a later fragment", quoted(&|packet| packet.fragment(1, true)), Passed),
            ("of no version", quoted(&|packet| packet.with(0, 0x05)), Passed),
            ("with an extension header", icmp(shared6, 1, &with_extension), IcmpQuote),
        ]);
        let v4 = icmp(shared, 3, &quote(shared, HTTP));
        bench.check_cut("a quote", &v4, &[(14 + 20 + 8 + 20 + 4, IcmpQuote)]);
        let v6 = icmp(shared6, 1, &quote(shared6, HTTP));
        bench.check_cut("a quote", &v6, &[(14 + 40 + 8 + 40 + 4, IcmpQuote)]);
    });
}
