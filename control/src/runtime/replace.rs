//! All listeners changed at once, or none.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::PoisonError;

use wirepath_tcp::config::Config;

use super::place::served;
use super::plane::{ByEndpoint, free_id};
use super::{ControlPlane, ListenError, ListenerOptions, ListenerSettings};

/// Other settings for a listener that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerChange {
    /// What it has.
    pub from: ListenerSettings,
    /// What it gets.
    pub to: ListenerSettings,
}

/// How the listeners there are differ from those that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerChanges {
    /// Those that are new.
    pub added: BTreeMap<SocketAddr, ListenerSettings>,
    /// Those that go.
    pub removed: BTreeMap<SocketAddr, ListenerSettings>,
    /// Those with other settings.
    pub changed: BTreeMap<SocketAddr, ListenerChange>,
}

impl ControlPlane {
    /// What [`replace_listeners`](Self::replace_listeners) would change.
    ///
    /// # Errors
    /// What is known before it is tried.
    pub async fn compare_listeners(
        &self,
        wanted: &[ListenerOptions],
    ) -> Result<ListenerChanges, ListenError> {
        self.compare(&*self.listening.lock().await, wanted)
    }

    /// Has exactly these listeners: new ones first, then other settings for those there are, then
    /// the end of the others. No connection is lost and no SYN refused at what stays. `tcp` is
    /// what listeners get from now on that say nothing.
    ///
    /// # Errors
    /// See [`ListenError`]; all is as it was in that case.
    pub async fn replace_listeners(
        &self,
        tcp: Config,
        wanted: &[ListenerOptions],
    ) -> Result<ListenerChanges, ListenError> {
        let mut listening = self.listening.lock().await;
        let changes = self.compare(&listening, wanted)?;
        let mut done = Vec::new();
        if let Err(error) = self.apply(&mut listening, &changes, &mut done).await {
            self.undo(&mut listening, done).await;
            return Err(error);
        }
        for &endpoint in changes.removed.keys() {
            self.close(&mut listening, endpoint).await;
        }
        self.forget_closed(&mut listening).await;
        *self.tcp.lock().unwrap_or_else(PoisonError::into_inner) = tcp;
        Ok(changes)
    }

    fn compare(
        &self,
        listening: &ByEndpoint,
        wanted: &[ListenerOptions],
    ) -> Result<ListenerChanges, ListenError> {
        let wanted = wanted.iter();
        let wanted: BTreeMap<SocketAddr, ListenerSettings> = wanted
            .flat_map(|listener| listener.endpoints(self.addresses()))
            .collect();
        let mut changes = ListenerChanges::default();
        let open = listening.iter().filter(|(_, entry)| !entry.closing);
        for (&endpoint, entry) in open {
            let from = &entry.settings;
            match wanted.get(&endpoint) {
                None => drop(changes.removed.insert(endpoint, from.clone())),
                Some(to) if to != from => {
                    let (from, to) = (from.clone(), to.clone());
                    let change = ListenerChange { from, to };
                    changes.changed.insert(endpoint, change);
                }
                Some(_) => {}
            }
        }
        let is_open = |endpoint: &SocketAddr| {
            let entry = listening.get(endpoint);
            entry.is_some_and(|entry| !entry.closing)
        };
        changes.added = wanted
            .into_iter()
            .filter(|(endpoint, _)| !is_open(endpoint))
            .collect();
        for &endpoint in changes.added.keys() {
            served(&self.site.addresses, endpoint)?;
        }
        Ok(changes)
    }

    /// What can fail, with the most likely first. `done` gets what to undo: an endpoint, and what
    /// it had before.
    async fn apply(
        &self,
        listening: &mut ByEndpoint,
        changes: &ListenerChanges,
        done: &mut Vec<(SocketAddr, Option<ListenerSettings>)>,
    ) -> Result<(), ListenError> {
        for (&endpoint, settings) in &changes.added {
            self.open(listening, endpoint, settings.clone()).await?;
            done.push((endpoint, None));
        }
        for (&endpoint, change) in &changes.changed {
            // Also when only some workers have heard of it.
            done.push((endpoint, Some(change.from.clone())));
            self.turn_to(listening, endpoint, change.to.clone()).await?;
        }
        Ok(())
    }

    async fn undo(
        &self,
        listening: &mut ByEndpoint,
        done: Vec<(SocketAddr, Option<ListenerSettings>)>,
    ) {
        for (endpoint, before) in done.into_iter().rev() {
            let Some(before) = before else {
                self.close(listening, endpoint).await;
                continue;
            };
            if let Err(error) = self.turn_to(listening, endpoint, before).await {
                tracing::warn!(%error, %endpoint, "a listener that gets its settings back");
            }
        }
        self.forget_closed(listening).await;
    }

    async fn turn_to(
        &self,
        listening: &mut ByEndpoint,
        endpoint: SocketAddr,
        settings: ListenerSettings,
    ) -> Result<(), ListenError> {
        let free = free_id(listening)?;
        if let Some(entry) = listening.get_mut(&endpoint) {
            entry.become_of(settings, free);
        }
        self.restrict(listening, endpoint)?;
        Ok(self.tell_listen(listening, endpoint, free).await?)
    }
}
