//! A connection against a peer played by hand, in lines as tcpdump writes them:
//!
//! ```text
//! flags seq+len [ack n] [urg n] [win n] [mss n] [ws n] [sackok] [ts value/echo]
//!               [uto seconds] [sack a-b ...] [ect0 | ce]
//! ```
//!
//! Flags are `S`, `F`, `R`, `P`, `U`, `E`, `W` and `.` for ACK; `ect0` and `ce` are of the packet.
//! Sequence numbers count from the SYN of their side, which is 0; the text at n is always byte
//! n - 1 of [`text`].

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    Flags, Header, Options, SackBlock, Timestamps, UnscaledWindow, UserTimeout, WindowScale,
};

use super::pair::{End, PATH, Sent};
use super::{DropReason, Event, text};
use crate::config::{Config, CongestionControl};
use crate::connection::Connection;
use crate::half_open::{HalfOpen, HalfOpenVerdict};
use crate::state::State;
use crate::time::Instant;

/// Our numbers pass 2^32 after 256 bytes, the peer's pass 2^31.
pub(super) const ISS: SeqNum = SeqNum::new(u32::MAX - 255);
pub(super) const IRS: SeqNum = SeqNum::new(u32::MAX / 2 - 255);

const LETTERS: [(Flags, char); 8] = [
    (Flags::SYN, 'S'),
    (Flags::FIN, 'F'),
    (Flags::RST, 'R'),
    (Flags::PSH, 'P'),
    (Flags::URG, 'U'),
    (Flags::ECE, 'E'),
    (Flags::CWR, 'W'),
    (Flags::ACK, '.'),
];

/// Neither timestamps nor anything else that a test did not ask for.
pub(super) fn plain() -> Config {
    Config {
        timestamps: false,
        quick_acks: 0,
        send_buffer: 256 << 10,
        receive_buffer: 256 << 10,
        // What it lets go is easy to tell.
        congestion: CongestionControl::NewReno,
        pacing: false,
        ..Config::default()
    }
}

/// One connection and the hand that plays its peer.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) now: Instant,
    pub(super) end: End,
    /// Why the last segment of the peer was dropped.
    pub(super) dropped: Option<DropReason>,
    /// All that the connection sent, as values.
    pub(super) out: Vec<Sent>,
    /// Window field of the peer's segments that do not say their own.
    pub(super) win: u16,
    replies: VecDeque<Header>,
    said: usize,
}

impl Trace {
    fn new(now: Instant, connection: Connection) -> Self {
        Self {
            now,
            end: End::new(connection),
            dropped: None,
            out: Vec::new(),
            win: 60_000,
            replies: VecDeque::new(),
            said: 0,
        }
    }

    /// After an active open; nothing is sent yet.
    pub(super) fn open(config: Config) -> Self {
        let now = Instant::from_millis(1_000);
        Self::new(now, Connection::open(now, config, PATH, ISS, 77))
    }

    /// After the handshake of a passive open with a peer whose MSS is 1,000.
    pub(super) fn server(config: Config) -> Self {
        Self::accepted(config, "S 0+0 win 60000 mss 1000")
    }

    /// As [`server`](Self::server), with a peer whose window never was larger than `win`.
    pub(super) fn small_window(config: Config, win: u16) -> Self {
        Self::handshake(config, &format!("S 0+0 win {win} mss 1000"), win)
    }

    /// After the handshake of a passive open that began with `syn`.
    pub(super) fn accepted(config: Config, syn: &str) -> Self {
        Self::handshake(config, syn, 60_000)
    }

    fn handshake(config: Config, syn: &str, win: u16) -> Self {
        let now = Instant::from_millis(1_000);
        let syn = parse(syn, win);
        let mut half_open = HalfOpen::new(now, &syn.header, &config, ISS, 77);
        let syn_ack = half_open.syn_ack(now, &config, PATH);
        let mut trace = Self::new(now, half_open.accept(now, config, PATH));
        trace.win = win;
        let echo = syn_ack.options.timestamps.map(|t| t.value);
        let mut ack = parse(". 1+0 ack 1", trace.win);
        ack.header.options.timestamps = syn
            .header
            .options
            .timestamps
            .zip(echo)
            .map(|(t, echo)| Timestamps { echo, ..t });
        let verdict = half_open.on_segment(&ack.segment(), syn_ack);
        assert!(matches!(verdict, HalfOpenVerdict::Accept), "{verdict:?}");
        trace.deliver(&ack);
        trace.expect(&[]);
        assert_eq!(trace.state(), State::Established);
        trace.end.events.clear();
        trace
    }

    pub(super) fn state(&self) -> State {
        self.end.connection.state()
    }

    /// The peer sends `line`.
    pub(super) fn peer(&mut self, line: &str) {
        let sent = parse(line, self.win);
        self.deliver(&sent);
    }

    /// The peer sends `line` and the connection answers with `answers`, and nothing else.
    #[track_caller]
    pub(super) fn exchange(&mut self, line: &str, answers: &[&str]) {
        self.peer(line);
        let sent = self.sent();
        assert_eq!(sent, answers, "after {line}, dropped: {:?}", self.dropped);
    }

    pub(super) fn deliver(&mut self, sent: &Sent) {
        let (reply, dropped) = self.end.on_with_verdict(self.now, sent);
        self.dropped = dropped;
        self.replies.extend(reply);
    }

    /// What the connection has to send now.
    pub(super) fn sent(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(header) = self.replies.pop_front() {
            lines.push(line(&header, 0));
        }
        while let Some(sent) = self.end.poll(self.now) {
            let capable = if sent.ecn == Ecn::Ect0 { " ect0" } else { "" };
            lines.push(line(&sent.header, sent.text.len()) + capable);
            let at = sent.header.seq.bytes_since(ISS + 1) as usize;
            assert!(
                text(at + sent.text.len()).ends_with(&sent.text),
                "{lines:?}"
            );
            self.out.push(sent);
        }
        self.end.at_rest();
        lines
    }

    #[track_caller]
    pub(super) fn expect(&mut self, lines: &[&str]) {
        assert_eq!(self.sent(), lines);
    }

    /// What the connection sends in the next `millis` milliseconds, each with its time.
    pub(super) fn pass(&mut self, millis: u64) -> Vec<String> {
        let start = self.now;
        let until = start + Duration::from_millis(millis);
        let mut lines = Vec::new();
        loop {
            let at = self.now.since(start).as_millis();
            lines.extend(self.sent().into_iter().map(|line| format!("+{at} {line}")));
            let next = self.end.connection.next_deadline();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            self.end
                .connection
                .on_deadline(self.now, &mut self.end.pool);
            self.end.look();
        }
        self.now = until;
        lines
    }

    /// Goes on by `millis` milliseconds; the connection sends exactly `lines` then.
    #[track_caller]
    pub(super) fn after(&mut self, millis: u64, lines: &[&str]) {
        assert_eq!(self.pass(millis), lines);
    }

    /// The application sends the next `count` bytes; all must fit.
    #[track_caller]
    pub(super) fn send(&mut self, count: usize) {
        assert_eq!(self.offer(count), count, "no room");
    }

    /// The application offers the next `count` bytes; how many were taken.
    pub(super) fn offer(&mut self, count: usize) -> usize {
        let all = text(self.said + count);
        let taken = self.end.send(&all[self.said..]);
        self.said += taken;
        taken
    }

    /// The application sends the next `count` bytes as urgent; all must fit.
    #[track_caller]
    pub(super) fn send_urgent(&mut self, count: usize) {
        let all = text(self.said + count);
        let End {
            connection, pool, ..
        } = &mut self.end;
        let taken = connection.send_urgent(pool, &all[self.said..]);
        assert_eq!(taken, count, "no room");
        self.said += count;
    }

    pub(super) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        self.end.connection.configure(self.now, change);
    }

    pub(super) fn shutdown(&mut self) {
        self.end.connection.shutdown();
        self.end.look();
    }

    pub(super) fn close(&mut self) {
        self.end.connection.close(self.now, &mut self.end.pool);
        self.end.look();
    }

    pub(super) fn abort(&mut self) {
        self.end.connection.abort();
        self.end.look();
    }

    /// The application has read exactly the first `count` bytes, and they are right.
    #[track_caller]
    pub(super) fn has_read(&self, count: usize) {
        assert_eq!(self.end.received.len(), count);
        assert!(self.end.received == text(count), "wrong bytes");
    }

    /// The events since the last call.
    pub(super) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.end.events)
    }
}

/// A segment of the peer from its line.
pub(super) fn parse(line: &str, win: u16) -> Sent {
    let mut words = line.split(' ');
    let letters = words.next().expect("flags");
    let (at, len) = words.next().and_then(|w| w.split_once('+')).expect(line);
    let at: i64 = at.parse().expect(line);
    let len: usize = len.parse().expect(line);
    let mut header = Header {
        seq: relative(IRS, at),
        window: UnscaledWindow(win),
        ..Header::default()
    };
    for letter in letters.chars() {
        let (flag, _) = LETTERS.iter().find(|(_, l)| *l == letter).expect(line);
        header.flags |= *flag;
    }
    let mut ecn = Ecn::NotEct;
    while let Some(word) = words.next() {
        let options = &mut header.options;
        let mut number = || words.next().expect(line);
        match word {
            "ack" => header.ack = relative(ISS, number().parse().expect(line)),
            "urg" => header.urgent = number().parse().expect(line),
            "win" => header.window = UnscaledWindow(number().parse().expect(line)),
            "mss" => options.mss = Some(number().parse().expect(line)),
            "ws" => {
                let shift = number().parse().expect(line);
                options.window_scale = Some(WindowScale::clamped(shift));
            }
            "ect0" => ecn = Ecn::Ect0,
            "ce" => ecn = Ecn::Ce,
            "sackok" => options.sack_permitted = true,
            "ts" => {
                let (value, echo) = number().split_once('/').expect(line);
                let value = value.parse().expect(line);
                let echo = echo.parse().expect(line);
                options.timestamps = Some(Timestamps { value, echo });
            }
            "uto" => {
                let seconds = number().parse().expect(line);
                options.user_timeout = Some(UserTimeout::from_seconds(seconds));
            }
            "sack" => push_sack(options, number()),
            other => panic!("{other} in {line}"),
        }
    }
    // Text begins after the SYN. What lies before is none of the stream's.
    let from = at - 1 + i64::from(header.flags.contains(Flags::SYN));
    let byte = |at: i64| u8::try_from(at * 7 % 251).unwrap_or(0xEE);
    let text = (from..).take(len).map(byte).collect();
    Sent { header, text, ecn }
}

fn push_sack(options: &mut Options, block: &str) {
    let (left, right) = block.split_once('-').expect("a-b");
    options.sack.push(SackBlock {
        left: relative(ISS, left.parse().expect(block)),
        right: relative(ISS, right.parse().expect(block)),
    });
}

fn relative(base: SeqNum, offset: i64) -> SeqNum {
    base + offset as u32
}

/// The line of a segment of ours.
pub(super) fn line(header: &Header, len: usize) -> String {
    let mut line: String = LETTERS
        .iter()
        .filter(|(flag, _)| header.flags.contains(*flag))
        .map(|(_, letter)| letter)
        .collect();
    // The answer to a segment without ACK has SEG.SEQ 0, whatever the ISS.
    let bare = header.flags == Flags::RST | Flags::ACK && header.seq == SeqNum::new(0);
    let seq = if bare {
        0
    } else {
        header.seq.distance_from(ISS)
    };
    write!(line, " {seq}+{len}").expect("a String");
    if header.flags.contains(Flags::ACK) {
        write!(line, " ack {}", header.ack.distance_from(IRS)).expect("a String");
    }
    if header.flags.contains(Flags::URG) {
        write!(line, " urg {}", header.urgent).expect("a String");
    }
    let Options {
        mss,
        window_scale,
        sack_permitted,
        sack,
        user_timeout,
        ..
    } = header.options;
    if let Some(mss) = mss {
        write!(line, " mss {mss}").expect("a String");
    }
    if let Some(scale) = window_scale {
        write!(line, " ws {}", scale.shift()).expect("a String");
    }
    if sack_permitted {
        line.push_str(" sackok");
    }
    if let Some(time) = user_timeout {
        write!(line, " uto {}", time.seconds()).expect("a String");
    }
    for block in sack.as_slice() {
        let (left, right) = (
            block.left.distance_from(IRS),
            block.right.distance_from(IRS),
        );
        write!(line, " sack {left}-{right}").expect("a String");
    }
    line
}
