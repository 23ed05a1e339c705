//! How large a segment the path carries: RFC 1191 and RFC 8201, with the care of RFC 5927 7.2.

use std::time::Duration;

use wirepath_wire::seq::SeqNum;

use crate::limits::SMSS_MIN;
use crate::negotiated::Path;
use crate::time::Instant;

/// How long a smaller size is kept before the larger one is tried again: RFC 8201 4.
const RAISE_AFTER: Duration = Duration::from_secs(600);

/// Sizes of packets to try where a router does not say what it carries: RFC 1191 7.1.
const PLATEAUS: [u32; 6] = [17_914, 8_166, 4_352, 2_002, 1_492, 1_006];
/// The least packet that a message can make us send over IPv4, in bytes; Linux has the same floor.
const LEAST_IPV4: u32 = 552;
/// And over IPv6: every link carries as much (RFC 8200 5).
const LEAST_IPV6: u32 = 1_280;
/// What is tried first where long segments vanish, in bytes: RFC 4821 7.2.
const BASE: u16 = 1_024;

/// What one segment may carry, in bytes of text and options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathMtu {
    link: Path,
    /// What the path is taken to carry now.
    limit: u16,
    /// The largest that is known to have arrived since.
    proven: u16,
    /// A smaller size that somebody told of; 0 for none.
    told: u16,
    /// The segment it was told about.
    quoted: SeqNum,
    lowered_at: Instant,
}

impl PathMtu {
    /// Of a path that nothing is known of but its first link.
    pub(crate) fn new(link: Path) -> Self {
        Self {
            link,
            limit: link.mss.max(SMSS_MIN),
            proven: 0,
            told: 0,
            quoted: SeqNum::new(0),
            lowered_at: Instant::NEVER,
        }
    }

    /// The first link.
    pub(crate) const fn link(&self) -> Path {
        self.link
    }

    /// What the path is taken to carry, in bytes of text and options.
    pub(crate) const fn limit(&self) -> u16 {
        self.limit
    }

    /// The same as bytes of packet.
    pub(crate) const fn mtu(&self) -> u32 {
        self.limit as u32 + self.headers()
    }

    /// A router says that the packet with the segment at `quoted` was longer than the `mtu` bytes
    /// that its link carries. Whether the limit is lower now.
    ///
    /// Anybody may say so: once as large a segment has arrived, it must be lost as well
    /// (RFC 5927 7.2).
    pub(crate) fn on_too_big(&mut self, now: Instant, mtu: u32, quoted: SeqNum) -> bool {
        let claimed = self.claimed(mtu);
        if claimed >= self.limit {
            return false;
        }
        (self.told, self.quoted) = (claimed, quoted);
        self.proven <= claimed && self.lower(now)
    }

    /// A segment with `len` bytes of text and options has arrived.
    pub(crate) fn on_arrived(&mut self, len: u32) {
        let len = u16::try_from(len).unwrap_or(u16::MAX).min(self.limit);
        self.proven = self.proven.max(len);
    }

    /// Everything before `una` has arrived: what was told of it was not true.
    pub(crate) fn on_ack(&mut self, una: SeqNum) {
        if self.told != 0 && una.after(self.quoted) {
            self.told = 0;
        }
    }

    /// Something in flight is lost. Whether the limit is lower now: what was told may be true.
    pub(crate) fn on_loss(&mut self, now: Instant) -> bool {
        self.told != 0 && self.lower(now)
    }

    /// Nothing of full size gets through, and no router says why (RFC 2923 2.1). Whether there is a
    /// smaller size to try.
    pub(crate) fn on_black_hole(&mut self, now: Instant) -> bool {
        let (base, least) = (BASE.max(self.least()), self.least());
        let next = if self.limit > base { base } else { least };
        if next >= self.limit {
            return false;
        }
        self.told = next;
        self.lower(now)
    }

    /// Whether a larger size is tried again: paths change.
    pub(crate) fn try_to_raise(&mut self, now: Instant) -> bool {
        let due = self.lowered_at != Instant::NEVER && now.since(self.lowered_at) >= RAISE_AFTER;
        if due {
            *self = Self::new(self.link);
        }
        due
    }

    fn lower(&mut self, now: Instant) -> bool {
        self.limit = std::mem::take(&mut self.told);
        self.proven = self.proven.min(self.limit);
        self.lowered_at = now;
        true
    }

    /// The segment that fits into a packet of `mtu` bytes.
    fn claimed(&self, mtu: u32) -> u16 {
        let packet = u32::from(self.limit) + self.headers();
        let plateau = || PLATEAUS.into_iter().find(|&size| size < packet);
        let mtu = if mtu == 0 {
            plateau().unwrap_or(LEAST_IPV4)
        } else {
            mtu
        };
        let mss = mtu.saturating_sub(self.headers());
        u16::try_from(mss).unwrap_or(u16::MAX).max(self.least())
    }

    const fn headers(&self) -> u32 {
        if self.link.ipv6 { 60 } else { 40 }
    }

    fn least(&self) -> u16 {
        let packet = if self.link.ipv6 {
            LEAST_IPV6
        } else {
            LEAST_IPV4
        };
        u16::try_from(packet - self.headers()).unwrap_or(u16::MAX)
    }
}
