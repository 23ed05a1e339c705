//! The lines of a script, as values.

use std::time::Duration;

use wirepath_wire::icmp::Cause;
use wirepath_wire::tcp::Flags;

use super::envelope::Envelope;
use crate::error::SocketError;

/// When a line happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    /// In one batch with the packet of the line before.
    pub(super) together: bool,
    pub(super) relative: bool,
    pub(super) at: Duration,
    /// How much earlier or later a packet may leave.
    pub(super) tolerance: Duration,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) when: When,
    pub(super) what: What,
    /// As it stands in the file.
    pub(super) source: String,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// The peer sends a segment.
    Peer(Segment),
    /// The network reports about our segment at this sequence number.
    Icmp(Cause, u32),
    /// The host must send a segment.
    Host(Segment),
    Call(Call),
    Expect(Expect),
}

/// A segment, its numbers counted from the SYN of their side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) envelope: Envelope,
    pub(super) flags: Flags,
    pub(super) seq: i64,
    pub(super) len: usize,
    pub(super) ack: Option<i64>,
    pub(super) win: Option<u16>,
    pub(super) urg: Option<u16>,
    /// As written between `<` and `>`; `None` where nothing is said of them.
    pub(super) options: Option<String>,
}

/// What the application does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Listen,
    Connect,
    Accept,
    Send(usize),
    SendUrgent(usize),
    /// So many bytes are there and taken.
    Recv(usize),
    /// The peer will send no more.
    RecvEnd,
    /// Reading or sending answers with this error.
    RecvFails(SocketError),
    SendFails(SocketError),
    Shutdown,
    Close,
    Abort,
    Option(Setting, u64),
}

/// A socket option that a script sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    NoDelay,
    Cork,
    QuickAcks,
    UserTimeout,
    KeepAlive,
    TrafficClass,
}

/// What must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expect {
    State(String),
    Info(String, u64),
}
