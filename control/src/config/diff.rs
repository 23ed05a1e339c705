//! What a reload changes.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use wirepath_apps::Role;

use super::choices::ServiceChoice;
use super::file::Configuration;
use super::tcp::TcpSettings;
use crate::runtime::{Access, ListenerChange, ListenerChanges, ListenerSettings, PoolNumbers};

/// Settings of the server that a running one can change, and beginnings of such.
const RELOADABLE: [&str; 2] = ["drain", "pool."];
/// Parts of a configuration that become listeners.
const OF_LISTENERS: [&str; 2] = ["tcp", "listener"];

/// What differs between what a server does and what a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Listeners that are new.
    pub added: Vec<ListenerName>,
    /// Listeners that accept no more; their connections go on.
    pub removed: Vec<ListenerName>,
    /// Listeners with other settings, which hold for new connections.
    pub changed: Vec<ListenerDiff>,
    /// Settings of the server.
    pub settings: Vec<SettingChange>,
}

/// A listener, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerName {
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// What waits there.
    pub service: String,
}

/// How a listener changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerDiff {
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// What of it changes.
    pub settings: Vec<SettingChange>,
}

/// A setting with its value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// Its key in the file.
    pub key: String,
    /// What it was, as in the file; "none" of a pool or backend that is new.
    pub from: String,
    /// What it becomes; "none" of a pool or backend that is no more.
    pub to: String,
}

/// In the place of a pool or backend that is not there.
const NONE: &str = "none";

impl SettingChange {
    /// As listeners are told: what is new, what is no more, and what changes.
    fn sign(&self) -> char {
        match (self.from.as_str(), self.to.as_str()) {
            (NONE, table) if table.starts_with('{') => '+',
            (table, NONE) if table.starts_with('{') => '-',
            _ => '~',
        }
    }
}

impl Diff {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `numbers` are those of the pools.
    pub(super) fn new(
        listeners: &ListenerChanges,
        settings: Vec<SettingChange>,
        numbers: &PoolNumbers,
    ) -> Self {
        let name = |(&endpoint, settings): (&SocketAddr, &ListenerSettings)| ListenerName {
            endpoint,
            service: settings.role.name().to_owned(),
        };
        let changed = listeners.changed.iter();
        Self {
            added: listeners.added.iter().map(name).collect(),
            removed: listeners.removed.iter().map(name).collect(),
            changed: changed
                .map(|(endpoint, change)| listener(*endpoint, change, numbers))
                .collect(),
            settings,
        }
    }
}

fn listener(endpoint: SocketAddr, change: &ListenerChange, numbers: &PoolNumbers) -> ListenerDiff {
    let table = |settings: &ListenerSettings| {
        let service = Value::try_from(ServiceChoice::from(settings.role));
        let mut table = table_of(&TcpSettings::of(&settings.tcp));
        table.extend(service.ok().map(|service| ("service".to_owned(), service)));
        let Access { allow, deny } = &settings.access;
        for (key, networks) in [("allow", allow), ("deny", deny)] {
            if let Ok(list) = Value::try_from(networks) {
                table.insert(key.to_owned(), list);
            }
        }
        if let Role::Proxy(pool) = settings.role {
            let pool = numbers.name(pool).unwrap_or_default();
            table.insert("pool".to_owned(), Value::String(pool.to_owned()));
        }
        table
    };
    ListenerDiff {
        endpoint,
        settings: compare("", &table(&change.from), &table(&change.to)),
    }
}

/// What the running server can take on, and what it would have to be started again for.
pub(super) fn settings(
    running: &Configuration,
    wanted: &Configuration,
) -> (Vec<SettingChange>, Vec<SettingChange>) {
    let table = |configuration: &Configuration| {
        let mut table = table_of(configuration);
        OF_LISTENERS.iter().for_each(|key| drop(table.remove(*key)));
        let pools = configuration.pools.iter();
        let pools = pools.map(|pool| (pool.name.clone(), Value::Table(pool.table())));
        table.insert("pool".to_owned(), Value::Table(pools.collect()));
        table
    };
    let changes = compare("", &table(running), &table(wanted));
    let is_reloadable =
        |change: &SettingChange| RELOADABLE.iter().any(|key| change.key.starts_with(key));
    changes.into_iter().partition(is_reloadable)
}

/// As it would be in a file. What cannot be written there was not read from one either.
fn table_of(settings: &impl Serialize) -> Table {
    Table::try_from(settings).unwrap_or_default()
}

/// The values that differ, by key.
fn compare(prefix: &str, from: &Table, to: &Table) -> Vec<SettingChange> {
    let only_new = to.keys().filter(|key| !from.contains_key(*key));
    let keys = from.keys().chain(only_new);
    let change = |key: &String| match (from.get(key), to.get(key)) {
        (Some(Value::Table(from)), Some(Value::Table(to))) => {
            compare(&format!("{prefix}{key}."), from, to)
        }
        (from, to) if from == to => Vec::new(),
        (from, to) => {
            let is_entry = prefix == "pool." || key.parse::<SocketAddr>().is_ok();
            let nothing = if is_entry { NONE } else { "default" };
            vec![SettingChange {
                key: format!("{prefix}{key}"),
                from: written(from, nothing),
                to: written(to, nothing),
            }]
        }
    };
    keys.flat_map(change).collect()
}

fn written(value: Option<&Value>, nothing: &str) -> String {
    match value {
        None => nothing.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.key, self.from, self.to)
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.service, self.endpoint)
    }
}

impl fmt::Display for ListenerDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, list(&self.settings))
    }
}

/// All in one line.
pub(super) fn list(changes: &[SettingChange]) -> String {
    let texts: Vec<_> = changes.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// A line each.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changes\n");
        }
        for name in &self.added {
            writeln!(f, "+ {name}")?;
        }
        for name in &self.removed {
            writeln!(f, "- {name}")?;
        }
        for listener in &self.changed {
            writeln!(f, "~ {listener}")?;
        }
        for change in &self.settings {
            writeln!(f, "{} {change}", change.sign())?;
        }
        Ok(())
    }
}
