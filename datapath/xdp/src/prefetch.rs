//! Asking for memory before it is needed.
#![allow(unsafe_code, reason = "the instruction takes a pointer")]

/// Bytes that one line of the caches holds.
const LINE: usize = 64;
/// Lines of a frame that are looked at first: all headers, and the text of a short message.
const LINES: usize = 3;

/// Has the begin of a received frame brought near, as another core or a device wrote it last. The
/// frames of a batch then come side by side, and not each when it is read.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(LINE).take(LINES) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the pointer is into a live slice; and a prefetch changes nothing but the caches.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}
