//! Looking at the flows of a worker, in pieces: there may be very many.

use std::ops::{ControlFlow, Deref};

use wirepath_device::Device;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::{Connection, Info, Resting};
use wirepath_tcp::half_open::HalfOpen;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use crate::app::App;
use crate::flows::FlowRef;

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

/// Where a walk over the flows goes on. It stays good while flows come and go: one that is there
/// all the time is seen, and one that changes its kind meanwhile may be seen as both, or when it
/// goes on after a rest as neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(u32);

impl Cursor {
    /// The cursor that was this number; every number is one.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// As a number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// A flow that is looked at. What costs little is at hand.
#[derive(Debug)]
pub struct FlowView<'a> {
    /// Both ends.
    pub tuple: &'a Tuple,
    /// Its state.
    pub state: State,
    known: Known<'a>,
}

/// What is known of a flow.
#[derive(Debug)]
enum Known<'a> {
    Whole(&'a Connection),
    Resting(&'a Resting, &'a Config),
    /// When it is given up.
    Until(Instant),
}

/// A connection that is looked at.
#[derive(Debug)]
pub enum Seen<'a> {
    /// Where it lies.
    Open(&'a Connection),
    /// As it will go on after its rest.
    Resting(Box<Connection>),
}

impl Deref for Seen<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Open(connection) => connection,
            Self::Resting(connection) => connection,
        }
    }
}

impl<'a> FlowView<'a> {
    /// The connection, where there is a whole one.
    fn connection(&self) -> Option<Seen<'a>> {
        match self.known {
            Known::Whole(connection) => Some(Seen::Open(connection)),
            Known::Resting(resting, config) => {
                let connection = Connection::resume(resting, config);
                Some(Seen::Resting(Box::new(connection)))
            }
            Known::Until(_) => None,
        }
    }

    /// All there is to say of it.
    #[must_use]
    pub fn info(&self) -> FlowInfo {
        let (info, deadline) = match self.known {
            Known::Whole(connection) => (Some(connection.info()), None),
            Known::Resting(resting, config) => {
                (Some(Connection::resume(resting, config).info()), None)
            }
            Known::Until(deadline) => (None, Some(deadline)),
        };
        FlowInfo {
            tuple: *self.tuple,
            state: self.state,
            info,
            deadline,
        }
    }
}

/// The kinds of flows in the order of their life, so that none slips through behind the walk, but
/// one that goes on after a rest.
const KINDS: [fn(u32) -> FlowRef; 4] = [
    FlowRef::HalfOpen,
    FlowRef::Open,
    FlowRef::Resting,
    FlowRef::TimeWait,
];

impl<D: Device, A: App> Worker<D, A> {
    /// All flows: half-open, whole, and in TIME-WAIT.
    pub fn flows(&self) -> impl Iterator<Item = FlowInfo> + '_ {
        let numbers = KINDS.into_iter().flat_map(|kind| {
            let numbers = 0..self.reach(kind(0));
            numbers.map(kind)
        });
        numbers.filter_map(|flow| Some(self.view(flow)?.info()))
    }

    /// Shows the flows from `from` on to `see`, until it breaks off or `slots` places, with or
    /// without a flow, were looked at. Returns where to go on, `None` at the end.
    pub fn look(
        &self,
        from: Cursor,
        slots: u32,
        mut see: impl FnMut(&FlowView<'_>) -> ControlFlow<()>,
    ) -> Option<Cursor> {
        let (begin, mut left) = (FlowRef::unpack(from.0), slots);
        let (first_kind, mut first) = match begin {
            FlowRef::HalfOpen(number) => (0, number),
            FlowRef::Open(number) => (1, number),
            FlowRef::Resting(number) => (2, number),
            FlowRef::TimeWait(number) => (3, number),
        };
        for kind in &KINDS[first_kind..] {
            let reach = self.reach(kind(0));
            let end = reach.min(first.saturating_add(left));
            for number in first..end {
                let seen = self.view(kind(number)).map(|view| see(&view));
                if seen.is_some_and(|seen| seen.is_break()) {
                    return Some(Cursor(kind(number + 1).pack()));
                }
            }
            left -= end.saturating_sub(first);
            if end < reach {
                return Some(Cursor(kind(end).pack()));
            }
            first = 0;
        }
        None
    }

    /// The connection of `tuple`, to look at.
    #[must_use]
    pub fn connection(&self, tuple: &Tuple) -> Option<Seen<'_>> {
        self.view(self.flows.find(tuple)?)?.connection()
    }

    fn reach(&self, kind: FlowRef) -> u32 {
        match kind {
            FlowRef::HalfOpen(_) => self.flows.half_open.reach(),
            FlowRef::Open(_) => self.flows.open.reach(),
            FlowRef::TimeWait(_) => self.flows.time_wait.reach(),
            FlowRef::Resting(_) => self.flows.resting.reach(),
        }
    }

    fn view(&self, flow: FlowRef) -> Option<FlowView<'_>> {
        Some(match flow {
            FlowRef::HalfOpen(number) => {
                let flow = self.flows.half_open.get(number)?;
                FlowView {
                    tuple: &flow.tuple,
                    state: State::SynReceived,
                    known: Known::Until(HalfOpen::deadline(&flow.half_open)),
                }
            }
            FlowRef::Open(number) => {
                let flow = self.flows.open.get(number)?;
                FlowView {
                    tuple: &flow.tuple,
                    state: flow.connection.state(),
                    known: Known::Whole(&flow.connection),
                }
            }
            FlowRef::TimeWait(number) => {
                let flow = self.flows.time_wait.get(number)?;
                FlowView {
                    tuple: &flow.tuple,
                    state: State::TimeWait,
                    known: Known::Until(flow.time_wait.deadline()),
                }
            }
            FlowRef::Resting(number) => {
                let flow = self.flows.resting.get(number)?;
                let config = self.flows.settings.get(&flow.settings);
                FlowView {
                    tuple: &flow.tuple,
                    state: State::Established,
                    known: Known::Resting(&flow.connection, config),
                }
            }
        })
    }
}
