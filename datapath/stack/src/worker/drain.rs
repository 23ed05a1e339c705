//! The end of a worker: all connections are closed, or reset.

use wirepath_device::Device;
use wirepath_tcp::time::Instant;

use super::Worker;
use crate::app::App;
use crate::limits::CLOSED_PER_TURN;

/// Who is still to be closed, and how.
#[derive(Debug)]
pub(super) struct Drain {
    /// By an RST, not by a FIN.
    resets: bool,
    /// Numbers of open flows.
    open: Vec<u32>,
    /// Of those that rest, the numbers from here on.
    resting: u32,
}

impl Drain {
    /// One that rested is open now.
    pub(super) fn add(&mut self, number: u32) {
        self.open.push(number);
    }
}

impl<D: Device, A: App> Worker<D, A> {
    /// Stops accepting, and closes every connection with a FIN after what is queued, so many in a
    /// turn, but for pairs, which go on until they end. What peers of others say meanwhile is
    /// thrown away: a reset for it would overtake the FIN (RFC 9293 3.6).
    pub fn drain(&mut self, now: Instant) {
        self.listeners.clear();
        self.close_all(now, false);
    }

    /// Resets every connection that is left, so many in a turn.
    pub fn abort_all(&mut self, now: Instant) {
        self.close_all(now, true);
    }

    fn close_all(&mut self, now: Instant, resets: bool) {
        let open = self.flows.open.iter_from(0);
        let open = open.map(|(number, _)| number).collect();
        self.drain = Some(Drain {
            resets,
            open,
            resting: 0,
        });
        self.close_some(now);
    }

    /// Closes some of those that are still to be closed, if any are.
    pub(super) fn close_some(&mut self, now: Instant) {
        for _ in 0..CLOSED_PER_TURN {
            let Some(number) = self.next_to_close(now) else {
                return;
            };
            self.close(now, number);
        }
    }

    /// Whether somebody is still to be closed.
    pub(super) fn has_to_close(&self) -> bool {
        let drain = self.drain.as_ref();
        drain.is_some_and(|drain| !drain.open.is_empty() || self.flows.resting.len() > 0)
    }

    fn next_to_close(&mut self, now: Instant) -> Option<u32> {
        let drain = self.drain.as_mut()?;
        if let Some(number) = drain.open.pop() {
            return Some(number);
        }
        if self.flows.resting.len() == 0 {
            return None;
        }
        let (number, _) = self.flows.resting.iter_from(drain.resting).next()?;
        drain.resting = number;
        // Whoever is resumed is added.
        self.resume(now, number);
        self.drain.as_mut()?.open.pop()
    }

    fn close(&mut self, now: Instant, number: u32) {
        let resets = self.drain.as_ref().is_some_and(|drain| drain.resets);
        if !resets {
            self.show_unread(now, number);
        }
        // What one of a pair has said is still to reach the other.
        let flow = self.flows.open.get_mut(number);
        let Some(flow) = flow.filter(|flow| resets || flow.partner.is_none()) else {
            return;
        };
        let before = flow.connection.state();
        if resets {
            flow.connection.abort();
        } else {
            flow.connection.shutdown();
        }
        self.serve(now, number, before);
    }
}
