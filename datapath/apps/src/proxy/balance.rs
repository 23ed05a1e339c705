//! The choice of a backend.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use wirepath_wire::tuple::Endpoint;

use super::backend::Backend;
use super::settings::{BackendSettings, Balance, PoolSettings};

/// Places in a Maglev table: a prime, and enough that no backend of a hundred is off by a percent.
const PLACES: usize = 65_537;
/// A place that nobody has.
const NOBODY: u16 = u16::MAX;

/// The table of Maglev hashing: numbers of backends. To make one takes a while: not for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MaglevTable(Arc<[u16]>);

impl MaglevTable {
    /// Each backend prefers the places in an order of its own, and takes one after the other as
    /// often as its weight says, until none is left.
    #[must_use]
    pub fn of(backends: &[BackendSettings]) -> Self {
        Self(maglev(backends).into())
    }
}

/// Chooses among backends. What it knows of the past is kept here.
#[derive(Debug)]
pub(super) struct Chooser {
    balance: Balance,
    /// The backends, in their order.
    endpoints: Vec<Endpoint>,
    /// For each, in round robin, how much it is owed.
    owed: Vec<i64>,
    table: MaglevTable,
}

impl Chooser {
    pub(super) fn new(settings: &PoolSettings) -> Self {
        Self {
            balance: settings.balance,
            endpoints: endpoints(settings).collect(),
            owed: vec![0; settings.backends.len()],
            table: settings.table.clone(),
        }
    }

    /// Whether one with these settings would be the same, but for what it knows of the past.
    pub(super) fn is_for(&self, settings: &PoolSettings) -> bool {
        self.balance == settings.balance
            && self.endpoints.iter().copied().eq(endpoints(settings))
            && self.table == settings.table
    }

    /// The number of the one that gets a connection of `source`, of those that are eligible. A
    /// share is what a backend gets of a thousand beside one of weight 1, at this time.
    pub(super) fn choose(
        &mut self,
        backends: &[Backend],
        source: IpAddr,
        is_eligible: impl Fn(usize) -> bool,
        share: impl Fn(usize) -> i64,
    ) -> Option<usize> {
        let eligible = (0..backends.len()).filter(|&at| is_eligible(at));
        match self.balance {
            Balance::RoundRobin => self.in_turn(eligible, &share),
            Balance::LeastConnections => {
                let load = |at: usize| {
                    let held = backends[at].held as i64 + 1;
                    held.saturating_mul(1 << 20) / share(at).max(1)
                };
                let least = eligible.clone().map(load).min()?;
                self.in_turn(eligible.filter(|&at| load(at) == least), &share)
            }
            Balance::SourceHash => {
                let score = |&at: &usize| {
                    let hash = hash(source, Some(backends[at].settings.endpoint), 0);
                    // Weighted rendezvous: the least of exponential times at these rates.
                    let unit = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
                    -unit.ln() / f64::from(backends[at].settings.weight.max(1))
                };
                eligible.min_by(|one, other| score(one).total_cmp(&score(other)))
            }
            Balance::Maglev => {
                // Not all places are asked in vain.
                eligible.clone().next()?;
                let table = &self.table.0;
                let first = (hash(source, None, 0) % PLACES as u64) as usize;
                // Whose backend is not to be had goes to that of another place.
                let places = table.iter().cycle().skip(first).take(table.len());
                let mut places = places.map(|&number| usize::from(number));
                places.find(|&at| at < backends.len() && is_eligible(at))
            }
        }
    }

    /// Smooth weighted round robin: each is owed its share at each turn; who is owed most gets it,
    /// and owes the rest.
    fn in_turn(
        &mut self,
        eligible: impl Iterator<Item = usize>,
        share: &impl Fn(usize) -> i64,
    ) -> Option<usize> {
        let (mut all, mut best) = (0, None);
        for at in eligible {
            let share = share(at);
            all += share;
            self.owed[at] += share;
            if best.is_none_or(|best: usize| self.owed[at] > self.owed[best]) {
                best = Some(at);
            }
        }
        self.owed[best?] -= all;
        best
    }
}

fn endpoints(settings: &PoolSettings) -> impl Iterator<Item = Endpoint> {
    settings.backends.iter().map(|backend| backend.endpoint)
}

fn maglev(backends: &[BackendSettings]) -> Vec<u16> {
    let mut table = vec![NOBODY; PLACES];
    let weights: Vec<u64> = backends.iter().map(|it| u64::from(it.weight)).collect();
    let Some(heaviest) = weights.iter().copied().max().filter(|&weight| weight > 0) else {
        return table;
    };
    let mut order: Vec<(usize, usize)> = backends.iter().map(places_of).collect();
    let (mut taken, mut round) = (0, 0_u64);
    loop {
        round += 1;
        for (number, weight) in weights.iter().enumerate() {
            // In so many rounds so many turns: the heaviest has one in each.
            if round * weight / heaviest == (round - 1) * weight / heaviest {
                continue;
            }
            let (place, step) = &mut order[number];
            while table[*place] != NOBODY {
                *place = (*place + *step) % PLACES;
            }
            table[*place] = number as u16;
            taken += 1;
            if taken == PLACES {
                return table;
            }
        }
    }
}

/// The place that a backend likes best, and how far from each it is to the next.
fn places_of(backend: &BackendSettings) -> (usize, usize) {
    let endpoint = backend.endpoint;
    let at = |seed| hash(endpoint.address, Some(endpoint), seed);
    let first = at(1) % PLACES as u64;
    let step = at(2) % (PLACES as u64 - 1) + 1;
    (first as usize, step as usize)
}

/// The same on every worker and after every start: a client keeps its backend.
fn hash(address: IpAddr, endpoint: Option<Endpoint>, seed: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, 0);
    let write = |hasher: &mut SipHasher13, address| match address {
        IpAddr::V4(address) => hasher.write(&address.octets()),
        IpAddr::V6(address) => hasher.write(&address.octets()),
    };
    write(&mut hasher, address);
    if let Some(endpoint) = endpoint {
        write(&mut hasher, endpoint.address);
        hasher.write(&endpoint.port.to_be_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::settings::Admin;
    use super::*;

    fn backends(weights: &[u16]) -> Vec<Backend> {
        let backend = |(nth, &weight): (usize, &u16)| {
            Backend::new(BackendSettings {
                endpoint: Endpoint::new([10, 0, 1, nth as u8].into(), 80),
                weight,
                max_connections: 0,
                admin: Admin::Ready,
            })
        };
        weights.iter().enumerate().map(backend).collect()
    }

    fn settings(balance: Balance, backends: &[Backend]) -> PoolSettings {
        let backends: Vec<_> = backends.iter().map(|backend| backend.settings).collect();
        PoolSettings {
            balance,
            table: MaglevTable::of(&backends),
            backends,
            ..PoolSettings::default()
        }
    }

    fn client(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0A01_0000 + number).into()
    }

    /// Who gets the clients of these numbers, with some backends left out.
    fn chosen(
        balance: Balance,
        backends: &[Backend],
        clients: u32,
        is_eligible: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut chooser = Chooser::new(&settings(balance, backends));
        let share = |at: usize| i64::from(backends[at].settings.weight) * 1_000;
        (0..clients)
            .map(|number| {
                let chosen = chooser.choose(backends, client(number), &is_eligible, share);
                chosen.expect("somebody is eligible")
            })
            .collect()
    }

    fn counts(chosen: &[usize], backends: usize) -> Vec<usize> {
        let mut counts = vec![0; backends];
        chosen.iter().for_each(|&at| counts[at] += 1);
        counts
    }

    #[test]
    fn round_robin_deals_by_weight_and_evenly_in_time() {
        let three = backends(&[3, 1, 1]);
        let dealt = chosen(Balance::RoundRobin, &three, 10, |_| true);
        assert_eq!(dealt, [0, 1, 0, 2, 0, 0, 1, 0, 2, 0]);
    }

    #[test]
    fn round_robin_leaves_out_who_is_not_eligible() {
        let three = backends(&[1, 1, 1]);
        let dealt = chosen(Balance::RoundRobin, &three, 4, |at| at != 1);
        assert_eq!(dealt, [0, 2, 0, 2]);
    }

    #[test]
    fn the_fewest_connections_count_by_weight() {
        let mut two = backends(&[1, 2]);
        let mut chooser = Chooser::new(&settings(Balance::LeastConnections, &two));
        for _ in 0..30 {
            let share = |at: usize| [1_000, 2_000][at];
            let at = chooser.choose(&two, client(0), |_| true, share).unwrap();
            two[at].held += 1;
        }
        assert_eq!([two[0].held, two[1].held], [10, 20]);
    }

    #[test]
    fn hashes_spread_clients_by_weight_and_keep_each_where_it_was() {
        let ten = backends(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 3]);
        for balance in [Balance::SourceHash, Balance::Maglev] {
            let first = chosen(balance, &ten, 12_000, |_| true);
            assert_eq!(first, chosen(balance, &ten, 12_000, |_| true));
            let counts = counts(&first, 10);
            assert!(
                counts[..9].iter().all(|n| (800..1_200).contains(n)),
                "{balance:?} {counts:?}"
            );
            assert!(
                (2_700..3_300).contains(&counts[9]),
                "{balance:?} {counts:?}"
            );
        }
    }

    #[test]
    fn without_one_of_ten_at_most_15_percent_of_the_others_clients_move() {
        let ten = backends(&[1; 10]);
        // Taken out of the pool, and only not to be had.
        let nine: Vec<Backend> = backends(&[1; 10])
            .into_iter()
            .filter(|it| it.settings.endpoint != ten[4].settings.endpoint)
            .collect();
        for balance in [Balance::SourceHash, Balance::Maglev] {
            let before = chosen(balance, &ten, 10_000, |_| true);
            let down = chosen(balance, &ten, 10_000, |at| at != 4);
            let gone = chosen(balance, &nine, 10_000, |_| true);
            let gone: Vec<usize> = gone
                .into_iter()
                .map(|at| at + usize::from(at >= 4))
                .collect();
            for after in [down, gone] {
                let others = before
                    .iter()
                    .zip(&after)
                    .filter(|(before, _)| **before != 4);
                let moved = others
                    .clone()
                    .filter(|(before, after)| before != after)
                    .count();
                assert!(moved * 100 <= others.count() * 15, "{balance:?}: {moved}");
            }
        }
    }
}
