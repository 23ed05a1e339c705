//! The two ends of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::ip;
use crate::tcp::Ports;

/// An address and a port: a `SocketAddr` without flow label and scope, in 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// The endpoint at `port` of `address`.
    #[must_use]
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.address, endpoint.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What names a connection, seen from this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The end at this host.
    pub local: Endpoint,
    /// The end at the peer.
    pub remote: Endpoint,
}

const _: () = assert!(size_of::<Tuple>() == 40);

impl Tuple {
    /// The connection that a received segment belongs to: its destination is here.
    #[must_use]
    pub const fn of_received(header: &ip::Header, ports: Ports) -> Self {
        Self {
            local: Endpoint::new(header.destination, ports.destination),
            remote: Endpoint::new(header.source, ports.source),
        }
    }

    /// The same connection seen from the peer.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
        }
    }

    /// The ports of a segment sent from here.
    #[must_use]
    pub const fn ports(self) -> Ports {
        Ports {
            source: self.local.port,
            destination: self.remote.port,
        }
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use std::net::SocketAddr;

    #[test]
    fn endpoints_convert_and_print_like_socket_addresses() {
        for text in ["192.0.2.1:80", "[2001:db8::1]:443"] {
            let address: SocketAddr = text.parse().unwrap();
            let endpoint = Endpoint::from(address);
            assert_eq!(SocketAddr::from(endpoint), address);
            assert_eq!(endpoint.to_string(), text);
        }
    }
}
