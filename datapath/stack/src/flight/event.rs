//! What happened to a connection, in 16 bytes.

use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::timers::Timer;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, UnscaledWindow};

use crate::tap::Direction;

/// Something that happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A segment came, or was sent.
    Segment {
        /// Which way.
        direction: Direction,
        /// SEG.SEQ.
        seq: SeqNum,
        /// SEG.ACK, where the flags say that it counts.
        ack: SeqNum,
        /// Bytes of text.
        len: u16,
        /// SEG.WND as on the wire.
        window: UnscaledWindow,
        /// Control bits.
        flags: Flags,
    },
    /// A timer fired; the RTO is in microseconds.
    Timer(Timer, u32),
    /// The congestion control has changed what may be in flight, in bytes; `u32::MAX` where
    /// ssthresh is not known.
    Congestion {
        /// cwnd.
        cwnd: u32,
        /// ssthresh.
        ssthresh: u32,
    },
    /// The application was called, and did something.
    Application {
        /// Bytes of text that it took.
        took: u32,
        /// Bytes of text that it sent.
        sent: u32,
        /// It has ended its half, or all.
        ended: bool,
    },
    /// The connection is gone.
    Closed(CloseReason),
}

impl Event {
    /// A segment with that header and so much text.
    #[must_use]
    pub(crate) const fn segment(direction: Direction, header: &Header, len: usize) -> Self {
        Self::Segment {
            direction,
            seq: header.seq,
            ack: header.ack,
            len: len as u16,
            window: header.window,
            flags: header.flags,
        }
    }
}

/// An event and how many microseconds it came after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Packed([u32; 4]);

const _: () = assert!(size_of::<Packed>() == 16);

/// Longest span in microseconds that an event has room for: 2 s. For longer ones silence stands
/// before it.
pub(super) const SPAN_MAX: u64 = (1 << 21) - 1;

/// The lowest three bits of the first word.
const SILENCE: u32 = 0;
const IN: u32 = 1;
const OUT: u32 = 2;
const TIMER: u32 = 3;
const CONGESTION: u32 = 4;
const APPLICATION: u32 = 5;
const CLOSED: u32 = 6;

/// Where flags and span begin in the first word.
const FLAGS: u32 = 3;
const SPAN: u32 = 11;

const REASONS: [CloseReason; CloseReason::COUNT] = [
    CloseReason::Finished,
    CloseReason::Aborted,
    CloseReason::Reset,
    CloseReason::Refused,
    CloseReason::TimedOut,
    CloseReason::Unread,
    CloseReason::Stalled,
];

impl Packed {
    pub(super) fn new(event: Event, span: u64) -> Self {
        let (kind, flags, words) = match event {
            Event::Segment {
                direction,
                seq,
                ack,
                len,
                window,
                flags,
            } => {
                let kind = if direction == Direction::In { IN } else { OUT };
                let lengths = u32::from(len) << 16 | u32::from(window.0);
                (kind, flags.bits(), [seq.value(), ack.value(), lengths])
            }
            Event::Timer(timer, rto) => (TIMER, timer as u8, [rto, 0, 0]),
            Event::Congestion { cwnd, ssthresh } => (CONGESTION, 0, [cwnd, ssthresh, 0]),
            Event::Application { took, sent, ended } => {
                (APPLICATION, u8::from(ended), [took, sent, 0])
            }
            Event::Closed(reason) => (CLOSED, reason as u8, [0; 3]),
        };
        let span = span.min(SPAN_MAX) as u32;
        let [a, b, c] = words;
        Self([kind | u32::from(flags) << FLAGS | span << SPAN, a, b, c])
    }

    /// Nothing happened for so long.
    pub(super) const fn silence(span: u64) -> Self {
        Self([SILENCE, (span >> 32) as u32, span as u32, 0])
    }

    /// Microseconds since the one before.
    pub(super) const fn span(self) -> u64 {
        let [first, high, low, _] = self.0;
        if first & 7 == SILENCE {
            return (high as u64) << 32 | low as u64;
        }
        (first >> SPAN) as u64
    }

    /// What happened, unless it was nothing.
    pub(super) fn event(self) -> Option<Event> {
        let [first, a, b, c] = self.0;
        let flags = (first >> FLAGS) as u8;
        let direction = match first & 7 {
            IN => Direction::In,
            OUT => Direction::Out,
            TIMER => {
                let timer = Timer::ALL.get(usize::from(flags))?;
                return Some(Event::Timer(*timer, a));
            }
            CONGESTION => {
                let (cwnd, ssthresh) = (a, b);
                return Some(Event::Congestion { cwnd, ssthresh });
            }
            APPLICATION => {
                let (took, sent, ended) = (a, b, flags != 0);
                return Some(Event::Application { took, sent, ended });
            }
            CLOSED => return REASONS.get(usize::from(flags)).copied().map(Event::Closed),
            _ => return None,
        };
        Some(Event::Segment {
            direction,
            seq: SeqNum::new(a),
            ack: SeqNum::new(b),
            len: (c >> 16) as u16,
            window: UnscaledWindow(c as u16),
            flags: Flags::from_bits_retain(flags),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_comes_out_as_it_went_in() {
        let segment = |direction| Event::Segment {
            direction,
            seq: SeqNum::new(u32::MAX),
            ack: SeqNum::new(7),
            len: 65_000,
            window: UnscaledWindow(u16::MAX),
            flags: Flags::all(),
        };
        let mut events = vec![
            segment(Direction::In),
            segment(Direction::Out),
            Event::Congestion {
                cwnd: 1,
                ssthresh: u32::MAX,
            },
            Event::Application {
                took: u32::MAX,
                sent: 3,
                ended: true,
            },
        ];
        events.extend(Timer::ALL.map(|timer| Event::Timer(timer, 200_000)));
        events.extend(REASONS.map(Event::Closed));
        for event in events {
            for span in [0, 1, SPAN_MAX] {
                let packed = Packed::new(event, span);
                assert_eq!((packed.event(), packed.span()), (Some(event), span));
            }
        }
        let silence = Packed::silence(u64::MAX);
        assert_eq!((silence.event(), silence.span()), (None, u64::MAX));
    }
}
