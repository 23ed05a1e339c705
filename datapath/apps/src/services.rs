//! Several services in one worker, chosen by listener.

use wirepath_stack::app::{App, Request, Socket};
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::OpenError;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use crate::proxy::{PoolId, Proxy, Seat};
use crate::{Chargen, Discard, Echo};

/// A service of an RFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// RFC 862.
    Echo,
    /// RFC 863.
    Discard,
    /// RFC 864.
    Chargen,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Echo, Self::Discard, Self::Chargen];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Discard => "discard",
            Self::Chargen => "chargen",
        }
    }

    /// The port that its RFC gives it.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Echo => 7,
            Self::Discard => 9,
            Self::Chargen => 19,
        }
    }
}

/// What a listener does with the connections that it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves them itself.
    Service(Service),
    /// Passes them on to the backends of a pool.
    Proxy(PoolId),
}

impl Role {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service(service) => service.name(),
            Self::Proxy(_) => "proxy",
        }
    }
}

impl From<Service> for Role {
    fn from(service: Service) -> Self {
        Self::Service(service)
    }
}

/// State of a connection of any service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Session {
    /// Place in the pattern of chargen.
    position: usize,
    seat: Seat,
}

impl Session {
    fn of_proxy(seat: Seat) -> Self {
        Self { position: 0, seat }
    }
}

/// All services of a worker.
#[derive(Debug, Default)]
pub struct Services {
    by_listener: Vec<Option<Role>>,
    proxy: Proxy,
}

impl Services {
    /// Those of a worker that may have so many connections.
    #[must_use]
    pub fn with_capacity(connections: usize) -> Self {
        Self {
            by_listener: Vec::new(),
            proxy: Proxy::with_capacity(connections),
        }
    }

    /// Gives `listener` its role.
    pub fn set(&mut self, listener: ListenerId, role: Role) {
        let index = usize::from(listener.0);
        if self.by_listener.len() <= index {
            self.by_listener.resize(index + 1, None);
        }
        self.by_listener[index] = Some(role);
    }

    /// Its pools and their pairs.
    #[must_use]
    pub const fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// As [`proxy`](Self::proxy), to be changed.
    pub const fn proxy_mut(&mut self) -> &mut Proxy {
        &mut self.proxy
    }

    fn of(&self, socket: &Socket<'_>) -> Option<Role> {
        let listener = socket.listener()?;
        self.by_listener
            .get(usize::from(listener.0))
            .copied()
            .flatten()
    }
}

impl App for Services {
    type Session = Session;

    fn on_open(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        match self.of(socket) {
            Some(Role::Service(Service::Echo | Service::Discard)) => {}
            Some(Role::Service(Service::Chargen)) => {
                Chargen.on_open(socket, &mut session.position);
            }
            Some(Role::Proxy(pool)) => self.proxy.on_client(socket, &mut session.seat, pool),
            None if session.seat != Seat::None => self.proxy.on_open(socket, session.seat),
            None => socket.abort(),
        }
    }

    fn on_text(&mut self, socket: &mut Socket<'_>, session: &mut Session, text: &[u8]) -> usize {
        if session.seat != Seat::None {
            return self.proxy.on_text(socket, session.seat, text);
        }
        let Some(Role::Service(service)) = self.of(socket) else {
            return text.len();
        };
        match service {
            Service::Echo => Echo.on_text(socket, &mut (), text),
            Service::Discard => Discard.on_text(socket, &mut (), text),
            Service::Chargen => Chargen.on_text(socket, &mut session.position, text),
        }
    }

    fn on_writable(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        if session.seat != Seat::None {
            self.proxy.on_writable(socket);
        } else if self.of(socket) == Some(Role::Service(Service::Chargen)) {
            Chargen.on_writable(socket, &mut session.position);
        }
    }

    fn on_peer_closed(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        self.proxy.on_peer_closed(socket, session.seat);
    }

    fn on_closed(&mut self, socket: &mut Socket<'_>, session: &mut Session, reason: CloseReason) {
        self.proxy.on_closed(socket, session.seat, reason);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.proxy.next_deadline()
    }

    fn on_deadline(&mut self, now: Instant) {
        self.proxy.on_deadline(now);
    }

    fn has_requests(&self) -> bool {
        self.proxy.has_requests()
    }

    fn poll_request(&mut self, _: Instant) -> Option<Request<Session>> {
        let request = self.proxy.poll_request()?;
        Some(request.map_session(Session::of_proxy))
    }

    fn on_opening(&mut self, tuple: &Tuple, session: &mut Session) {
        self.proxy.on_opening(tuple, session.seat);
    }

    fn on_open_failed(&mut self, now: Instant, session: Session, error: OpenError) {
        self.proxy.on_open_failed(now, session.seat, error);
    }
}
