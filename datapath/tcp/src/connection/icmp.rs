//! What the network says of our segments: RFC 9293 3.9.2.2, believed as far as RFC 5927 says.

use wirepath_wire::icmp::{Cause, Report, Unreachable};

use super::{CloseReason, Connection, Event, Pending};
use crate::buffer::{BlockPool, SeqRange};
use crate::limits::BLACK_HOLE_RETRIES;
use crate::state::State;
use crate::time::Instant;

/// Why a segment was not delivered; the connection goes on (RFC 9293 3.9.2.2, MUST-56).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftError {
    /// There is no way to the peer, or none that is allowed.
    Unreachable(Unreachable),
    /// The hop limit ran out.
    TimeExceeded,
    /// A header made no sense to somebody.
    ParameterProblem,
}

impl Connection {
    /// An ICMP error about this connection has arrived (MUST-54). Whether it was taken: it must
    /// quote a segment in flight (RFC 5927 4.1).
    pub fn on_icmp_error(&mut self, now: Instant, report: &Report, pool: &mut BlockPool) -> bool {
        let seq = report.quote.seq;
        if seq.before(self.snd.una) || !seq.before(self.snd.nxt) {
            return false;
        }
        let error = match report.cause {
            // RFC 9293 3.9.2.2 (MUST-55), RFC 6633.
            Cause::SourceQuench => return false,
            Cause::PacketTooBig { mtu } => {
                if self.path.on_too_big(now, mtu, seq) {
                    self.on_path_shrunk(now, pool);
                }
                return true;
            }
            Cause::Unreachable(why) => SoftError::Unreachable(why),
            Cause::TimeExceeded => SoftError::TimeExceeded,
            Cause::ParameterProblem => SoftError::ParameterProblem,
        };
        self.soft_error = Some(error);
        let hard = matches!(
            error,
            SoftError::Unreachable(Unreachable::Protocol | Unreachable::Port)
        );
        if hard && self.state == State::SynSent {
            // SHLD-26, and soft once the peer is known: RFC 5927 5.2 (docs/decisions.md).
            self.enter_closed(CloseReason::Refused);
        } else {
            // MUST-47, SHLD-25.
            self.pending.insert(Pending::SOFT_ERROR);
        }
        true
    }

    /// The last soft error, kept for who asks why a connection timed out.
    #[must_use]
    pub const fn soft_error(&self) -> Option<SoftError> {
        self.soft_error
    }

    pub(super) fn poll_soft_error(&mut self) -> Option<Event> {
        if !self.pending.contains(Pending::SOFT_ERROR) {
            return None;
        }
        self.pending.remove(Pending::SOFT_ERROR);
        self.soft_error.map(Event::SoftError)
    }

    /// The path carries less than it did: what is too long is sent again in smaller segments, which
    /// is no sign of congestion (RFC 1191 6.3, 6.5).
    pub(super) fn on_path_shrunk(&mut self, now: Instant, pool: &mut BlockPool) {
        self.heed_segment_size();
        let fits = u32::from(self.effective_mss());
        // The SYN is no text, and recovery has no part in sending it again.
        let text = SeqRange {
            left: self.snd.text_start(),
            right: self.snd.nxt,
        };
        self.recovery.resend_longer(pool, text, fits);
        if self.snd.una != self.snd.nxt {
            self.arm_retransmit(now);
        }
    }

    /// Text was lost, or timed out: what was told of the path may be true, and when nothing of full
    /// size gets through at all, that is worth a try (RFC 4821 7.7; off unless asked for).
    pub(super) fn doubt_path(&mut self, now: Instant, pool: &mut BlockPool) {
        if self.path_seems_smaller(now) {
            self.on_path_shrunk(now, pool);
        }
    }

    /// The same when a window probe was not answered: the next one is the shorter.
    pub(super) fn doubt_path_of_probe(&mut self, now: Instant) {
        if self.path_seems_smaller(now) {
            self.heed_segment_size();
        }
    }

    fn path_seems_smaller(&mut self, now: Instant) -> bool {
        let black_hole = self.config.path_probing && self.liveness.retries >= BLACK_HOLE_RETRIES;
        self.path.on_loss(now) || (black_hole && self.path.on_black_hole(now))
    }

    /// Congestion control counts in segments of the size that is sent.
    pub(super) fn heed_segment_size(&mut self) {
        self.congestion.set_smss(u32::from(self.effective_mss()));
    }
}
