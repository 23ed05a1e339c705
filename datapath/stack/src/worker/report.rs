//! What a worker shows of itself.

use wirepath_device::{Device, Ledger};
use wirepath_tcp::connection::Info;
use wirepath_tcp::state::State;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::Worker;
use crate::app::App;
use crate::listeners::ListenerId;

/// How much a worker holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Whole connections.
    pub open: usize,
    /// Those of them on which nothing is under way, and which take less room.
    pub resting: usize,
    /// Unfinished handshakes.
    pub half_open: usize,
    /// Connections in TIME-WAIT.
    pub time_wait: usize,
    /// Blocks of text in use.
    pub blocks: usize,
    /// Blocks of text in all.
    pub blocks_total: usize,
}

/// What one device has carried since it was attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Frames received.
    pub frames_in: u64,
    /// Bytes received, link headers included.
    pub bytes_in: u64,
    /// Batches that the frames came in.
    pub batches_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes sent, link headers included.
    pub bytes_out: u64,
}

impl Holdings {
    /// Adds what another worker holds.
    pub const fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.resting += other.resting;
        self.half_open += other.half_open;
        self.time_wait += other.time_wait;
        self.blocks += other.blocks;
        self.blocks_total += other.blocks_total;
    }
}

impl<D: Device, A: App> Worker<D, A> {
    /// How much it holds now.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        Holdings {
            open: self.flows.connections(),
            resting: self.flows.resting.len(),
            half_open: self.flows.half_open.len(),
            time_wait: self.flows.time_wait.len(),
            blocks: self.pool.total() - self.pool.free(),
            blocks_total: self.pool.total(),
        }
    }

    /// Everything that must hold between turns. Walks all connections: for tests.
    ///
    /// # Errors
    /// What does not hold, and for which connection.
    pub fn check(&self) -> Result<(), (Tuple, &'static str)> {
        let first = self.next_deadline();
        for (_, flow) in self.flows.open.iter_from(0) {
            let refuse = |what| Err((flow.tuple, what));
            flow.connection.check().or_else(refuse)?;
            let deadline = flow.connection.next_deadline();
            // Who was asked for segments and still has text waits for something.
            let Info {
                state, send_queue, ..
            } = flow.connection.info();
            let closing = matches!(state, State::FinWait1 | State::Closing | State::LastAck);
            let waits = state != State::Closed && (closing || send_queue > 0);
            if waits && !flow.dirty && deadline.is_none() {
                return refuse("it has something to send, and no timer");
            }
            if deadline.is_some() && (first.is_none() || first > deadline) {
                return refuse("its timer is not in the wheel");
            }
        }
        Ok(())
    }

    /// Who waits for connections.
    pub fn listeners(&self) -> impl Iterator<Item = (Endpoint, ListenerId)> + '_ {
        self.listeners
            .iter()
            .map(|(endpoint, listener)| (*endpoint, listener.id))
    }

    /// What each device has received and sent, in the order of [`attach`](Self::attach).
    pub fn traffic(&self) -> impl Iterator<Item = Traffic> + '_ {
        self.ports.iter().map(|port| port.traffic)
    }

    /// The frames of each device.
    pub fn ledgers(&self) -> impl Iterator<Item = Ledger> + '_ {
        self.ports.iter().map(|port| port.device.ledger())
    }

    /// Whether every frame of every device is accounted for.
    #[must_use]
    pub fn frames_balance(&self) -> bool {
        self.ports.iter().all(super::egress::Port::ledger_balances)
    }
}
