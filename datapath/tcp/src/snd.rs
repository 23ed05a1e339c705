//! Send sequence variables and the text behind them: RFC 9293 3.3.1.

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::WindowScale;

use crate::buffer::{BlockPool, ByteQueue, Purpose, SeqRange};
use crate::limits::BLOCK_SIZE;

/// Our FIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fin {
    /// The application has more to say.
    None,
    /// It follows the last byte of text.
    Queued,
    /// The peer has it.
    Acked,
}

/// The send half of a connection.
///
/// ```text
///       1         2          3          4
///  ----------|----------|----------|----------
///        SND.UNA    SND.NXT    SND.UNA + SND.WND
///            |---- queued text ----|-- FIN --|
/// ```
#[derive(Debug)]
pub(crate) struct Snd {
    /// SND.UNA: oldest unacknowledged sequence number.
    pub(crate) una: SeqNum,
    /// SND.NXT: next sequence number to be sent for the first time.
    pub(crate) nxt: SeqNum,
    /// SND.WND in bytes.
    pub(crate) wnd: u32,
    /// SND.WL1: SEG.SEQ of the last window update.
    wl1: SeqNum,
    /// SND.WL2: SEG.ACK of the last window update.
    wl2: SeqNum,
    /// ISS.
    pub(crate) iss: SeqNum,
    /// MAX.SND.WND: the largest window seen (RFC 5961 5.2, and silly-window avoidance).
    pub(crate) max_wnd: u32,
    /// Bytes of text and FIN acknowledged so far, at most 2^32 - 1.
    acked: u32,
    /// SND.UP: the number after the last urgent byte, or one that is acknowledged.
    pub(crate) up: SeqNum,
    /// Text from SND.UNA on.
    queue: ByteQueue,
    queued: u32,
    pub(crate) fin: Fin,
    /// Our SYN is acknowledged: text begins at SND.UNA, not after it.
    syn_acked: bool,
    /// The application was refused bytes and waits for room.
    blocked: bool,
}

/// What is kept of it while nothing is queued or in flight.
#[derive(Debug)]
pub(crate) struct RestingSnd {
    una: SeqNum,
    wnd: u32,
    wl1: SeqNum,
    wl2: SeqNum,
    iss: SeqNum,
    max_wnd: u32,
    acked: u32,
}

impl RestingSnd {
    /// SND.UNA, and SND.NXT as well.
    pub(crate) const fn una(&self) -> SeqNum {
        self.una
    }
}

impl Snd {
    /// Before anything is sent.
    pub(crate) fn new(iss: SeqNum) -> Self {
        Self {
            una: iss,
            nxt: iss,
            wnd: 0,
            wl1: SeqNum::default(),
            wl2: SeqNum::default(),
            iss,
            max_wnd: 0,
            acked: 0,
            up: iss,
            queue: ByteQueue::default(),
            queued: 0,
            fin: Fin::None,
            syn_acked: false,
            blocked: false,
        }
    }

    /// What is to be kept; `None` while something is queued, in flight, or waited with.
    pub(crate) fn rest(&self) -> Option<RestingSnd> {
        let is_empty = self.una == self.nxt && self.queued == 0 && self.fin == Fin::None;
        (is_empty && self.syn_acked && !self.blocked).then_some(RestingSnd {
            una: self.una,
            wnd: self.wnd,
            wl1: self.wl1,
            wl2: self.wl2,
            iss: self.iss,
            max_wnd: self.max_wnd,
            acked: self.acked,
        })
    }

    pub(crate) fn resume(resting: &RestingSnd) -> Self {
        let una = resting.una;
        Self {
            una,
            nxt: una,
            wnd: resting.wnd,
            wl1: resting.wl1,
            wl2: resting.wl2,
            iss: resting.iss,
            max_wnd: resting.max_wnd,
            acked: resting.acked,
            up: una,
            queue: ByteQueue::default(),
            queued: 0,
            fin: Fin::None,
            syn_acked: true,
            blocked: false,
        }
    }

    /// Sequence number of the first byte of queued text.
    pub(crate) fn text_start(&self) -> SeqNum {
        self.una + u32::from(!self.syn_acked)
    }

    /// Sequence number after the last byte of queued text: that of the FIN.
    pub(crate) fn text_end(&self) -> SeqNum {
        self.text_start() + self.queued
    }

    /// Sequence number after all that is queued, FIN included.
    pub(crate) fn end(&self) -> SeqNum {
        self.text_end() + u32::from(self.fin == Fin::Queued)
    }

    /// Sequence numbers queued and never sent, FIN included.
    pub(crate) fn unsent(&self) -> u32 {
        self.end().bytes_since(self.nxt)
    }

    /// What is sent and not acknowledged.
    pub(crate) fn flight(&self) -> SeqRange {
        SeqRange {
            left: self.una,
            right: self.nxt,
        }
    }

    /// Bytes of text not acknowledged, sent or not.
    pub(crate) const fn queued(&self) -> u32 {
        self.queued
    }

    /// Bytes of window left beyond SND.NXT; 0 when the peer shrank it (RFC 9293 3.8.6, MUST-34).
    pub(crate) fn usable(&self) -> u32 {
        (self.una + self.wnd).bytes_since(self.nxt)
    }

    /// Where an ACK or RST without text stands: SND.NXT, unless the window ends before it, as it
    /// does after a probe: beyond it the peer would drop what it says. What `scale` rounded off the
    /// window is not missing.
    pub(crate) fn acceptable_seq(&self, scale: WindowScale) -> SeqNum {
        let edge = self.text_start() + self.wnd;
        let rounded_off = self.wnd > 0 && self.nxt.bytes_since(edge) < 1 << scale.shift();
        if rounded_off {
            self.nxt
        } else {
            self.nxt.earliest(edge)
        }
    }

    /// Appends text, as much as `limit` and the pool allow; returns how much.
    pub(crate) fn push(&mut self, pool: &mut BlockPool, limit: u32, text: &[u8]) -> usize {
        let room = limit.saturating_sub(self.queued) as usize;
        let mut taken = 0;
        for piece in text[..text.len().min(room)].chunks(BLOCK_SIZE) {
            if self
                .queue
                .write(pool, Purpose::Send, self.queued, piece)
                .is_err()
            {
                break;
            }
            self.queued += piece.len() as u32;
            taken += piece.len();
        }
        if self.queued == 0 {
            self.queue.clear(pool);
        }
        self.blocked = taken < text.len();
        taken
    }

    /// RFC 5961 5.2 (MAY-12): neither beyond what was sent, nor older than a window, nor of what
    /// was never sent (docs/decisions.md).
    pub(crate) fn may_acknowledge(&self, ack: SeqNum) -> bool {
        let oldest = self.una - self.max_wnd.min(self.acked);
        ack.at_or_before(self.nxt) && ack.at_or_after(oldest)
    }

    /// The application has said all: a FIN follows the text.
    pub(crate) fn finish(&mut self) {
        self.fin = Fin::Queued;
        self.blocked = false;
    }

    /// Everything before `ack` has arrived.
    pub(crate) fn acknowledge(&mut self, pool: &mut BlockPool, ack: SeqNum) {
        let fin_acked = self.fin == Fin::Queued && ack == self.end();
        let new = ack.bytes_since(self.text_start());
        let text = new.min(self.queued);
        self.acked = self.acked.saturating_add(new);
        self.queue.advance(pool, text);
        self.queued -= text;
        self.una = ack;
        self.up = self.up.latest(ack);
        self.syn_acked = true;
        if fin_acked {
            self.fin = Fin::Acked;
        }
        if self.queued == 0 {
            self.queue.clear(pool);
        }
    }

    /// The application was refused bytes though nothing is queued: the pool had no block, and no
    /// ACK will tell of room.
    pub(crate) const fn is_starved(&self) -> bool {
        self.blocked && self.queued == 0
    }

    /// Whether the application, once refused, has room again: at most `full` bytes are queued.
    pub(crate) fn take_unblocked(&mut self, full: u32) -> bool {
        let unblocked = self.blocked && self.queued <= full;
        self.blocked &= !unblocked;
        unblocked
    }

    /// RFC 9293 3.10.7.4, fifth step: the window counts only from a segment newer than the last.
    /// Whether the window changed.
    pub(crate) fn update_window(&mut self, seq: SeqNum, ack: SeqNum, wnd: u32) -> bool {
        // A new ACK is newer whatever its SEG.SEQ: text that is sent again carries a low one.
        let newer = self.wl2.before(ack) || (self.wl2 == ack && self.wl1.at_or_before(seq));
        if !newer {
            return false;
        }
        let changed = self.wnd != wnd;
        self.set_window(seq, ack, wnd);
        changed
    }

    /// The first window, from the segment that opened the connection.
    pub(crate) fn set_window(&mut self, seq: SeqNum, ack: SeqNum, wnd: u32) {
        self.wnd = wnd;
        self.max_wnd = self.max_wnd.max(wnd);
        self.wl1 = seq;
        self.wl2 = ack;
    }

    /// Text of `range` as it lies in the pool: the piece at its left end.
    pub(crate) fn chunk<'a>(&self, pool: &'a BlockPool, range: SeqRange) -> &'a [u8] {
        self.queue
            .chunk(pool, range.left.bytes_since(self.text_start()), range.len())
    }

    /// Gives back every block.
    pub(crate) fn clear(&mut self, pool: &mut BlockPool) {
        self.queue.clear(pool);
        self.queued = 0;
    }
}
