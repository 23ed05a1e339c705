//! What is asked: one segment, sent to a connection in a state.

use std::collections::HashSet;
use std::fmt;

use wirepath_host::script::flags::letters;
use wirepath_tcp::state::State;
use wirepath_wire::tcp::Flags;

/// Where a connection stands when it is probed: a state, and how it got there where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stand {
    /// Reached in the ordinary way, SYN-RECEIVED by a passive open.
    In(State),
    /// SYN-RECEIVED of an active open: the SYNs have crossed.
    Crossed,
    /// ESTABLISHED, with text that is not acknowledged.
    InFlight,
    /// FIN-WAIT-2 of a socket that the application has closed: nobody will read.
    Detached,
}

impl Stand {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Crossed, Self::InFlight, Self::Detached];
        State::ALL.into_iter().map(Self::In).chain(others)
    }

    pub(crate) const fn state(self) -> State {
        match self {
            Self::In(state) => state,
            Self::Crossed => State::SynReceived,
            Self::InFlight => State::Established,
            Self::Detached => State::FinWait2,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::In(state) => state.name(),
            Self::Crossed => "SYN-RECEIVED active",
            Self::InFlight => "ESTABLISHED in flight",
            Self::Detached => "FIN-WAIT-2 closed",
        }
    }
}

/// Where SEG.SEQ lies: bytes from RCV.NXT, or from the right edge of the window as the victim
/// last told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Seq {
    Old,
    Before,
    Across,
    Next,
    Inside,
    Last,
    Edge,
    Beyond,
}

impl Seq {
    pub(crate) const ALL: [Self; 8] = [
        Self::Old,
        Self::Before,
        Self::Across,
        Self::Next,
        Self::Inside,
        Self::Last,
        Self::Edge,
        Self::Beyond,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::Before => "before",
            Self::Across => "across",
            Self::Next => "next",
            Self::Inside => "inside",
            Self::Last => "last",
            Self::Edge => "edge",
            Self::Beyond => "beyond",
        }
    }

    /// SEG.SEQ, for a window from `next` to `edge`.
    pub(crate) const fn place(self, next: u32, edge: u32) -> u32 {
        match self {
            Self::Old => next.wrapping_sub(1_000),
            Self::Before => next.wrapping_sub(1),
            // Half of the text of a probe is old.
            Self::Across => next.wrapping_sub(TEXT.len() as u32 / 2),
            Self::Next => next,
            Self::Inside => next.wrapping_add(100),
            Self::Last => edge.wrapping_sub(1),
            Self::Edge => edge,
            Self::Beyond => edge.wrapping_add(1_000),
        }
    }
}

/// What SEG.ACK is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ack {
    Ancient,
    Old,
    Una,
    Nxt,
    Future,
}

impl Ack {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ancient, Self::Old, Self::Una, Self::Nxt, Self::Future];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ancient => "ancient",
            Self::Old => "old",
            Self::Una => "una",
            Self::Nxt => "nxt",
            Self::Future => "future",
        }
    }

    /// SEG.ACK, for SND.UNA and SND.NXT of the victim.
    pub(crate) const fn place(self, una: u32, nxt: u32) -> u32 {
        match self {
            // Further back than any window ever was: RFC 5961 5.2.
            Self::Ancient => una.wrapping_sub(200_000),
            Self::Old => una.wrapping_sub(1),
            Self::Una => una,
            Self::Nxt => nxt,
            Self::Future => nxt.wrapping_add(1),
        }
    }
}

/// The text of a probe that has some.
pub(crate) const TEXT: &[u8; 10] = b"0123456789";

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Probe {
    pub(crate) stand: Stand,
    pub(crate) flags: u8,
    pub(crate) seq: Seq,
    pub(crate) ack: Ack,
    pub(crate) has_text: bool,
}

impl Probe {
    pub(crate) const fn flags(&self) -> Flags {
        Flags::from_bits_retain(self.flags)
    }

    pub(crate) const fn text(&self) -> &'static [u8] {
        if self.has_text { TEXT } else { &[] }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stand, flags) = (self.stand.name(), letters(self.flags()));
        let (seq, ack, len) = (self.seq.name(), self.ack.name(), self.text().len());
        write!(f, "{stand} | {flags} | {seq} | {ack} | {len}")
    }
}

/// Every probe, none twice, those of a stand together.
pub(crate) fn all() -> Vec<Probe> {
    let mut seen = HashSet::new();
    let probes = Stand::all().flat_map(of_stand);
    probes.filter(|probe| seen.insert(*probe)).collect()
}

fn of_stand(stand: Stand) -> impl Iterator<Item = Probe> {
    // Every combination of flags left of the window, in it and right of it.
    let positions = [Seq::Old, Seq::Next, Seq::Beyond].into_iter();
    let plain = positions.flat_map(|seq| (0..=u8::MAX).map(move |flags| (flags, seq)));
    let plain = plain.map(|(flags, seq)| (flags, seq, Ack::Nxt, false));
    // The flags that decide, at every edge of the window and of what may be acknowledged.
    let decisive = Flags::SYN | Flags::FIN | Flags::RST | Flags::ACK;
    let flags = (0..=u8::MAX).filter(move |flags| flags & !decisive.bits() == 0);
    let edges = flags.flat_map(|flags| Seq::ALL.map(|seq| (flags, seq)));
    let edges = edges.flat_map(|(flags, seq)| Ack::ALL.map(|ack| (flags, seq, ack)));
    let edges = edges
        .flat_map(|(flags, seq, ack)| [false, true].map(|has_text| (flags, seq, ack, has_text)));
    plain
        .chain(edges)
        .map(move |(flags, seq, ack, has_text)| Probe {
            stand,
            flags,
            seq,
            ack,
            has_text,
        })
}
