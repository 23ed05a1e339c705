//! The service that the stack sees: it keeps text in the buffers and tells sockets of events.

use wirepath_stack::app::{App, Socket as StackSocket};
use wirepath_tcp::connection::{CloseReason, SoftError};

use crate::error::SocketError;
use crate::socket::{Kind, Phase, Socket, SocketId, Sockets};

/// The sockets of a host, as an application of its stack.
#[derive(Debug, Default)]
pub(crate) struct HostApp {
    pub(crate) sockets: Sockets,
}

/// The socket of a connection; `None` before it is accepted by the stack, and after its close.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Session {
    pub(crate) socket: Option<SocketId>,
    soft_error: Option<SoftError>,
}

impl Session {
    pub(crate) const fn of(socket: SocketId) -> Self {
        Self {
            socket: Some(socket),
            soft_error: None,
        }
    }
}

impl HostApp {
    fn stream(&mut self, session: &Session) -> Option<&mut Socket> {
        self.sockets.get_mut(session.socket?).ok()
    }

    /// A connection that a peer opened, for whoever listens.
    fn accept(&mut self, socket: &StackSocket<'_>) -> Option<SocketId> {
        let listening = self.sockets.listener(socket.listener()?)?;
        let listener = self.sockets.get(listening).ok()?;
        let Kind::Listening { backlog, queue } = &listener.kind else {
            return None;
        };
        if queue.len() >= *backlog {
            return None;
        }
        let tuple = *socket.tuple();
        let accepted = Socket {
            local: Some(tuple.local),
            kind: Kind::Stream {
                tuple,
                phase: Phase::Open,
                peer_closed: false,
            },
            ..Socket::new(listener.options)
        };
        let id = self.sockets.add(accepted);
        if let Ok(Kind::Listening { queue, .. }) = self
            .sockets
            .get_mut(listening)
            .map(|socket| &mut socket.kind)
        {
            queue.push_back(id);
        }
        Some(id)
    }
}

impl App for HostApp {
    type Session = Session;

    fn on_open(&mut self, socket: &mut StackSocket<'_>, session: &mut Session) {
        if socket.listener().is_some() {
            session.socket = self.accept(socket);
            if session.socket.is_none() {
                socket.abort();
            }
        } else if let Some(Kind::Stream { phase, .. }) =
            self.stream(session).map(|socket| &mut socket.kind)
        {
            *phase = Phase::Open;
        }
    }

    /// All text waits for [`recv`](crate::Host::recv), unless nobody will call it.
    fn on_text(&mut self, _: &mut StackSocket<'_>, session: &mut Session, text: &[u8]) -> usize {
        if session.socket.is_none() {
            text.len()
        } else {
            0
        }
    }

    fn on_peer_closed(&mut self, _: &mut StackSocket<'_>, session: &mut Session) {
        if let Some(Kind::Stream { peer_closed, .. }) =
            self.stream(session).map(|socket| &mut socket.kind)
        {
            *peer_closed = true;
        }
    }

    fn on_soft_error(&mut self, _: &mut StackSocket<'_>, session: &mut Session, error: SoftError) {
        session.soft_error = Some(error);
    }

    fn on_closed(&mut self, _: &mut StackSocket<'_>, session: &mut Session, reason: CloseReason) {
        let soft = session.soft_error;
        let Some(socket) = self.stream(session) else {
            return;
        };
        socket.error = SocketError::of_end(reason, soft);
        if let Kind::Stream { phase, .. } = &mut socket.kind {
            *phase = Phase::Closed;
        }
    }
}
