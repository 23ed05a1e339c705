//! A connection as its application sees it.

use wirepath_tcp::buffer::BlockPool;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use crate::listeners::ListenerId;

/// A connection as its application sees it, for the time of one call.
#[derive(Debug)]
pub struct Socket<'a> {
    pub(crate) now: Instant,
    pub(crate) tuple: &'a Tuple,
    pub(crate) listener: Option<ListenerId>,
    pub(crate) connection: &'a mut Connection,
    pub(crate) partner: Option<Partner<'a>>,
    pub(crate) pool: &'a mut BlockPool,
    /// The application has closed it. Takes effect when its call ends: only then is known what it
    /// has read.
    pub(crate) closes: bool,
    /// Text is being shown, and is no longer or not yet there to be read.
    pub(crate) shows: bool,
    pub(crate) calls: Calls,
}

/// The other connection of a pair, while one of them is served.
#[derive(Debug)]
pub(crate) struct Partner<'a> {
    pub(crate) number: u32,
    pub(crate) tuple: &'a Tuple,
    pub(crate) listener: Option<ListenerId>,
    pub(crate) connection: &'a mut Connection,
    /// The state it was in before.
    pub(crate) before: State,
    pub(crate) calls: Calls,
}

/// What an application has done in one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) calls: Calls,
    /// The number of the partner, the state it was in before, and what was done to it, if anything.
    pub(crate) partner: Option<(u32, State, Calls)>,
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
    /// It wants to be shown again what it left unread.
    pub(crate) resumed: bool,
}

impl Socket<'_> {
    /// Does what was put off to the end of the application's call; returns what it did.
    pub(crate) fn finish(self) -> Done {
        if self.closes {
            self.connection.close(self.now, self.pool);
        }
        let partner = self.partner.filter(|it| it.calls != Calls::default());
        Done {
            calls: self.calls,
            partner: partner.map(|it| (it.number, it.before, it.calls)),
        }
    }

    /// Lets `call` act on the connection that this one is paired with, see
    /// [`Request::Connect`](crate::app::Request::Connect); `None` when there is none, or no more.
    pub fn with_partner<R>(&mut self, call: impl FnOnce(&mut Socket<'_>) -> R) -> Option<R> {
        let partner = self.partner.as_mut()?;
        let mut socket = Socket {
            now: self.now,
            tuple: partner.tuple,
            listener: partner.listener,
            connection: &mut *partner.connection,
            partner: None,
            pool: &mut *self.pool,
            closes: false,
            shows: false,
            calls: partner.calls,
        };
        let result = call(&mut socket);
        partner.calls = socket.finish().calls;
        Some(result)
    }

    /// Has the application be shown again, after this call, what it left unread.
    pub const fn resume(&mut self) {
        self.calls.resumed = true;
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
    /// [`App::on_text`](crate::app::App::on_text), and until then to who is told of its segment,
    /// there is none.
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
