//! Servers that send characters without end (RFC 864), each over another TCP.

mod linux;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use wirepath::netns::{Namespace, Network};
use wirepath::runtime::Idle;
use wirepath_apps::Service;
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::{Config, CongestionControl};

pub(crate) use linux::congestion_controls;

use linux::LinuxServer;

use crate::contender::{Place, WirepathServer, WirepathSettings};

/// Where both serve.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Network::SERVER_V4), 19);

/// Whose TCP sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stack {
    /// Ours, on AF_XDP.
    Wirepath,
    /// The kernel's.
    Linux,
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wirepath => "wirepath",
            Self::Linux => "Linux",
        })
    }
}

/// A running server.
pub(crate) enum Server {
    /// Ours.
    Wirepath(WirepathServer),
    /// The kernel's.
    Linux(LinuxServer),
}

impl Server {
    /// Starts one at [`ADDRESS`], and returns when clients may connect.
    ///
    /// # Errors
    /// Why it does not start: not root, or the kernel lacks this congestion control.
    pub(crate) fn start(
        stack: Stack,
        namespace: &Namespace,
        congestion: CongestionControl,
    ) -> anyhow::Result<Self> {
        Ok(match stack {
            Stack::Wirepath => Self::Wirepath(WirepathServer::start(
                &Place::In(namespace),
                &adaptive(congestion),
            )?),
            Stack::Linux => Self::Linux(LinuxServer::start(namespace, congestion)?),
        })
    }

    /// Where its XDP program runs, if it has one.
    pub(crate) fn xdp_mode(&self) -> Option<&'static str> {
        match self {
            Self::Wirepath(server) => server.mode(),
            Self::Linux(_) => None,
        }
    }

    /// Stops it when it has heard that its client is gone, and says how many segments it has sent
    /// again.
    ///
    /// # Errors
    /// It had failed before.
    pub(crate) fn stop(self, namespace: &Namespace) -> anyhow::Result<u64> {
        match self {
            Self::Wirepath(server) => {
                let counters = server.quiet_counters()?;
                server.stop()?;
                Ok(counters.retransmissions)
            }
            Self::Linux(server) => server.stop(namespace),
        }
    }
}

/// The settings of the command `wirepath chargen`.
fn adaptive(congestion: CongestionControl) -> WirepathSettings {
    WirepathSettings {
        role: Service::Chargen.into(),
        port: Service::Chargen.port(),
        pools: Vec::new(),
        tcp: Config {
            nagle: false,
            congestion,
            ..Config::default()
        },
        idle: Idle::Adaptive,
        core: None,
        capacity: Capacity::default(),
    }
}
