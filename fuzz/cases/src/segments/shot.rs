//! What the peer and the network send.

use arbitrary::Arbitrary;
use wirepath_wire::icmp::{Cause, Quote, Report, Unreachable};
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    Flags, Header, Options, SackBlock, UnscaledWindow, UserTimeout, WindowScale,
};
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::end::End;
use super::{IRS, ISS};

/// A number near one that matters.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Near {
    base: u8,
    offset: i16,
}

impl Near {
    fn of(self, bases: [SeqNum; 4]) -> SeqNum {
        let base = bases[usize::from(self.base) % bases.len()];
        base + i32::from(self.offset).cast_unsigned()
    }

    /// Of the peer's numbers.
    fn of_peer(self, end: &End) -> SeqNum {
        let rcv_nxt = end.rcv_nxt();
        let edge = rcv_nxt + end.connection.info().rcv_wnd;
        self.of([rcv_nxt, edge, IRS, rcv_nxt + (1 << 31)])
    }

    /// Of ours.
    fn of_ours(self, end: &End) -> SeqNum {
        let snd_nxt = end.snd_nxt();
        self.of([snd_nxt, end.snd_una(), ISS, snd_nxt + (1 << 31)])
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Kind {
    Ack,
    Push,
    Fin,
    Urgent,
    Reset,
    Echo,
    Syn,
    SynAck,
    Any(u8),
}

impl Kind {
    fn flags(self) -> Flags {
        match self {
            Self::Ack => Flags::ACK,
            Self::Push => Flags::ACK | Flags::PSH,
            Self::Fin => Flags::ACK | Flags::FIN,
            Self::Urgent => Flags::ACK | Flags::URG,
            Self::Reset => Flags::RST | Flags::ACK,
            Self::Echo => Flags::ACK | Flags::ECE,
            Self::Syn => Flags::SYN,
            Self::SynAck => Flags::SYN | Flags::ACK,
            Self::Any(bits) => Flags::from_bits_retain(bits),
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Clock {
    /// As a sane peer has it.
    Right,
    Missing,
    /// So many milliseconds off: its own, and what it gives back of ours.
    Off(i16, i16),
}

/// What a SYN offers.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) struct SynOptions {
    mss: Option<u16>,
    shift: Option<u8>,
    sack_permitted: bool,
    timestamps: bool,
    offers_ecn: bool,
    window: u16,
}

impl SynOptions {
    pub(super) fn window(self) -> UnscaledWindow {
        UnscaledWindow(self.window)
    }

    /// A SYN of the peer.
    pub(super) fn syn(self, seq: SeqNum) -> Header {
        let timestamps = wirepath_wire::tcp::Timestamps { value: 0, echo: 0 };
        let offer = Flags::ECE | Flags::CWR;
        let ecn = if self.offers_ecn {
            offer
        } else {
            Flags::empty()
        };
        Header {
            seq,
            flags: Flags::SYN | ecn,
            window: self.window(),
            options: Options {
                mss: self.mss,
                window_scale: self.shift.map(WindowScale::clamped),
                sack_permitted: self.sack_permitted,
                timestamps: self.timestamps.then_some(timestamps),
                ..Options::default()
            },
            ..Header::default()
        }
    }

    /// A SYN or SYN-ACK of the peer to what `end` has sent.
    pub(super) fn header(self, seq: SeqNum, ack: SeqNum, flags: Flags, end: &End) -> Header {
        let mut syn = self.syn(seq);
        syn.options.timestamps = syn.options.timestamps.and(end.clocks(0, 0));
        let flags = flags | (syn.flags & Flags::ECE);
        Header { ack, flags, ..syn }
    }
}

/// A segment of the peer.
#[derive(Debug, Arbitrary)]
pub(super) struct Shot {
    kind: Kind,
    seq: Near,
    ack: Near,
    window: u16,
    len: u16,
    clock: Clock,
    urgent: u16,
    sack: [Option<(Near, Near)>; 3],
    user_timeout: Option<u16>,
    syn: SynOptions,
    ecn: u8,
}

impl Shot {
    pub(super) fn fire(&self, end: &mut End) {
        let (seq, ack) = (self.seq.of_peer(end), self.ack.of_ours(end));
        let flags = self.kind.flags();
        let mut header = Header {
            seq,
            ack,
            flags,
            window: UnscaledWindow(self.window),
            ..Header::default()
        };
        if flags.contains(Flags::SYN) {
            // Until our side knows the peer's number it may be any, so it is the one that the
            // text is counted from.
            let seq = if end.knows_peer() { seq } else { IRS };
            header = self.syn.header(seq, ack, flags, end);
        } else {
            header.options.timestamps = match self.clock {
                Clock::Right => end.timestamps(0, 0),
                Clock::Missing => None,
                Clock::Off(value, echo) => end.clocks(value, echo),
            };
        }
        header.urgent = self.urgent;
        header.options.user_timeout = self.user_timeout.map(UserTimeout);
        for (left, right) in self.sack.iter().flatten() {
            let (left, right) = (left.of_ours(end), right.of_ours(end));
            header.options.sack.push(SackBlock { left, right });
        }
        end.ecn = match self.ecn % 8 {
            0 => Ecn::Ce,
            1 => Ecn::Ect0,
            2 => Ecn::Ect1,
            _ => Ecn::NotEct,
        };
        end.take(header, usize::from(self.len % 4_096));
    }
}

/// An ICMP error.
#[derive(Debug, Arbitrary)]
pub(super) struct IcmpShot {
    cause: u8,
    mtu: u16,
    seq: Near,
}

impl IcmpShot {
    pub(super) fn fire(&self, end: &mut End) {
        let mtu = self.mtu.into();
        let cause = match self.cause % 8 {
            0 => Cause::Unreachable(Unreachable::Host),
            1 => Cause::Unreachable(Unreachable::Port),
            2 => Cause::TimeExceeded,
            3 => Cause::ParameterProblem,
            4 => Cause::SourceQuench,
            _ => Cause::PacketTooBig { mtu },
        };
        let local = Endpoint::new([192, 0, 2, 1].into(), 7);
        let remote = Endpoint::new([192, 0, 2, 2].into(), 40_000);
        let quote = Quote {
            tuple: Tuple { local, remote },
            seq: self.seq.of_ours(end),
        };
        end.take_report(&Report { cause, quote });
    }
}
