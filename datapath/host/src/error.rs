//! What a socket call may answer, by the names that sockets use.

use wirepath_stack::worker::OpenError;
use wirepath_tcp::connection::{CloseReason, SoftError};
use wirepath_wire::icmp::Unreachable;

/// Why a socket call did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// There is nothing to read or accept, or no room to send, yet.
    #[error("nothing can be done yet")]
    WouldBlock,
    /// No socket has this number.
    #[error("no such socket")]
    BadSocket,
    /// The call makes no sense for this socket in its state.
    #[error("the socket is not in a state for this")]
    Invalid,
    /// The socket is neither connected nor being connected.
    #[error("the socket is not connected")]
    NotConnected,
    /// The socket is connected, or being connected.
    #[error("the socket is connected already")]
    IsConnected,
    /// Another socket has the address and port.
    #[error("the address is in use")]
    AddressInUse,
    /// The address is not one of this host, or names no single host.
    #[error("the address is not available")]
    AddressNotAvailable,
    /// The host holds as much as it may.
    #[error("there is no room for another connection")]
    NoBufferSpace,
    /// The peer answered the SYN with a reset.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// The peer reset the connection.
    #[error("the connection was reset by the peer")]
    ConnectionReset,
    /// The connection was given up on this side.
    #[error("the connection was aborted")]
    ConnectionAborted,
    /// The peer did not answer.
    #[error("the connection timed out")]
    TimedOut,
    /// The network has no way to the peer.
    #[error("the host cannot be reached")]
    HostUnreachable,
    /// Our half of the connection is closed.
    #[error("nothing more can be sent")]
    BrokenPipe,
}

impl SocketError {
    /// What the end of a connection means for its socket; `None` for a normal end.
    pub(crate) fn of_end(reason: CloseReason, soft: Option<SoftError>) -> Option<Self> {
        match reason {
            CloseReason::Finished => None,
            CloseReason::Aborted | CloseReason::Unread | CloseReason::Stalled => {
                Some(Self::ConnectionAborted)
            }
            CloseReason::Reset => Some(Self::ConnectionReset),
            CloseReason::Refused => Some(Self::ConnectionRefused),
            CloseReason::TimedOut => Some(match soft {
                Some(SoftError::Unreachable(Unreachable::Network | Unreachable::Host)) => {
                    Self::HostUnreachable
                }
                _ => Self::TimedOut,
            }),
        }
    }
}

impl From<OpenError> for SocketError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::BadRemote | OpenError::BadLocal | OpenError::NoPort => {
                Self::AddressNotAvailable
            }
            OpenError::InUse => Self::AddressInUse,
            OpenError::NeighborUnknown | OpenError::OtherInterface => Self::HostUnreachable,
            OpenError::Full => Self::NoBufferSpace,
        }
    }
}
