//! The other workers of a server, as one of them sees them: whose a connection is, and the way
//! there.

use crate::link::InterfaceId;

/// The number of a worker of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerId(pub u8);

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The connection is this worker's.
    Own,
    /// It is another's.
    Of(WorkerId),
    /// There is no room to write it down: nobody else will find it.
    Full,
}

/// Says whose the connections are, and carries frames to their owners. A worker that is alone has
/// none. Nothing here may block or allocate.
pub trait Peers: Send {
    /// Makes the connection of `key` this worker's, unless it is another's.
    fn claim(&mut self, key: u64) -> Claim;

    /// The connection of `key`, which was claimed, is over.
    fn release(&mut self, key: u64);

    /// The other worker whose the connection of `key` is.
    fn owner(&self, key: u64) -> Option<WorkerId>;

    /// Copies a frame that came by an interface to another worker. Whether there was room.
    fn hand_over(&mut self, to: WorkerId, from: InterfaceId, frame: &[u8]) -> bool;

    /// The next frame that another worker has handed over, copied to the begin of `buffer`: where
    /// it came from, and how long it is.
    fn take(&mut self, buffer: &mut [u8]) -> Option<(InterfaceId, usize)>;
}
