//! The socket calls. None of them blocks.

use std::collections::VecDeque;

use wirepath_stack::app::Socket as StackSocket;
use wirepath_stack::link::InterfaceId;
use wirepath_tcp::config::Config;
use wirepath_tcp::state::State;
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::app::{HostApp, Session};
use crate::error::SocketError;
use crate::host::Host;
use crate::info::TcpInfo;
use crate::link;
use crate::options::SocketOptions;
use crate::socket::{Kind, Phase, Readiness, Shutdown, Socket, SocketId};

impl Host {
    /// A new socket.
    pub fn socket(&mut self) -> SocketId {
        let options = SocketOptions::of(&self.tcp);
        self.worker.app_mut().sockets.add(Socket::new(options))
    }

    /// Gives a socket its address and port; port 0 leaves the port open until it connects.
    ///
    /// # Errors
    /// `BadSocket`, `Invalid` for one that is bound or connected already.
    pub fn bind(&mut self, id: SocketId, local: Endpoint) -> Result<(), SocketError> {
        let socket = self.worker.app_mut().sockets.get_mut(id)?;
        if socket.local.is_some() || !matches!(socket.kind, Kind::Idle) {
            return Err(SocketError::Invalid);
        }
        socket.local = Some(local);
        Ok(())
    }

    /// Waits for connections, of which `backlog` may wait to be accepted.
    ///
    /// # Errors
    /// `BadSocket`, `Invalid` for one without an address and a port, `AddressInUse`.
    pub fn listen(&mut self, id: SocketId, backlog: usize) -> Result<(), SocketError> {
        let mut config = self.tcp;
        let sockets = &mut self.worker.app_mut().sockets;
        let socket = sockets.get(id)?;
        let bound = socket.local.filter(|local| local.port != 0);
        let local = bound.ok_or(SocketError::Invalid)?;
        if !matches!(socket.kind, Kind::Idle) {
            return Err(SocketError::Invalid);
        }
        if sockets.listens_at(&local) {
            return Err(SocketError::AddressInUse);
        }
        let number = sockets
            .number_listener(id)
            .ok_or(SocketError::NoBufferSpace)?;
        let socket = sockets.get_mut(id)?;
        socket.options.apply(&mut config);
        socket.kind = Kind::Listening {
            backlog: backlog.max(1),
            queue: VecDeque::new(),
        };
        self.worker.listen(local, number, config);
        Ok(())
    }

    /// The next connection that waits to be accepted.
    ///
    /// # Errors
    /// `WouldBlock`, `BadSocket`, `Invalid` for one that does not listen.
    pub fn accept(&mut self, id: SocketId) -> Result<SocketId, SocketError> {
        match &mut self.worker.app_mut().sockets.get_mut(id)?.kind {
            Kind::Listening { queue, .. } => queue.pop_front().ok_or(SocketError::WouldBlock),
            _ => Err(SocketError::Invalid),
        }
    }

    /// Begins to open a connection. The socket is writable once it is open.
    ///
    /// # Errors
    /// `BadSocket`, `IsConnected`, and why the stack cannot: `AddressNotAvailable`, `AddressInUse`,
    /// `NoBufferSpace`.
    pub fn connect(&mut self, id: SocketId, remote: Endpoint) -> Result<(), SocketError> {
        let socket = self.worker.app().sockets.get(id)?;
        if !matches!(socket.kind, Kind::Idle) {
            return Err(SocketError::IsConnected);
        }
        let (local, mut config) = (socket.local, self.tcp);
        socket.options.apply(&mut config);
        let to = remote.address;
        self.worker
            .learn_neighbor(InterfaceId::default(), to, link::THEIRS);
        let session = Session::of(id);
        let opened = match local.filter(|local| local.port != 0) {
            Some(local) => {
                let tuple = Tuple { local, remote };
                let opened = self.worker.open(self.now, tuple, config, session);
                opened.map(|()| tuple)
            }
            None => {
                let ends = (local.map(|local| local.address), remote);
                self.worker.connect(self.now, ends, config, session)
            }
        };
        self.worker
            .forget_neighbor(InterfaceId::default(), remote.address);
        let tuple = opened?;
        let socket = self.worker.app_mut().sockets.get_mut(id)?;
        socket.local = Some(tuple.local);
        socket.kind = Kind::Stream {
            tuple,
            phase: Phase::Connecting,
            peer_closed: false,
        };
        Ok(())
    }

    /// Queues as much of `text` as there is room for; how many bytes that was.
    ///
    /// # Errors
    /// `WouldBlock`, `NotConnected`, `BrokenPipe`, and once the error that ended the connection.
    pub fn send(&mut self, id: SocketId, text: &[u8]) -> Result<usize, SocketError> {
        self.send_with(id, text, |socket, text| socket.send(text))
    }

    /// As [`send`](Self::send), and the peer is told that `text` is urgent.
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub fn send_urgent(&mut self, id: SocketId, text: &[u8]) -> Result<usize, SocketError> {
        self.send_with(id, text, |socket, text| socket.send_urgent(text))
    }

    fn send_with(
        &mut self,
        id: SocketId,
        text: &[u8],
        send: impl FnOnce(&mut StackSocket<'_>, &[u8]) -> usize,
    ) -> Result<usize, SocketError> {
        let tuple = self.open_stream(id)?;
        let sent = self.act(&tuple, |socket, _| {
            let may = socket.connection().may_send();
            may.then(|| send(socket, text))
        });
        match sent.flatten() {
            None => Err(SocketError::BrokenPipe),
            Some(0) if !text.is_empty() => Err(SocketError::WouldBlock),
            Some(sent) => Ok(sent),
        }
    }

    /// Takes text into `buffer`; how many bytes, 0 at the end of what the peer sent.
    ///
    /// # Errors
    /// `WouldBlock`, `NotConnected`, and once the error that ended the connection.
    pub fn recv(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, SocketError> {
        let (tuple, phase) = self.stream(id)?;
        let read = |socket: &mut StackSocket<'_>, _: &mut Session| socket.read(buffer);
        match self.act(&tuple, read) {
            Some(read) if read > 0 => return Ok(read),
            _ => {}
        }
        let socket = self.worker.app_mut().sockets.get_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let Kind::Stream { peer_closed, .. } = socket.kind else {
            return Err(SocketError::NotConnected);
        };
        if peer_closed || phase == Phase::Closed {
            Ok(0)
        } else {
            Err(SocketError::WouldBlock)
        }
    }

    /// Closes one half of a connection, or both.
    ///
    /// # Errors
    /// `BadSocket`, `NotConnected`.
    pub fn shutdown(&mut self, id: SocketId, how: Shutdown) -> Result<(), SocketError> {
        let tuple = self.open_stream(id)?;
        self.act(&tuple, |socket, _| match how {
            Shutdown::Write => socket.shutdown(),
            Shutdown::Both => socket.close(),
        });
        Ok(())
    }

    /// Ends a socket. Its connection ends in its own time, or at once where linger says so; a
    /// listener's connections that nobody accepted are reset.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn close(&mut self, id: SocketId) -> Result<(), SocketError> {
        let sockets = &mut self.worker.app_mut().sockets;
        let socket = sockets.remove(id).ok_or(SocketError::BadSocket)?;
        match socket.kind {
            Kind::Idle => {}
            Kind::Listening { queue, .. } => {
                if let Some(local) = socket.local {
                    self.worker.unlisten(&local);
                    self.worker.forget_listener(&local);
                }
                for waiting in queue {
                    let tuple = self.stream(waiting).map(|(tuple, _)| tuple);
                    self.worker.app_mut().sockets.remove(waiting);
                    if let Ok(tuple) = tuple {
                        self.detach(&tuple, true);
                    }
                }
            }
            Kind::Stream { tuple, .. } => {
                let linger = socket.options.linger;
                let at_once = linger.is_some_and(|linger| linger.micros() == 0);
                if let Some(linger) = linger {
                    let patience = |config: &mut Config| config.user_timeout = linger;
                    self.act(&tuple, |socket, _| socket.configure(patience));
                }
                self.detach(&tuple, at_once);
            }
        }
        Ok(())
    }

    /// Lets `call` act on a connection, and sends what comes of it, as a kernel would.
    fn act<R>(
        &mut self,
        tuple: &Tuple,
        call: impl FnOnce(&mut StackSocket<'_>, &mut Session) -> R,
    ) -> Option<R> {
        let call = |_: &mut HostApp, socket: &mut StackSocket<'_>, session: &mut Session| {
            call(socket, session)
        };
        let result = self.worker.with_socket(self.now, tuple, call);
        self.turn();
        result
    }

    /// Nobody reads the connection any more.
    fn detach(&mut self, tuple: &Tuple, at_once: bool) {
        self.act(tuple, |socket, session| {
            *session = Session::default();
            if at_once {
                socket.abort();
            } else {
                socket.close();
            }
        });
    }

    /// What the socket is ready for.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn readiness(&self, id: SocketId) -> Result<Readiness, SocketError> {
        let socket = self.worker.app().sockets.get(id)?;
        let (error, low_water) = (socket.error.is_some(), socket.options.not_sent_low_water);
        let (tuple, phase, peer_closed) = match &socket.kind {
            Kind::Idle => return Ok(Readiness::default()),
            Kind::Listening { queue, .. } => {
                return Ok(Readiness {
                    readable: !queue.is_empty(),
                    ..Readiness::default()
                });
            }
            Kind::Stream {
                tuple,
                phase,
                peer_closed,
            } => (*tuple, *phase, *peer_closed),
        };
        let connection = self.worker.connection(&tuple);
        let connection = connection.as_deref();
        let unread = connection.is_some_and(|connection| connection.unread() > 0);
        let room = connection.is_some_and(|connection| {
            let low = connection.info().unsent < low_water;
            connection.may_send() && connection.send_room() > 0 && low
        });
        let hang_up = phase == Phase::Closed;
        Ok(Readiness {
            readable: unread || peer_closed || hang_up,
            writable: phase == Phase::Open && room,
            urgent: connection.is_some_and(|connection| connection.urgent_left() > 0),
            peer_closed,
            hang_up,
            error,
        })
    }

    /// `SO_ERROR`: the error that ended the connection, once.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn take_error(&mut self, id: SocketId) -> Result<Option<SocketError>, SocketError> {
        Ok(self.worker.app_mut().sockets.get_mut(id)?.error.take())
    }

    /// The options of a socket.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn options(&self, id: SocketId) -> Result<SocketOptions, SocketError> {
        Ok(self.worker.app().sockets.get(id)?.options)
    }

    /// Changes the options of a socket.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_options(
        &mut self,
        id: SocketId,
        change: impl FnOnce(&mut SocketOptions),
    ) -> Result<(), SocketError> {
        let socket = self.worker.app_mut().sockets.get_mut(id)?;
        change(&mut socket.options);
        let options = socket.options;
        if let Kind::Stream { tuple, .. } = socket.kind {
            self.act(&tuple, |socket, _| {
                socket.configure(|config| options.apply(config));
            });
        }
        Ok(())
    }

    /// Both ends of the connection of a socket.
    ///
    /// # Errors
    /// `BadSocket`, `NotConnected`.
    pub fn tuple(&self, id: SocketId) -> Result<Tuple, SocketError> {
        self.stream(id).map(|(tuple, _)| tuple)
    }

    /// `TCP_INFO`.
    ///
    /// # Errors
    /// `BadSocket`, `NotConnected`; also when nothing is left of the connection.
    pub fn info(&self, id: SocketId) -> Result<TcpInfo, SocketError> {
        let (tuple, _) = self.stream(id)?;
        let info = self.worker.connection(&tuple).map(|it| it.info());
        let info = info.ok_or(SocketError::NotConnected)?;
        Ok(TcpInfo::from(&info))
    }

    /// Bytes up to the end of the peer's urgent text that were not read, 0 when there is none:
    /// RFC 9293 3.8.5 (MUST-33). At the last of them is what `SIOCATMARK` tells of.
    ///
    /// # Errors
    /// `BadSocket`, `NotConnected`; also when nothing is left of the connection.
    pub fn urgent_left(&self, id: SocketId) -> Result<u32, SocketError> {
        let (tuple, _) = self.stream(id)?;
        let left = self.worker.connection(&tuple).map(|it| it.urgent_left());
        left.ok_or(SocketError::NotConnected)
    }

    /// The state of the connection of `tuple`, whoever owns it; `Closed` when there is none.
    #[must_use]
    pub fn state(&self, tuple: &Tuple) -> State {
        let mut flows = self.worker.flows();
        let flow = flows.find(|flow| flow.tuple == *tuple);
        flow.map_or(State::Closed, |flow| flow.state)
    }

    fn stream(&self, id: SocketId) -> Result<(Tuple, Phase), SocketError> {
        match self.worker.app().sockets.get(id)?.kind {
            Kind::Stream { tuple, phase, .. } => Ok((tuple, phase)),
            _ => Err(SocketError::NotConnected),
        }
    }

    /// The connection of a socket that is not gone; else the error that ended it, once.
    fn open_stream(&mut self, id: SocketId) -> Result<Tuple, SocketError> {
        let (tuple, phase) = self.stream(id)?;
        if phase != Phase::Closed {
            return Ok(tuple);
        }
        let error = self.take_error(id)?;
        Err(error.unwrap_or(SocketError::BrokenPipe))
    }
}
