//! TCP options: RFC 9293 3.2 (MUST-4), RFC 7323, RFC 2018.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{Immutable, IntoBytes, Unaligned};

use super::{FastOpen, MAX_OPTIONS_LEN, Options, SackBlock, Timestamps, UserTimeout, WindowScale};
use crate::seq::SeqNum;

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NO_OPERATION: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
    pub(super) const USER_TIMEOUT: u8 = 28;
    pub(super) const FAST_OPEN: u8 = 34;
}

/// Reads options up to their end, and whether one had an illegal length.
///
/// They need no alignment (MUST-64) and may come with any segment (MUST-5).
pub(super) fn parse(mut bytes: &[u8]) -> (Options, bool) {
    let mut options = Options::default();
    let mut illegal = false;
    // What nearly every segment has, and nothing else: RFC 7323 appendix A.
    if let [kind::NO_OPERATION, kind::NO_OPERATION, timestamps @ ..] = bytes
        && let [kind::TIMESTAMPS, 10, _, _, _, _, _, _, _, _] = timestamps
    {
        illegal = !take(&mut options, timestamps);
        return (options, illegal);
    }
    loop {
        bytes = match bytes {
            [] | [kind::END, ..] => return (options, illegal),
            [kind::NO_OPERATION, rest @ ..] => rest,
            // What follows an illegal length cannot be told apart: keep what came before, MUST-7.
            [_] | [_, 0 | 1, ..] => return (options, true),
            [_, length, ..] => match bytes.split_at_checked(usize::from(*length)) {
                Some((option, rest)) => {
                    illegal |= !take(&mut options, option);
                    rest
                }
                None => return (options, true),
            },
        };
    }
}

/// Notes one whole option; false where its length is not one that its kind can have.
fn take(options: &mut Options, option: &[u8]) -> bool {
    match *option {
        [kind::MSS, _, a, b] => options.mss = Some(u16::from_be_bytes([a, b])),
        [kind::WINDOW_SCALE, _, shift] => {
            options.window_scale = Some(WindowScale::clamped(shift));
        }
        [kind::SACK_PERMITTED, _] => options.sack_permitted = true,
        [kind::TIMESTAMPS, _, a, b, c, d, e, f, g, h] => {
            options.timestamps = Some(Timestamps {
                value: u32::from_be_bytes([a, b, c, d]),
                echo: u32::from_be_bytes([e, f, g, h]),
            });
        }
        [kind::USER_TIMEOUT, _, a, b] => {
            options.user_timeout = Some(UserTimeout(u16::from_be_bytes([a, b])));
        }
        [kind::FAST_OPEN, _, ref cookie @ ..] => {
            let cookie = <[u8; 8]>::try_from(cookie).map(FastOpen::Cookie);
            options.fast_open = Some(cookie.unwrap_or(FastOpen::Request));
        }
        [kind::SACK, _, ref blocks @ ..] => return take_sack(options, blocks),
        [
            kind::MSS
            | kind::WINDOW_SCALE
            | kind::SACK_PERMITTED
            | kind::TIMESTAMPS
            | kind::USER_TIMEOUT,
            ..,
        ] => {
            return false;
        }
        // Unknown: MUST-6.
        _ => {}
    }
    true
}

fn take_sack(options: &mut Options, bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<8>();
    if blocks.is_empty() || !rest.is_empty() {
        return false;
    }
    for [a, b, c, d, e, f, g, h] in blocks {
        options.sack.push(SackBlock {
            left: SeqNum::new(u32::from_be_bytes([*a, *b, *c, *d])),
            right: SeqNum::new(u32::from_be_bytes([*e, *f, *g, *h])),
        });
    }
    true
}

#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct MssLayout {
    lead: [u8; 2],
    mss: U16,
}

#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct TimestampsLayout {
    lead: [u8; 4],
    value: U32,
    echo: U32,
}

#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct SackBlockLayout {
    left: U32,
    right: U32,
}

/// What two no-operations, kind and length take before the blocks.
const SACK_LEAD_LEN: usize = 4;
const SACK_BLOCK_LEN: usize = size_of::<SackBlockLayout>();

impl Options {
    /// Bytes they take in a header, padding included: a multiple of 4, at most 40.
    ///
    /// The effective MSS is the smaller for it, RFC 9293 3.7.1 (MUST-16). SACK blocks that do not
    /// fit beside the others do not count.
    #[must_use]
    pub fn emitted_len(&self) -> usize {
        let before = self.len_before_sack();
        if self.sack.is_empty() {
            return before;
        }
        let blocks = self.emitted_blocks().len();
        let sack = blocks.saturating_mul(SACK_BLOCK_LEN);
        let lead = if blocks > 0 { SACK_LEAD_LEN } else { 0 };
        before.saturating_add(sack).saturating_add(lead)
    }

    /// Those of the SACK blocks that fit: 3 beside timestamps, RFC 2018 3.
    fn emitted_blocks(&self) -> &[SackBlock] {
        if self.sack.is_empty() {
            return &[];
        }
        let room = MAX_OPTIONS_LEN
            .saturating_sub(self.len_before_sack())
            .saturating_sub(SACK_LEAD_LEN);
        let blocks = self.sack.as_slice();
        blocks.get(..room / SACK_BLOCK_LEN).unwrap_or(blocks)
    }

    fn len_before_sack(&self) -> usize {
        let words = [
            (self.mss.is_some(), 4),
            (self.timestamps.is_some(), size_of::<TimestampsLayout>()),
            (self.sack_permitted && self.timestamps.is_none(), 4),
            (self.window_scale.is_some(), 4),
            (self.user_timeout.is_some(), 4),
            (self.fast_open == Some(FastOpen::Request), 4),
            (matches!(self.fast_open, Some(FastOpen::Cookie(_))), 12),
        ];
        let present = words.iter().filter(|(present, _)| *present);
        present.fold(0, |total: usize, (_, len)| total.saturating_add(*len))
    }
}

/// Writes `options` over the whole of `buffer`, which has their emitted length.
///
/// Every group is padded to words in front, in the order of Linux, which middleboxes know best.
pub(super) fn emit(mut buffer: &mut [u8], options: &Options) -> Option<()> {
    use kind::{
        FAST_OPEN, MSS, NO_OPERATION, SACK, SACK_PERMITTED, TIMESTAMPS, USER_TIMEOUT, WINDOW_SCALE,
    };

    if let Some(mss) = options.mss {
        put(
            &mut buffer,
            &MssLayout {
                lead: [MSS, 4],
                mss: U16::new(mss),
            },
        )?;
    }
    let sack_permitted_or_padding = match options.sack_permitted {
        true => [SACK_PERMITTED, 2],
        false => [NO_OPERATION, NO_OPERATION],
    };
    if let Some(Timestamps { value, echo }) = options.timestamps {
        let [first, second] = sack_permitted_or_padding;
        let lead = [first, second, TIMESTAMPS, 10];
        let (value, echo) = (U32::new(value), U32::new(echo));
        put(&mut buffer, &TimestampsLayout { lead, value, echo })?;
    } else if options.sack_permitted {
        put(
            &mut buffer,
            &[NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2],
        )?;
    }
    if let Some(scale) = options.window_scale {
        put(&mut buffer, &[NO_OPERATION, WINDOW_SCALE, 3, scale.shift()])?;
    }
    if let Some(UserTimeout(time)) = options.user_timeout {
        let [high, low] = time.to_be_bytes();
        put(&mut buffer, &[USER_TIMEOUT, 4, high, low])?;
    }
    match options.fast_open {
        Some(FastOpen::Request) => put(&mut buffer, &[NO_OPERATION, NO_OPERATION, FAST_OPEN, 2])?,
        Some(FastOpen::Cookie(cookie)) => {
            put(&mut buffer, &[NO_OPERATION, NO_OPERATION, FAST_OPEN, 10])?;
            put(&mut buffer, &cookie)?;
        }
        None => {}
    }
    let blocks = options.emitted_blocks();
    if blocks.is_empty() {
        return Some(());
    }
    let length = u8::try_from(size_of_val(blocks)).ok()?.checked_add(2)?;
    put(&mut buffer, &[NO_OPERATION, NO_OPERATION, SACK, length])?;
    for block in blocks {
        let (left, right) = (U32::new(block.left.value()), U32::new(block.right.value()));
        put(&mut buffer, &SackBlockLayout { left, right })?;
    }
    Some(())
}

/// Writes `value` to the front of `buffer` and moves past it.
fn put<T: IntoBytes + Immutable>(buffer: &mut &mut [u8], value: &T) -> Option<()> {
    let (front, rest) = std::mem::take(buffer).split_at_mut_checked(size_of::<T>())?;
    value.write_to(front).ok()?;
    *buffer = rest;
    Some(())
}
