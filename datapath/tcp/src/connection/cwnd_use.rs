//! Whether cwnd is what holds back the sending: an unused one must not grow (RFC 7661).

use wirepath_wire::seq::SeqNum;

/// C.is_cwnd_limited of draft-ietf-ccwg-bbr: once in a round trip is enough, as who is paced meets
/// the edge of cwnd only now and then.
#[derive(Debug)]
pub(super) struct CwndUse {
    limited: bool,
    /// SND.NXT when it was noted: the end of its round trip.
    until: SeqNum,
}

impl CwndUse {
    pub(super) const fn new(iss: SeqNum) -> Self {
        Self {
            limited: false,
            until: iss,
        }
    }

    /// The sending stops, and cwnd had no room for a full segment, or had.
    pub(super) fn note(&mut self, limited: bool, una: SeqNum, nxt: SeqNum) {
        if limited || una.at_or_after(self.until) {
            (self.limited, self.until) = (limited, nxt);
        }
    }

    /// Whether cwnd had no room in this round trip or the one before.
    pub(super) const fn is_limited(&self) -> bool {
        self.limited
    }
}
