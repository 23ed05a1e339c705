//! What only a whole configuration shows to be wrong.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wirepath_stack::limits::TOLD_HOSTS;
use wirepath_wire::ip;

use super::choices::ServiceChoice;
use super::file::Configuration;
use super::pool::BACKENDS;

/// A key, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) key: String,
    pub(super) problem: String,
}

fn flaw(key: impl Into<String>, problem: impl Into<String>) -> Option<Flaw> {
    Some(Flaw {
        key: key.into(),
        problem: problem.into(),
    })
}

type Check = fn(&Configuration) -> Option<Flaw>;

const CHECKS: [Check; 10] = [
    interfaces,
    addresses,
    device,
    pools,
    backends,
    hosts,
    proxies,
    places,
    addresses_of_listeners,
    networks,
];

pub(super) fn first_flaw(configuration: &Configuration) -> Option<Flaw> {
    CHECKS.iter().find_map(|check| check(configuration))
}

fn interfaces(configuration: &Configuration) -> Option<Flaw> {
    let front = &configuration.interface;
    if let Some(flaw) = interface("interface", front) {
        return Some(flaw);
    }
    let back = &configuration.back.as_ref()?.interface;
    interface("back.interface", back).or_else(|| {
        let same = back == front;
        let problem = format!("{back:?} is the interface that is served in front already");
        same.then(|| flaw("back.interface", problem))?
    })
}

fn interface(key: &str, name: &str) -> Option<Flaw> {
    // IFNAMSIZ of the kernel, without the NUL.
    match name.len() {
        0 => flaw(
            key,
            "is missing, must name a network interface, such as \"eth0\"",
        ),
        1..=15 => None,
        _ => flaw(key, "is too long, must be a name of at most 15 bytes"),
    }
}

fn addresses(configuration: &Configuration) -> Option<Flaw> {
    let front = configuration.addresses.iter().enumerate();
    let front = front.map(|(nth, address)| (format!("addresses[{nth}]"), address));
    let back = configuration.back.iter().flat_map(|back| &back.addresses);
    let back = back.enumerate();
    let back = back.map(|(nth, address)| (format!("back.addresses[{nth}]"), address));
    let mut seen = Vec::new();
    front.chain(back).find_map(|(key, address)| {
        if !ip::is_unicast(*address) {
            return flaw(
                key,
                format!("{address} names no single host, must be unicast"),
            );
        }
        if seen.contains(&address) {
            return flaw(key, format!("{address} is there already"));
        }
        seen.push(address);
        None
    })
}

fn device(configuration: &Configuration) -> Option<Flaw> {
    let device = &configuration.device;
    let frame = u32::from(device.frame_size);
    if ![2048, 4096].contains(&frame) {
        return flaw("device.frame_size", "must be \"2KiB\" or \"4KiB\"");
    }
    let is_power = device.ring_size.0.is_power_of_two();
    (!is_power).then(|| flaw("device.ring_size", "must be a power of two, such as 2048"))?
}

fn pools(configuration: &Configuration) -> Option<Flaw> {
    let pools = &configuration.pools;
    pools.iter().enumerate().find_map(|(nth, pool)| {
        let key = |name: &str| format!("pool[{nth}].{name}");
        if pool.name.is_empty() {
            return flaw(
                key("name"),
                "is missing, must be what listeners call the pool",
            );
        }
        if let Some(other) = pools[..nth]
            .iter()
            .position(|other| other.name == pool.name)
        {
            let problem = format!("{:?} is the name of pool[{other}] already", pool.name);
            return flaw(key("name"), problem);
        }
        if pool.backends.is_empty() {
            return flaw(
                key("backend"),
                "is missing: a pool has one [[pool.backend]] at least",
            );
        }
        if let Some(flaw) = source_address(configuration, nth) {
            return Some(flaw);
        }
        let too_many = pool.backends.len() > BACKENDS;
        too_many.then(|| flaw(key("backend"), format!("are more than {BACKENDS}")))?
    })
}

fn source_address(configuration: &Configuration, nth: usize) -> Option<Flaw> {
    let pool = &configuration.pools[nth];
    let address = pool.source_address?;
    let key = format!("pool[{nth}].source_address");
    if let Some(problem) = not_served(configuration, address) {
        return flaw(key, problem);
    }
    let mut backends = pool.backends.iter().map(|backend| backend.address);
    let other = backends.find(|backend| backend.is_ipv4() != address.is_ipv4())?;
    flaw(
        key,
        format!("{address} is of another family than the backend {other}"),
    )
}

fn backends(configuration: &Configuration) -> Option<Flaw> {
    let pools = configuration.pools.iter().enumerate();
    pools
        .flat_map(|(nth, pool)| {
            let backends = pool.backends.iter().enumerate();
            backends.map(move |(at, backend)| (nth, at, backend, &pool.backends[..at]))
        })
        .find_map(|(nth, at, backend, before)| {
            let key = format!("pool[{nth}].backend[{at}].address");
            let address = backend.address;
            if address.ip().is_loopback() {
                let problem = format!("{address} is this host itself, must be another host's");
                return flaw(key, problem);
            }
            if !ip::is_unicast(address.ip()) {
                return flaw(key, format!("{address} is no single host's"));
            }
            let back = configuration.back.iter().flat_map(|back| &back.addresses);
            let mut served = configuration.addresses.iter().chain(back);
            if served.any(|served| *served == address.ip()) {
                return flaw(
                    key,
                    format!("{address} is served here, must be another host's"),
                );
            }
            let twice = before.iter().any(|other| other.address == address);
            twice.then(|| flaw(key, format!("{address} is there already")))?
        })
}

/// How a backend is reached is told to workers, which remember so many.
fn hosts(configuration: &Configuration) -> Option<Flaw> {
    let backends = configuration.pools.iter().flat_map(|pool| &pool.backends);
    let hosts: BTreeSet<IpAddr> = backends.map(|it| it.address.ip()).collect();
    let problem = format!("have {} hosts together, at most {TOLD_HOSTS}", hosts.len());
    (hosts.len() > TOLD_HOSTS).then(|| flaw("pool", problem))?
}

fn proxies(configuration: &Configuration) -> Option<Flaw> {
    let names: Vec<_> = configuration.pools.iter().map(|pool| &pool.name).collect();
    let mut listeners = configuration.listeners.iter().enumerate();
    listeners.find_map(|(nth, listener)| {
        let key = |name: &str| format!("listener[{nth}].{name}");
        match (listener.service, &listener.pool) {
            (ServiceChoice::Proxy, None) => flaw(
                key("pool"),
                "is missing, must name the [[pool]] to pass connections on to",
            ),
            (ServiceChoice::Proxy, Some(pool)) if !names.contains(&pool) => flaw(
                key("pool"),
                format!("there is no [[pool]] with the name {pool:?}"),
            ),
            (ServiceChoice::Proxy, _) if listener.listen.is_none() => flaw(
                key("listen"),
                "is missing, must be a port: a proxy has none of its own",
            ),
            (ServiceChoice::Proxy, _) | (_, None) => None,
            (_, Some(_)) => flaw(key("pool"), "is only for service = \"proxy\""),
        }
    })
}

fn places(configuration: &Configuration) -> Option<Flaw> {
    let listeners = &configuration.listeners;
    let places: Vec<_> = listeners
        .iter()
        .filter_map(super::ListenerEntry::place)
        .collect();
    places.iter().enumerate().find_map(|(nth, place)| {
        let other = places[..nth]
            .iter()
            .position(|other| other.overlaps(place))?;
        let problem = format!("{place} is listened at by listener[{other}] already");
        flaw(format!("listener[{nth}].listen"), problem)
    })
}

fn networks(configuration: &Configuration) -> Option<Flaw> {
    let mut listeners = configuration.listeners.iter().enumerate();
    listeners.find_map(|(nth, listener)| {
        let mut seen = Vec::new();
        let named = listener.allow.iter().map(|it| ("allow", it));
        let mut named = named.chain(listener.deny.iter().map(|it| ("deny", it)));
        named.find_map(|(key, network)| {
            let key = format!("listener[{nth}].{key}");
            if network.trunc() != *network {
                let begin = network.trunc();
                return flaw(
                    key,
                    format!("{network} has bits beyond its prefix; {begin}?"),
                );
            }
            if seen.contains(&network) {
                return flaw(key, format!("{network} is in allow or deny already"));
            }
            seen.push(network);
            None
        })
    })
}

fn addresses_of_listeners(configuration: &Configuration) -> Option<Flaw> {
    let mut listeners = configuration.listeners.iter().enumerate();
    listeners.find_map(|(nth, listener)| {
        let address = listener.place()?.address?;
        let problem = not_served(configuration, address)?;
        flaw(format!("listener[{nth}].listen"), problem)
    })
}

/// What is wrong with an address that must be served.
fn not_served(configuration: &Configuration, address: IpAddr) -> Option<String> {
    let served = configuration.named_addresses()?;
    let problem = format!("{address} is not served, must be one of addresses");
    (!served.contains(&address)).then_some(problem)
}
