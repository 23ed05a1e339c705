//! Resets for segments that belong to no connection: RFC 9293 3.10.7.1.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Segment};

/// The reset that answers `segment`; none answers a reset.
#[must_use]
pub fn reply_to(segment: &Segment<'_>) -> Option<Header> {
    if segment.has(Flags::RST) {
        return None;
    }
    Some(if segment.has(Flags::ACK) {
        Header {
            seq: segment.header.ack,
            flags: Flags::RST,
            ..Header::default()
        }
    } else {
        Header {
            seq: SeqNum::new(0),
            ack: segment.end(),
            flags: Flags::RST | Flags::ACK,
            ..Header::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(flags: Flags, payload: &[u8]) -> Segment<'_> {
        let (seq, ack) = (SeqNum::new(100), SeqNum::new(200));
        Segment {
            header: Header {
                seq,
                ack,
                flags,
                ..Header::default()
            },
            payload,
            ecn: wirepath_wire::ip::Ecn::NotEct,
        }
    }

    #[test]
    fn an_ack_is_answered_from_where_it_points() {
        let reset = reply_to(&segment(Flags::ACK, b"text")).expect("a reset");
        assert_eq!((reset.seq.value(), reset.flags), (200, Flags::RST));
    }

    #[test]
    fn a_syn_is_acknowledged_with_all_its_length() {
        let reset = reply_to(&segment(Flags::SYN, b"text")).expect("a reset");
        assert_eq!((reset.seq.value(), reset.ack.value()), (0, 105));
        assert_eq!(reset.flags, Flags::RST | Flags::ACK);
    }

    #[test]
    fn a_reset_is_never_answered() {
        assert_eq!(reply_to(&segment(Flags::RST, b"")), None);
        assert_eq!(reply_to(&segment(Flags::RST | Flags::ACK, b"")), None);
    }
}
