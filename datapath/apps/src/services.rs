//! Several services in one worker, chosen by listener.

use wirepath_stack::app::{App, Socket};
use wirepath_stack::listeners::ListenerId;

use crate::{Chargen, Discard, Echo};

/// A service that a listener can have.
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

/// State of a connection of any service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Session {
    /// Place in the pattern of chargen.
    position: usize,
}

/// All services of a worker.
#[derive(Debug, Clone, Default)]
pub struct Services {
    by_listener: Vec<Option<Service>>,
}

impl Services {
    /// Gives `listener` its service.
    pub fn set(&mut self, listener: ListenerId, service: Service) {
        let index = usize::from(listener.0);
        if self.by_listener.len() <= index {
            self.by_listener.resize(index + 1, None);
        }
        self.by_listener[index] = Some(service);
    }

    fn of(&self, socket: &Socket<'_>) -> Option<Service> {
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
            Some(Service::Echo | Service::Discard) => {}
            Some(Service::Chargen) => Chargen.on_open(socket, &mut session.position),
            None => socket.abort(),
        }
    }

    fn on_text(&mut self, socket: &mut Socket<'_>, session: &mut Session, text: &[u8]) -> usize {
        match self.of(socket) {
            Some(Service::Echo) => Echo.on_text(socket, &mut (), text),
            Some(Service::Discard) => Discard.on_text(socket, &mut (), text),
            Some(Service::Chargen) => Chargen.on_text(socket, &mut session.position, text),
            None => text.len(),
        }
    }

    fn on_writable(&mut self, socket: &mut Socket<'_>, session: &mut Session) {
        if self.of(socket) == Some(Service::Chargen) {
            Chargen.on_writable(socket, &mut session.position);
        }
    }
}
