//! Header prediction: the segment that nearly always comes next takes a straight line past the
//! steps of RFC 9293 3.10.7.4, none of which it could fail. It leaves what they would leave.

use wirepath_wire::ip::Ecn;
use wirepath_wire::tcp::{Flags, Segment};

use super::{Connection, Pending, Received};
use crate::buffer::BlockPool;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    /// Whether a segment is the next in line on a connection where nothing is wrong, or told.
    pub(super) fn is_predicted(&self, now: Instant, segment: &Segment<'_>) -> bool {
        let (header, options) = (&segment.header, &segment.header.options);
        // All that was sent is acknowledged, and nothing of it is in doubt.
        header.ack == self.snd.nxt
            && self.recovery.is_at_rest()
            && self.resent_ts.is_none()
            && !self.timers.is_armed(Timer::Persist)
            && self.state == State::Established
            // It says nothing but text and an ACK: no end, no urgent text, no mark of congestion.
            && header.flags.difference(Flags::PSH) == Flags::ACK
            && options.sack.is_empty()
            && options.user_timeout.is_none()
            && segment.ecn != Ecn::Ce
            && !self.ecn.has_marks()
            // Its text is next, fits the window, and somebody reads it.
            && header.seq == self.rcv.nxt
            && self.rcv.fits_next(segment.payload.len())
            && !self.pending.contains(Pending::DETACHED)
            && self.has_good_timestamp(now, segment)
    }

    /// RFC 7323 3.2, 5.3 R1: there where it was agreed upon, and not old.
    fn has_good_timestamp(&self, now: Instant, segment: &Segment<'_>) -> bool {
        let timestamps = segment.header.options.timestamps;
        let is_good = timestamps.is_some_and(|it| !self.negotiated.is_old(now, it.value));
        is_good || !self.negotiated.timestamps()
    }

    /// Takes a segment that [`is_predicted`](Self::is_predicted).
    pub(super) fn on_predicted<'a>(
        &mut self,
        now: Instant,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Received<'a> {
        self.counts.segments_in += 1;
        let ack = segment.header.ack;
        if self.snd.una != ack {
            self.on_all_acked(now, segment, pool);
        }
        self.heed_echo(segment);
        let window = self.window_of(segment);
        self.snd.update_window(segment.header.seq, ack, window);
        self.note_heard(now, segment);
        let text = self.take_next_text(now, segment, pool);
        text.map_or_else(Received::stopped, Received::text)
    }

    /// The end of [`on_ack`](Self::on_ack) where nothing is left in flight, lost or to be undone.
    fn on_all_acked(&mut self, now: Instant, segment: &Segment<'_>, pool: &mut BlockPool) {
        let outcome = {
            let (flight, rtts) = (self.snd.flight(), self.rtt.rtts());
            self.recovery.on_all_acked(pool, now, flight, rtts)
        };
        self.sample_rtt(now, segment, outcome.rtt);
        self.path.on_arrived(outcome.longest + self.options_len());
        self.on_new_ack(now, segment.header.ack, pool);
        let sample = self.sample(now, &outcome);
        self.congestion.on_ack(&sample);
        self.tell_delivery(sample, &outcome);
        self.timers.disarm(Timer::Reordering);
        self.timers.disarm(Timer::TailProbe);
        self.pending.remove(Pending::TAIL_PROBE);
        self.offer_room();
    }
}
