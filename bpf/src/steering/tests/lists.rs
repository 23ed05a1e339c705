//! Who may connect to a listener.

use super::*;

/// Where the flags of an IPv4 packet's segment are.
const FLAGS: usize = 20 + 13;
const ACK: u8 = 0x10;
const SYN_ACK: u8 = 0x12;

fn rules(named: &[(&str, bool)]) -> Vec<Rule> {
    let rule = |&(network, allow): &(&str, bool)| Rule {
        network: network.parse().unwrap(),
        allow,
    };
    named.iter().map(rule).collect()
}

fn from(peer: &str, to: IpAddr) -> Packet {
    between(peer.parse().unwrap(), to, TCP, &segment(33000, HTTP))
}

#[test]
fn the_longest_network_decides_and_who_is_in_none_may_not() {
    on_bench(|bench| {
        let [v4, v6] = SHARED;
        let list = rules(&[
            ("10.0.0.0/8", true),
            ("10.1.0.0/16", false),
            ("10.1.2.3/32", true),
            ("2001:db8::/32", true),
            ("2001:db8:1::/48", false),
        ]);
        for address in SHARED {
            bench
                .steering
                .restrict((address, HTTP).into(), &list)
                .unwrap();
        }
        bench.check(&[
            ("allowed", from("10.9.9.9", v4), Listener),
            ("within it denied", from("10.1.9.9", v4), Denied),
            ("within that allowed", from("10.1.2.3", v4), Listener),
            ("in no network", from("11.0.0.1", v4), Denied),
            ("IPv6 allowed", from("2001:db8::9", v6), Listener),
            ("IPv6 denied", from("2001:db8:1::9", v6), Denied),
            ("IPv6 in no network", from("2001:db9::9", v6), Denied),
            ("no SYN", from("11.0.0.1", v4).with(FLAGS, ACK), Listener),
            (
                "a SYN-ACK",
                from("11.0.0.1", v4).with(FLAGS, SYN_ACK),
                Listener,
            ),
            ("another listener", tcp(OWNED[0], HTTP), Listener),
        ]);
    });
}

#[test]
fn a_list_is_replaced_at_once_and_leaves_nothing_behind() {
    on_bench(|bench| {
        let [v4, _] = SHARED;
        let endpoint = (v4, HTTP).into();
        let peer = from("10.9.9.9", v4);
        for round in 0..10 {
            let list = rules(&[("0.0.0.0/0", round % 2 == 0), ("11.0.0.0/8", false)]);
            bench.steering.restrict(endpoint, &list).unwrap();
            let expected = if round % 2 == 0 { Listener } else { Denied };
            assert_eq!(bench.judge(&peer.frame()), expected);
            assert_eq!(bench.steering.network_count(), 2);
        }
        bench.steering.restrict(endpoint, &[]).unwrap();
        assert_eq!(bench.judge(&peer.frame()), Listener);
        assert_eq!(bench.steering.network_count(), 0);
        // Said before the port is claimed, it holds from the first SYN on.
        bench.steering.remove_listener(endpoint).unwrap();
        let none = rules(&[("0.0.0.0/0", false)]);
        bench.steering.restrict(endpoint, &none).unwrap();
        assert_eq!(bench.judge(&peer.frame()), Passed);
        bench.steering.add_listener(endpoint).unwrap();
        assert_eq!(bench.judge(&peer.frame()), Denied);
        bench.steering.remove_listener(endpoint).unwrap();
        assert_eq!(bench.steering.network_count(), 0);
    });
}
