//! Text on a SYN: Fast Open of a passive open, RFC 7413.

use wirepath_wire::tcp::{Flags, Segment};

use super::verdict::Stop;
use super::{Connection, DropReason, HandshakeDone, Pending, Received};
use crate::buffer::BlockPool;
use crate::config::Config;
use crate::negotiated::Path;
use crate::state::State;
use crate::time::Instant;

impl Connection {
    /// A passive open by `syn`, which showed a good cookie: the application has it before the
    /// handshake is done (RFC 7413 4.2.2). Its SYN-ACK is to be sent.
    pub fn accept_early<'a>(
        now: Instant,
        (config, path): (Config, Path),
        done: &HandshakeDone,
        syn: &Segment<'a>,
        pool: &mut BlockPool,
    ) -> (Self, Received<'a>) {
        let mut connection = Self::accept(now, config, path, done);
        connection
            .pending
            .insert(Pending::SYN | Pending::CONNECTED | Pending::FAST_OPEN);
        // The SYN itself counts one; a FIN on it comes again.
        let text = Segment {
            header: wirepath_wire::tcp::Header {
                seq: syn.header.seq + 1,
                flags: Flags::ACK,
                ..syn.header
            },
            ..*syn
        };
        connection.counts.segments_in += 1;
        let received = connection.receive_text(&text, pool);
        (connection, received)
    }

    fn receive_text<'a>(&mut self, text: &Segment<'a>, pool: &mut BlockPool) -> Received<'a> {
        match self.take_text(text, pool) {
            Ok(text) => Received {
                text,
                dropped: None,
                reply: None,
            },
            Err(stop) => Received::stopped(stop),
        }
    }

    /// Whether text may go before the handshake is done: the SYN-ACK has gone.
    pub(super) fn may_send_early(&self) -> bool {
        self.state == State::SynReceived
            && self.pending.contains(Pending::FAST_OPEN)
            && !self.pending.contains(Pending::SYN)
    }

    /// The SYN of an early connection comes again: our SYN-ACK was lost.
    pub(super) fn check_syn_again(&mut self, segment: &Segment<'_>) -> Result<(), Stop> {
        let again = self.pending.contains(Pending::FAST_OPEN)
            && segment.has(Flags::SYN)
            && segment.header.seq == self.rcv.irs;
        if !again {
            return Ok(());
        }
        self.pending.insert(Pending::SYN);
        self.rtt.on_retransmitted();
        Err(Stop::Drop(DropReason::OutOfWindow))
    }
}
