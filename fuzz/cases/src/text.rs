//! A text whose bytes tell their place, so that none can stand in for another unnoticed.

/// The byte at `offset`: a hash of it.
fn byte_at(offset: u32) -> u8 {
    let spread = offset.wrapping_mul(0x9E37_79B9);
    ((spread ^ spread >> 15).wrapping_mul(0x85EB_CA6B) >> 24) as u8
}

/// `len` bytes from `offset` on; offsets wrap as sequence numbers do.
pub(crate) fn text_at(offset: u32, len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|nth| byte_at(offset.wrapping_add(nth)))
        .collect()
}
