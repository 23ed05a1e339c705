//! A script against a host.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use wirepath_tcp::time::{Instant, Millis};
use wirepath_wire::tcp::Flags;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::line::{Call, Expect, Line, Segment, Setting, What};
use super::options::{Clocks, encode};
use super::packet::{Bases, HOST_PORT, PEER_PORT, Wire, byte_at, usual};
use super::parse::Script;
use super::settings;
use crate::error::SocketError;
use crate::host::{Host, Sent};
use crate::socket::{Shutdown, SocketId};

/// When a script begins.
const START: Instant = Instant::from_millis(1_000_000);
/// ISN of the peer: its numbers pass 2^32 after 256 bytes.
const IRS: u32 = u32::MAX - 255;
/// Longest that a script may last, four months.
const LONGEST: Duration = Duration::from_secs(10_000_000);
/// What our timestamps say at the start.
const TS_START: u32 = 1_000;

/// What a script that held has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Every packet and call, with its time.
    pub trace: Vec<String>,
}

/// Where a script and the host differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {source_line}\n    {what}\n{}", trace.join("\n"))]
pub struct RunError {
    /// Counted from 1.
    pub line: usize,
    /// As it stands in the script.
    pub source_line: String,
    /// What was expected, and what came.
    pub what: String,
    /// Every packet and call until then.
    pub trace: Vec<String>,
}

impl Script {
    /// Plays it against a host of its own.
    ///
    /// # Errors
    /// The first line that does not hold, or a packet that no line expects.
    pub fn play(&self) -> Result<Played, RunError> {
        let mut stage = Stage::new(self);
        let mut last = None;
        for (index, line) in self.lines.iter().enumerate() {
            let next = self.lines.get(index + 1);
            let waits = next.is_some_and(|next| next.when.together);
            let held = stage.step(line, waits);
            held.map_err(|what| stage.fail(line, what))?;
            last = Some(line);
        }
        stage.collect(stage.now);
        if let (Some(line), Some(sent)) = (last, stage.pending.pop_front()) {
            let what = stage.surprise(&sent);
            return Err(stage.fail(line, format!("after the last line: {what}")));
        }
        Ok(Played { trace: stage.trace })
    }
}

/// What the numbers of the host to one peer count from.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    /// ISN of the host.
    iss: u32,
    /// What our timestamps would have said at time 0 of the host.
    ts_base: u32,
}

/// A host and its peers on a stage.
struct Stage {
    host: Host,
    listener: Option<SocketId>,
    socket: Option<SocketId>,
    now: Instant,
    pending: VecDeque<Sent>,
    /// The addresses of the host and of the peer.
    addresses: [IpAddr; 2],
    /// What the numbers of the host count from, for each peer that was sent a SYN.
    origins: BTreeMap<IpAddr, Origin>,
    sent: u64,
    read: u64,
    trace: Vec<String>,
}

impl Stage {
    fn new(script: &Script) -> Self {
        let mut host = Host::new(script.config.clone());
        host.poll(START);
        Self {
            host,
            listener: None,
            socket: None,
            now: START,
            pending: VecDeque::new(),
            addresses: settings::addresses(&script.config),
            origins: BTreeMap::new(),
            sent: 0,
            read: 0,
            trace: Vec::new(),
        }
    }

    fn fail(&self, line: &Line, what: String) -> RunError {
        RunError {
            line: line.number,
            source_line: line.source.clone(),
            what,
            trace: self.trace.clone(),
        }
    }

    /// Plays a line. Where it `waits`, what it brings is processed with what the next one does.
    fn step(&mut self, line: &Line, waits: bool) -> Result<(), String> {
        let from = if line.when.relative { self.now } else { START };
        let at = from + line.when.at;
        if at > START + LONGEST {
            return Err("a script lasts ten million seconds at most".to_owned());
        }
        if at < self.now {
            return Err(format!("time has come to {} already", self.time(self.now)));
        }
        if let What::Host(expected) = &line.what {
            return self.expect_segment(at, line.when.tolerance, expected);
        }
        if !line.when.together {
            self.collect(at);
        }
        if let Some(sent) = self.pending.pop_front() {
            return Err(self.surprise(&sent));
        }
        self.now = at;
        match &line.what {
            What::Peer(segment) => self.inject(segment)?,
            What::Icmp(cause, seq) => {
                let [ours, theirs] = self.addresses;
                let quoted = Wire {
                    packet: usual(ours, theirs),
                    flags: Flags::ACK,
                    seq: self.origin(theirs).iss.wrapping_add(*seq),
                    ack: 0,
                    win: 0,
                    urg: 0,
                    options: Vec::new(),
                    text: Vec::new(),
                };
                self.note(&line.source);
                self.host.inject(at, &quoted.report(*cause));
            }
            What::Call(call) => {
                self.note(&line.source);
                self.call(*call)?;
            }
            What::Expect(expected) => self.expect(expected)?,
            What::Host(_) => {}
        }
        if !waits {
            self.collect(at);
        }
        Ok(())
    }

    /// Takes what the host sends until `at`.
    fn collect(&mut self, at: Instant) {
        for sent in self.host.poll(at) {
            if let Some(wire) = Wire::of_host(&sent.packet) {
                self.learn(&wire, sent.at);
                self.pending.push_back(sent);
            }
        }
    }

    /// The first SYN of the host to a peer says what its numbers count from; so does one that
    /// acknowledges another SYN than the first, and with it begins anew.
    fn learn(&mut self, wire: &Wire, at: Instant) {
        let peer = wire.packet.destination;
        let again = wire.flags.contains(Flags::ACK) && wire.ack != IRS.wrapping_add(1);
        if !wire.flags.contains(Flags::SYN) || (self.origins.contains_key(&peer) && !again) {
            return;
        }
        let mut origin = Origin {
            iss: wire.seq,
            ts_base: 0,
        };
        if let Some(place) = wire.options.windows(2).position(|pair| pair == [8, 10]) {
            let value = wire.options.get(place + 2..place + 6);
            let value = value.and_then(|bytes| bytes.try_into().ok());
            let elapsed = at.since(START).as_millis() as u32;
            let value = value.map_or(0, u32::from_be_bytes);
            origin.ts_base = value.wrapping_sub(elapsed).wrapping_sub(TS_START);
        }
        self.origins.insert(peer, origin);
    }

    fn origin(&self, peer: IpAddr) -> Origin {
        self.origins.get(&peer).copied().unwrap_or_default()
    }

    fn of_host(&self, peer: IpAddr) -> Bases {
        let Origin { iss, ts_base } = self.origin(peer);
        let clocks = Clocks {
            value: ts_base,
            echo: 0,
            sack: IRS,
        };
        Bases {
            seq: iss,
            ack: IRS,
            clocks,
        }
    }

    fn of_peer(&self, peer: IpAddr) -> Bases {
        let Origin { iss, ts_base } = self.origin(peer);
        let clocks = Clocks {
            value: 0,
            echo: ts_base,
            sack: iss,
        };
        Bases {
            seq: IRS,
            ack: iss,
            clocks,
        }
    }

    /// A packet of the host as a line of a script.
    fn told(&self, wire: &Wire) -> String {
        let [ours, theirs] = self.addresses;
        wire.told(self.of_host(wire.packet.destination), &usual(ours, theirs))
    }

    fn inject(&mut self, segment: &Segment) -> Result<(), String> {
        let [ours, theirs] = self.addresses;
        let usual = usual(theirs, ours);
        let packet = segment.envelope.around(usual);
        if packet.source.is_ipv4() != packet.destination.is_ipv4() {
            return Err("the addresses are of two families".to_owned());
        }
        let bases = self.of_peer(packet.source);
        let syn = i64::from(segment.flags.contains(Flags::SYN));
        let first = segment.seq - 1 + syn;
        let text = (first..).take(segment.len);
        let options = segment.options.as_deref().unwrap_or_default();
        let wire = Wire {
            packet,
            flags: segment.flags,
            seq: bases.seq.wrapping_add(segment.seq as u32),
            ack: bases
                .ack
                .wrapping_add(segment.ack.unwrap_or_default() as u32),
            win: segment.win.unwrap_or(u16::MAX),
            urg: segment.urg.unwrap_or_default(),
            options: encode(options, bases.clocks)?,
            text: text.map(|at| byte_at(at.unsigned_abs())).collect(),
        };
        self.note(&format!("< {}", wire.told(bases, &usual)));
        let packet = wire.packet_of_peer(&segment.envelope);
        self.host.inject(self.now, &packet);
        Ok(())
    }

    fn expect_segment(
        &mut self,
        at: Instant,
        tolerance: Duration,
        expected: &Segment,
    ) -> Result<(), String> {
        if self.pending.is_empty() {
            self.collect(at + tolerance);
        }
        let Some(sent) = self.pending.pop_front() else {
            self.now = self.now.max(at);
            return Err("nothing came".to_owned());
        };
        let Some(wire) = Wire::of_host(&sent.packet) else {
            return Err("no TCP came".to_owned());
        };
        let told = self.told(&wire);
        self.trace.push(format!("{} > {told}", self.time(sent.at)));
        self.now = sent.at.max(self.now);
        let early = sent.at + tolerance < at;
        let late = sent.at > at + tolerance;
        if early || late {
            let (came, due) = (self.time(sent.at), self.time(at));
            return Err(format!("it came at {came}, not at {due}: {told}"));
        }
        match self.difference(&wire, expected) {
            None => Ok(()),
            Some(what) => Err(format!("its {what} differs: {told}")),
        }
    }

    /// The first thing in which a segment is not as expected.
    fn difference(&self, wire: &Wire, expected: &Segment) -> Option<&'static str> {
        let bases = self.of_host(wire.packet.destination);
        let ack = |ack: i64| bases.ack.wrapping_add(ack as u32);
        let options = super::options::decode(&wire.options, bases.clocks);
        let text = wire.text.iter().zip(expected.seq - 1..);
        let right = |(byte, at): (&u8, i64)| *byte == byte_at(at.unsigned_abs());
        let checks = [
            (wire.flags == expected.flags, "flags"),
            (
                wire.seq == bases.seq.wrapping_add(expected.seq as u32),
                "sequence number",
            ),
            (wire.text.len() == expected.len, "length"),
            (
                expected.ack.is_none_or(|at| wire.ack == ack(at)),
                "acknowledgment",
            ),
            (expected.win.is_none_or(|win| wire.win == win), "window"),
            (
                expected.urg.is_none_or(|urg| wire.urg == urg),
                "urgent pointer",
            ),
            (
                expected
                    .options
                    .as_ref()
                    .is_none_or(|text| *text == options),
                "options",
            ),
            (text.into_iter().all(right), "text"),
        ];
        let wrong = checks.into_iter().find(|(holds, _)| !holds);
        let [_, theirs] = self.addresses;
        let around = || expected.envelope.difference(&wire.packet, theirs);
        wrong.map(|(_, what)| what).or_else(around)
    }

    fn surprise(&mut self, sent: &Sent) -> String {
        let wire = Wire::of_host(&sent.packet);
        let told = wire.map(|wire| self.told(&wire)).unwrap_or_default();
        format!(
            "nothing was expected, and at {} came > {told}",
            self.time(sent.at)
        )
    }

    fn call(&mut self, call: Call) -> Result<(), String> {
        let refuse = |error: SocketError| error.to_string();
        match call {
            Call::Listen | Call::Connect | Call::Accept => self.open(call).map_err(refuse),
            Call::Send(count) => self.send(count, Host::send),
            Call::SendUrgent(count) => self.send(count, Host::send_urgent),
            Call::Recv(count) => self.recv(count),
            Call::RecvEnd => self.recv_answers(Ok(0)),
            Call::RecvFails(error) => self.recv_answers(Err(error)),
            Call::SendFails(error) => {
                let socket = self.socket()?;
                let answer = self.host.send(socket, b"x");
                same(&answer, &Err(error))
            }
            Call::Shutdown => {
                let socket = self.socket()?;
                self.host.shutdown(socket, Shutdown::Write).map_err(refuse)
            }
            Call::Close | Call::Abort => {
                let socket = self.socket()?;
                if call == Call::Abort {
                    let at_once = |o: &mut crate::SocketOptions| o.linger = Some(Millis(0));
                    self.host.set_options(socket, at_once).map_err(refuse)?;
                }
                self.socket = None;
                self.host.close(socket).map_err(refuse)
            }
            Call::Option(setting, value) => self.set_option(setting, value),
        }
    }

    fn open(&mut self, call: Call) -> Result<(), SocketError> {
        let [ours, theirs] = self.addresses;
        let ours = Endpoint::new(ours, HOST_PORT);
        match call {
            Call::Accept => {
                let listener = self.listener.ok_or(SocketError::Invalid)?;
                self.socket = Some(self.host.accept(listener)?);
                (self.sent, self.read) = (0, 0);
            }
            Call::Listen => {
                let socket = self.host.socket();
                self.host.bind(socket, ours)?;
                self.host.listen(socket, 128)?;
                self.listener = Some(socket);
            }
            _ => {
                let socket = self.host.socket();
                self.host.bind(socket, ours)?;
                let peer = Endpoint::new(theirs, PEER_PORT);
                self.host.connect(socket, peer)?;
                self.socket = Some(socket);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        count: usize,
        send: impl Fn(&mut Host, SocketId, &[u8]) -> Result<usize, SocketError>,
    ) -> Result<(), String> {
        let socket = self.socket()?;
        let text: Vec<u8> = (self.sent..).take(count).map(byte_at).collect();
        let taken = send(&mut self.host, socket, &text);
        self.sent += taken.unwrap_or_default() as u64;
        same(&taken, &Ok(count))
    }

    fn recv(&mut self, count: usize) -> Result<(), String> {
        let socket = self.socket()?;
        let mut text = vec![0; count];
        let mut filled = 0;
        while filled < count {
            match self.host.recv(socket, &mut text[filled..]) {
                Ok(len @ 1..) => filled += len,
                Ok(_) => return Err(format!("the end after {filled} bytes")),
                Err(error) => return Err(format!("{error} after {filled} bytes")),
            }
        }
        let expected: Vec<u8> = (self.read..).take(count).map(byte_at).collect();
        self.read += count as u64;
        if text == expected {
            Ok(())
        } else {
            Err("the bytes are not those that the peer sent".to_owned())
        }
    }

    fn recv_answers(&mut self, expected: Result<usize, SocketError>) -> Result<(), String> {
        let socket = self.socket()?;
        let answer = self.host.recv(socket, &mut [0; 1]);
        same(&answer, &expected)
    }

    fn set_option(&mut self, setting: Setting, value: u64) -> Result<(), String> {
        let socket = self.socket()?;
        let small = u32::try_from(value).unwrap_or(u32::MAX);
        let change = |options: &mut crate::SocketOptions| match setting {
            Setting::NoDelay => options.no_delay = value != 0,
            Setting::Cork => options.cork = value != 0,
            Setting::QuickAcks => options.quick_acks = value.min(255) as u8,
            Setting::UserTimeout => options.user_timeout = Millis(small),
            Setting::TrafficClass => options.traffic_class = value.min(255) as u8,
            Setting::KeepAlive => {
                let idle = Millis(small);
                let on = wirepath_tcp::config::KeepAlive {
                    idle,
                    ..Default::default()
                };
                options.keep_alive = (value != 0).then_some(on);
            }
        };
        let set = self.host.set_options(socket, change);
        set.map_err(|error| error.to_string())
    }

    fn expect(&mut self, expected: &Expect) -> Result<(), String> {
        match expected {
            Expect::State(state) => {
                let [ours, theirs] = self.addresses;
                let tuple = Tuple {
                    local: Endpoint::new(ours, HOST_PORT),
                    remote: Endpoint::new(theirs, PEER_PORT),
                };
                same(&self.host.state(&tuple).to_string(), state)
            }
            Expect::Info(name, value) => {
                let socket = self.socket()?;
                let info = self.host.info(socket).map_err(|error| error.to_string())?;
                let urgent = self.host.urgent_left(socket).unwrap_or_default();
                let there = match name.as_str() {
                    "urgent" => urgent,
                    "cwnd" => info.snd_cwnd,
                    "sacked" => info.sacked,
                    "lost" => info.lost,
                    "ssthresh" => info.snd_ssthresh,
                    "rto" => info.rto,
                    "rtt" => info.rtt,
                    "mss" => info.snd_mss,
                    "in_flight" => info.in_flight,
                    _ => info.retransmits.into(),
                };
                same(&u64::from(there), value)
            }
        }
    }

    fn socket(&self) -> Result<SocketId, String> {
        self.socket
            .ok_or_else(|| "there is no connection to act on: accept or connect first".to_owned())
    }

    fn note(&mut self, what: &str) {
        let what = match what.split_once(char::is_whitespace) {
            Some((_, call)) if !what.starts_with('<') => call.trim(),
            _ => what,
        };
        self.trace.push(format!("{} {what}", self.time(self.now)));
    }

    fn time(&self, at: Instant) -> String {
        format!("{:.6}", at.since(START).as_secs_f64())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(there: &T, expected: &T) -> Result<(), String> {
    if there == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, found {there:?}"))
    }
}
