//! What became of a segment.

use wirepath_wire::tcp::Header;

/// Why a segment was not, or not wholly, taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// No part of it lies in the window: RFC 9293 3.10.7.4, first step.
    OutOfWindow,
    /// Its timestamp is older than one seen: PAWS, RFC 7323 5.3.
    OldTimestamp,
    /// It has no timestamp although both sides agreed on them: RFC 7323 3.2.
    NoTimestamp,
    /// RST outside of the window, or inside but not at RCV.NXT: RFC 5961 3.2.
    InexactReset,
    /// SYN on a connection that has one: RFC 5961 4.2.
    UnexpectedSyn,
    /// It has no ACK bit: RFC 9293 3.10.7.4, fifth step.
    NoAck,
    /// It acknowledges what was never sent, or what is too old: RFC 5961 5.2.
    UnacceptableAck,
    /// No block is free to keep its text.
    NoBuffer,
    /// Its text would make one hole too many.
    TooManyRanges,
    /// Text where the peer has closed, or nobody reads.
    TextAfterClose,
}

impl DropReason {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 10] = [
        Self::OutOfWindow,
        Self::OldTimestamp,
        Self::NoTimestamp,
        Self::InexactReset,
        Self::UnexpectedSyn,
        Self::NoAck,
        Self::UnacceptableAck,
        Self::NoBuffer,
        Self::TooManyRanges,
        Self::TextAfterClose,
    ];

    /// The name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfWindow => "out_of_window",
            Self::OldTimestamp => "old_timestamp",
            Self::NoTimestamp => "no_timestamp",
            Self::InexactReset => "inexact_reset",
            Self::UnexpectedSyn => "unexpected_syn",
            Self::NoAck => "no_ack",
            Self::UnacceptableAck => "unacceptable_ack",
            Self::NoBuffer => "no_buffer",
            Self::TooManyRanges => "too_many_ranges",
            Self::TextAfterClose => "text_after_close",
        }
    }
}

/// What [`on_segment`](super::Connection::on_segment) made of a segment.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// In-order text that the application may read where it lies. When it is not empty,
    /// [`settle`](super::Connection::settle) must be called next.
    pub text: &'a [u8],
    /// Why the segment, or its text, was dropped.
    pub dropped: Option<DropReason>,
    /// What is to be sent at once: a reset to a peer that the connection does not know, or an ACK
    /// that another overtakes.
    pub reply: Option<Header>,
}

/// Ends the steps of RFC 9293 3.10.7.4 early.
#[derive(Debug)]
pub(super) enum Stop {
    /// All is done that there is to do.
    Done,
    Drop(DropReason),
    Reply(Header),
}

impl<'a> Received<'a> {
    pub(super) const fn text(text: &'a [u8]) -> Self {
        Self {
            text,
            dropped: None,
            reply: None,
        }
    }

    pub(super) fn stopped(stop: Stop) -> Self {
        let (dropped, reply) = match stop {
            Stop::Done => (None, None),
            Stop::Drop(reason) => (Some(reason), None),
            Stop::Reply(header) => (None, Some(header)),
        };
        Self {
            text: &[],
            dropped,
            reply,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own_in_its_place() {
        for (nth, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, nth);
            let shared = DropReason::ALL[..nth]
                .iter()
                .any(|other| other.name() == reason.name());
            assert!(!shared, "{reason:?}");
            assert!(!reason.name().is_empty());
        }
    }
}
