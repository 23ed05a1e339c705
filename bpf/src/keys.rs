//! The bytes of map keys and values, as `bpf/maps.h` lays them out.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

/// `struct address`: IPv4 is mapped, so that one map serves both families.
pub(crate) fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// `struct endpoint`.
pub(crate) fn endpoint(endpoint: SocketAddr) -> [u8; 20] {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&address(endpoint.ip()));
    key[16..18].copy_from_slice(&endpoint.port().to_be_bytes());
    key
}

/// `struct network`: the bits of a list's number count as well.
pub(crate) fn network(list: u32, network: IpNet) -> [u8; 24] {
    let mapped = if network.addr().is_ipv4() { 96 } else { 0 };
    let bits = 32 + mapped + u32::from(network.prefix_len());
    let mut key = [0; 24];
    key[..4].copy_from_slice(&bits.to_ne_bytes());
    key[4..8].copy_from_slice(&list.to_ne_bytes());
    key[8..].copy_from_slice(&address(network.network()));
    key
}

/// `struct port_range`, whose bounds are in host order.
pub(crate) fn port_range(ports: Option<&RangeInclusive<u16>>) -> [u8; 4] {
    let (first, last) = match ports {
        Some(ports) if !ports.is_empty() => (*ports.start(), *ports.end()),
        _ => (0, 0),
    };
    let mut value = [0; 4];
    value[..2].copy_from_slice(&first.to_ne_bytes());
    value[2..].copy_from_slice(&last.to_ne_bytes());
    value
}
