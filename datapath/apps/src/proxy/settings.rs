//! What a proxy is told.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use wirepath_tcp::config::Config;
use wirepath_wire::tuple::Endpoint;

use super::balance::MaglevTable;

/// The number of a pool; the same in every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolId(pub u16);

/// Backends that serve the same, and how connections are dealt out to them.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSettings {
    /// The backends.
    pub backends: Vec<BackendSettings>,
    /// How one is chosen.
    pub balance: Balance,
    /// What Maglev hashing chooses by; of no use to others.
    pub table: MaglevTable,
    /// The address that connections to backends come from; `None` for the closest.
    pub local: Option<IpAddr>,
    /// Settings of connections to backends.
    pub tcp: Config,
    /// How long a client waits for a backend, all attempts and the queue included.
    pub connect_timeout: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How many attempts may follow the first, up to 7, before any text has gone to a backend: at
    /// others, or where there is none at the same again.
    pub retries: u8,
    /// How long neither side may send before both are reset; zero for ever.
    pub idle_timeout: Duration,
    /// How long the client, and how long the backend, may send nothing, whatever the other does;
    /// zero for ever.
    pub silence: [Duration; 2],
    /// What a client gets when there is no backend for it.
    pub refusal: Refusal,
    /// Clients that may wait for a backend to have room.
    pub queue: usize,
    /// Connections that clients may have; 0 for as many as there is room for.
    pub max_connections: usize,
    /// Connections that clients of one address may have; 0 for as many as there is room for.
    pub max_per_source: usize,
    /// When a backend that fails is left out.
    pub ejection: Ejection,
    /// Over how long a backend that has come back gets its full share.
    pub slow_start: Duration,
    /// How backends are asked whether they live; `None` never.
    pub check: Option<Check>,
    /// The header that tells backends of the client.
    pub header: Option<Version>,
    /// Whose connections begin with such a header, which tells of the client: other proxies'.
    pub header_from: Vec<IpNet>,
}

/// A pool without backends.
impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            backends: Vec::new(),
            balance: Balance::default(),
            table: MaglevTable::default(),
            local: None,
            tcp: Config::default(),
            connect_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(3),
            retries: 2,
            idle_timeout: Duration::from_secs(600),
            silence: [Duration::ZERO; 2],
            refusal: Refusal::default(),
            queue: 1_000,
            max_connections: 0,
            max_per_source: 0,
            ejection: Ejection {
                failures: 5,
                first: Duration::from_secs(1),
                most: Duration::from_secs(60),
            },
            slow_start: Duration::ZERO,
            check: None,
            header: None,
            header_from: Vec::new(),
        }
    }
}

/// One backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendSettings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Its share, beside those of the others.
    pub weight: u16,
    /// Connections that it may have; 0 for as many as there is room for.
    pub max_connections: usize,
    /// What it may be given.
    pub admin: Admin,
}

/// What an operator wants of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admin {
    /// Connections are given to it.
    #[default]
    Ready,
    /// It gets no more; those it has go on.
    Drain,
    /// It gets no more, and those it has are reset.
    Disabled,
}

/// How a backend is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Whoever has the fewest connections for its weight.
    LeastConnections,
    /// By the client's address, the same for all of one address: rendezvous hashing.
    SourceHash,
    /// By the client's address, from a table: Maglev hashing.
    Maglev,
}

/// What a client gets when there is no backend for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refusal {
    /// An RST.
    #[default]
    Reset,
    /// A FIN.
    Close,
}

/// Which version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// When a backend that fails is left out: passive health checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// Failures one after the other; 0 never.
    pub failures: u32,
    /// For how long, the first time; twice as long each time after that.
    pub first: Duration,
    /// For how long at most.
    pub most: Duration,
}

/// Active health checks: a connection each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Between the ends of two checks.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// Failures one after the other that make it down.
    pub fall: u32,
    /// Successes one after the other that make it up again.
    pub rise: u32,
    /// What is sent.
    pub send: Vec<u8>,
    /// What the answer must begin with.
    pub expect: Vec<u8>,
}
