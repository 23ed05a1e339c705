//! A client, a server, and perhaps somebody between them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{End, Error, Link, Namespace, connect};

/// A client and a server on one subnet, connected directly or through a middle namespace.
///
/// Frames pass the middle as they are, so that it can lose or repeat some without either host's
/// queue knowing.
#[derive(Debug)]
pub struct Network {
    /// Where ordinary kernel sockets live, behind [`Self::CLIENT_INTERFACE`].
    pub client: Namespace,
    /// Where a bridge or a wire lies, if there is one.
    pub middle: Option<Namespace>,
    /// Where our server lives, behind [`Self::SERVER_INTERFACE`].
    pub server: Namespace,
}

impl Network {
    /// The client's interface.
    pub const CLIENT_INTERFACE: &str = "client0";
    /// The server's interface.
    pub const SERVER_INTERFACE: &str = "server0";
    /// The middle's interfaces: towards the client, and towards the server.
    pub const MIDDLE_INTERFACES: [&str; 2] = ["to-client", "to-server"];

    /// The client's IPv4 address.
    pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    /// The server's IPv4 address, which its kernel has too.
    pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
    /// An IPv4 address of the subnet that no kernel has, for the server to own.
    pub const OWNED_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
    /// The client's IPv6 address.
    pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
    /// The server's IPv6 address, which its kernel has too.
    pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
    /// An IPv6 address of the subnet that no kernel has, for the server to own.
    pub const OWNED_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 3);

    /// The client's MAC address.
    pub const CLIENT_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 1];
    /// The server's MAC address.
    pub const SERVER_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 2];

    /// Client and server at the two ends of one veth pair.
    ///
    /// # Errors
    /// As [`Namespace::new`] and [`connect`].
    pub fn direct(label: &str, link: &Link) -> Result<Self, Error> {
        let (client, server) = hosts(label)?;
        connect(&client_end(&client), &server_end(&server), link)?;
        Ok(Self {
            client,
            middle: None,
            server,
        })
    }

    /// Client and server with a bridge between them, so two veth pairs.
    ///
    /// # Errors
    /// As [`Namespace::new`] and [`connect`], or the kernel has no bridge.
    pub fn through_middle(label: &str, link: &Link) -> Result<Self, Error> {
        let network = Self::with_gap(label, link)?;
        if let Some(middle) = &network.middle {
            // Snooping would hold back neighbor solicitations until it has heard a listener.
            let bridge = "link add name bridge0 type bridge stp_state 0 mcast_snooping 0";
            middle.ip(&bridge.split(' ').collect::<Vec<_>>())?;
            for port in Self::MIDDLE_INTERFACES {
                middle.ip(&["link", "set", "dev", port, "master", "bridge0"])?;
            }
            middle.ip(&["link", "set", "dev", "bridge0", "up"])?;
        }
        Ok(network)
    }

    /// Client and server with a veth pair each to the middle, where nothing passes until somebody
    /// carries the frames from one of [`Self::MIDDLE_INTERFACES`] to the other.
    ///
    /// # Errors
    /// As [`Namespace::new`] and [`connect`].
    pub fn with_gap(label: &str, link: &Link) -> Result<Self, Error> {
        let (client, server) = hosts(label)?;
        let middle = Namespace::new(&format!("{label}-middle"))?;
        // The middle has nothing to say of its own.
        middle.set_ipv6("disable_ipv6", "1")?;
        let [to_client, to_server] = Self::MIDDLE_INTERFACES;
        connect(&client_end(&client), &End::new(&middle, to_client), link)?;
        connect(&server_end(&server), &End::new(&middle, to_server), link)?;
        Ok(Self {
            client,
            middle: Some(middle),
            server,
        })
    }
}

fn hosts(label: &str) -> Result<(Namespace, Namespace), Error> {
    let client = Namespace::new(&format!("{label}-client"))?;
    let server = Namespace::new(&format!("{label}-server"))?;
    Ok((client, server))
}

fn client_end(namespace: &Namespace) -> End<'_> {
    End::new(namespace, Network::CLIENT_INTERFACE)
        .address(Network::CLIENT_V4, 24)
        .address(Network::CLIENT_V6, 64)
        .mac(Network::CLIENT_MAC)
}

fn server_end(namespace: &Namespace) -> End<'_> {
    End::new(namespace, Network::SERVER_INTERFACE)
        .address(Network::SERVER_V4, 24)
        .address(Network::SERVER_V6, 64)
        .mac(Network::SERVER_MAC)
}
