//! Every bound of a worker. Each refusal has a counter.

/// Segments one connection may send in one turn before others get theirs.
pub const SEGMENTS_PER_CONNECTION_AND_TURN: usize = 32;

/// Segments all connections together may send in one turn.
pub const SEGMENTS_PER_TURN: usize = 512;

/// Connections whose timers may fire in one turn.
pub const TIMERS_PER_TURN: usize = 256;

/// Requests of the application that one turn grants.
pub const REQUESTS_PER_TURN: usize = 256;

/// Bytes shown to an application at a time when it reads from its receive buffer.
pub const READ_CHUNK: usize = wirepath_tcp::limits::BLOCK_SIZE;

/// Turns between two times of housekeeping.
pub const TURNS_PER_HOUSEKEEPING: u64 = 1024;

/// Addresses of this host.
pub const LOCAL_ADDRESSES: usize = 64;

/// Neighbors whose stations were learned.
pub const NEIGHBORS: usize = 4096;

/// Hosts to which ways are told: those of all backends.
pub const TOLD_HOSTS: usize = 16_384;

/// Resets for segments of no connection, per millisecond: enough to refuse in earnest, too few to
/// be worth an attacker's while.
pub const RESETS_PER_MILLISECOND: u32 = 64;

/// Largest share of the batch that one device may fill in one turn.
pub const RECEIVE_BATCH: usize = 64;

/// Frames handed over by others that one turn processes.
pub const HANDED_PER_TURN: usize = 64;

/// Answers of neighbors that are passed on to all other workers, per millisecond.
pub const PASSED_ON_PER_MILLISECOND: u32 = 16;

/// Connections of which the flight recorder knows the last events.
pub const FLIGHT_RINGS: usize = 2_048;

/// Events that it knows of each: 4 KiB.
pub const FLIGHT_EVENTS: usize = 256;

/// Recordings that it keeps of each kind of trouble.
pub const FLIGHT_SAVED: usize = 16;

/// Captures that may look at the frames of a worker at a time.
pub const TAPS: usize = 4;

/// Turns in which a full batch came, after which timers fire all the same.
pub const TURNS_WITHOUT_TIMERS: u32 = 64;

/// Connections that may be open by a SYN alone at a time: RFC 7413 5.1.
pub const FAST_OPENS: usize = 256;

/// How long a peer may keep its window closed while blocks are scarce: RFC 6429 4.
pub const STALL_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Source ports that are looked at for one whose replies come home: of 64 workers' queues one is
/// missed in 50 searches.
pub const HOME_TRIES: u32 = 256;

/// Source ports that are looked at for one that is free: more than those that a shared address
/// leaves, and not so many that others wait.
pub const PORT_TRIES: u32 = 8_192;

/// Source ports of active opens where nothing else is said: as Linux has them.
pub const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// Connections that are closed or reset in one turn when all are.
pub const CLOSED_PER_TURN: usize = 1_024;

/// How long nothing was under way, beside an RTO, before a connection first rests.
pub const REST_AFTER: std::time::Duration = std::time::Duration::from_millis(250);

/// How often one that went on has this time doubled: to 16 seconds.
pub const REST_DOUBLINGS: u8 = 6;

/// How long a connection is left alone that was silent and could not rest.
pub const REST_ASKED_AGAIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Settings that connections at rest may have: those with others do not rest.
pub const RESTING_SETTINGS: usize = 64;

/// How much one worker may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Connections that are open, or waiting for the end of their handshake.
    pub connections: usize,
    /// Connections waiting for the end of their handshake.
    pub half_open: usize,
    /// Connections in TIME-WAIT.
    pub time_wait: usize,
    /// Blocks of 4 KiB for text in flight.
    pub blocks: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            connections: 65_536,
            half_open: 4_096,
            time_wait: 65_536,
            blocks: 65_536,
        }
    }
}
