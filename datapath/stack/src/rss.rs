//! Which queue a network card gives a frame to: receive side scaling by the Toeplitz hash, so that
//! an active open can choose a source port whose replies come home.

use std::net::IpAddr;

use wirepath_wire::tuple::Tuple;

/// Bits of the key that one step of the hash looks at.
const WINDOW: usize = 32;
/// Bytes that are hashed at most: two IPv6 addresses and two ports.
const INPUT_MAX: usize = 2 * 16 + 2 * 2;

/// How a card deals frames out, seen by one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rss {
    key: Vec<u8>,
    /// For each remainder of the hash, whether its queue is this worker's.
    home: Vec<bool>,
}

impl Rss {
    /// With the card's `key`, and for each entry of its indirection table whether that queue is
    /// this worker's. `None` if the key is too short for IPv6 or there are no entries.
    #[must_use]
    pub fn new(key: Vec<u8>, home: Vec<bool>) -> Option<Self> {
        let least = INPUT_MAX + WINDOW / 8;
        (key.len() >= least && !home.is_empty()).then_some(Self { key, home })
    }

    /// Whether what the peer of `tuple` sends comes to a queue of this worker.
    pub(crate) fn brings_home(&self, tuple: &Tuple) -> bool {
        let place = self.hash(tuple) as usize % self.home.len();
        self.home.get(place).is_some_and(|&home| home)
    }

    /// The hash of a segment from the peer: its source comes first.
    fn hash(&self, tuple: &Tuple) -> u32 {
        let Tuple { local, remote } = tuple;
        let ports = u32::from(remote.port) << 16 | u32::from(local.port);
        match (remote.address, local.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let addresses = [from.octets(), to.octets()];
                self.toeplitz(addresses.as_flattened(), ports)
            }
            (from, to) => {
                let octets = |address| match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                    IpAddr::V6(v6) => v6.octets(),
                };
                self.toeplitz([octets(from), octets(to)].as_flattened(), ports)
            }
        }
    }

    /// The window slides over the key, bit by bit, and counts where the input has a one.
    fn toeplitz(&self, addresses: &[u8], ports: u32) -> u32 {
        let ports = ports.to_be_bytes();
        let input = addresses.iter().chain(&ports);
        let (first, rest) = self.key.split_at(WINDOW / 8);
        let mut window = first.iter().fold(0, |w, &byte| w << 8 | u32::from(byte));
        let mut hash = 0;
        for (byte, next) in input.zip(rest) {
            for bit in (0..8).rev() {
                if byte >> bit & 1 == 1 {
                    hash ^= window;
                }
                window = window << 1 | u32::from(next >> bit & 1);
            }
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use wirepath_wire::tuple::Endpoint;

    use super::*;

    /// The key of Microsoft's "Verifying the RSS Hash Calculation", and its results.
    const KEY: [u8; 40] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f,
        0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
        0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    fn tuple(remote: (&str, u16), local: (&str, u16)) -> Tuple {
        let end = |(address, port): (&str, u16)| {
            Endpoint::new(address.parse().expect("an address"), port)
        };
        Tuple {
            local: end(local),
            remote: end(remote),
        }
    }

    fn rss(home: Vec<bool>) -> Rss {
        Rss::new(KEY.to_vec(), home).expect("a key of 40 bytes")
    }

    #[test]
    fn the_hash_is_that_of_the_suite_that_cards_are_verified_by() {
        let rss = rss(vec![true]);
        for (from, to, hash) in [
            (
                ("66.9.149.187", 2794),
                ("161.142.100.80", 1766),
                0x51cc_c178,
            ),
            (("199.92.111.2", 14230), ("65.69.140.83", 4739), 0xc626_b0ea),
            (
                ("24.19.198.95", 12898),
                ("12.22.207.184", 38024),
                0x5c2b_394a,
            ),
            (
                ("3ffe:2501:200:1fff::7", 2794),
                ("3ffe:2501:200:3::1", 1766),
                0x4020_7d3d,
            ),
        ] {
            assert_eq!(rss.hash(&tuple(from, to)), hash, "{from:?}");
        }
    }

    #[test]
    fn every_queue_of_a_table_is_the_home_of_some_ports() {
        let second = rss((0..128).map(|place| place % 4 == 1).collect());
        let comes_home = |port| second.brings_home(&tuple(("10.0.0.2", 80), ("10.0.0.1", port)));
        let home = (40_000..41_000).filter(|&port| comes_home(port)).count();
        assert!((200..=300).contains(&home), "{home} of 1,000");
    }

    #[test]
    fn a_key_that_does_not_reach_over_ipv6_is_none() {
        assert_eq!(Rss::new(KEY[..39].to_vec(), vec![true]), None);
        assert_eq!(Rss::new(KEY.to_vec(), Vec::new()), None);
    }
}
