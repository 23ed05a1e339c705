//! The grammar of filters: `or` of `and` of `not`; terms side by side are joined by `and`.

use std::net::IpAddr;

use ipnet::IpNet;
use wirepath_tcp::state::State;

use super::{Comparison, DEPTH_MAX, End, Expression, Filter, FilterError, States};

pub(super) fn parse(words: Vec<&str>) -> Result<Filter, FilterError> {
    let mut parser = Parser {
        words,
        at: 0,
        depth: 0,
    };
    let states = parser.states()?;
    let expression = if parser.peek().is_none() {
        Expression::All(Vec::new())
    } else {
        parser.any()?
    };
    match parser.peek() {
        None => Ok(Filter { states, expression }),
        word => Err(FilterError::expected("and, or, or the end", word)),
    }
}

struct Parser<'a> {
    words: Vec<&'a str>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek();
        self.at += 1;
        word
    }

    /// Takes the next word if it is one of these.
    fn take(&mut self, words: &[&str]) -> bool {
        let is_one = self.peek().is_some_and(|word| words.contains(&word));
        self.at += usize::from(is_one);
        is_one
    }

    /// `state` adds states, the first one to none; `exclude` takes them away.
    fn states(&mut self) -> Result<States, FilterError> {
        let (mut added, mut excluded) = (None, States::NONE);
        loop {
            if self.take(&["state"]) {
                let states = self.state()?;
                added = Some(added.map_or(states, |added: States| added.or(states)));
            } else if self.take(&["exclude", "excl"]) {
                excluded = excluded.or(self.state()?);
            } else {
                return Ok(added.unwrap_or(States::ALL).and(excluded.not()));
            }
        }
    }

    fn state(&mut self) -> Result<States, FilterError> {
        let word = self.next();
        let known = word.and_then(states_named);
        known.ok_or_else(|| FilterError::expected("a state, as established or time-wait", word))
    }

    fn any(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.all()?];
        while self.take(&["or", "|", "||"]) {
            parts.push(self.all()?);
        }
        Ok(joined(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.term()?];
        loop {
            let explicit = self.take(&["and", "&", "&&"]);
            let ends = matches!(self.peek(), None | Some("or" | "|" | "||" | ")"));
            if ends && !explicit {
                return Ok(joined(parts, Expression::All));
            }
            parts.push(self.term()?);
        }
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let text = format!("not and parentheses nest deeper than {DEPTH_MAX}");
            return Err(FilterError(text));
        }
        let term = match self.next() {
            Some("not" | "!") => Expression::Not(Box::new(self.term()?)),
            Some("(") => {
                let inner = self.any()?;
                if !self.take(&[")"]) {
                    return Err(FilterError::expected("a closing parenthesis", self.peek()));
                }
                inner
            }
            Some("src") => self.host(End::Local)?,
            Some("dst") => self.host(End::Remote)?,
            Some("sport") => self.port(End::Local)?,
            Some("dport") => self.port(End::Remote)?,
            word => {
                return Err(FilterError::expected(
                    "src, dst, sport, dport, not or a parenthesis (state comes first)",
                    word,
                ));
            }
        };
        self.depth -= 1;
        Ok(term)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek()? {
            "=" | "==" | "eq" => Comparison::Equal,
            "!=" | "ne" | "neq" => Comparison::Unequal,
            ">=" | "ge" | "geq" => Comparison::AtLeast,
            "<=" | "le" | "leq" => Comparison::AtMost,
            ">" | "gt" => Comparison::Above,
            "<" | "lt" => Comparison::Below,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn host(&mut self, end: End) -> Result<Expression, FilterError> {
        let comparison = self.comparison().unwrap_or(Comparison::Equal);
        let word = self.next();
        let (prefix, port) = word.and_then(host).ok_or_else(|| {
            FilterError::expected("an address, as 10.0.0.0/8, [fe80::1]:7 or :7", word)
        })?;
        let host = Expression::Host(end, prefix, port);
        match (comparison, port) {
            (Comparison::Equal, _) => Ok(host),
            (Comparison::Unequal, _) => Ok(Expression::Not(Box::new(host))),
            (order, Some(port)) if prefix.is_none() => Ok(Expression::Port(end, order, port)),
            _ => Err(FilterError(
                "addresses have no order, only ports".to_owned(),
            )),
        }
    }

    fn port(&mut self, end: End) -> Result<Expression, FilterError> {
        let comparison = self.comparison().unwrap_or(Comparison::Equal);
        let word = self.next();
        let number = word.map(|word| word.strip_prefix(':').unwrap_or(word));
        let port = number.and_then(|number| number.parse().ok());
        let port = port.ok_or_else(|| FilterError::expected("a port, as :7", word))?;
        Ok(Expression::Port(end, comparison, port))
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// An address with the length of its prefix, a port, or both; `*` is any.
fn host(word: &str) -> Option<(Option<IpNet>, Option<u16>)> {
    let port = |text: &str| match text {
        "*" => Some(None),
        text => text.parse().ok().map(Some),
    };
    if let Some(whole) = prefix(word) {
        return Some((whole, None));
    }
    let (address, port_text) = word.rsplit_once(':')?;
    let address = if address.is_empty() { "*" } else { address };
    // Without brackets the last group of an IPv6 address would be taken for a port.
    let is_open = address.contains(':') && !address.starts_with('[');
    if is_open {
        return None;
    }
    Some((prefix(address)?, port(port_text)?))
}

fn prefix(text: &str) -> Option<Option<IpNet>> {
    if text == "*" {
        return Some(None);
    }
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let inner = address
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address: IpAddr = inner.unwrap_or(address).parse().ok()?;
    let prefix = match bits {
        Some(bits) => IpNet::new(address, bits).ok()?,
        None => IpNet::from(address),
    };
    Some(Some(prefix))
}

/// The states that ss(8) calls so, or RFC 9293.
fn states_named(name: &str) -> Option<States> {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived,
        SynSent, TimeWait,
    };
    let connected = States::of(&[Listen, Closed]).not();
    let bucket = States::of(&[SynReceived, TimeWait]);
    let one = match name.to_ascii_lowercase().as_str() {
        "all" => return Some(States::ALL),
        "connected" => return Some(connected),
        "synchronized" => return Some(connected.and(States::of(&[SynSent]).not())),
        "bucket" => return Some(bucket),
        "big" => return Some(bucket.not()),
        "closed" | "close" | "unconnected" => Closed,
        "listen" | "listening" => Listen,
        "syn-sent" => SynSent,
        "syn-received" | "syn-recv" => SynReceived,
        "established" | "estab" => Established,
        "fin-wait-1" => FinWait1,
        "fin-wait-2" => FinWait2,
        "close-wait" => CloseWait,
        "closing" => Closing,
        "last-ack" => LastAck,
        "time-wait" => TimeWait,
        _ => return None,
    };
    Some(States::of(&[one]))
}
