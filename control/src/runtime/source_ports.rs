//! The ports of connections to backends, kept apart from the kernel's.

use std::ops::RangeInclusive;
use std::path::Path;

use wirepath_stack::link::LocalAddress;

use super::StartError;

/// Where the kernel has no say.
const OF_OWNED: RangeInclusive<u16> = 1_024..=65_535;
/// What Linux leaves free above the ports of its own connections.
const OF_SHARED: RangeInclusive<u16> = 61_000..=65_535;

/// The ports that were asked for, or those that suit the addresses.
pub(super) fn choose(
    asked: Option<&RangeInclusive<u16>>,
    addresses: &[LocalAddress],
) -> RangeInclusive<u16> {
    let standard = if is_shared(addresses) {
        OF_SHARED
    } else {
        OF_OWNED
    };
    asked.cloned().unwrap_or(standard)
}

/// Says whether the kernel could give one of the ports to a connection of its own, whose segments
/// would then come to us.
pub(super) fn check(
    ports: &RangeInclusive<u16>,
    addresses: &[LocalAddress],
) -> Result<(), StartError> {
    if !is_shared(addresses) {
        return Ok(());
    }
    if let Some(port) = listening().into_iter().find(|port| ports.contains(port)) {
        return Err(StartError::SourcePortTaken {
            port,
            ports: ports.clone(),
        });
    }
    let settings = Path::new("/proc/sys/net/ipv4");
    let read = |name: &str| std::fs::read_to_string(settings.join(name)).unwrap_or_default();
    let kernel = read("ip_local_port_range");
    let reserved = ranges(&read("ip_local_reserved_ports"));
    let kernel: Vec<u16> = kernel
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    let [first, last] = kernel[..] else {
        return Ok(());
    };
    let is_free = |port: u16| {
        let is_reserved = reserved.iter().any(|range| range.contains(&port));
        is_reserved || !(first..=last).contains(&port)
    };
    if ports.clone().all(is_free) {
        return Ok(());
    }
    Err(StartError::SourcePorts {
        ports: ports.clone(),
        kernel: first..=last,
    })
}

/// Ports that sockets of the kernel listen at, in the network namespace of this thread.
fn listening() -> Vec<u16> {
    let table = |name: &str| {
        let file = Path::new("/proc/thread-self/net").join(name);
        std::fs::read_to_string(file).unwrap_or_default()
    };
    let tables = ["tcp", "tcp6"].map(table);
    tables
        .iter()
        .flat_map(|table| table.lines().filter_map(listener))
        .collect()
}

/// The port of a line of /proc/net/tcp, if it is of a socket that listens.
fn listener(line: &str) -> Option<u16> {
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace().skip(1);
    let (_, port) = words.next()?.rsplit_once(':')?;
    let listens = words.nth(1)? == LISTEN;
    listens.then(|| u16::from_str_radix(port, 16).ok())?
}

fn is_shared(addresses: &[LocalAddress]) -> bool {
    addresses.iter().any(|local| !local.owned)
}

/// Ranges written as `1-3,7`.
fn ranges(text: &str) -> Vec<RangeInclusive<u16>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(owned: bool) -> LocalAddress {
        LocalAddress {
            owned,
            ..LocalAddress::owned([192, 0, 2, 1].into())
        }
    }

    #[test]
    fn a_shared_address_leaves_the_kernel_its_ports() {
        assert_eq!(choose(None, &[local(true)]), OF_OWNED);
        assert_eq!(choose(None, &[local(true), local(false)]), OF_SHARED);
        assert_eq!(
            choose(Some(&(5_000..=5_999)), &[local(false)]),
            5_000..=5_999
        );
    }

    #[test]
    fn who_listens_is_read_as_the_kernel_writes_it() {
        let listens = "   0: 00000000:F03C 00000000:0000 0A 00000000:00000000 00:00000000 00000000";
        let stays = "   1: 0100007F:F03C 0100007F:1F90 01 00000000:00000000 00:00000000 00000000";
        assert_eq!(listener(listens), Some(61_500));
        assert_eq!(listener(stays), None);
        assert_eq!(
            listener("  sl  local_address rem_address   st tx_queue rx_queue"),
            None
        );
    }

    #[test]
    fn reserved_ports_are_read_as_the_kernel_writes_them() {
        assert_eq!(ranges("8080,9000-9010\n"), [8_080..=8_080, 9_000..=9_010]);
        assert_eq!(ranges("\n"), []);
    }
}
