//! What a service on the stack is: a few methods that the worker calls, in order of time.

use wirepath_tcp::buffer::BlockPool;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::{CloseReason, Connection, SoftError};
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use crate::listeners::ListenerId;

/// A service. One value serves all connections of a worker; what belongs to one connection lives
/// in its `Session`.
pub trait App {
    /// State of one connection.
    type Session: Default;

    /// The handshake is done.
    fn on_open(&mut self, socket: &mut Socket<'_>, session: &mut Self::Session) {
        let _ = (socket, session);
    }

    /// Text has arrived, in order. Returns how many bytes were taken; the rest is kept and shown
    /// again, when more text comes or there is room to send.
    fn on_text(
        &mut self,
        socket: &mut Socket<'_>,
        session: &mut Self::Session,
        text: &[u8],
    ) -> usize;

    /// There is room to send again, after [`Socket::send`] took less than it was given.
    fn on_writable(&mut self, socket: &mut Socket<'_>, session: &mut Self::Session) {
        let _ = (socket, session);
    }

    /// The peer has urgent text: RFC 9293 3.8.5. It comes in line; [`Socket::urgent_left`] tells
    /// where it ends.
    fn on_urgent(&mut self, socket: &mut Socket<'_>, session: &mut Self::Session) {
        let _ = (socket, session);
    }

    /// The peer has not answered for a while: R1 of RFC 9293 3.8.3. The connection goes on trying.
    fn on_retransmitting(&mut self, socket: &mut Socket<'_>, session: &mut Self::Session) {
        let _ = (socket, session);
    }

    /// The network could not deliver a segment: RFC 9293 3.9.1.8. The connection goes on.
    fn on_soft_error(
        &mut self,
        socket: &mut Socket<'_>,
        session: &mut Self::Session,
        error: SoftError,
    ) {
        let _ = (socket, session, error);
    }

    /// The peer has closed and all its text was taken. By default so do we.
    fn on_peer_closed(&mut self, socket: &mut Socket<'_>, session: &mut Self::Session) {
        let _ = session;
        socket.shutdown();
    }

    /// The connection is gone.
    fn on_closed(&mut self, tuple: &Tuple, session: &mut Self::Session, reason: CloseReason) {
        let _ = (tuple, session, reason);
    }
}

/// A connection as its application sees it, for the time of one call.
#[derive(Debug)]
pub struct Socket<'a> {
    pub(crate) now: Instant,
    pub(crate) tuple: &'a Tuple,
    pub(crate) listener: Option<ListenerId>,
    pub(crate) connection: &'a mut Connection,
    pub(crate) pool: &'a mut BlockPool,
    /// The application has closed it. Takes effect when its call ends: only then is known what it
    /// has read.
    pub(crate) closes: bool,
    /// Text is being shown, and is no longer or not yet there to be read.
    pub(crate) shows: bool,
    pub(crate) calls: Calls,
}

/// What an application has done with its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Calls {
    /// Bytes of text that it took.
    pub(crate) took: u32,
    /// Bytes of text that it sent.
    pub(crate) sent: u32,
    /// It has ended its half, or all.
    pub(crate) ended: bool,
}

impl Socket<'_> {
    /// Does what was put off to the end of the application's call; returns what it did.
    pub(crate) fn finish(self) -> Calls {
        if self.closes {
            self.connection.close(self.now, self.pool);
        }
        self.calls
    }

    /// The time of this turn.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Both ends.
    #[must_use]
    pub const fn tuple(&self) -> &Tuple {
        self.tuple
    }

    /// The listener that accepted it; `None` when it was opened from here.
    #[must_use]
    pub const fn listener(&self) -> Option<ListenerId> {
        self.listener
    }

    /// The connection, to look at.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        self.connection
    }

    /// Queues as much of `text` as there is room for; returns how many bytes that was.
    pub fn send(&mut self, text: &[u8]) -> usize {
        if self.closes {
            return 0;
        }
        let sent = self.connection.send(self.pool, text);
        self.calls.sent += sent as u32;
        sent
    }

    /// As [`send`](Self::send), and the peer is told that `text` is urgent: RFC 9293 3.8.5.
    pub fn send_urgent(&mut self, text: &[u8]) -> usize {
        if self.closes {
            return 0;
        }
        let sent = self.connection.send_urgent(self.pool, text);
        self.calls.sent += sent as u32;
        sent
    }

    /// Bytes up to the end of the peer's urgent text that were not taken; 0 when there is none.
    #[must_use]
    pub fn urgent_left(&self) -> u32 {
        self.connection.urgent_left()
    }

    /// Bytes that [`send`](Self::send) would take.
    #[must_use]
    pub fn room(&self) -> usize {
        self.connection.send_room()
    }

    /// Moves text that was kept into `buffer`; returns how many bytes. While text is shown to
    /// [`App::on_text`], and until then to who is told of its segment, there is none.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() && !self.shows {
            let piece = self.connection.peek(self.pool);
            let len = piece.len().min(buffer.len() - filled);
            if len == 0 {
                break;
            }
            buffer[filled..filled + len].copy_from_slice(&piece[..len]);
            filled += len;
            self.connection.consume(self.pool, len);
        }
        self.calls.took += filled as u32;
        filled
    }

    /// Ends our half after what is queued; receiving goes on.
    pub fn shutdown(&mut self) {
        self.calls.ended = true;
        self.connection.shutdown();
    }

    /// Ends our half and stops reading. What was not read by the end of this call makes it a reset
    /// (RFC 9293 3.6, SHLD-3).
    pub fn close(&mut self) {
        self.closes = true;
        self.calls.ended = true;
    }

    /// Resets the connection.
    pub fn abort(&mut self) {
        self.calls.ended = true;
        self.connection.abort();
    }

    /// Changes the settings of the connection: see [`Connection::configure`].
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        self.connection.configure(self.now, change);
    }
}
