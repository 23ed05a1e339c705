//! Servers that are measured, each at its best settings, all in the same namespace and on the
//! same core.

mod epoll;
mod passer;
mod process;
mod smoltcp;
mod thread;
mod uring;
mod wirepath;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use ::wirepath::netns::{Namespace, Network};
use wirepath_apps::Service;

pub(crate) use passer::{Passer, Passing};
pub(crate) use process::{ServeArgs, ServerProcess, raise_open_files, serve};
pub(crate) use wirepath::{WirepathServer, WirepathSettings};

use crate::queue;
use passer::Program;
use thread::ServerThread;

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
    /// Sockets of the kernel and io_uring, which sleeps when there is nothing to do.
    Uring,
    /// The same, but it never sleeps.
    UringSpin,
    /// smoltcp on AF_XDP, spinning.
    Smoltcp,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wirepath => "wirepath",
            Self::Epoll => "epoll",
            Self::EpollSpin => "epoll-spin",
            Self::Uring => "uring",
            Self::UringSpin => "uring-spin",
            Self::Smoltcp => "smoltcp",
        })
    }
}

/// What is to be served where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Serving {
    pub(crate) address: Ipv4Addr,
    pub(crate) service: Service,
    /// The core of the server's thread.
    pub(crate) core: Option<usize>,
    /// Connections at once, about.
    pub(crate) connections: usize,
    /// Whether they are closed, and others opened.
    pub(crate) churns: bool,
}

impl Serving {
    /// Where clients find it.
    pub(crate) fn endpoint(&self) -> SocketAddr {
        SocketAddr::new(self.address.into(), self.service.port())
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
    Thread(ServerThread),
    Process(ServerProcess),
    Program(Program),
}

/// Starts an echo server on the kernel's sockets in this namespace, beside others on its core.
///
/// # Errors
/// Why it does not start.
pub(crate) fn kernel_echo(
    host: &Namespace,
    at: SocketAddr,
    core: Option<usize>,
) -> anyhow::Result<Running> {
    let listener = host.run(|| thread::open_listener(at))??;
    let run = move |ends: &_| epoll::Server::new(listener, Service::Echo)?.run(false, ends);
    Ok(Running::Thread(ServerThread::start(core, run)?))
}

/// An address that no kernel has, for who needs all that is sent to it.
const OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

impl Contender {
    /// Where it serves.
    pub(crate) const fn address(self) -> Ipv4Addr {
        match self {
            Self::Smoltcp => OWNED,
            _ => Network::SERVER_V4,
        }
    }

    /// Starts it, and returns when clients may connect.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn start(self, place: &Place<'_>, serving: &Serving) -> anyhow::Result<Running> {
        let (service, core, endpoint) = (serving.service, serving.core, serving.endpoint());
        let listener = || place.run(|| thread::open_listener(endpoint))?;
        Ok(match self {
            Self::Wirepath => {
                let settings = WirepathSettings::fast(serving);
                Running::Wirepath(WirepathServer::start(place, &settings)?)
            }
            Self::Epoll | Self::EpollSpin => {
                let (listener, spins) = (listener()?, self == Self::EpollSpin);
                let run = move |ends: &_| epoll::Server::new(listener, service)?.run(spins, ends);
                Running::Thread(ServerThread::start(core, run)?)
            }
            Self::Uring | Self::UringSpin => {
                let (listener, spins) = (listener()?, self == Self::UringSpin);
                let run =
                    move |ends: &_| uring::UringServer::new(listener, service)?.run(spins, ends);
                Running::Thread(ServerThread::start(core, run)?)
            }
            Self::Smoltcp => {
                let spare = if serving.churns {
                    serving.connections + 64
                } else {
                    0
                };
                let what = (service, serving.connections + spare);
                let queue = || queue::open_one(Network::SERVER_INTERFACE, 0, &[endpoint.ip()]);
                let queue = place.run(queue)??;
                let server =
                    move |ends: &_| smoltcp::SmolServer::new(queue, endpoint, what).run(ends);
                Running::Thread(ServerThread::start(core, server)?)
            }
        })
    }
}

impl Running {
    /// Where its XDP program runs, if it is wirepath.
    pub(crate) fn xdp_mode(&self) -> Option<&'static str> {
        match self {
            Self::Wirepath(server) => server.mode(),
            Self::Thread(_) | Self::Program(_) => None,
            Self::Process(server) => server.xdp_mode(),
        }
    }

    /// Its process, if it is alone in one.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Self::Process(server) => Some(server.pid()),
            Self::Wirepath(_) | Self::Thread(_) | Self::Program(_) => None,
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// It had failed before.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Wirepath(server) => server.stop(),
            Self::Thread(server) => server.stop(),
            Self::Process(server) => server.stop(),
            Self::Program(server) => server.stop(),
        }
    }
}
