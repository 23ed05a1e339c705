//! Keeping the kernel, and other servers, off a port that we serve on a shared address.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::StartError;

/// A kernel socket that is bound and never listens: nobody else gets the port, and when we end,
/// however we end, the port is free again.
#[derive(Debug)]
pub(super) struct Reservation {
    _socket: OwnedFd,
}

impl Reservation {
    /// Takes a port of an address that the kernel has.
    pub(super) fn take(endpoint: SocketAddr) -> Result<Self, StartError> {
        let ipv6 = matches!(endpoint.ip(), IpAddr::V6(_));
        let family = if ipv6 {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let bound = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).and_then(
            |socket| {
                // A link-local address without its scope is no address to the kernel.
                let address = endpoint.ip();
                let link_local =
                    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
                if ipv6 {
                    sockopt::set_ipv6_v6only(&socket, true)?;
                }
                if !link_local {
                    bind(&socket, &endpoint)?;
                }
                Ok(socket)
            },
        );
        match bound {
            Ok(socket) => Ok(Self { _socket: socket }),
            Err(Errno::ADDRINUSE) => Err(StartError::PortTaken(endpoint)),
            Err(Errno::ADDRNOTAVAIL) => Err(StartError::NotUsable(endpoint.ip())),
            Err(source) => Err(StartError::Reserve {
                endpoint,
                source: source.into(),
            }),
        }
    }
}
