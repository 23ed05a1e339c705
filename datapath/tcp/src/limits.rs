//! Every bound of a connection, and how the bounds hang together.

/// Bytes in one block of the pool.
pub const BLOCK_SIZE: usize = 4096;

/// Most blocks one queue holds: what fits into its index block.
pub const QUEUE_BLOCKS: usize = BLOCK_SIZE / 4;

/// A peer's full segment is at least this large, in bytes: small ones need no ACK of their own.
pub const FULL_SEGMENT_MIN: u16 = 536;

/// Most out-of-order ranges a receiver keeps; a segment that would need more is dropped.
pub const OUT_OF_ORDER_RANGES: usize = 64;

/// Largest send or receive buffer, in bytes. One block is lost to alignment at either end.
pub const BUFFER_MAX: u32 = 2 << 20;

/// Smallest send or receive buffer, in bytes.
pub const BUFFER_MIN: u32 = 2048;

/// Blocks that sending may not take, so that text which was acknowledged can always be kept.
pub const RECEIVE_RESERVE_BLOCKS: usize = 32;

/// Blocks that receiving may not take, so that whoever reads only what it can send gets on.
pub const SEND_RESERVE_BLOCKS: usize = 32;

/// Blocks of the send reserve that only the logs of segments in flight may take: so many
/// connections can always send something.
pub const LOG_RESERVE_BLOCKS: usize = 8;

/// This share of the pool is kept for the first block of each connection each way: a thousand
/// that are not read must not leave nothing to others.
pub const FIRST_BLOCKS_DIVISOR: usize = 4;

/// Of what is free beside those one connection may hold this share each way.
pub const SHARE_DIVISOR: usize = 6;

/// With less than this share of all blocks free, they are scarce.
pub const SCARCE_DIVISOR: usize = 16;

/// The receive window that a connection begins with, in bytes; it grows with what is read.
pub const RECEIVE_WINDOW_FIRST: u32 = 64 << 10;

/// The send buffer that a connection begins with, in bytes; it grows with cwnd.
pub const SEND_BUFFER_FIRST: u32 = 128 << 10;

/// Blocks that the text of one segment may need: a part of one at either end, and an index.
pub const LARGEST_TEXT_BLOCKS: usize = 65_535 / BLOCK_SIZE + 3;

/// Smallest segment that a peer's MSS option can force on us, in bytes (CVE-2019-11479); Linux
/// has the same floor.
pub const SMSS_MIN: u16 = 48;

/// Send MSS where the peer's SYN has no MSS option: RFC 9293 3.7.1 (MUST-15).
pub const SMSS_DEFAULT_IPV4: u16 = 536;
/// As [`SMSS_DEFAULT_IPV4`], over IPv6.
pub const SMSS_DEFAULT_IPV6: u16 = 1220;

/// How long sending waits for blocks of the pool when it has nothing queued whose ACK could tell.
pub const POOL_RETRY: crate::time::Millis = crate::time::Millis(10);

/// Most segments in flight: what a peer with a tiny MSS can make a connection remember.
pub const SEGMENTS_IN_FLIGHT: u32 = 4_096;

/// Duplicate ACKs that start a fast retransmit: RFC 5681 3.2.
pub const DUPLICATE_ACK_THRESHOLD: u8 = 3;

/// R1: expiries of the timer for the same segment after which the application and the link layer
/// hear of it (RFC 9293 3.8.3, SHLD-10).
pub const R1_RETRANSMISSIONS: u8 = 3;

/// Expiries of the timer for the same segment after which the path may be a black hole for long
/// ones (RFC 4821 7.7).
pub const BLACK_HOLE_RETRIES: u8 = 2;

/// L_LIMIT and U_LIMIT of RFC 5482 3.1: what a peer's user timeout can make of ours.
pub const USER_TIMEOUT_MIN: crate::time::Millis = crate::time::Millis::from_secs(100);
/// See [`USER_TIMEOUT_MIN`].
pub const USER_TIMEOUT_MAX: crate::time::Millis = crate::time::Millis::from_secs(3_600);

/// Least time between two ACKs that answer unacceptable segments, per connection: RFC 5961 7.
pub const CHALLENGE_ACK_INTERVAL: std::time::Duration = std::time::Duration::from_millis(500);

/// TS.Recent is void after this long without a segment: RFC 7323 5.5.
pub const TS_RECENT_LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 24 * 3600);

/// TLP.max_ack_delay: how long a peer may wait for a second segment before it acknowledges the
/// first (RFC 8985 7.2). Linux waits 40 ms and a tick.
pub const PEER_ACK_DELAY: crate::time::Millis = crate::time::Millis(50);

/// Least time before a tail loss probe. RFC 8985 has none, but where a round trip takes
/// microseconds a peer's pause is not a loss.
pub const TAIL_PROBE_MIN: crate::time::Millis = crate::time::Millis(10);

/// Below this round trip timers are too coarse to spread what is sent.
pub const PACED_RTT_MIN: crate::time::Millis = crate::time::Millis(1);

/// What pacing sends in one burst after a pause, as time at its rate: Linux's quantum.
pub const PACING_CREDIT: crate::time::Millis = crate::time::Millis(1);

/// How long a connection that we closed for sending, and still read, waits for a silent peer: as
/// long as RFC 9293 3.8.4 (MUST-28) gives an idle one.
pub const HALF_CLOSED_IDLE: crate::time::Millis = crate::time::Millis::from_secs(7_200);

/// Most blocks that one connection holds: two buffers, each with an index and cut at either end;
/// the log of segments in flight, 32 bytes each, likewise; and the ranges of either side.
pub const CONNECTION_BLOCKS: usize = 2 * (BUFFER_MAX as usize / BLOCK_SIZE + 2)
    + (SEGMENTS_IN_FLIGHT as usize * 32 / BLOCK_SIZE + 2)
    + 2;

const _: () = assert!(BUFFER_MAX as usize + 3 * BLOCK_SIZE <= QUEUE_BLOCKS * BLOCK_SIZE);
// The largest IPv4 or IPv6 payload must fit into the reserve.
const _: () = assert!(RECEIVE_RESERVE_BLOCKS > LARGEST_TEXT_BLOCKS);
const _: () = assert!(SEND_RESERVE_BLOCKS > LARGEST_TEXT_BLOCKS + LOG_RESERVE_BLOCKS);
const _: () = assert!(OUT_OF_ORDER_RANGES * 8 <= BLOCK_SIZE);
