//! Text to lines.

use std::time::Duration;

use wirepath_wire::icmp::{Cause, Unreachable};
use wirepath_wire::tcp::Flags;

use super::envelope::Envelope;
use super::flags::flag_of;
use super::line::{Call, Expect, Line, Segment, Setting, What, When};
use super::options::{self, Clocks};
use super::settings;
use crate::config::HostConfig;
use crate::error::SocketError;

/// Most bytes of a script, lines, bytes of text in one segment, and seconds.
const MOST_BYTES: usize = 256 << 10;
const MOST_LINES: usize = 4_096;
const MOST_TEXT: usize = 65_000;
const MOST_SECONDS: f64 = 1e7;

/// Why a script makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What was expected, and what was there.
    pub what: String,
}

/// A script that can be played.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) config: HostConfig,
    pub(super) lines: Vec<Line>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let refuse = |line, what: &str| ParseError {
            line,
            column: 1,
            what: what.to_owned(),
        };
        if text.len() > MOST_BYTES {
            return Err(refuse(1, "a script has 256 KiB at most"));
        }
        let mut script = Self {
            config: settings::base(),
            lines: Vec::new(),
        };
        for (index, source) in text.lines().enumerate() {
            let number = index + 1;
            if number > MOST_LINES {
                return Err(refuse(number, "a script has 4,096 lines at most"));
            }
            let code = source.split('#').next().unwrap_or_default();
            let mut words = Words::new(code, number);
            if words.is_empty() {
                continue;
            }
            if words.take("set") {
                if !script.lines.is_empty() {
                    return Err(words.fail("settings before the first event"));
                }
                settings::set(&mut script.config, &mut words)?;
            } else {
                let line = parse_line(&mut words, source)?;
                let is_packet = |line: &Line| matches!(line.what, What::Peer(_) | What::Icmp(..));
                let after_packet = script.lines.last().is_some_and(is_packet);
                if line.when.together && !(after_packet && is_packet(&line)) {
                    return Err(refuse(number, "only packets of a peer come together"));
                }
                script.lines.push(line);
            }
            words.end()?;
        }
        settings::clamp(&mut script.config);
        Ok(script)
    }
}

/// The words of one line, from left to right.
#[derive(Debug)]
pub(super) struct Words<'a> {
    line: usize,
    rest: &'a str,
    code: &'a str,
}

impl<'a> Words<'a> {
    fn new(code: &'a str, line: usize) -> Self {
        let rest = code.trim_start();
        Self { line, rest, code }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> &'a str {
        self.rest.split_whitespace().next().unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> &'a str {
        let word = self.peek();
        self.rest = self.rest[word.len()..].trim_start();
        word
    }

    /// Passes over `word` if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let there = self.peek() == word;
        if there {
            self.next();
        }
        there
    }

    /// What `read` makes of what stands between `open` and `close`, if `open` comes next; an error
    /// of `read` says what was expected.
    pub(super) fn enclosed<T>(
        &mut self,
        [open, close]: [char; 2],
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ParseError> {
        let Some(inside) = self.rest.strip_prefix(open) else {
            return Ok(None);
        };
        let Some((text, rest)) = inside.split_once(close) else {
            return Err(self.fail(&format!("{close} after {open}")));
        };
        let value = read(text.trim()).map_err(|expected| self.fail(&expected))?;
        self.rest = rest.trim_start();
        Ok(Some(value))
    }

    /// The next word as a number.
    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, ParseError> {
        let parsed = self.peek().parse();
        let number = parsed.map_err(|_| self.fail(what))?;
        self.next();
        Ok(number)
    }

    /// An error at the next word, which is not what was `expected`.
    pub(super) fn fail(&self, expected: &str) -> ParseError {
        let there = self.peek();
        let there = if there.is_empty() {
            "the end of the line"
        } else {
            there
        };
        ParseError {
            line: self.line,
            column: self.code.len() - self.rest.len() + 1,
            what: format!("expected {expected}, not {there}"),
        }
    }

    fn end(&self) -> Result<(), ParseError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.fail("the end of the line"))
        }
    }
}

fn parse_line(words: &mut Words<'_>, source: &str) -> Result<Line, ParseError> {
    let when = parse_when(words)?;
    let number = words.line;
    let what = if words.take("<") {
        if words.take("icmp") {
            parse_icmp(words)?
        } else {
            What::Peer(parse_segment(words)?)
        }
    } else if words.take(">") {
        let before = words.rest;
        let segment = parse_segment(words)?;
        if segment.envelope.is_of_peer() {
            words.rest = before;
            return Err(words.fail("what a host may send"));
        }
        What::Host(segment)
    } else {
        parse_call(words)?
    };
    let source = source.trim().to_owned();
    Ok(Line {
        number,
        when,
        what,
        source,
    })
}

fn parse_when(words: &mut Words<'_>) -> Result<When, ParseError> {
    const EXPECTED: &str = "a time as 0.5, +.01, +.2~.05 or =";
    if words.take("=") {
        return Ok(When {
            together: true,
            relative: true,
            at: Duration::ZERO,
            tolerance: Duration::ZERO,
        });
    }
    let word = words.peek();
    let (relative, times) = match word.strip_prefix('+') {
        Some(times) => (true, times),
        None => (false, word),
    };
    let (at, tolerance) = times.split_once('~').unwrap_or((times, "0"));
    let span = |text: &str| {
        let seconds = text.parse::<f64>().ok()?;
        let fits = (0.0..=MOST_SECONDS).contains(&seconds);
        // Whole microseconds: what a script says is met exactly.
        fits.then(|| Duration::from_micros((seconds * 1e6).round() as u64))
    };
    let (Some(at), Some(tolerance)) = (span(at), span(tolerance)) else {
        return Err(words.fail(EXPECTED));
    };
    words.next();
    Ok(When {
        together: false,
        relative,
        at,
        tolerance,
    })
}

fn parse_segment(words: &mut Words<'_>) -> Result<Segment, ParseError> {
    let envelope = Envelope::parse(words)?;
    let mut flags = Flags::empty();
    for letter in words.peek().chars() {
        let known = flag_of(letter);
        flags |= known.ok_or_else(|| words.fail("flags of S F R P U E W . or -"))?;
    }
    words.next();
    let (seq, len) = parse_range(words)?;
    let mut segment = Segment {
        envelope,
        flags,
        seq,
        len,
        ack: None,
        win: None,
        urg: None,
        options: None,
    };
    if words.take("ack") {
        segment.ack = Some(words.number("a number")?);
    }
    if words.take("win") {
        segment.win = Some(words.number("a window of 16 bits")?);
    }
    if words.take("urg") {
        segment.urg = Some(words.number("a pointer of 16 bits")?);
    }
    segment.options = parse_options(words)?;
    Ok(segment)
}

/// `first:last(length)`.
fn parse_range(words: &mut Words<'_>) -> Result<(i64, usize), ParseError> {
    const EXPECTED: &str = "a range as 1:1001(1000)";
    let parts = || {
        let (first, rest) = words.peek().split_once(':')?;
        let (last, rest) = rest.split_once('(')?;
        let len: usize = rest.strip_suffix(')')?.parse().ok()?;
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        let fits = len <= MOST_TEXT && first.checked_add(len as i64) == Some(last);
        fits.then_some((first, len))
    };
    let range = parts().ok_or_else(|| words.fail(EXPECTED))?;
    words.next();
    Ok(range)
}

fn parse_options(words: &mut Words<'_>) -> Result<Option<String>, ParseError> {
    let options = words.enclosed(['<', '>'], |text| {
        if text != "..." {
            let checked = options::encode(text, Clocks::default());
            checked.map_err(|word| format!("options ({word} is none)"))?;
        }
        Ok(text.to_owned())
    })?;
    Ok(options.filter(|text| text != "..."))
}

fn parse_icmp(words: &mut Words<'_>) -> Result<What, ParseError> {
    let cause = match words.peek() {
        "net_unreachable" => Cause::Unreachable(Unreachable::Network),
        "host_unreachable" => Cause::Unreachable(Unreachable::Host),
        "protocol_unreachable" => Cause::Unreachable(Unreachable::Protocol),
        "port_unreachable" => Cause::Unreachable(Unreachable::Port),
        "time_exceeded" => Cause::TimeExceeded,
        "parameter_problem" => Cause::ParameterProblem,
        "source_quench" => Cause::SourceQuench,
        "too_big" => Cause::PacketTooBig { mtu: 0 },
        _ => return Err(words.fail("an ICMP error as host_unreachable or too_big")),
    };
    words.next();
    let cause = match cause {
        Cause::PacketTooBig { .. } => Cause::PacketTooBig {
            mtu: words.number::<u16>("an MTU")?.into(),
        },
        other => other,
    };
    if !words.take("seq") {
        return Err(words.fail("seq and a number"));
    }
    Ok(What::Icmp(cause, words.number("a number")?))
}

fn parse_call(words: &mut Words<'_>) -> Result<What, ParseError> {
    let call = match words.peek() {
        "listen" => Call::Listen,
        "connect" => Call::Connect,
        "accept" => Call::Accept,
        "shutdown" => Call::Shutdown,
        "close" => Call::Close,
        "abort" => Call::Abort,
        "send" | "send_urgent" | "recv" => return parse_transfer(words),
        "option" => {
            words.next();
            return parse_option(words);
        }
        "expect" => {
            words.next();
            return parse_expect(words);
        }
        _ => return Err(words.fail("<, > or a call as listen, connect, send, recv, close, expect")),
    };
    words.next();
    Ok(What::Call(call))
}

fn parse_transfer(words: &mut Words<'_>) -> Result<What, ParseError> {
    const EXPECTED: &str = "a count of bytes, eof or an error as ECONNRESET";
    let name = words.next();
    let word = words.peek();
    let count = word.parse::<usize>().ok().filter(|count| *count <= 4 << 20);
    let call = match (name, count, error_named(word)) {
        ("send", Some(count), _) => Call::Send(count),
        ("send_urgent", Some(count), _) => Call::SendUrgent(count),
        ("recv", Some(count), _) => Call::Recv(count),
        ("recv", None, _) if word == "eof" => Call::RecvEnd,
        ("recv", None, Some(error)) => Call::RecvFails(error),
        ("send", None, Some(error)) => Call::SendFails(error),
        _ => return Err(words.fail(EXPECTED)),
    };
    words.next();
    Ok(What::Call(call))
}

fn error_named(word: &str) -> Option<SocketError> {
    Some(match word {
        "EAGAIN" => SocketError::WouldBlock,
        "ECONNREFUSED" => SocketError::ConnectionRefused,
        "ECONNRESET" => SocketError::ConnectionReset,
        "ECONNABORTED" => SocketError::ConnectionAborted,
        "ETIMEDOUT" => SocketError::TimedOut,
        "EHOSTUNREACH" => SocketError::HostUnreachable,
        "EPIPE" => SocketError::BrokenPipe,
        "ENOTCONN" => SocketError::NotConnected,
        _ => return None,
    })
}

fn parse_option(words: &mut Words<'_>) -> Result<What, ParseError> {
    let setting = match words.peek() {
        "nodelay" => Setting::NoDelay,
        "cork" => Setting::Cork,
        "quickack" => Setting::QuickAcks,
        "user_timeout" => Setting::UserTimeout,
        "keepalive" => Setting::KeepAlive,
        "tos" => Setting::TrafficClass,
        _ => return Err(words.fail("nodelay, cork, quickack, user_timeout, keepalive or tos")),
    };
    words.next();
    Ok(What::Call(Call::Option(setting, words.number("a number")?)))
}

fn parse_expect(words: &mut Words<'_>) -> Result<What, ParseError> {
    match words.peek() {
        "state" => {
            words.next();
            Ok(What::Expect(Expect::State(words.next().to_owned())))
        }
        "cwnd" | "ssthresh" | "rto" | "rtt" | "mss" | "in_flight" | "sacked" | "lost"
        | "retransmits" | "urgent" => {
            let name = words.next().to_owned();
            Ok(What::Expect(Expect::Info(name, words.number("a number")?)))
        }
        _ => Err(words.fail(
            "state, cwnd, ssthresh, rto, rtt, mss, in_flight, sacked, lost, retransmits or urgent",
        )),
    }
}
