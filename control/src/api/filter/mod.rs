//! Which flows to show: the filters of ss(8).

mod lex;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use wirepath_tcp::state::State;
use wirepath_wire::tuple::{Endpoint, Tuple};

/// Longest filter in bytes.
const LENGTH_MAX: usize = 4_096;
/// How deep `not` and parentheses may nest: the parser calls itself.
const DEPTH_MAX: usize = 32;

/// A filter: `[state NAME | exclude NAME]... [EXPRESSION]`, as in
/// `state established dst 10.0.0.0/8 and not sport = :7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    states: States,
    expression: Expression,
}

/// A filter that makes no sense: which word, and what could stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(String);

/// A set of states, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct States(u16);

impl States {
    const NONE: Self = Self(0);
    const ALL: Self = Self((1 << State::ALL.len()) - 1);

    fn of(states: &[State]) -> Self {
        let bits = states.iter().map(|&state| 1 << state as u16);
        Self(bits.fold(0, |all, bit: u16| all | bit))
    }

    const fn has(self, state: State) -> bool {
        self.0 & 1 << state as u16 != 0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

/// Which end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Local,
    Remote,
}

impl End {
    const fn of(self, tuple: &Tuple) -> &Endpoint {
        match self {
            Self::Local => &tuple.local,
            Self::Remote => &tuple.remote,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Comparison {
    const fn holds(self, left: u16, right: u16) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::AtLeast => left >= right,
            Self::AtMost => left <= right,
            Self::Above => left > right,
            Self::Below => left < right,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    /// `dst 10.0.0.0/8:80`; either part may be missing.
    Host(End, Option<IpNet>, Option<u16>),
    /// `sport >= :1024`
    Port(End, Comparison, u16),
    Not(Box<Self>),
    /// True when all are, and so when there are none.
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Expression {
    fn matches(&self, tuple: &Tuple) -> bool {
        match self {
            Self::Host(end, prefix, port) => {
                let end = end.of(tuple);
                prefix.is_none_or(|prefix| prefix.contains(&end.address))
                    && port.is_none_or(|port| port == end.port)
            }
            Self::Port(end, comparison, port) => comparison.holds(end.of(tuple).port, *port),
            Self::Not(inner) => !inner.matches(tuple),
            Self::All(parts) => parts.iter().all(|part| part.matches(tuple)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(tuple)),
        }
    }
}

impl Filter {
    /// One that lets all flows pass.
    pub const ALL: Self = Self {
        states: States::ALL,
        expression: Expression::All(Vec::new()),
    };

    /// Whether a flow in this state, between these ends, passes.
    #[must_use]
    pub fn matches(&self, state: State, tuple: &Tuple) -> bool {
        self.states.has(state) && self.expression.matches(tuple)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.len() > LENGTH_MAX {
            return Err(FilterError(format!(
                "a filter has at most {LENGTH_MAX} bytes, not {}",
                text.len()
            )));
        }
        parse::parse(lex::lex(text))
    }
}

impl FilterError {
    fn expected(what: impl fmt::Display, found: Option<&str>) -> Self {
        Self(match found {
            Some(found) => format!("expected {what}, found {found:?}"),
            None => format!("expected {what}, found the end of the filter"),
        })
    }
}
