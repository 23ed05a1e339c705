//! The source ports of active opens: RFC 6056.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use std::hash::BuildHasher;

use wirepath_tcp::isn::Secret;
use wirepath_wire::tuple::Endpoint;

use crate::limits;
use crate::listeners::Keyed;
use crate::peers::WorkerId;

/// How many counters there are: what a peer sees of one says little of the others.
const COUNTERS: usize = 64;

/// Chooses ports that who does not know the secret cannot guess: the double-hash algorithm of
/// RFC 6056 3.3.4.
#[derive(Debug)]
pub(crate) struct SourcePorts {
    keyed: Keyed,
    /// The first port of this worker's, how many it has, and how far they are apart.
    first: u16,
    count: u32,
    step: u16,
    counters: [u32; COUNTERS],
}

impl SourcePorts {
    pub(crate) fn new(range: &RangeInclusive<u16>, secret: Secret) -> Self {
        Self {
            keyed: Keyed(secret),
            first: *range.start(),
            count: u32::from(*range.end()).saturating_sub(u32::from(*range.start())) + 1,
            step: 1,
            counters: [0; COUNTERS],
        }
    }

    /// Leaves all but every `of`th port, from the `me`th on, to other workers: no two of them
    /// choose the same.
    pub(crate) fn share(&mut self, me: WorkerId, of: u8) {
        let of = u32::from(of).clamp(1, self.count);
        self.first += (u32::from(me.0) % of) as u16 * self.step;
        self.count /= of;
        self.step *= of as u16;
    }

    /// A port for a connection from `local` to `remote`: the first that is free and brings replies
    /// home, or where that takes long one that is free, if there is any.
    pub(crate) fn choose(
        &mut self,
        local: IpAddr,
        remote: Endpoint,
        judge: impl Fn(u16) -> Fitness,
    ) -> Option<u16> {
        let pair = (local, remote.address, remote.port);
        let hash = self.keyed.hash_one(pair);
        let (offset, slot) = ((hash >> 32) as u32, hash as usize % COUNTERS);
        let mut astray = None;
        for tries in 0..self.count {
            let most = match astray {
                Some(_) => limits::HOME_TRIES,
                None => limits::PORT_TRIES,
            };
            if tries >= most {
                break;
            }
            let number = offset.wrapping_add(self.counters[slot]) % self.count;
            self.counters[slot] = self.counters[slot].wrapping_add(1);
            let port = self.first + number as u16 * self.step;
            match judge(port) {
                Fitness::Home => return Some(port),
                Fitness::Astray => astray = astray.or(Some(port)),
                Fitness::Taken => {}
            }
        }
        astray
    }
}

/// What a port is worth to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// Free, and replies come to the worker that asks.
    Home,
    /// Free, but replies come to another worker, which hands them over.
    Astray,
    Taken,
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
            .map(|_| ports.choose(LOCAL, peer(2), |_| Fitness::Home).unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (40_000..=40_999).collect::<Vec<_>>());
    }

    #[test]
    fn where_a_peer_begins_depends_on_the_peer_and_on_the_secret() {
        let first = |key, host| ports(key).choose(LOCAL, peer(host), |_| Fitness::Home);
        let firsts: std::collections::HashSet<_> = (0..50)
            .map(|n| first(n, 2))
            .chain((0..50).map(|n| first(1, n)))
            .collect();
        assert!(firsts.len() > 80, "{}", firsts.len());
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over_and_a_full_range_has_none() {
        let mut ports = ports(1);
        let only = ports.choose(LOCAL, peer(2), |port| match port {
            40_123 => Fitness::Home,
            _ => Fitness::Taken,
        });
        assert_eq!(only, Some(40_123));
        assert_eq!(ports.choose(LOCAL, peer(2), |_| Fitness::Taken), None);
    }

    #[test]
    fn no_two_workers_choose_the_same_port_and_together_they_choose_all() {
        let mut seen = std::collections::HashSet::new();
        for me in 0..4 {
            let mut ports = ports(1);
            ports.share(WorkerId(me), 4);
            for _ in 0..250 {
                let port = ports.choose(LOCAL, peer(2), |_| Fitness::Home).unwrap();
                assert!(seen.insert(port), "{port} twice");
            }
        }
        assert_eq!(seen.len(), 1_000);
    }

    #[test]
    fn a_port_whose_replies_come_home_is_preferred_but_not_looked_for_in_vain() {
        let mut ports = ports(1);
        let in_four = |port| {
            if port % 4 == 3 {
                Fitness::Home
            } else {
                Fitness::Astray
            }
        };
        for _ in 0..250 {
            let port = ports.choose(LOCAL, peer(2), in_four).unwrap();
            assert_eq!(port % 4, 3);
        }
        let looked_at = std::cell::Cell::new(0);
        let never = |_| {
            looked_at.set(looked_at.get() + 1);
            Fitness::Astray
        };
        assert!(ports.choose(LOCAL, peer(2), never).is_some());
        assert_eq!(looked_at.get(), limits::HOME_TRIES);
    }
}
