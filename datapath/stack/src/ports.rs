//! The source ports of active opens: RFC 6056.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use std::hash::BuildHasher;

use wirepath_tcp::isn::Secret;
use wirepath_wire::tuple::Endpoint;

use crate::listeners::Keyed;

/// How many counters there are: what a peer sees of one says little of the others.
const COUNTERS: usize = 64;

/// Chooses ports that who does not know the secret cannot guess: the double-hash algorithm of
/// RFC 6056 3.3.4.
#[derive(Debug)]
pub(crate) struct SourcePorts {
    keyed: Keyed,
    first: u16,
    count: u32,
    counters: [u32; COUNTERS],
}

impl SourcePorts {
    pub(crate) fn new(range: &RangeInclusive<u16>, secret: Secret) -> Self {
        Self {
            keyed: Keyed(secret),
            first: *range.start(),
            count: u32::from(*range.end()).saturating_sub(u32::from(*range.start())) + 1,
            counters: [0; COUNTERS],
        }
    }

    /// A port for a connection from `local` to `remote` that `is_free` finds free, if there is one.
    pub(crate) fn choose(
        &mut self,
        local: IpAddr,
        remote: Endpoint,
        is_free: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let pair = (local, remote.address, remote.port);
        let hash = self.keyed.hash_one(pair);
        let (offset, slot) = ((hash >> 32) as u32, hash as usize % COUNTERS);
        for _ in 0..self.count {
            let number = offset.wrapping_add(self.counters[slot]) % self.count;
            self.counters[slot] = self.counters[slot].wrapping_add(1);
            let port = self.first + number as u16;
            if is_free(port) {
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn peer(host: u8) -> Endpoint {
        Endpoint::new([10, 0, 0, host].into(), 80)
    }

    fn ports(key: u8) -> SourcePorts {
        SourcePorts::new(&(40_000..=40_999), Secret::new([key; 16]))
    }

    #[test]
    fn every_port_of_the_range_is_used_once_before_one_comes_again() {
        let mut ports = ports(1);
        let mut seen: Vec<u16> = (0..1_000)
            .map(|_| ports.choose(LOCAL, peer(2), |_| true).unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (40_000..=40_999).collect::<Vec<_>>());
    }

    #[test]
    fn where_a_peer_begins_depends_on_the_peer_and_on_the_secret() {
        let first = |key, host| ports(key).choose(LOCAL, peer(host), |_| true);
        let firsts: std::collections::HashSet<_> = (0..50)
            .map(|n| first(n, 2))
            .chain((0..50).map(|n| first(1, n)))
            .collect();
        assert!(firsts.len() > 80, "{}", firsts.len());
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over_and_a_full_range_has_none() {
        let mut ports = ports(1);
        let only = ports.choose(LOCAL, peer(2), |port| port == 40_123);
        assert_eq!(only, Some(40_123));
        assert_eq!(ports.choose(LOCAL, peer(2), |_| false), None);
    }
}
