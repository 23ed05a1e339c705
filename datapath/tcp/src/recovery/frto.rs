//! Whether a time-out was for nothing: F-RTO, RFC 5682.

/// After a time-out only the first segment goes again. Its ACK lets new text go instead of old,
/// and the next ACK tells: when it is of text that was sent once, before the time-out, that text
/// was only late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Frto {
    /// No time-out, or it is decided.
    #[default]
    Off,
    /// Waits for the first ACK after the time-out.
    FirstAck,
    /// New text went instead of what counts as lost; waits for the second ACK.
    SecondAck,
}

/// An ACK after a time-out, as F-RTO sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrtoAck {
    /// Whether it says anything of our text: it moves SND.UNA, is a duplicate, or tells of more.
    pub(super) tells: bool,
    /// Whether it moves SND.UNA.
    pub(super) advances: bool,
    /// Whether it acknowledges all that was in flight at the time-out.
    pub(super) covers_all: bool,
    /// Whether it tells of text that was sent once, before the time-out.
    pub(super) original: bool,
    /// Whether there is new text to send, and room for it.
    pub(super) can_send: bool,
}

impl Frto {
    /// The timer expired, for the first time for this text or again.
    pub(super) fn on_timeout(&mut self, first: bool) {
        *self = if first { Self::FirstAck } else { Self::Off };
    }

    /// An ACK has come. Whether the time-out was spurious.
    pub(super) fn on_ack(&mut self, ack: FrtoAck) -> bool {
        // Text of the peer may come meanwhile.
        if !ack.tells {
            return false;
        }
        let from = std::mem::take(self);
        if from == Self::Off {
            return false;
        }
        if ack.original && !(from == Self::FirstAck && ack.covers_all) {
            return true;
        }
        // RFC 5682 2.1 (2), 3.1 (2b).
        if from == Self::FirstAck && ack.advances && !ack.covers_all && ack.can_send {
            *self = Self::SecondAck;
        }
        false
    }

    /// Whether what counts as lost is held back for the time being.
    pub(super) const fn holds(self) -> bool {
        matches!(self, Self::SecondAck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADVANCES: FrtoAck = FrtoAck {
        tells: true,
        advances: true,
        covers_all: false,
        original: false,
        can_send: true,
    };
    const DUPLICATE: FrtoAck = FrtoAck {
        advances: false,
        ..ADVANCES
    };
    const ORIGINAL: FrtoAck = FrtoAck {
        original: true,
        ..ADVANCES
    };

    fn timed_out() -> Frto {
        let mut frto = Frto::Off;
        frto.on_timeout(true);
        frto
    }

    #[test]
    fn an_ack_of_late_text_proves_the_time_out_spurious() {
        let mut frto = timed_out();
        assert!(!frto.on_ack(ADVANCES));
        assert!(frto.holds());
        assert!(frto.on_ack(ORIGINAL));
        assert!(!frto.holds());
    }

    #[test]
    fn a_duplicate_ack_says_that_text_is_lost() {
        let mut frto = timed_out();
        assert!(!frto.on_ack(DUPLICATE));
        assert!(!frto.on_ack(ORIGINAL), "decided");
        let mut frto = timed_out();
        frto.on_ack(ADVANCES);
        assert!(!frto.on_ack(DUPLICATE));
        assert!(!frto.holds());
    }

    #[test]
    fn nothing_is_decided_without_new_text_or_when_all_is_acknowledged_at_once() {
        for ack in [
            FrtoAck {
                can_send: false,
                ..ADVANCES
            },
            FrtoAck {
                covers_all: true,
                ..ORIGINAL
            },
        ] {
            let mut frto = timed_out();
            assert!(!frto.on_ack(ack));
            assert_eq!(frto, Frto::Off);
        }
    }

    #[test]
    fn a_second_time_out_of_the_same_text_is_believed() {
        let mut frto = timed_out();
        frto.on_timeout(false);
        assert!(!frto.on_ack(ORIGINAL));
    }
}
