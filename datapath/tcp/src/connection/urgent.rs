//! Urgent text: RFC 9293 3.8.5, RFC 6093. It stays in line, and both sides know where it ends.

use wirepath_wire::tcp::{Flags, Header, Segment};

use super::{Connection, Pending};
use crate::buffer::BlockPool;
use crate::rcv::AckDue;

impl Connection {
    /// SEND with the URGENT flag: as [`send`](Self::send), and the peer is told at once that
    /// `text`, and all before it, is urgent (MUST-30, MUST-31).
    pub fn send_urgent(&mut self, pool: &mut BlockPool, text: &[u8]) -> usize {
        let queued = self.send(pool, text);
        if queued > 0 {
            // MUST-62: the number of the byte after the urgent text.
            self.snd.up = self.snd.text_end();
            if self.state.is_synchronized() && self.snd.usable() == 0 {
                // A closed window must not keep it from the peer (MUST-66).
                self.rcv.ack_due = AckDue::Now;
            }
        }
        queued
    }

    /// Bytes of urgent text, and of text before it, that the application has not taken (MUST-33).
    #[must_use]
    pub fn urgent_left(&self) -> u32 {
        self.rcv.urgent_left()
    }

    /// Sixth step of SEGMENT ARRIVES, check the URG bit: RFC 9293 3.10.7.4. The application is told
    /// whenever the pointer advances (MUST-32).
    pub(super) fn check_urgent(&mut self, segment: &Segment<'_>) {
        let Header { seq, urgent, .. } = segment.header;
        let counts = segment.has(Flags::URG) && self.state.may_receive_text();
        if counts && self.rcv.note_urgent(seq + u32::from(urgent)) {
            self.pending.insert(Pending::URGENT);
        }
    }

    /// Marks a segment that stands before the end of urgent text.
    pub(super) fn mark_urgent(&self, header: &mut Header) {
        if self.snd.up.after(self.snd.una) && self.snd.up.after(header.seq) {
            let ahead = self.snd.up.bytes_since(header.seq);
            header.flags |= Flags::URG;
            header.urgent = u16::try_from(ahead).unwrap_or(u16::MAX);
        }
    }
}
