//! A TCP segment as values: RFC 9293 3.1.

use crate::ip::Ecn;
use crate::seq::SeqNum;

bitflags::bitflags! {
    /// Control bits, RFC 9293 3.1, in the order of the header's byte 13.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Flags: u8 {
        /// No more data from the sender.
        const FIN = 0x01;
        /// Synchronize sequence numbers.
        const SYN = 0x02;
        /// Reset the connection.
        const RST = 0x04;
        /// Push.
        const PSH = 0x08;
        /// The acknowledgment field counts.
        const ACK = 0x10;
        /// The urgent pointer counts.
        const URG = 0x20;
        /// ECN echo, RFC 3168.
        const ECE = 0x40;
        /// Congestion window reduced, RFC 3168.
        const CWR = 0x80;
    }
}

/// The window field as on the wire: it means bytes only together with a [`WindowScale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnscaledWindow(pub u16);

/// The shift of RFC 7323 2, from 0 to 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowScale(u8);

impl WindowScale {
    /// The largest shift, RFC 7323 2.3.
    pub const MAX: Self = Self(14);

    /// The shift `shift`, or 14 where it is larger (RFC 7323 2.3).
    #[must_use]
    pub const fn clamped(shift: u8) -> Self {
        if shift > Self::MAX.0 {
            Self::MAX
        } else {
            Self(shift)
        }
    }

    /// The shift, 0 to 14.
    #[must_use]
    pub const fn shift(self) -> u8 {
        self.0
    }

    /// What a window field means, in bytes.
    #[must_use]
    pub const fn bytes(self, window: UnscaledWindow) -> u32 {
        (window.0 as u32) << self.0
    }

    /// The field that offers `bytes`, rounded down, at most 65,535.
    #[must_use]
    pub const fn field(self, bytes: u32) -> UnscaledWindow {
        let field = bytes >> self.0;
        UnscaledWindow(if field > 0xFFFF { 0xFFFF } else { field as u16 })
    }
}

/// The timestamps option, RFC 7323 3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval: the sender's timestamp clock.
    pub value: u32,
    /// TSecr: the timestamp echoed back; counts only with ACK.
    pub echo: u32,
}

/// One SACK block, RFC 2018 3: the bytes from `left` up to but not including `right`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlock {
    /// First sequence number of the block.
    pub left: SeqNum,
    /// Sequence number just after the block.
    pub right: SeqNum,
}

/// Up to four SACK blocks, in the order of the option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [SackBlock; Self::MAX],
    len: u8,
}

impl SackBlocks {
    /// What fits into 40 bytes of options, RFC 2018 3.
    pub const MAX: usize = 4;

    /// Appends a block; a fifth is left out.
    pub fn push(&mut self, block: SackBlock) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
            *slot = block;
            self.len = self.len.saturating_add(1);
        }
    }

    /// The blocks, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[SackBlock] {
        self.blocks.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The options that this stack knows; others are skipped (RFC 9293 3.1, MUST-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Maximum segment size, RFC 9293 3.7.1; only on SYN.
    pub mss: Option<u16>,
    /// Window scale, RFC 7323 2.2; only on SYN.
    pub window_scale: Option<WindowScale>,
    /// SACK permitted, RFC 2018 2; only on SYN.
    pub sack_permitted: bool,
    /// SACK blocks, RFC 2018 3.
    pub sack: SackBlocks,
    /// Timestamps, RFC 7323 3.2.
    pub timestamps: Option<Timestamps>,
    /// User timeout, RFC 5482 3.3.
    pub user_timeout: Option<UserTimeout>,
    /// Fast Open, RFC 7413 4.1.1; only on SYN.
    pub fast_open: Option<FastOpen>,
}

/// The user timeout option, RFC 5482 3.3: the granularity bit and 15 bits of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserTimeout(pub u16);

impl UserTimeout {
    const MINUTES: u16 = 1 << 15;

    /// The option that says `seconds`, or the largest that there is; rounded up to minutes where it
    /// must be.
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Self {
        let most = Self::MINUTES.saturating_sub(1);
        match u16::try_from(seconds) {
            Ok(seconds) if seconds <= most => Self(seconds),
            _ => {
                let minutes = u16::try_from(seconds.div_ceil(60)).unwrap_or(most);
                Self(Self::MINUTES | minutes.min(most))
            }
        }
    }

    /// The time in seconds; 0 says nothing (RFC 5482 3.3).
    #[must_use]
    pub fn seconds(self) -> u32 {
        let time = u32::from(self.0 & !Self::MINUTES);
        if self.0 & Self::MINUTES == 0 {
            time
        } else {
            time.saturating_mul(60)
        }
    }
}

/// The Fast Open option, RFC 7413 4.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastOpen {
    /// Asks for a cookie, or shows one that is none of ours.
    Request,
    /// A cookie of the length that we give out.
    Cookie([u8; 8]),
}

/// All of a TCP header but ports and checksum, which belong to the path and to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; counts only with [`Flags::ACK`].
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND before scaling.
    pub window: UnscaledWindow,
    /// SEG.UP; counts only with [`Flags::URG`].
    pub urgent: u16,
    /// Options.
    pub options: Options,
}

/// A segment: header values and the bytes it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The header.
    pub header: Header,
    /// The text of the segment.
    pub payload: &'a [u8],
    /// What the network said of its packet: RFC 3168.
    pub ecn: Ecn,
}

impl Segment<'_> {
    /// SEG.LEN: bytes of text, counting SYN and FIN as one each (RFC 9293 3.4).
    #[must_use]
    pub fn len(&self) -> u32 {
        (self.payload.len() as u32)
            .saturating_add(self.has(Flags::SYN).into())
            .saturating_add(self.has(Flags::FIN).into())
    }

    /// Whether it takes no sequence space.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequence number just after the segment.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "sequence numbers wrap")]
    pub fn end(&self) -> SeqNum {
        self.header.seq + self.len()
    }

    /// Whether all of `flags` are set.
    #[must_use]
    pub fn has(&self, flags: Flags) -> bool {
        self.header.flags.contains(flags)
    }
}
