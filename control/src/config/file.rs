//! A whole configuration, as a file or flags say it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::Config;
use wirepath_tcp::limits::BLOCK_SIZE;
use wirepath_xdp::Options;

use super::choices::{BusyPoll, IdleChoice, Mode, MultiBufferChoice, RxChecksum, ZeroCopyChoice};
use super::error::ConfigError;
use super::listener::ListenerEntry;
use super::pool::PoolEntry;
use super::setting::{All, Any, Auto, Count, Numbers, Or, Period, PortRange, Size};
use super::tcp::{TcpSettings, server_defaults};
use super::{check, place};
use crate::runtime::{
    Access, InterfaceOptions, ListenerOptions, ListenerSettings, PoolNumbers, PoolOptions,
    ServerOptions,
};

/// How long connections get to close in peace when the server stops, up to an hour.
pub type Drain = Period<0, 3_600_000>;
/// Which queues to serve.
pub type Queues = Or<Numbers, All>;
/// Where the workers run.
pub type Cores = Or<Numbers, Any>;
/// How many workers there are.
pub type Workers = Or<Count<1, 255>, Auto>;
/// How many there may be of something.
pub type Limit = Count<1, 16_777_216>;

/// What a server is told, by a file or by flags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct Configuration {
    pub interface: String,
    pub addresses: Vec<IpAddr>,
    pub queues: Queues,
    pub workers: Workers,
    pub cores: Cores,
    pub mode: Mode,
    pub zero_copy: ZeroCopyChoice,
    pub multi_buffer: MultiBufferChoice,
    pub busy_poll: BusyPoll,
    pub idle: IdleChoice,
    pub rx_checksum: RxChecksum,
    /// By default `/run/wirepath/INTERFACE-PID.sock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<PathBuf>,
    /// Where the kernel takes questions of Prometheus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Where a line is added for each connection through a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<PathBuf>,
    pub drain: Drain,
    pub source_ports: Or<PortRange, Auto>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
    pub limits: Limits,
    pub device: Device,
    pub tcp: TcpSettings,
    #[serde(rename = "listener", skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerEntry>,
    #[serde(rename = "pool", skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolEntry>,
}

/// `[back]`: another interface, by which backends are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [back]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct Back {
    pub interface: String,
    pub addresses: Vec<IpAddr>,
    pub queues: Queues,
}

/// `[limits]`: how much a worker may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [limits]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct Limits {
    pub connections: Limit,
    pub half_open: Limit,
    pub time_wait: Limit,
    pub text: Size<{ 1 << 20 }, { 1 << 36 }>,
}

/// `[device]`: frames and rings of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [device]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct Device {
    pub frame_size: Size<2048, 4096>,
    pub frame_count: Count<4, 1_048_576>,
    pub ring_size: Count<1, 32_768>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            interface: String::new(),
            addresses: Vec::new(),
            queues: Or::default(),
            workers: Or::default(),
            cores: Or::default(),
            mode: Mode::Auto,
            zero_copy: ZeroCopyChoice::Auto,
            multi_buffer: MultiBufferChoice::Auto,
            busy_poll: BusyPoll::Off,
            idle: IdleChoice::Adaptive,
            rx_checksum: RxChecksum::Whole,
            control: None,
            metrics: None,
            access_log: None,
            drain: Period(wirepath_tcp::time::Millis(3_000)),
            source_ports: Or::default(),
            back: None,
            limits: Limits::default(),
            device: Device::default(),
            tcp: TcpSettings::default(),
            listeners: Vec::new(),
            pools: Vec::new(),
        }
    }
}

/// The numbers that are named, if any are.
fn numbers<T: From<u16>>(named: &Option<Numbers>) -> Vec<T> {
    let named = named.iter().flat_map(|numbers| &numbers.0);
    named.map(|&number| number.into()).collect()
}

impl Default for Limits {
    fn default() -> Self {
        let capacity = Capacity::default();
        let limit = |count: usize| Count(count as u32);
        Self {
            connections: limit(capacity.connections),
            half_open: limit(capacity.half_open),
            time_wait: limit(capacity.time_wait),
            text: Size((capacity.blocks * BLOCK_SIZE) as u64),
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        let options = Options::default();
        Self {
            frame_size: Size(options.frame_size.into()),
            frame_count: Count(options.frame_count),
            ring_size: Count(options.ring_size),
        }
    }
}

impl Configuration {
    /// Reads a file; `name` is what errors call it. Ranges and names are checked, and what only
    /// the whole shows is not: see [`check`](Self::check).
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(text: &str, name: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| place::locate(&error, text, name))
    }

    /// Looks at what only the whole shows; `text` and `name` are the file's, if there is one.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, text: &str, name: &Path) -> Result<(), ConfigError> {
        match check::first_flaw(self) {
            None => Ok(()),
            Some(flaw) => Err(place::find(&flaw, text, name)),
        }
    }

    /// Settings of connections whose listener says nothing.
    #[must_use]
    pub fn tcp(&self) -> Config {
        self.tcp.over(server_defaults())
    }

    /// The listeners, each with all its settings, where pools have these numbers. Those that
    /// [`check`](Self::check) finds wrong are left out.
    #[must_use]
    pub fn listeners(&self, numbers: &PoolNumbers) -> Vec<ListenerOptions> {
        let listener = |entry: &ListenerEntry| {
            let place = entry.place()?;
            Some(ListenerOptions {
                address: place.address,
                port: place.port,
                settings: ListenerSettings {
                    role: entry.role(|name| numbers.find(name))?,
                    tcp: entry.tcp.over(self.tcp()),
                    access: Access {
                        allow: entry.allow.clone(),
                        deny: entry.deny.clone(),
                    },
                },
            })
        };
        self.listeners.iter().filter_map(listener).collect()
    }

    /// The pools, each with all its settings.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolOptions> {
        let pool = |entry: &PoolEntry| PoolOptions {
            name: entry.name.clone(),
            settings: entry.settings(self.tcp()),
        };
        self.pools.iter().map(pool).collect()
    }

    /// What the runtime is started with.
    #[must_use]
    pub fn options(&self) -> ServerOptions {
        let (limits, device, pools) = (&self.limits, &self.device, self.pools());
        ServerOptions {
            interfaces: self.interfaces(),
            listeners: self.listeners(&PoolNumbers::of(&pools)),
            pools,
            source_ports: self.source_ports.0.map(|range| range.0..=range.1),
            mode: self.mode.into(),
            device: Options {
                frame_size: device.frame_size.into(),
                frame_count: device.frame_count.0,
                ring_size: device.ring_size.0,
                zero_copy: self.zero_copy.into(),
                multi_buffer: self.multi_buffer.into(),
                busy_poll: self.busy_poll.into(),
                ..Options::default()
            },
            workers: self.workers.0.map(|count| count.0 as usize),
            cores: numbers(&self.cores.0),
            idle: self.idle.into(),
            tcp: self.tcp(),
            capacity: Capacity {
                connections: limits.connections.0 as usize,
                half_open: limits.half_open.0 as usize,
                time_wait: limits.time_wait.0 as usize,
                blocks: limits.text.0 as usize / BLOCK_SIZE,
            },
            checksums: self.rx_checksum.into(),
        }
    }

    /// The interface that is served first, and that of backends.
    fn interfaces(&self) -> Vec<InterfaceOptions> {
        let front = (&self.interface, &self.addresses, &self.queues);
        let back = self.back.iter();
        let back = back.map(|back| (&back.interface, &back.addresses, &back.queues));
        let options =
            |(name, addresses, queues): (&String, &Vec<IpAddr>, &Queues)| InterfaceOptions {
                name: name.clone(),
                addresses: addresses.clone(),
                queues: numbers(&queues.0),
            };
        std::iter::once(front).chain(back).map(options).collect()
    }

    /// The addresses that are named; `None` where an interface is served with all it has.
    pub(super) fn named_addresses(&self) -> Option<Vec<IpAddr>> {
        let back = self.back.iter().map(|back| &back.addresses);
        let lists: Vec<_> = std::iter::once(&self.addresses).chain(back).collect();
        let named = lists.iter().all(|list| !list.is_empty());
        named.then(|| lists.into_iter().flatten().copied().collect())
    }

    /// The same with every setting said.
    #[must_use]
    pub fn effective(&self) -> Self {
        let mut whole = self.clone();
        whole.tcp = TcpSettings::of(&self.tcp());
        for listener in &mut whole.listeners {
            listener.listen = listener.place();
        }
        whole
    }

    /// As a file.
    ///
    /// # Errors
    /// A path that is no UTF-8.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}
