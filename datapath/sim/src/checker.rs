//! What must hold, at any time and at the end.

use std::time::Duration;

use wirepath_tcp::time::Instant;

use crate::end::End;
use crate::host::Host;
use crate::plan::ConnectionPlan;
use crate::scenario::Scenario;

/// The judge of a run.
#[derive(Debug)]
pub(crate) struct Checker {
    patience: Duration,
    connections: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    plan: ConnectionPlan,
    steps: u64,
    moved_at: Instant,
}

impl Checker {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let watch = |plan: &ConnectionPlan| Watched {
            plan: *plan,
            steps: 0,
            moved_at: plan.start,
        };
        Self {
            patience: scenario.patience(),
            connections: scenario.connections.iter().map(watch).collect(),
        }
    }

    /// After every event.
    pub(crate) fn check(&mut self, now: Instant, hosts: &[Box<dyn Host>; 2]) -> Result<(), String> {
        for (name, host) in ["client", "server"].into_iter().zip(hosts) {
            host.check().map_err(|what| format!("{name}: {what}"))?;
        }
        let ends = hosts[0].ends().iter().zip(hosts[1].ends());
        for (number, ((client, server), watched)) in ends.zip(&mut self.connections).enumerate() {
            let told = check_ends(client, server)
                .and_then(|()| watched.check_progress(now, self.patience, [client, server]));
            told.map_err(|what| format!("connection {number}: {what}"))?;
        }
        Ok(())
    }

    /// When nothing will ever happen again.
    pub(crate) fn check_end(&self, hosts: &[Box<dyn Host>; 2]) -> Result<(), String> {
        for (name, host) in ["client", "server"].into_iter().zip(hosts) {
            if !host.is_empty() {
                return Err(format!("{name}: nothing moves and connections are left"));
            }
            host.check_empty()
                .map_err(|what| format!("{name}, at the end: {what}"))?;
            let ends = host.ends().iter().zip(&self.connections);
            let lost = ends.filter(|(end, watched)| !end.is_over() && !watched.plan.aborts());
            if let Some((end, _)) = lost.into_iter().next() {
                let number = end.connection;
                return Err(format!("{name}: connection {number} vanished untold"));
            }
        }
        Ok(())
    }
}

fn check_ends(client: &End, server: &End) -> Result<(), String> {
    for (end, peer) in [(client, server), (server, client)] {
        if let Some(fault) = end.fault() {
            return Err(format!("{:?}: {fault}", end.side));
        }
        if end.received() > peer.sent() {
            return Err(format!("{:?} has bytes that nobody sent", end.side));
        }
    }
    Ok(())
}

impl Watched {
    fn check_progress(
        &mut self,
        now: Instant,
        patience: Duration,
        ends: [&End; 2],
    ) -> Result<(), String> {
        let steps = ends.iter().map(|end| end.steps()).sum();
        let over = ends.iter().all(|end| end.is_over());
        if steps != self.steps || over || self.plan.aborts() {
            (self.steps, self.moved_at) = (steps, self.moved_at.max(now));
        }
        if now.since(self.moved_at) > patience {
            let [client, server] = ends.map(End::progress);
            return Err(format!(
                "nothing moved for {patience:?}: {client}; {server}"
            ));
        }
        Ok(())
    }
}
