//! Sequence numbers pass 2^31 and 2^32, and connections outlive both.

use super::pair::{End, PATH};
use super::trace::{ISS, line, parse, plain};
use crate::config::Config;
use crate::half_open::HalfOpen;
use crate::negotiated::Path;
use crate::time::Instant;

/// Sends `total` bytes to a peer that acknowledges each segment; the last byte of each must be
/// the low byte of its place in the stream.
#[test]
fn three_gigabytes_leave_one_connection() {
    let config = Config {
        send_buffer: 2 << 20,
        ..plain()
    };
    let path = Path {
        mss: 65_000,
        ..PATH
    };
    let mut now = Instant::from_millis(1_000);
    let syn = parse("S 0+0 win 60000 mss 65000 ws 10", 60_000);
    let half_open = HalfOpen::new(now, &syn.header, &config, ISS, 0);
    let mut server = End::new(half_open.accept(now, config, path));
    let mut ack = parse(". 1+0 ack 1", 60_000);
    server.on(now, &ack);
    let chunk: Vec<u8> = (0..65_536).map(|at| (at >> 8) as u8).collect();
    let (mut said, mut arrived) = (0_u64, 0_u64);
    while arrived < 3 << 30 {
        said += server.send(&chunk[(said % 65_536) as usize..]) as u64;
        while let Some(outgoing) = server.connection.poll_segment(now, &mut server.pool) {
            assert_eq!(
                outgoing.header.seq,
                ISS + 1 + arrived as u32,
                "nothing lost or again"
            );
            let mut pieces = server.connection.text(&server.pool, &outgoing);
            let first = pieces.next().and_then(|piece| piece.first());
            assert_eq!(first, Some(&((arrived >> 8) as u8)), "at {arrived}");
            drop(pieces);
            arrived += outgoing.text_len() as u64;
        }
        server.connection.check().expect("invariants");
        now = now + std::time::Duration::from_micros(50);
        ack.header.ack = ISS + 1 + arrived as u32;
        server.on(now, &ack);
    }
    assert_eq!(server.connection.counts().bytes_acked, arrived);
    // A loss is still found by duplicate ACKs.
    server.send(&chunk);
    server.send(&chunk);
    while server.poll(now).is_some() {}
    let again: Vec<String> = (0..3)
        .flat_map(|_| {
            server.on(now, &ack);
            server.poll(now)
        })
        .map(|sent| line(&sent.header, sent.text.len()))
        .collect();
    assert_eq!(again.len(), 1, "{again:?}");
}
