//! What is compared: loads, what counts of each, and the goals.

use std::time::Duration;

use crate::bed::{Backend, Sample};
use crate::contender::Passer;
use crate::load::{Arrivals, Load, Pace, Task};

/// What of a measurement is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    /// Messages or connections a second.
    PerSecond,
    /// Megabits of text a second.
    Mbit,
    /// Microseconds in which half of the messages were answered.
    P50,
    /// The same of all but one in a hundred.
    P99,
}

impl Metric {
    pub(super) fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::PerSecond => sample.per_second(),
            Self::Mbit => sample.mbit_per_second(),
            Self::P50 => sample.micros(0.5),
            Self::P99 => sample.micros(0.99),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per s",
            Self::Mbit => "Mbit/s",
            Self::P50 => "p50 us",
            Self::P99 => "p99 us",
        }
    }

    /// Whether a larger one is better.
    pub(super) const fn is_rate(self) -> bool {
        matches!(self, Self::PerSecond | Self::Mbit)
    }
}

/// Who is compared with wirepath.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Rival {
    /// Bare rings without TCP.
    Reflector,
    /// The kernel's TCP with epoll, sleeping.
    Epoll,
    /// The same, spinning.
    EpollSpin,
    /// The kernel's TCP with io_uring, sleeping.
    Uring,
    /// The same, spinning.
    UringSpin,
    /// smoltcp on AF_XDP.
    Smoltcp,
    /// nginx with its stream module, as the proxy.
    Nginx,
    /// HAProxy in TCP mode.
    Haproxy,
    /// The kernel's TCP at both ends, with the offloads of a veth pair: segments of up to 64 KiB
    /// that nobody cuts, and no checksums.
    KernelOffloads,
}

impl Rival {
    /// Whether it can do what is compared.
    pub(super) const fn can(self, subject: Subject) -> bool {
        if subject.backend().is_some() {
            return self.passer().is_some();
        }
        match self {
            Self::Nginx | Self::Haproxy => false,
            // Bare rings carry pings and nothing else.
            Self::Reflector => matches!(subject, Subject::Echo | Subject::Ping),
            // It has no timestamps, so the client's ports stay in TIME-WAIT for a minute.
            Self::Smoltcp => !matches!(subject, Subject::Connect),
            Self::KernelOffloads => subject.is_bulk(),
            _ => true,
        }
    }

    /// The proxy that it is, if it is one.
    pub(super) const fn passer(self) -> Option<Passer> {
        match self {
            Self::Nginx => Some(Passer::Nginx),
            Self::Haproxy => Some(Passer::Haproxy),
            _ => None,
        }
    }
}

/// What a load is called, and what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Subject {
    /// 64 connections with a message of 64 bytes each under way.
    Echo,
    /// One connection with one message of 64 bytes.
    Ping,
    /// 64 connections at 70 % of what epoll bears at most, whatever comes back.
    Tail,
    /// A connection for each message, 16 at a time.
    Connect,
    /// Text without end to the client, packets of 1,500 bytes.
    Down,
    /// The same to the server.
    Up,
    /// Text without end to the client, packets of 9,000 bytes.
    DownJumbo,
    /// The same to the server.
    UpJumbo,
    /// Echo through a proxy, with echo on our stack behind it.
    Proxy,
    /// The same with echo on the kernel's sockets behind it.
    ProxyKernel,
    /// Echo through a proxy at 70 % of what nginx bears at most, whatever comes back.
    ProxyTail,
    /// A connection through a proxy for each message, 16 at a time.
    ProxyConnect,
}

/// What wirepath's value is to be of the rival's.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(super) struct Goal {
    pub(super) rival: Rival,
    pub(super) ratio: f64,
}

impl Subject {
    pub(super) const ALL: [Self; 12] = [
        Self::Echo,
        Self::Ping,
        Self::Tail,
        Self::Connect,
        Self::Down,
        Self::Up,
        Self::DownJumbo,
        Self::UpJumbo,
        Self::Proxy,
        Self::ProxyKernel,
        Self::ProxyTail,
        Self::ProxyConnect,
    ];

    pub(super) const fn metric(self) -> Metric {
        match self {
            Self::Echo | Self::Connect | Self::Proxy | Self::ProxyKernel | Self::ProxyConnect => {
                Metric::PerSecond
            }
            Self::Ping => Metric::P50,
            Self::Tail | Self::ProxyTail => Metric::P99,
            Self::Down | Self::Up | Self::DownJumbo | Self::UpJumbo => Metric::Mbit,
        }
    }

    pub(super) const fn mtu(self) -> u32 {
        match self {
            Self::DownJumbo | Self::UpJumbo => 9_000,
            _ => 1_500,
        }
    }

    /// Who is behind the proxy, where there is one.
    pub(super) const fn backend(self) -> Option<Backend> {
        match self {
            Self::Proxy | Self::ProxyTail | Self::ProxyConnect => Some(Backend::Wirepath),
            Self::ProxyKernel => Some(Backend::Kernel),
            _ => None,
        }
    }

    /// Whose most the load is a share of, and under which load.
    pub(super) const fn paced_by(self) -> Option<(Rival, Self)> {
        match self {
            Self::Tail => Some((Rival::Epoll, Self::Echo)),
            Self::ProxyTail => Some((Rival::Nginx, Self::Proxy)),
            _ => None,
        }
    }

    /// Text without end, one way.
    const fn is_bulk(self) -> bool {
        matches!(self.metric(), Metric::Mbit)
    }

    /// Who is shown beside those of the goals: what the kernel does when nothing keeps it from it.
    pub(super) fn beside(self) -> Option<Rival> {
        self.is_bulk().then_some(Rival::KernelOffloads)
    }

    /// Those of the project, as docs/performance.md has them.
    pub(super) const fn goals(self) -> &'static [Goal] {
        const fn goal(rival: Rival, ratio: f64) -> Goal {
            Goal { rival, ratio }
        }
        const ECHO: [Goal; 2] = [goal(Rival::Reflector, 0.9), goal(Rival::Epoll, 2.5)];
        const PING: [Goal; 2] = [goal(Rival::Reflector, 1.15), goal(Rival::EpollSpin, 0.65)];
        const TAIL: [Goal; 1] = [goal(Rival::Epoll, 1.0 / 3.0)];
        const CONNECT: [Goal; 1] = [goal(Rival::Epoll, 4.0)];
        const BULK: [Goal; 1] = [goal(Rival::Epoll, 1.5)];
        const JUMBO: [Goal; 1] = [goal(Rival::Epoll, 1.2)];
        const PROXY: [Goal; 2] = [goal(Rival::Nginx, 2.5), goal(Rival::Haproxy, 2.5)];
        const PROXY_TAIL: [Goal; 2] = [
            goal(Rival::Nginx, 1.0 / 3.0),
            goal(Rival::Haproxy, 1.0 / 3.0),
        ];
        const PROXY_CONNECT: [Goal; 2] = [goal(Rival::Nginx, 3.0), goal(Rival::Haproxy, 3.0)];
        match self {
            Self::Proxy | Self::ProxyKernel => &PROXY,
            Self::ProxyTail => &PROXY_TAIL,
            Self::ProxyConnect => &PROXY_CONNECT,
            Self::Echo => &ECHO,
            Self::Ping => &PING,
            Self::Tail => &TAIL,
            Self::Connect => &CONNECT,
            Self::Down | Self::Up => &BULK,
            Self::DownJumbo | Self::UpJumbo => &JUMBO,
        }
    }

    /// The load; `most` messages a second are what who paces it bears, see
    /// [`paced_by`](Self::paced_by).
    pub(super) fn load(self, span: Duration, most: f64) -> Load {
        let closed = Pace::Closed {
            depth: 1,
            think: Duration::ZERO,
        };
        let (task, connections, pace) = match self {
            Self::Echo | Self::Proxy | Self::ProxyKernel => (Task::Exchange, 64, closed),
            Self::Ping => (Task::Exchange, 1, closed),
            Self::Tail | Self::ProxyTail => (
                Task::Exchange,
                64,
                Pace::Open {
                    rate: SHARE * most,
                    arrivals: Arrivals::Poisson,
                },
            ),
            Self::Connect | Self::ProxyConnect => (Task::Connect, 16, closed),
            Self::Down | Self::DownJumbo => (Task::Download, 1, closed),
            Self::Up | Self::UpJumbo => (Task::Upload, 1, closed),
        };
        Load {
            task,
            connections,
            active: connections,
            size: 64,
            mix: None,
            pace,
            warm_up: WARM_UP,
            span,
        }
    }
}

/// Of the most that somebody bears, what an open loop asks.
const SHARE: f64 = 0.7;
pub(super) const WARM_UP: Duration = Duration::from_millis(500);
