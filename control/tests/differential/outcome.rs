//! What came of a probe, in words that do not depend on initial sequence numbers.

use std::fmt;

use wirepath_host::script::flags::letters;
use wirepath_tcp::state::State;
use wirepath_wire::tcp::{Flags, Header};

use super::segment::Segment;

/// A segment of the victim. Windows and options are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    flags: Flags,
    seq: Number,
    ack: Number,
    /// SEG.LEN.
    len: u32,
}

/// A sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    /// 0, or not there.
    Zero,
    /// Bytes from SND.NXT or RCV.NXT.
    Next(i32),
    /// Bytes from SEG.ACK or SEG.SEQ of the probe.
    Probe(i32),
    /// An initial sequence number not seen before.
    New,
}

impl Reply {
    /// `space` is SND.NXT and RCV.NXT of the victim before the probe.
    pub(crate) fn new(reply: &Segment, probe: &Header, (nxt, next): (u32, u32)) -> Self {
        let header = &reply.header;
        let (seq, ack) = (header.seq.value(), header.ack.value());
        let is_of_probe = header.flags.intersects(Flags::RST | Flags::SYN);
        let from = |number: u32, origin: u32| number.wrapping_sub(origin).cast_signed();
        let seq = match header.flags {
            flags if flags.contains(Flags::RST) && seq == 0 => Number::Zero,
            flags if flags.contains(Flags::RST) => Number::Probe(from(seq, probe.ack.value())),
            flags if flags.contains(Flags::SYN) && seq.wrapping_add(1) != nxt => Number::New,
            _ => Number::Next(from(seq, nxt)),
        };
        let ack = match ack {
            _ if !header.flags.contains(Flags::ACK) => Number::Zero,
            ack if is_of_probe => Number::Probe(from(ack, probe.seq.value())),
            ack => Number::Next(from(ack, next)),
        };
        Self {
            flags: header.flags,
            seq,
            ack,
            len: reply.len,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("0"),
            Self::Next(bytes) => write!(f, "nxt{bytes:+}"),
            Self::Probe(bytes) => write!(f, "seg{bytes:+}"),
            Self::New => f.write_str("new"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&letters(self.flags))?;
        if self.seq != Number::Next(0) && self.seq != Number::Probe(0) {
            write!(f, " seq {}", self.seq)?;
        }
        if self.flags.contains(Flags::ACK) && self.ack != Number::Next(0) {
            write!(f, " ack {}", self.ack)?;
        }
        Ok(())
    }
}

/// All that can be seen of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) replies: Vec<Reply>,
    /// The state after it, if it is another.
    pub(crate) change: Option<State>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replies: Vec<String> = self.replies.iter().map(ToString::to_string).collect();
        match (replies.is_empty(), self.change) {
            (true, None) => f.write_str("silence"),
            (true, Some(state)) => write!(f, "{state}"),
            (false, None) => write!(f, "{}", replies.join(", ")),
            (false, Some(state)) => write!(f, "{}, {state}", replies.join(", ")),
        }
    }
}
