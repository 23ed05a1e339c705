//! What a worker shows of itself.

use wirepath_device::{Device, Ledger};
use wirepath_tcp::connection::Info;
use wirepath_tcp::half_open::HalfOpen;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::Worker;
use crate::app::App;
use crate::listeners::ListenerId;

/// One line of `ss`.
#[derive(Debug, Clone)]
pub struct FlowInfo {
    /// Both ends.
    pub tuple: Tuple,
    /// Its state.
    pub state: State,
    /// The rest, where there is a whole connection.
    pub info: Option<Info>,
    /// When it is given up, for what is half-open or in TIME-WAIT.
    pub deadline: Option<Instant>,
}

/// How much a worker holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Whole connections.
    pub open: usize,
    /// Unfinished handshakes.
    pub half_open: usize,
    /// Connections in TIME-WAIT.
    pub time_wait: usize,
    /// Blocks of text in use.
    pub blocks: usize,
    /// Blocks of text in all.
    pub blocks_total: usize,
}

impl Holdings {
    /// Adds what another worker holds.
    pub const fn add(&mut self, other: &Self) {
        self.open += other.open;
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
            open: self.flows.open.len(),
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

    /// The frames of each device.
    pub fn ledgers(&self) -> impl Iterator<Item = Ledger> + '_ {
        self.ports.iter().map(|port| port.device.ledger())
    }

    /// Whether every frame of every device is accounted for.
    #[must_use]
    pub fn frames_balance(&self) -> bool {
        self.ports.iter().all(super::egress::Port::ledger_balances)
    }

    /// All flows: whole, half-open, and in TIME-WAIT.
    pub fn flows(&self) -> impl Iterator<Item = FlowInfo> + '_ {
        let open = self.flows.open.iter_from(0).map(|(_, flow)| {
            let info = flow.connection.info();
            FlowInfo {
                tuple: flow.tuple,
                state: info.state,
                info: Some(info),
                deadline: None,
            }
        });
        let half_open = self.flows.half_open.iter_from(0).map(|(_, flow)| {
            let deadline = Some(HalfOpen::deadline(&flow.half_open));
            FlowInfo {
                tuple: flow.tuple,
                state: State::SynReceived,
                info: None,
                deadline,
            }
        });
        let time_wait = self.flows.time_wait.iter_from(0).map(|(_, flow)| {
            let deadline = Some(flow.time_wait.deadline());
            FlowInfo {
                tuple: flow.tuple,
                state: State::TimeWait,
                info: None,
                deadline,
            }
        });
        open.chain(half_open).chain(time_wait)
    }
}
