//! What the kernel knows about an interface: addresses, and how the link names it.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use rtnetlink::Handle;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkXdp};
use wirepath_wire::ethernet::MacAddr;
use wirepath_xdp::Interface;

use super::StartError;

/// An interface as netlink tells it.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// Its link-layer address; `None` where the link is not Ethernet.
    pub mac: Option<MacAddr>,
    /// Whether the link is up.
    pub up: bool,
    /// The kernel's number of the XDP program on it, if there is one.
    pub xdp_program: Option<u32>,
    /// The addresses that the kernel has on it.
    pub addresses: Vec<IpAddr>,
}

/// Asks the kernel about an interface.
///
/// # Errors
/// [`StartError::Netlink`] or [`StartError::System`].
pub async fn look(interface: &Interface) -> Result<HostFacts, StartError> {
    let opened = rtnetlink::new_connection();
    let what = "open a netlink socket";
    let (connection, handle, _) = opened.map_err(|source| StartError::System { what, source })?;
    let connection = tokio::spawn(connection);
    let facts = ask(&handle, interface.index()).await;
    connection.abort();
    facts.map_err(|source| StartError::Netlink {
        interface: interface.name().to_owned(),
        source,
    })
}

async fn ask(handle: &Handle, index: u32) -> Result<HostFacts, rtnetlink::Error> {
    let mut links = handle.link().get().match_index(index).execute();
    let link = links.try_next().await?.unwrap_or_default();
    let addresses = handle.address().get().set_link_index_filter(index);
    let addresses: Vec<_> = addresses.execute().try_collect().await?;
    let own = |message: &AddressMessage| local(&message.attributes);
    Ok(HostFacts {
        mac: link.attributes.iter().find_map(mac),
        up: link.header.flags.contains(LinkFlags::Up),
        xdp_program: link.attributes.iter().find_map(xdp_program),
        addresses: addresses.iter().filter_map(own).collect(),
    })
}

fn mac(attribute: &LinkAttribute) -> Option<MacAddr> {
    match attribute {
        LinkAttribute::Address(bytes) => {
            let mac = bytes.as_slice().try_into().ok().map(MacAddr);
            // Loopback has one that is none.
            mac.filter(|mac| mac.0 != [0; 6])
        }
        _ => None,
    }
}

fn xdp_program(attribute: &LinkAttribute) -> Option<u32> {
    let LinkAttribute::Xdp(facts) = attribute else {
        return None;
    };
    facts.iter().find_map(|fact| match fact {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    })
}

/// The address itself; on a point-to-point link `Address` is the other end.
fn local(attributes: &[AddressAttribute]) -> Option<IpAddr> {
    let local = attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}
