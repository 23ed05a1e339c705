//! Which frames a capture takes: the part of tcpdump's language that is about hosts, nets, ports,
//! protocols and TCP flags. `docs/capture.md` documents it.

mod facts;
mod parse;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use wirepath_stack::tap::Direction;
use wirepath_wire::ethernet::EtherType;
use wirepath_wire::ip::Protocol;

pub use parse::FilterError;

use facts::Facts;

/// A compiled filter: a program for a stack of truth values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    text: String,
    steps: Vec<Step>,
}

/// Most steps of a filter: a frame must not wait long for its answer.
const STEPS: usize = 128;
/// Most parts of a filter within each other: a word has a bit for each, and more.
const DEPTH: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Ask(Question),
    Not,
    And,
    Or,
}

/// Which end of a packet is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Destination,
    Either,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Host(End, IpAddr),
    Net(End, IpNet),
    Port(End, RangeInclusive<u16>),
    EtherType(EtherType),
    Protocol(Protocol),
    /// Any tag, or that of this VLAN.
    Vlan(Option<u16>),
    Way(Direction),
    /// The flags under a mask are, or are not, these.
    Flags {
        mask: u8,
        equal: bool,
        flags: u8,
    },
    AtLeast(usize),
    AtMost(usize),
}

impl Filter {
    /// What was compiled.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a capture takes this frame. A filter of no words takes all.
    #[must_use]
    pub fn takes(&self, direction: Direction, frame: &[u8]) -> bool {
        if self.steps.is_empty() {
            return true;
        }
        let facts = Facts::of(direction, frame);
        // The lowest bit is the top.
        let mut stack = 0_u64;
        for step in &self.steps {
            stack = match step {
                Step::Ask(question) => (stack << 1) | u64::from(question.holds(&facts)),
                Step::Not => stack ^ 1,
                Step::And => (stack >> 1) & (stack | !1),
                Step::Or => (stack >> 1) | (stack & 1),
            };
        }
        stack & 1 == 1
    }
}

impl Question {
    fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Host(end, host) => end.any(facts.addresses, |address| address == *host),
            Self::Net(end, net) => end.any(facts.addresses, |it| net.contains(&it)),
            Self::Port(end, ports) => end.any(facts.ports, |port| ports.contains(&port)),
            Self::EtherType(ether_type) => facts.ether_type == Some(*ether_type),
            Self::Protocol(protocol) => facts.protocol == Some(*protocol),
            Self::Vlan(None) => facts.vlan.is_some(),
            Self::Vlan(vlan) => facts.vlan == *vlan,
            Self::Way(direction) => facts.direction == *direction,
            Self::Flags { mask, equal, flags } => {
                let found = facts.tcp_flags.map(|found| found & mask == *flags);
                found.is_some_and(|same| same == *equal)
            }
            Self::AtLeast(len) => facts.len >= *len,
            Self::AtMost(len) => facts.len <= *len,
        }
    }
}

impl End {
    fn any<T: Copy>(self, ends: Option<[T; 2]>, is_it: impl Fn(T) -> bool) -> bool {
        ends.is_some_and(|[source, destination]| match self {
            Self::Source => is_it(source),
            Self::Destination => is_it(destination),
            Self::Either => is_it(source) || is_it(destination),
        })
    }
}
