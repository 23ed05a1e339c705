//! Receive sequence variables, reassembly and the window we offer: RFC 9293 3.3.1, 3.8.6.2.2.

use std::time::Duration;

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{SackBlock, SackBlocks, UnscaledWindow, WindowScale};

use crate::buffer::{BlockPool, ByteQueue, Purpose, SeqRange, SeqRanges};
use crate::connection::DropReason;
use crate::limits::{BLOCK_SIZE, FULL_SEGMENT_MIN, RECEIVE_WINDOW_FIRST};
use crate::time::Instant;

/// Whether and when an ACK is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AckDue {
    /// All is acknowledged.
    No,
    /// When the delayed-ACK timer expires, or data goes that way.
    Delayed,
    /// At the next turn.
    Now,
}

/// The receive half of a connection.
///
/// ```text
///       read       RCV.NXT                 edge
///  ------|------------|----------|----|-----|------
///        |-- unread --|   hole   |range|    |
/// ```
#[derive(Debug)]
pub(crate) struct Rcv {
    /// RCV.NXT: next sequence number expected.
    pub(crate) nxt: SeqNum,
    /// IRS.
    pub(crate) irs: SeqNum,
    /// RCV.NXT + RCV.WND as the peer knows it; it never retreats (RFC 9293 3.8.6, SHLD-14).
    edge: SeqNum,
    /// Next byte that the application has not taken.
    read: SeqNum,
    /// Text from `read` on, with holes.
    queue: ByteQueue,
    /// Out-of-order text: RFC 9293 3.10.7.4 (SHLD-31).
    ranges: SeqRanges,
    /// Where text arrived out of order, the newest first: each in a range of its own, unless all
    /// else before it is acknowledged.
    newest: [SeqNum; SackBlocks::MAX],
    /// What came twice and was not told yet: RFC 2883.
    duplicate: Option<SeqRange>,
    /// RCV.UP: the number after the last urgent byte, or one that was read already.
    up: SeqNum,
    /// Sequence number of the peer's FIN, once seen.
    fin: Option<SeqNum>,
    /// RCV.NXT of the last segment that went out: Last.ACK.sent of RFC 7323 4.3.
    pub(crate) acked: SeqNum,
    pub(crate) ack_due: AckDue,
    /// ACKs that are not delayed yet.
    pub(crate) quick_acks: u8,
    /// Largest text seen in one segment: the peer's idea of a full segment.
    full_segment: u16,
    /// Most bytes offered now.
    limit: u32,
    /// Most bytes ever offered.
    most: u32,
    /// When `limit` was last looked at, and what was read then; `NEVER` at first.
    tuned: (Instant, SeqNum),
}

/// What is kept of it while all that came is read and acknowledged.
#[derive(Debug)]
pub(crate) struct RestingRcv {
    nxt: SeqNum,
    irs: SeqNum,
    edge: SeqNum,
    limit: u32,
    most: u32,
    full_segment: u16,
    quick_acks: u8,
}

impl Rcv {
    /// Before the peer's SYN is seen.
    pub(crate) fn new(most: u32, quick_acks: u8) -> Self {
        let unknown = SeqNum::default();
        Self {
            nxt: unknown,
            irs: unknown,
            edge: unknown,
            read: unknown,
            queue: ByteQueue::default(),
            ranges: SeqRanges::default(),
            newest: [unknown; SackBlocks::MAX],
            duplicate: None,
            up: unknown,
            fin: None,
            acked: unknown,
            ack_due: AckDue::No,
            quick_acks,
            full_segment: FULL_SEGMENT_MIN,
            limit: most.min(RECEIVE_WINDOW_FIRST),
            most,
            tuned: (Instant::NEVER, unknown),
        }
    }

    /// What is to be kept; `None` while something is unread, missing, or to be acknowledged.
    pub(crate) fn rest(&self) -> Option<RestingRcv> {
        let is_read = self.unread() == 0 && self.urgent_left() == 0 && self.fin.is_none();
        let is_acked = self.ack_due == AckDue::No && self.acked == self.nxt && !self.has_news();
        (is_read && is_acked).then_some(RestingRcv {
            nxt: self.nxt,
            irs: self.irs,
            edge: self.edge,
            limit: self.limit,
            most: self.most,
            full_segment: self.full_segment,
            quick_acks: self.quick_acks,
        })
    }

    pub(crate) fn resume(resting: &RestingRcv) -> Self {
        let nxt = resting.nxt;
        Self {
            nxt,
            irs: resting.irs,
            edge: resting.edge,
            read: nxt,
            queue: ByteQueue::default(),
            ranges: SeqRanges::default(),
            newest: [nxt; SackBlocks::MAX],
            duplicate: None,
            up: nxt,
            fin: None,
            acked: nxt,
            ack_due: AckDue::No,
            quick_acks: resting.quick_acks,
            full_segment: resting.full_segment,
            limit: resting.limit,
            most: resting.most,
            tuned: (Instant::NEVER, nxt),
        }
    }

    /// The peer's SYN; `offered` is the window that our own SYN promises, and `most` the largest
    /// that later segments can.
    pub(crate) fn on_syn(&mut self, irs: SeqNum, offered: u32, most: u32) {
        self.most = self.most.min(most);
        self.limit = self.limit.min(most);
        self.irs = irs;
        self.nxt = irs + 1;
        self.read = self.nxt;
        self.up = self.nxt;
        self.acked = self.nxt;
        self.edge = self.nxt + offered;
    }

    /// RCV.WND: bytes the peer may send beyond RCV.NXT.
    pub(crate) fn wnd(&self) -> u32 {
        self.edge.bytes_since(self.nxt)
    }

    /// RFC 9293 3.10.7.4, first step: whether some part of the segment lies in the window.
    pub(crate) fn is_acceptable(&self, seq: SeqNum, len: u32) -> bool {
        let inside = |s: SeqNum| s.at_or_after(self.nxt) && s.before(self.edge);
        match (len, self.wnd()) {
            (0, 0) => seq == self.nxt,
            (0, _) => inside(seq),
            (_, 0) => false,
            _ => inside(seq) || inside(seq + (len - 1)),
        }
    }

    /// Whether `len` bytes of text that are next lie in the window, and before no FIN.
    pub(crate) fn fits_next(&self, len: usize) -> bool {
        self.fin.is_none() && len <= self.wnd() as usize
    }

    /// Whether the segment holds text or FIN that was taken not long ago: it was sent again.
    pub(crate) fn has_taken(&self, seq: SeqNum, len: u32) -> bool {
        let end = seq + len;
        len > 0 && end.at_or_before(self.nxt) && self.nxt.bytes_since(end) <= self.most
    }

    /// Bytes in order that the application has not taken.
    pub(crate) fn unread(&self) -> u32 {
        self.text_nxt().bytes_since(self.read)
    }

    /// RCV.NXT without the FIN.
    fn text_nxt(&self) -> SeqNum {
        self.fin.map_or(self.nxt, |fin| fin.earliest(self.nxt))
    }

    /// Takes text inside the window. Returns what the application may read in place; it must be
    /// [`settle`](Self::settle)d before anything else happens to the connection.
    pub(crate) fn accept<'a>(
        &mut self,
        pool: &mut BlockPool,
        seq: SeqNum,
        text: &'a [u8],
    ) -> Result<&'a [u8], DropReason> {
        let len = text.len() as u32;
        self.full_segment = self.full_segment.max(text.len() as u16);
        let offset = seq.bytes_since(self.read);
        if seq != self.nxt {
            self.ack_due = AckDue::Now;
            let range = SeqRange {
                left: seq,
                right: seq + len,
            };
            let known = self.ranges.containing(pool, seq);
            if known.is_some_and(|known| range.right.at_or_before(known.right)) {
                self.note_duplicate(range);
            }
            // Before a block is taken for it.
            if !self.ranges.has_room_for(pool, range) {
                return Err(DropReason::TooManyRanges);
            }
            if pool.is_scarce() {
                return Err(DropReason::NoBuffer);
            }
            let kept = self.keep(pool, offset, text).and_then(|()| {
                let inserted = self.ranges.insert(pool, range);
                inserted.map_err(|_| DropReason::NoBuffer)
            });
            self.release_if_idle(pool);
            self.note_newest(pool, seq);
            return kept.map(|()| &text[..0]);
        }
        let in_place = self.unread() == 0;
        if !in_place {
            self.keep(pool, offset, text)?;
        } else if !pool.may_receive(text.len() / BLOCK_SIZE + 3) {
            return Err(DropReason::NoBuffer);
        }
        // RFC 5681 4.2: at once when there is or was a hole.
        let may_wait = self.ranges.is_empty() && self.quick_acks == 0;
        self.quick_acks = self.quick_acks.saturating_sub(1);
        let due = if may_wait {
            AckDue::Delayed
        } else {
            AckDue::Now
        };
        self.ack_due = self.ack_due.max(due);
        self.nxt += len;
        self.join(pool);
        self.ack_every_second();
        Ok(if in_place { text } else { &text[..0] })
    }

    /// The application took `used` bytes of the `text` it read in place; the rest is kept.
    pub(crate) fn settle(&mut self, pool: &mut BlockPool, text: &[u8], used: usize) {
        let used = used.min(text.len());
        self.pass(used as u32);
        self.queue.advance(pool, used as u32);
        // `accept` made sure of the blocks, and sending cannot take the reserve.
        let kept = self.queue.write(pool, Purpose::Receive, 0, &text[used..]);
        debug_assert!(kept.is_ok(), "the reserve holds what was accepted");
        self.release_if_idle(pool);
        self.note_room();
    }

    /// In-order text from the queue; empty when there is none.
    pub(crate) fn peek<'a>(&self, pool: &'a BlockPool) -> &'a [u8] {
        self.queue.chunk(pool, 0, self.unread())
    }

    /// The application took `count` bytes of what [`peek`](Self::peek) showed.
    pub(crate) fn consume(&mut self, pool: &mut BlockPool, count: u32) {
        let count = count.min(self.unread());
        self.pass(count);
        self.queue.advance(pool, count);
        self.release_if_idle(pool);
        self.note_room();
    }

    /// The application took `count` bytes more.
    fn pass(&mut self, count: u32) {
        self.read += count;
        // Kept near, or after 2^31 bytes it would seem to lie ahead.
        self.up = self.up.latest(self.read);
    }

    /// The peer says that its text is urgent up to `up`. Whether that is news.
    pub(crate) fn note_urgent(&mut self, up: SeqNum) -> bool {
        let up = self.fin.map_or(up, |fin| up.earliest(fin));
        let advances = up.after(self.up);
        self.up = self.up.latest(up);
        advances
    }

    /// Bytes up to the end of the urgent text that the application has not taken.
    pub(crate) fn urgent_left(&self) -> u32 {
        self.up.bytes_since(self.read)
    }

    /// The peer's FIN stands at `seq`. Remembered until all text before it is there, unless some
    /// of that lies outside of the window.
    pub(crate) fn note_fin(&mut self, seq: SeqNum) {
        if seq.at_or_before(self.text_limit()) {
            self.fin.get_or_insert(seq);
        }
        self.ack_due = AckDue::Now;
    }

    /// Passes over the FIN when all text before it is there; whether it was. At most once.
    pub(crate) fn take_fin(&mut self) -> bool {
        let due = self.fin.is_some_and(|fin| fin.at_or_before(self.nxt));
        if due {
            self.nxt += 1;
            self.ack_due = AckDue::Now;
        }
        due
    }

    /// Where text ends: at the window's edge, or at the peer's FIN.
    pub(crate) fn text_limit(&self) -> SeqNum {
        self.fin.map_or(self.edge, |fin| fin.earliest(self.edge))
    }

    /// The window field to send, and the promise that goes with it. Silly-window avoidance: the
    /// edge moves only by a full segment or half the buffer (RFC 9293 3.8.6.2.2, MUST-39).
    pub(crate) fn offer(&mut self, scale: WindowScale) -> UnscaledWindow {
        let target = self.read + self.limit;
        let worth = u32::from(self.full_segment).min(self.limit / 2);
        let kept = self.wnd();
        let field = if target.bytes_since(self.edge) >= worth {
            scale.field(target.bytes_since(self.nxt))
        } else if self.edge.after(target) {
            // RFC 7323 2.4: rounded down, since rounding up has used its slack. What was promised
            // still counts as inside the window.
            scale.field(kept)
        } else {
            // Rounded up: the shift must not take back what was promised.
            let unit = (1u32 << scale.shift()) - 1;
            scale.field(kept + unit)
        };
        self.edge = self.edge.latest(self.nxt + scale.bytes(field));
        self.acked = self.nxt;
        self.ack_due = AckDue::No;
        field
    }

    /// The blocks that tell of out-of-order text, the newest first: RFC 2018 4.
    pub(crate) fn sack_blocks(&mut self, pool: &BlockPool, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        // RFC 2883 4: what came twice is told first, and once.
        if let Some(SeqRange { left, right }) = self.duplicate.take() {
            blocks.push(SackBlock { left, right });
        }
        let duplicates = blocks.as_slice().len();
        let newest = self.newest.into_iter();
        let newest = newest.filter_map(|seq| self.ranges.containing(pool, seq));
        for SeqRange { left, right } in newest.chain(self.ranges.iter(pool)) {
            let block = SackBlock { left, right };
            if blocks.as_slice().len() == most {
                break;
            }
            if !blocks.as_slice()[duplicates..].contains(&block) {
                blocks.push(block);
            }
        }
        blocks
    }

    /// Text arrived out of order at `seq`: its range is now the newest.
    fn note_newest(&mut self, pool: &BlockPool, seq: SeqNum) {
        let range = self.ranges.containing(pool, seq);
        let others = self.newest.into_iter().filter(|&other| {
            let other = self.ranges.containing(pool, other);
            other.is_some() && other != range
        });
        let mut newest = std::iter::once(seq).chain(others);
        self.newest = std::array::from_fn(|_| newest.next().unwrap_or(seq));
    }

    /// `range` came again.
    pub(crate) fn note_duplicate(&mut self, range: SeqRange) {
        if !range.is_empty() {
            self.duplicate = Some(range);
        }
    }

    /// Whether there is something to tell by SACK: text out of order, or text that came twice.
    pub(crate) fn has_news(&self) -> bool {
        !self.ranges.is_empty() || self.duplicate.is_some()
    }

    /// What came twice is not told.
    pub(crate) fn forget_duplicate(&mut self) {
        self.duplicate = None;
    }

    /// Gives back every block.
    pub(crate) fn clear(&mut self, pool: &mut BlockPool) {
        self.read = self.text_nxt();
        self.ranges.clear(pool);
        self.queue.clear(pool);
    }

    fn keep(&mut self, pool: &mut BlockPool, offset: u32, text: &[u8]) -> Result<(), DropReason> {
        // Whatever was offered when more was free: many windows are promised and few used.
        if offset + text.len() as u32 > pool.share_unread().max(self.least()) {
            return Err(DropReason::NoBuffer);
        }
        let kept = self.queue.write(pool, Purpose::OutOfOrder, offset, text);
        kept.map_err(|_| DropReason::NoBuffer)
    }

    /// Two full segments: with less of a window a sender would wait for more (RFC 9293 3.8.6.2.1).
    fn least(&self) -> u32 {
        2 * u32::from(self.full_segment)
    }

    /// Moves RCV.NXT over the ranges that now touch it.
    fn join(&mut self, pool: &mut BlockPool) {
        if self.ranges.is_empty() {
            return;
        }
        if let Some(range) = self.ranges.containing(pool, self.nxt) {
            self.nxt = range.right;
        }
        self.ranges.remove_before(pool, self.nxt);
    }

    /// RFC 9293 3.8.6.3 (SHLD-19): an ACK for every second full segment, and as Linux does it when
    /// the second is shorter.
    fn ack_every_second(&mut self) {
        if self.nxt.bytes_since(self.acked) > u32::from(self.full_segment) {
            self.ack_due = AckDue::Now;
        }
    }

    /// The application wants no more than `most` bytes to wait for it; the window does not shrink.
    pub(crate) fn set_most(&mut self, most: u32, scale: WindowScale) {
        self.most = most.min(scale.bytes(UnscaledWindow(u16::MAX)));
        self.limit = self.limit.min(self.most);
    }

    /// Lets the window follow what the application reads in a round trip, up to `share` bytes, and
    /// that where it shrinks: who reads a whole window needs two (dynamic right-sizing).
    pub(crate) fn tune(&mut self, now: Instant, round_trip: Duration, share: u32) {
        let (at, read) = self.tuned;
        if at != Instant::NEVER && now.since(at) < round_trip {
            return;
        }
        let wanted = 2 * self.read.bytes_since(read);
        if at != Instant::NEVER && wanted > self.limit {
            let grown = wanted.min(self.most).min(share);
            self.limit = self.limit.max(grown);
        }
        // What was promised stays; no more is.
        self.limit = self.limit.min(share.max(self.least()));
        self.tuned = (now, self.read);
    }

    /// The application made room: tells the peer when the window that could be offered is worth a
    /// segment of its own, and the peer has something to say.
    fn note_room(&mut self) {
        let gain = (self.read + self.limit).bytes_since(self.edge);
        let full = u32::from(self.full_segment);
        let starved = self.wnd() < 2 * full;
        let worth = gain >= self.limit / 2 || (starved && gain >= full);
        if worth && self.fin.is_none() {
            self.ack_due = AckDue::Now;
        }
    }

    fn release_if_idle(&mut self, pool: &mut BlockPool) {
        if self.unread() == 0 && self.ranges.is_empty() {
            self.queue.clear(pool);
        }
    }
}
