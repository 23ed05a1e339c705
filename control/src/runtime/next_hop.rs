//! Where the kernel would send what is for a backend: its routes and neighbors, by netlink.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteType, RouteVia};
use rtnetlink::{Handle, RouteMessageBuilder};
use rustix::io::Errno;
use wirepath_stack::link::{InterfaceId, Way};
use wirepath_wire::ethernet::MacAddr;

/// Where a packet would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextHop {
    /// To this neighbor on an interface of ours: the host itself, or a router.
    Neighbor(InterfaceId, IpAddr),
    /// Nowhere: the address is this host's own.
    Here,
    /// To another interface, or the kernel knows no way.
    Elsewhere,
}

/// Asks the kernel where a packet to `address` would go; ours are the interfaces of these numbers
/// of its.
pub(super) async fn find(
    handle: &Handle,
    interfaces: &[u32],
    address: IpAddr,
) -> Result<NextHop, rtnetlink::Error> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let asked = RouteMessageBuilder::<IpAddr>::new().destination_prefix(address, bits);
    let Ok(asked) = asked.map(RouteMessageBuilder::build) else {
        return Ok(NextHop::Elsewhere);
    };
    let mut routes = handle.route().get(asked).execute();
    let route = match routes.try_next().await {
        Ok(Some(route)) => route,
        Ok(None) => return Ok(NextHop::Elsewhere),
        // That there is none is an error to the kernel, and so is one that leads to nobody.
        Err(rtnetlink::Error::NetlinkError(error)) if !is_passing(error.raw_code()) => {
            return Ok(NextHop::Elsewhere);
        }
        Err(error) => return Err(error),
    };
    if route.header.kind == RouteType::Local {
        return Ok(NextHop::Here);
    }
    let leaves = |index: &u32| route.attributes.contains(&RouteAttribute::Oif(*index));
    let Some(interface) = interfaces.iter().position(leaves) else {
        return Ok(NextHop::Elsewhere);
    };
    let interface = InterfaceId(interface as u8);
    let gateway = route.attributes.iter().find_map(gateway);
    Ok(NextHop::Neighbor(interface, gateway.unwrap_or(address)))
}

/// The router that an attribute of a route names; it may be of the other family (RTA_VIA).
fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(router))
        | RouteAttribute::Via(RouteVia::Inet(router)) => Some(IpAddr::from(*router)),
        RouteAttribute::Gateway(RouteAddress::Inet6(router))
        | RouteAttribute::Via(RouteVia::Inet6(router)) => Some(IpAddr::from(*router)),
        _ => None,
    }
}

/// The ways to hosts, as the kernel knows them; `None` for one by no interface of ours. It is had
/// to ask the link for stations that it does not know, or has not heard of for a while.
pub(super) async fn ways(
    handle: &Handle,
    interfaces: &[u32],
    hosts: &[IpAddr],
) -> Result<Vec<(IpAddr, Option<Way>)>, rtnetlink::Error> {
    let all = handle.neighbours().get().execute();
    let all: Vec<NeighbourMessage> = all.try_collect().await?;
    let mut found = Vec::new();
    for &host in hosts {
        let hop = match find(handle, interfaces, host).await {
            Ok(hop) => hop,
            Err(error) => {
                // The others are not to wait for it; what was known of it stays.
                tracing::warn!(%error, "cannot ask the kernel for the way to backend {host}");
                continue;
            }
        };
        let NextHop::Neighbor(id, neighbor) = hop else {
            found.push((host, None));
            continue;
        };
        let interface = interfaces[usize::from(id.0)];
        let wanted = NeighbourAttribute::Destination(match neighbor {
            IpAddr::V4(address) => NeighbourAddress::Inet(address),
            IpAddr::V6(address) => NeighbourAddress::Inet6(address),
        });
        let known = all
            .iter()
            .find(|entry| entry.header.ifindex == interface && entry.attributes.contains(&wanted));
        found.push((host, Some(Way::By(id, known.and_then(resolved)))));
        if !known.is_some_and(is_fresh) {
            let ask = handle.neighbours().add(interface, neighbor);
            let ask = ask.state(NeighbourState::None).flags(NeighbourFlags::Use);
            if let Err(error) = ask.replace().execute().await {
                tracing::debug!(%error, "cannot have the kernel ask for {neighbor}");
            }
        }
    }
    Ok(found)
}

/// Whether an error of the kernel says nothing of the route.
fn is_passing(code: i32) -> bool {
    let passing = [
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::AGAIN,
        Errno::INTR,
        Errno::BUSY,
    ];
    passing.iter().any(|error| error.raw_os_error() == -code)
}

/// Whether there is no need to ask. Our own packets do not pass the kernel, so that it does not see
/// that they are answered.
const fn is_fresh(entry: &NeighbourMessage) -> bool {
    matches!(
        entry.header.state,
        NeighbourState::Reachable
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Noarp
            | NeighbourState::Permanent
    )
}

fn resolved(entry: &NeighbourMessage) -> Option<MacAddr> {
    if matches!(
        entry.header.state,
        NeighbourState::Failed | NeighbourState::Incomplete
    ) {
        return None;
    }
    entry
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                bytes.as_slice().try_into().ok().map(MacAddr)
            }
            _ => None,
        })
}
