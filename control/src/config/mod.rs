//! What a server is told: one value, from a TOML file or from flags, and how a running one takes
//! on another. `docs/wirepath.toml` tells every setting.

mod check;
mod choices;
mod diff;
mod error;
mod file;
mod listener;
mod place;
mod pool;
mod reload;
mod setting;
mod tcp;

#[cfg(test)]
mod tests;

pub use choices::{
    AdminChoice, BalanceChoice, BusyPoll, Congestion, Cookies, Ecn, HeaderChoice, IdleChoice, Mode,
    MultiBufferChoice, RefusalChoice, RxChecksum, ServiceChoice, ZeroCopyChoice,
};
pub use diff::{Diff, ListenerDiff, ListenerName, SettingChange};
pub use error::ConfigError;
pub use file::{Back, Configuration, Cores, Device, Drain, Limit, Limits, Queues, Workers};
pub use listener::{ListenerEntry, Place};
pub use pool::{BackendEntry, CheckEntry, PoolEntry};
pub use reload::{ReloadError, Reloader, Source, SourceError};
pub use setting::{All, Any, Auto, Count, Numbers, Off, Or, Period, PortRange, Size, Word};
pub use tcp::{Silence, TcpSettings, server_defaults};
