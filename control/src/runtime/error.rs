//! Why a server cannot start.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use wirepath_bpf::SteerError;
use wirepath_xdp::OpenError;

use super::{AskError, ListenError};

/// Why a server cannot start: what failed, on what, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The interface has no address, and none was given.
    #[error(
        "interface {interface} has no address; give it one (`ip address add ADDRESS/PREFIX dev \
         {interface}`), or serve one of your own with {key}"
    )]
    NoAddress {
        /// The interface.
        interface: String,
        /// What names addresses of it.
        key: &'static str,
    },
    /// An address is to be served on two interfaces.
    #[error(
        "{address} is an address of both {} and {}, and can be served on one of them: name the \
         others with --address, or with addresses and those of [back]", interfaces[0], interfaces[1]
    )]
    AddressTwice {
        /// The address.
        address: IpAddr,
        /// The interfaces.
        interfaces: [String; 2],
    },
    /// An address that was given names no single host.
    #[error("{0} cannot be served: it names no single host on a link; give a unicast address")]
    BadAddress(IpAddr),
    /// The interface is no Ethernet.
    #[error("interface {0} has no Ethernet address; only Ethernet interfaces are supported")]
    NotEthernet(String),
    /// A queue was asked for that the interface does not have, or a core that is not there.
    #[error("core {core} cannot be used; this process may run on {available}")]
    NoSuchCore {
        /// The core that was asked for.
        core: usize,
        /// The cores there are.
        available: String,
    },
    /// So many workers cannot share the queues.
    #[error(
        "{count} workers cannot share {queues} queues of {interface}: give from 1 to {queues} with \
         --workers, or more queues (`ethtool -L {interface} combined N`)"
    )]
    Workers {
        /// The workers that were asked for.
        count: usize,
        /// The queues there are for them.
        queues: usize,
        /// The interface that has so few.
        interface: String,
    },
    /// A worker that was just started does not answer.
    #[error(transparent)]
    Worker(AskError),
    /// Another program of this host has the port.
    #[error(
        "port {} of {} is taken by another program of this host: `ss -tlnp sport = :{}` shows \
         which, unless it is another wirepath; stop it or choose another port. One that has ended \
         may have left connections in TIME-WAIT (`ss -tan`), for a minute",
        .0.port(), .0.ip(), .0.port()
    )]
    PortTaken(SocketAddr),
    /// The kernel could give ports for connections to backends to connections of its own.
    #[error(
        "ports {}-{} for connections to backends are among those that the kernel gives to its own \
         (net.ipv4.ip_local_port_range is {} {}): keep it off them with `sysctl -w \
         net.ipv4.ip_local_reserved_ports={}-{}`, or choose others with source_ports",
        ports.start(), ports.end(), kernel.start(), kernel.end(), ports.start(), ports.end()
    )]
    SourcePorts {
        /// Those that were asked for.
        ports: RangeInclusive<u16>,
        /// Those of the kernel.
        kernel: RangeInclusive<u16>,
    },
    /// A program of this host listens at one of the ports for connections to backends.
    #[error(
        "port {port} is listened at by another program of this host, and is one of {}-{} for \
         connections to backends: `ss -tlnp sport = :{port}` shows which; stop it, or choose \
         others with source_ports", ports.start(), ports.end()
    )]
    SourcePortTaken {
        /// The port.
        port: u16,
        /// Those for connections to backends.
        ports: RangeInclusive<u16>,
    },
    /// Nothing that is served could be the source of connections to a backend.
    #[error(
        "backend {host} cannot be reached: no address of its family is served on {interface} from \
         which to connect; give the interface one, or serve one with addresses"
    )]
    NoSource {
        /// The address of the backend.
        host: IpAddr,
        /// The interface that leads there.
        interface: String,
    },
    /// The source that a pool names is on another interface than its backends.
    #[error(
        "backend {host} is reached by {interface}, where source_address {address} is not served; \
         name one that is there, or none"
    )]
    OtherSource {
        /// The address of the backend.
        host: IpAddr,
        /// The source.
        address: IpAddr,
        /// The interface that leads there.
        interface: String,
    },
    /// A backend is out of reach for good.
    #[error(
        "backend {0} is an address of this host, whose own packets never reach an interface: \
         wirepath passes connections on to other hosts, or to other network namespaces"
    )]
    BackendIsHere(IpAddr),
    /// A listener makes no sense.
    #[error("{0}")]
    Listener(String),
    /// The kernel does not use an address, or no longer.
    #[error(
        "{0} cannot be used yet: `ip address` shows it as tentative, for a second or two, as \
         failed where another host has it, or not at all"
    )]
    NotUsable(IpAddr),
    /// The kernel would not keep a port free.
    #[error(
        "cannot reserve port {} of {}: {source}{}", endpoint.port(), endpoint.ip(),
        match source.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "; ports below 1024 take root or CAP_NET_BIND_SERVICE: choose another (--port)"
            }
            _ => "",
        }
    )]
    Reserve {
        /// The endpoint that was asked for.
        endpoint: SocketAddr,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The kernel would not tell of the interface.
    #[error("cannot ask the kernel about interface {interface}: {source}")]
    Netlink {
        /// The interface that was asked about.
        interface: String,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
    /// A call that does not usually fail did.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A device could not be opened.
    #[error(transparent)]
    Device(#[from] OpenError),
    /// The XDP program could not be loaded, attached or told.
    #[error(transparent)]
    Steering(#[from] SteerError),
}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Reserve(error) => error,
            ListenError::Steering(error) => Self::Steering(error),
            ListenError::Worker(error) => Self::Worker(error),
            refused => Self::Listener(refused.to_string()),
        }
    }
}

impl StartError {
    /// Whether what was asked for is wrong, rather than the state of the machine.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::NoAddress { .. }
                | Self::AddressTwice { .. }
                | Self::BadAddress(_)
                | Self::NotEthernet(_)
                | Self::NoSuchCore { .. }
                | Self::Workers { .. }
                | Self::SourcePorts { .. }
                | Self::SourcePortTaken { .. }
                | Self::NoSource { .. }
                | Self::OtherSource { .. }
                | Self::BackendIsHere(_)
                | Self::Listener(_)
                | Self::Device(
                    OpenError::NoSuchInterface(_)
                        | OpenError::NoSuchQueue { .. }
                        | OpenError::MtuTooLarge { .. }
                        | OpenError::NoZeroCopy { .. }
                        | OpenError::Options(_)
                )
                | Self::Steering(SteerError::NoSuchInterface(_))
        )
    }
}
