//! What the kernel knows about an interface: addresses, and how the link names it.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkAttribute;
use wirepath_wire::ethernet::MacAddr;

use super::StartError;

/// An interface as netlink tells it.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// `None` where the link layer is not Ethernet.
    pub(super) mac: Option<MacAddr>,
    pub(super) addresses: Vec<IpAddr>,
}

/// Asks about the interface with this index.
pub(super) async fn look(interface: &str, index: u32) -> Result<Host, StartError> {
    let failed = |source| StartError::Netlink {
        interface: interface.to_owned(),
        source,
    };
    let (connection, handle, _) =
        rtnetlink::new_connection().map_err(|source| StartError::System {
            what: "open a netlink socket",
            source,
        })?;
    let connection = tokio::spawn(connection);
    let host = async {
        let mut links = handle.link().get().match_index(index).execute();
        let link = links.try_next().await?;
        let attributes = link.map(|link| link.attributes).unwrap_or_default();
        let mac = attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(bytes) => bytes.try_into().ok().map(MacAddr),
                _ => None,
            });
        let messages = handle
            .address()
            .get()
            .set_link_index_filter(index)
            .execute();
        let messages: Vec<_> = messages.try_collect().await?;
        let addresses = messages
            .iter()
            .filter_map(|message| local(&message.attributes))
            .collect();
        Ok(Host { mac, addresses })
    };
    let host = host.await.map_err(failed);
    connection.abort();
    host
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
