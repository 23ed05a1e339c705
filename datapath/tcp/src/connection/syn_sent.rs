//! SEGMENT ARRIVES in SYN-SENT: RFC 9293 3.10.7.3.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Segment};

use super::verdict::Stop;
use super::{CloseReason, Connection, DropReason, Pending};
use crate::buffer::BlockPool;
use crate::rcv::AckDue;
use crate::reset;
use crate::state::State;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    pub(super) fn on_segment_in_syn_sent<'a>(
        &mut self,
        now: Instant,
        segment: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> Result<&'a [u8], Stop> {
        let ack = segment.header.ack;
        let has_ack = segment.has(Flags::ACK);
        // First, check the ACK bit.
        if has_ack && (ack.at_or_before(self.snd.iss) || ack.after(self.snd.nxt)) {
            return Err(reset::reply_to(segment).map_or(Stop::Done, Stop::Reply));
        }
        // Second, check the RST bit.
        if segment.has(Flags::RST) {
            if !has_ack {
                return Err(Stop::Drop(DropReason::InexactReset));
            }
            self.enter_closed(CloseReason::Refused);
            return Err(Stop::Done);
        }
        // Fourth, check the SYN bit. (The third step, security, is not ours.)
        if !segment.has(Flags::SYN) {
            return Err(Stop::Drop(DropReason::NoAck));
        }
        self.on_peer_syn(now, &segment.header);
        self.liveness.heard = now;
        if has_ack {
            self.complete_open(now, ack, pool);
            self.rcv.ack_due = AckDue::Now;
        } else {
            // Simultaneous open (MUST-10): both have sent a SYN.
            self.state = State::SynReceived;
            self.pending.insert(Pending::SYN);
        }
        // RFC 9293 3.10.7.3 lets text and FIN of a SYN wait; the peer sends them again.
        Err(Stop::Done)
    }

    /// Our SYN is acknowledged: the handshake is done. cwnd does not grow by it (RFC 5681 3.1).
    pub(super) fn complete_open(&mut self, now: Instant, ack: SeqNum, pool: &mut BlockPool) {
        if self.liveness.retries > 0 {
            self.congestion.restart(true);
            self.rtt.on_syn_retransmitted();
        }
        if let Some(rtt) = self.rtt.take_sample(now, ack) {
            self.rtt.on_sample(rtt, 1.0);
        }
        // Text that went early is acknowledged as any other.
        self.snd.acknowledge(pool, self.snd.iss + 1);
        self.state = State::Established;
        self.liveness.retries = 0;
        self.liveness.unanswered = Instant::NEVER;
        self.timers.disarm(Timer::Retransmit);
        if self.snd.una != self.snd.nxt {
            self.arm_retransmit(now);
        }
        if !self.pending.contains(Pending::FAST_OPEN) {
            self.pending.insert(Pending::CONNECTED);
        }
        self.pending.remove(Pending::SYN | Pending::FAST_OPEN);
        self.arm_keep_alive(now);
    }
}
