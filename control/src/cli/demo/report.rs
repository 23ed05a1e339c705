//! The table at the end of the demo.

use std::fmt;

use super::client::Measured;
use crate::api::Stats;

/// What was done and seen.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) connections: usize,
    pub(super) bytes_verified: u64,
    pub(super) ping_pong: Option<Measured>,
    pub(super) load: Option<Measured>,
    /// What the server counted, before it was stopped.
    pub(super) stats: Stats,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counter = |name: &str| self.stats.counters.get(name).copied().unwrap_or(0);
        let mut row = |name: &str, value: String| writeln!(f, "{name:<32} {value}");
        row(
            "connections by kernel clients",
            self.connections.to_string(),
        )?;
        row("opened at the server", counter("opened").to_string())?;
        row("closed at the server", counter("closed").to_string())?;
        row("open when asked", self.stats.open.to_string())?;
        for (state, count) in self
            .stats
            .states_entered
            .iter()
            .filter(|(_, count)| **count > 0)
        {
            row(&format!("  entered {state}"), count.to_string())?;
        }
        row("bytes verified", self.bytes_verified.to_string())?;
        row("retransmissions", counter("retransmissions").to_string())?;
        let drops = &self.stats.drops;
        row("drops", drops.values().sum::<u64>().to_string())?;
        for (reason, count) in drops {
            row(&format!("  {reason}"), count.to_string())?;
        }
        let loads = [
            ("1 connection", &self.ping_pong),
            ("32 connections", &self.load),
        ];
        for (name, measured) in loads {
            let Some(Measured { rate, latency, .. }) = measured else {
                continue;
            };
            let micros = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
            row(
                &format!("{name} x 64 B"),
                format!(
                    "{rate:.0} requests/s, p50 {:.1} us, p99 {:.1} us",
                    micros(0.5),
                    micros(0.99)
                ),
            )?;
        }
        Ok(())
    }
}
