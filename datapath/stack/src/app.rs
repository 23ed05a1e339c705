//! What a service on the stack is: a few methods that the worker calls, in order of time.

use std::net::IpAddr;

use wirepath_tcp::config::Config;
use wirepath_tcp::connection::{CloseReason, SoftError};
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

pub use crate::socket::Socket;
use crate::worker::OpenError;

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

    /// The connection is gone. What is done to `socket` is of no use; to its partner it is.
    fn on_closed(
        &mut self,
        socket: &mut Socket<'_>,
        session: &mut Self::Session,
        reason: CloseReason,
    ) {
        let _ = (socket, session, reason);
    }

    /// When [`on_deadline`](Self::on_deadline) is wanted.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The time that [`next_deadline`](Self::next_deadline) asked for has come.
    fn on_deadline(&mut self, now: Instant) {
        let _ = now;
    }

    /// Whether [`poll_request`](Self::poll_request) has something: the worker does not sleep then.
    fn has_requests(&self) -> bool {
        false
    }

    /// The next thing that it wants of its worker; asked in every turn until there is none.
    fn poll_request(&mut self, now: Instant) -> Option<Request<Self::Session>> {
        let _ = now;
        None
    }

    /// A [`Request::Connect`] was granted: the SYN is about to leave.
    fn on_opening(&mut self, tuple: &Tuple, session: &mut Self::Session) {
        let _ = (tuple, session);
    }

    /// A [`Request::Connect`] could not be granted.
    fn on_open_failed(&mut self, now: Instant, session: Self::Session, error: OpenError) {
        let _ = (now, session, error);
    }
}

/// What an application wants of its worker.
#[derive(Debug)]
pub enum Request<S> {
    /// An active open, as by [`connect`](crate::worker::Worker::connect).
    Connect {
        /// The address to open it from; `None` for the closest.
        local: Option<IpAddr>,
        /// Whom to.
        remote: Endpoint,
        /// Its settings.
        config: Config,
        /// How its session starts.
        session: S,
        /// The connection that becomes its partner: each reaches the other by
        /// [`Socket::with_partner`]. Without one of this tuple nothing is opened.
        partner: Option<Tuple>,
    },
    /// To have this connection reset.
    Abort(Tuple),
    /// To have this connection closed, as by [`Socket::close`].
    Close(Tuple),
}

impl<S> Request<S> {
    /// The same of an application whose sessions are made from those of this one.
    pub fn map_session<T>(self, make: impl FnOnce(S) -> T) -> Request<T> {
        match self {
            Self::Connect {
                local,
                remote,
                config,
                session,
                partner,
            } => Request::Connect {
                local,
                remote,
                config,
                session: make(session),
                partner,
            },
            Self::Abort(tuple) => Request::Abort(tuple),
            Self::Close(tuple) => Request::Close(tuple),
        }
    }
}
