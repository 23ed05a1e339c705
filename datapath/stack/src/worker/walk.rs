//! Looking at the flows of a worker, in pieces: there may be very many.

use std::ops::ControlFlow;

use wirepath_device::Device;
use wirepath_tcp::connection::{Connection, Info};
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
/// all the time is seen, and one that changes its kind meanwhile may be seen as both.
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
    connection: Option<&'a Connection>,
    deadline: Option<Instant>,
}

impl FlowView<'_> {
    /// All there is to say of it.
    #[must_use]
    pub fn info(&self) -> FlowInfo {
        FlowInfo {
            tuple: *self.tuple,
            state: self.state,
            info: self.connection.map(Connection::info),
            deadline: self.deadline,
        }
    }
}

/// The kinds of flows in the order of their life, so that none slips through behind the walk.
const KINDS: [fn(u32) -> FlowRef; 3] = [FlowRef::HalfOpen, FlowRef::Open, FlowRef::TimeWait];

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
            FlowRef::TimeWait(number) => (2, number),
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

    fn reach(&self, kind: FlowRef) -> u32 {
        match kind {
            FlowRef::HalfOpen(_) => self.flows.half_open.reach(),
            FlowRef::Open(_) => self.flows.open.reach(),
            FlowRef::TimeWait(_) => self.flows.time_wait.reach(),
        }
    }

    fn view(&self, flow: FlowRef) -> Option<FlowView<'_>> {
        Some(match flow {
            FlowRef::HalfOpen(number) => {
                let flow = self.flows.half_open.get(number)?;
                FlowView {
                    tuple: &flow.tuple,
                    state: State::SynReceived,
                    connection: None,
                    deadline: Some(HalfOpen::deadline(&flow.half_open)),
                }
            }
            FlowRef::Open(number) => {
                let flow = self.flows.open.get(number)?;
                FlowView {
                    tuple: &flow.tuple,
                    state: flow.connection.state(),
                    connection: Some(&flow.connection),
                    deadline: None,
                }
            }
            FlowRef::TimeWait(number) => {
                let flow = self.flows.time_wait.get(number)?;
                FlowView {
                    tuple: &flow.tuple,
                    state: State::TimeWait,
                    connection: None,
                    deadline: Some(flow.time_wait.deadline()),
                }
            }
        })
    }
}
