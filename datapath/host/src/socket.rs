//! The sockets of a host.

use std::collections::{BTreeMap, VecDeque};

use wirepath_stack::listeners::ListenerId;
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::error::SocketError;
use crate::options::SocketOptions;

/// The number of a socket; it is never given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub(crate) u32);

/// Which half of a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Nothing more will be sent.
    Write,
    /// Nor read: what comes is a reset for the peer.
    Both,
}

/// What a socket is ready for, as poll(2) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// There is text, a connection to accept, or an end to be seen.
    pub readable: bool,
    /// There is room to send.
    pub writable: bool,
    /// Urgent text was not read to its end: `POLLPRI`.
    pub urgent: bool,
    /// The peer will send no more.
    pub peer_closed: bool,
    /// The connection is gone.
    pub hang_up: bool,
    /// It ended by an error.
    pub error: bool,
}

/// Where a connection stands for its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Open,
    Closed,
}

/// What a socket is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Neither connected nor listening.
    Idle,
    Listening {
        backlog: usize,
        /// Connections that wait to be accepted.
        queue: VecDeque<SocketId>,
    },
    Stream {
        tuple: Tuple,
        phase: Phase,
        peer_closed: bool,
    },
}

/// One socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) local: Option<Endpoint>,
    pub(crate) options: SocketOptions,
    /// What was not yet told to whoever asks: `SO_ERROR`.
    pub(crate) error: Option<SocketError>,
    pub(crate) kind: Kind,
}

impl Socket {
    pub(crate) fn new(options: SocketOptions) -> Self {
        Self {
            local: None,
            options,
            error: None,
            kind: Kind::Idle,
        }
    }
}

/// All sockets by their numbers; those that listen also by the number that the stack knows.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    by_id: BTreeMap<SocketId, Socket>,
    listening: BTreeMap<u16, SocketId>,
    next: u32,
}

impl Sockets {
    pub(crate) fn add(&mut self, socket: Socket) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        self.by_id.insert(id, socket);
        id
    }

    pub(crate) fn get(&self, id: SocketId) -> Result<&Socket, SocketError> {
        self.by_id.get(&id).ok_or(SocketError::BadSocket)
    }

    pub(crate) fn get_mut(&mut self, id: SocketId) -> Result<&mut Socket, SocketError> {
        self.by_id.get_mut(&id).ok_or(SocketError::BadSocket)
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> Option<Socket> {
        self.listening.retain(|_, listening| *listening != id);
        self.by_id.remove(&id)
    }

    /// A number of the stack's for a socket that is to listen, if one is left.
    pub(crate) fn number_listener(&mut self, id: SocketId) -> Option<ListenerId> {
        let free = (0..=u16::MAX).find(|number| !self.listening.contains_key(number))?;
        self.listening.insert(free, id);
        Some(ListenerId(free))
    }

    /// The socket that listens as `listener`.
    pub(crate) fn listener(&self, listener: ListenerId) -> Option<SocketId> {
        self.listening.get(&listener.0).copied()
    }

    /// Whether a socket listens at `endpoint`.
    pub(crate) fn listens_at(&self, endpoint: &Endpoint) -> bool {
        let mut ids = self.listening.values();
        ids.any(|id| self.by_id.get(id).and_then(|socket| socket.local) == Some(*endpoint))
    }
}
