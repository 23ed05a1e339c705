//! Servers that are measured, each at its best settings, all in the same namespace and on the
//! same core.

mod epoll;
mod process;
mod wirepath;

use std::fmt;
use std::net::SocketAddr;

use ::wirepath::netns::{Namespace, Network};
use wirepath_apps::Service;

pub(crate) use process::{ServeArgs, ServerProcess, raise_open_files, serve};
pub(crate) use wirepath::{WirepathServer, WirepathSettings};

use epoll::EpollServer;

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    /// Our stack on AF_XDP, spinning.
    Wirepath,
    /// Sockets of the kernel and epoll, which sleeps when there is nothing to do.
    Epoll,
    /// The same, but it never sleeps.
    EpollSpin,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wirepath => "wirepath",
            Self::Epoll => "epoll",
            Self::EpollSpin => "epoll-spin",
        })
    }
}

/// What is to be served where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Serving {
    pub(crate) service: Service,
    /// The core of the server's thread.
    pub(crate) core: Option<usize>,
    /// Connections at once, about.
    pub(crate) connections: usize,
}

impl Serving {
    /// Where clients find it.
    pub(crate) fn endpoint(&self) -> SocketAddr {
        SocketAddr::new(Network::SERVER_V4.into(), self.service.port())
    }
}

/// The network namespace of a server.
pub(crate) enum Place<'a> {
    /// The one that this thread is in.
    Here,
    In(&'a Namespace),
}

impl Place<'_> {
    /// Calls `f` there.
    fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
        match self {
            Self::Here => Ok(f()),
            Self::In(namespace) => Ok(namespace.run(f)?),
        }
    }
}

/// A running server.
pub(crate) enum Running {
    Wirepath(WirepathServer),
    Epoll(EpollServer),
}

impl Contender {
    /// Starts it, and returns when clients may connect.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn start(self, place: &Place<'_>, serving: &Serving) -> anyhow::Result<Running> {
        let epoll = |spins| EpollServer::start(place, serving, spins);
        Ok(match self {
            Self::Wirepath => {
                let settings = WirepathSettings::fast(serving);
                Running::Wirepath(WirepathServer::start(place, &settings)?)
            }
            Self::Epoll => Running::Epoll(epoll(false)?),
            Self::EpollSpin => Running::Epoll(epoll(true)?),
        })
    }
}

impl Running {
    /// Where its XDP program runs, if it has one.
    pub(crate) fn xdp_mode(&self) -> Option<&'static str> {
        match self {
            Self::Wirepath(server) => server.mode(),
            Self::Epoll(_) => None,
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// It had failed before.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Wirepath(server) => server.stop(),
            Self::Epoll(server) => server.stop(),
        }
    }
}
