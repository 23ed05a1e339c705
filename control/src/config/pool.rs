//! `[[pool]]`: backends that serve the same, for listeners whose service is "proxy".

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use wirepath_apps::proxy::{BackendSettings, Balance, Check, Ejection, MaglevTable, PoolSettings};
use wirepath_tcp::config::Config;
use wirepath_tcp::time::Millis;

use super::choices::{AdminChoice, BalanceChoice, HeaderChoice, RefusalChoice};
use super::setting::{Count, Off, Or, Period};
use super::tcp::TcpSettings;

/// Longest time there is, in milliseconds: a day.
const LONGEST: u32 = 86_400_000;
/// More backends than a pool is likely to have.
pub(super) const BACKENDS: usize = 1_024;

type Wait = Period<1, LONGEST>;
type Most = Or<Count<1, 16_777_216>, Off>;

/// A pool of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [[pool]]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct PoolEntry {
    pub name: String,
    pub balance: BalanceChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_address: Option<IpAddr>,
    pub connect_timeout: Wait,
    pub attempt_timeout: Wait,
    pub retries: Count<0, 7>,
    pub idle_timeout: Or<Wait, Off>,
    pub client_silence: Or<Wait, Off>,
    pub backend_silence: Or<Wait, Off>,
    pub refusal: RefusalChoice,
    pub queue: Count<0, 1_000_000>,
    pub max_connections: Most,
    pub max_per_source: Most,
    pub eject_after: Or<Count<1, 1_000_000>, Off>,
    pub eject_for: Wait,
    pub eject_most: Wait,
    pub slow_start: Or<Wait, Off>,
    pub proxy_header: HeaderChoice,
    #[serde(deserialize_with = "super::setting::deserialize_all")]
    pub proxy_header_from: Vec<IpNet>,
    #[serde(skip_serializing_if = "TcpSettings::is_silent")]
    pub tcp: TcpSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckEntry>,
    #[serde(rename = "backend")]
    pub backends: Vec<BackendEntry>,
}

/// `[pool.check]`: how backends are asked whether they live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [pool.check]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct CheckEntry {
    pub interval: Wait,
    pub timeout: Wait,
    pub fall: Count<1, 1_000>,
    pub rise: Count<1, 1_000>,
    pub send: String,
    pub expect: String,
}

/// `[[pool.backend]]`: one backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [[pool.backend]]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct BackendEntry {
    #[serde(with = "super::setting")]
    pub address: SocketAddr,
    #[serde(default = "one")]
    pub weight: Count<0, 256>,
    #[serde(default)]
    pub max_connections: Most,
    #[serde(default)]
    pub state: AdminChoice,
}

const fn one() -> Count<0, 256> {
    Count(1)
}

const fn wait(millis: u32) -> Wait {
    Period(Millis(millis))
}

impl Default for PoolEntry {
    fn default() -> Self {
        Self {
            name: String::new(),
            balance: BalanceChoice::RoundRobin,
            source_address: None,
            connect_timeout: wait(10_000),
            attempt_timeout: wait(3_000),
            retries: Count(2),
            idle_timeout: Or::new(Some(wait(600_000))),
            client_silence: Or::default(),
            backend_silence: Or::default(),
            refusal: RefusalChoice::Reset,
            queue: Count(1_000),
            max_connections: Or::default(),
            max_per_source: Or::default(),
            eject_after: Or::new(Some(Count(5))),
            eject_for: wait(1_000),
            eject_most: wait(60_000),
            slow_start: Or::default(),
            proxy_header: HeaderChoice::Off,
            proxy_header_from: Vec::new(),
            tcp: TcpSettings::default(),
            check: None,
            backends: Vec::new(),
        }
    }
}

impl Default for CheckEntry {
    fn default() -> Self {
        Self {
            interval: wait(2_000),
            timeout: wait(1_000),
            fall: Count(3),
            rise: Count(2),
            send: String::new(),
            expect: String::new(),
        }
    }
}

impl BackendEntry {
    /// A backend with what is said where nothing is.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            weight: one(),
            max_connections: Or::default(),
            state: AdminChoice::default(),
        }
    }

    fn settings(&self) -> BackendSettings {
        BackendSettings {
            endpoint: self.address.into(),
            weight: self.weight.0 as u16,
            max_connections: count(self.max_connections),
            admin: self.state.into(),
        }
    }
}

impl CheckEntry {
    fn settings(&self) -> Check {
        Check {
            interval: self.interval.duration(),
            timeout: self.timeout.duration(),
            fall: self.fall.0,
            rise: self.rise.0,
            send: self.send.clone().into_bytes(),
            expect: self.expect.clone().into_bytes(),
        }
    }
}

impl PoolEntry {
    /// What a worker is told; `base` is what `[tcp]` says.
    #[must_use]
    pub fn settings(&self, base: Config) -> PoolSettings {
        let backends: Vec<_> = self.backends.iter().map(BackendEntry::settings).collect();
        let balance = self.balance.into();
        PoolSettings {
            table: match balance {
                Balance::Maglev => MaglevTable::of(&backends),
                _ => MaglevTable::default(),
            },
            backends,
            balance,
            local: self.source_address,
            tcp: self.tcp.over(base),
            connect_timeout: self.connect_timeout.duration(),
            attempt_timeout: self.attempt_timeout.duration(),
            retries: self.retries.0 as u8,
            idle_timeout: span(self.idle_timeout),
            silence: [span(self.client_silence), span(self.backend_silence)],
            refusal: self.refusal.into(),
            queue: self.queue.0 as usize,
            max_connections: count(self.max_connections),
            max_per_source: count(self.max_per_source),
            ejection: Ejection {
                failures: self.eject_after.0.map_or(0, |failures| failures.0),
                first: self.eject_for.duration(),
                most: self.eject_most.duration(),
            },
            slow_start: span(self.slow_start),
            check: self.check.as_ref().map(CheckEntry::settings),
            header: self.proxy_header.into(),
            header_from: self.proxy_header_from.clone(),
        }
    }

    /// As a table that can be compared with another, its backends by address.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::try_from(self).unwrap_or_default();
        table.remove("name");
        table.remove("backend");
        for backend in &self.backends {
            let mut settings = Table::try_from(backend).unwrap_or_default();
            settings.remove("address");
            table.insert(backend.address.to_string(), Value::Table(settings));
        }
        table
    }
}

fn count(most: Most) -> usize {
    most.0.map_or(0, |most| most.0 as usize)
}

fn span(wait: Or<Wait, Off>) -> Duration {
    wait.0.map_or(Duration::ZERO, |wait| wait.duration())
}
