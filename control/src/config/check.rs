//! What only a whole configuration shows to be wrong.

use wirepath_wire::ip;

use super::file::Configuration;

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

const CHECKS: [Check; 5] = [interface, addresses, device, places, addresses_of_listeners];

pub(super) fn first_flaw(configuration: &Configuration) -> Option<Flaw> {
    CHECKS.iter().find_map(|check| check(configuration))
}

fn interface(configuration: &Configuration) -> Option<Flaw> {
    // IFNAMSIZ of the kernel, without the NUL.
    match configuration.interface.len() {
        0 => flaw(
            "interface",
            "is missing, must name a network interface, such as \"eth0\"",
        ),
        1..=15 => None,
        _ => flaw(
            "interface",
            "is too long, must be a name of at most 15 bytes",
        ),
    }
}

fn addresses(configuration: &Configuration) -> Option<Flaw> {
    let addresses = &configuration.addresses;
    addresses.iter().enumerate().find_map(|(nth, address)| {
        let key = format!("addresses[{nth}]");
        if !ip::is_unicast(*address) {
            return flaw(
                key,
                format!("{address} names no single host, must be unicast"),
            );
        }
        let twice = addresses[..nth].contains(address);
        twice.then(|| flaw(key, format!("{address} is there already")))?
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

fn places(configuration: &Configuration) -> Option<Flaw> {
    let listeners = &configuration.listeners;
    let places: Vec<_> = listeners.iter().map(super::ListenerEntry::place).collect();
    places.iter().enumerate().find_map(|(nth, place)| {
        let other = places[..nth]
            .iter()
            .position(|other| other.overlaps(place))?;
        let problem = format!("{place} is listened at by listener[{other}] already");
        flaw(format!("listener[{nth}].listen"), problem)
    })
}

fn addresses_of_listeners(configuration: &Configuration) -> Option<Flaw> {
    let served = &configuration.addresses;
    let mut listeners = configuration.listeners.iter().enumerate();
    listeners.find_map(|(nth, listener)| {
        let address = listener.place().address?;
        let is_served = served.is_empty() || served.contains(&address);
        let problem = format!("{address} is not served, must be one of addresses");
        (!is_served).then(|| flaw(format!("listener[{nth}].listen"), problem))?
    })
}
