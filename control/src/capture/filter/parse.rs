//! From words to a filter.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use wirepath_stack::tap::Direction;
use wirepath_wire::ethernet::EtherType;
use wirepath_wire::ip::Protocol;

use super::{DEPTH, End, Filter, Question, STEPS, Step};

/// IDs that a tag can have.
const VLAN_IDS: RangeInclusive<u16> = 0..=4094;

/// Why a filter makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It stops where more is needed.
    #[error("the filter ends where {0} should follow")]
    Ends(&'static str),
    /// Something stands where something else should.
    #[error("the filter has `{found}` where {expected} should stand")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// It is longer or deeper than frames should wait for.
    #[error("the filter has more than {STEPS} parts, or {DEPTH} within each other")]
    TooLong,
}

/// What a bare value after `and` or `or` stands for: that which the last one stood for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
}

struct Parser<'a> {
    words: Vec<&'a str>,
    at: usize,
    steps: Vec<Step>,
    depth: usize,
    last: (End, Kind),
}

type Parsed<T> = Result<T, FilterError>;

const PRIMITIVE: &str = "host, net, port, a protocol, a flag test, or the like";
const SYMBOLS: [&str; 10] = ["&&", "||", "!=", "==", "(", ")", "[", "]", "!", "="];

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Parsed<Self> {
        let mut parser = Parser {
            words: words(text),
            at: 0,
            steps: Vec::new(),
            depth: 0,
            last: (End::Either, Kind::Host),
        };
        if !parser.words.is_empty() {
            parser.expression()?;
        }
        match parser.peek() {
            Some(found) => Err(unexpected(found, "`and` or `or`")),
            None => Ok(Self {
                text: text.trim().to_owned(),
                steps: parser.steps,
            }),
        }
    }
}

/// Words, and symbols with or without space around.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
        let is_symbol = |c: char| "&|!=()[]".contains(c);
        let len = match symbol {
            Some(symbol) => symbol.len(),
            None if is_symbol(first) => 1,
            None => rest
                .find(|c: char| c.is_whitespace() || is_symbol(c))
                .unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(len);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self, expected: &'static str) -> Parsed<&'a str> {
        let word = self.peek().ok_or(FilterError::Ends(expected))?;
        self.at += 1;
        Ok(word)
    }

    /// Whether the next word is one of these; if so it is taken.
    fn takes(&mut self, words: &[&str]) -> bool {
        let is_one = self.peek().is_some_and(|word| words.contains(&word));
        self.at += usize::from(is_one);
        is_one
    }

    fn expect(&mut self, words: &[&str], expected: &'static str) -> Parsed<()> {
        let found = self.next(expected)?;
        if words.contains(&found) {
            Ok(())
        } else {
            Err(unexpected(found, expected))
        }
    }

    fn push(&mut self, step: Step) -> Parsed<()> {
        self.steps.push(step);
        if self.steps.len() > STEPS {
            return Err(FilterError::TooLong);
        }
        Ok(())
    }

    fn ask(&mut self, question: Question) -> Parsed<()> {
        self.push(Step::Ask(question))
    }

    /// As in tcpdump, `and` and `or` bind alike, from left to right.
    fn expression(&mut self) -> Parsed<()> {
        self.term()?;
        loop {
            let step = if self.takes(&["and", "&&"]) {
                Step::And
            } else if self.takes(&["or", "||"]) {
                Step::Or
            } else {
                return Ok(());
            };
            self.term()?;
            self.push(step)?;
        }
    }

    fn term(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth >= DEPTH {
            return Err(FilterError::TooLong);
        }
        if self.takes(&["not", "!"]) {
            self.term()?;
            self.push(Step::Not)?;
        } else if self.takes(&["("]) {
            self.expression()?;
            self.expect(&[")"], "`)`")?;
        } else {
            self.primitive()?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn primitive(&mut self) -> Parsed<()> {
        let word = self.next(PRIMITIVE)?;
        match word {
            "src" => self.end(End::Source),
            "dst" => self.end(End::Destination),
            "host" | "net" | "port" | "portrange" => {
                self.at -= 1;
                self.end(End::Either)
            }
            "tcp" if self.peek() == Some("[") => self.flags(),
            "tcp" => self.transport(Protocol::TCP),
            "udp" => self.transport(Protocol::UDP),
            "icmp" => self.ask(Question::Protocol(Protocol::ICMP)),
            "icmp6" => self.ask(Question::Protocol(Protocol::ICMPV6)),
            "ip" => self.ask(Question::EtherType(EtherType::IPV4)),
            "ip6" => self.ask(Question::EtherType(EtherType::IPV6)),
            "arp" => self.ask(Question::EtherType(EtherType::ARP)),
            "vlan" => self.vlan(),
            "inbound" => self.ask(Question::Way(Direction::In)),
            "outbound" => self.ask(Question::Way(Direction::Out)),
            "less" => {
                let len = self.number("a length")?;
                self.ask(Question::AtMost(len))
            }
            "greater" => {
                let len = self.number("a length")?;
                self.ask(Question::AtLeast(len))
            }
            value => {
                let (end, kind) = self.last;
                let question = question(end, kind, value);
                self.ask(question.map_err(|_| unexpected(value, PRIMITIVE))?)
            }
        }
    }

    /// What follows `src` or `dst`; a bare address is a host.
    fn end(&mut self, end: End) -> Parsed<()> {
        let kind = match self.peek() {
            Some("net") => Kind::Net,
            Some("port") => Kind::Port,
            Some("portrange") => Kind::PortRange,
            _ => Kind::Host,
        };
        self.at += usize::from(kind != Kind::Host || self.peek() == Some("host"));
        self.last = (end, kind);
        let value = self.next("an address or a port")?;
        self.ask(question(end, kind, value)?)
    }

    /// `tcp`, or `tcp port 80`.
    fn transport(&mut self, protocol: Protocol) -> Parsed<()> {
        self.ask(Question::Protocol(protocol))?;
        let mut ahead = self.words[self.at..].iter().copied();
        let next = ahead.next();
        let kind = if matches!(next, Some("src" | "dst")) {
            ahead.next()
        } else {
            next
        };
        if matches!(kind, Some("port" | "portrange")) {
            self.primitive()?;
            self.push(Step::And)?;
        }
        Ok(())
    }

    fn vlan(&mut self) -> Parsed<()> {
        let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
        let Some(word) = self.peek().filter(is_number) else {
            return self.ask(Question::Vlan(None));
        };
        self.at += 1;
        let id = word.parse().ok().filter(|id| VLAN_IDS.contains(id));
        let id = id.ok_or_else(|| unexpected(word, "a VLAN from 0 to 4094"))?;
        self.ask(Question::Vlan(Some(id)))
    }

    /// `tcp[tcpflags] & MASK != 0`, or `= FLAGS`.
    fn flags(&mut self) -> Parsed<()> {
        self.expect(&["["], "`[`")?;
        self.expect(&["tcpflags", "13"], "`tcpflags`")?;
        self.expect(&["]"], "`]`")?;
        let mask = if self.takes(&["&"]) {
            self.flag_set()?
        } else {
            u8::MAX
        };
        let equal = self.takes(&["=", "=="]);
        if !equal {
            self.expect(&["!="], "`=` or `!=`")?;
        }
        let flags = self.flag_set()?;
        self.ask(Question::Flags { mask, equal, flags })
    }

    /// A flag, a number, or several in parentheses.
    fn flag_set(&mut self) -> Parsed<u8> {
        const FLAG: &str = "a flag as tcp-syn, or a number";
        if !self.takes(&["("]) {
            return flag(self.next(FLAG)?);
        }
        let mut set = flag(self.next(FLAG)?)?;
        while self.takes(&["|"]) {
            set |= flag(self.next(FLAG)?)?;
        }
        self.expect(&[")"], "`|` or `)`")?;
        Ok(set)
    }

    fn number(&mut self, expected: &'static str) -> Parsed<usize> {
        let word = self.next(expected)?;
        word.parse().map_err(|_| unexpected(word, expected))
    }
}

fn unexpected(found: &str, expected: &'static str) -> FilterError {
    FilterError::Unexpected {
        found: found.to_owned(),
        expected,
    }
}

fn question(end: End, kind: Kind, value: &str) -> Parsed<Question> {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    let port = |text: &str| text.parse::<u16>().ok();
    match kind {
        Kind::Host => address(value)
            .map(|host| Question::Host(end, host))
            .ok_or_else(|| unexpected(value, "an address")),
        Kind::Net => net(value)
            .map(|net| Question::Net(end, net))
            .ok_or_else(|| unexpected(value, "a net as 192.0.2.0/24")),
        Kind::Port => port(value)
            .map(|port| Question::Port(end, port..=port))
            .ok_or_else(|| unexpected(value, "a port")),
        Kind::PortRange => port_range(value)
            .map(|ports| Question::Port(end, ports))
            .ok_or_else(|| unexpected(value, "a range as 6000-6008")),
    }
}

fn net(text: &str) -> Option<IpNet> {
    let (address, bits) = text.split_once('/')?;
    IpNet::new(address.parse().ok()?, bits.parse().ok()?).ok()
}

fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let range: RangeInclusive<u16> = first.parse().ok()?..=last.parse().ok()?;
    (!range.is_empty()).then_some(range)
}

fn flag(word: &str) -> Parsed<u8> {
    let hex = word.strip_prefix("0x");
    let number = match hex {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    let named = match word {
        "tcp-fin" => Some(0x01),
        "tcp-syn" => Some(0x02),
        "tcp-rst" => Some(0x04),
        "tcp-push" => Some(0x08),
        "tcp-ack" => Some(0x10),
        "tcp-urg" => Some(0x20),
        "tcp-ece" => Some(0x40),
        "tcp-cwr" => Some(0x80),
        _ => number,
    };
    named.ok_or_else(|| unexpected(word, "a flag as tcp-syn, or a number"))
}
