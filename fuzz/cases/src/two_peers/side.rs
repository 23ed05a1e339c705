//! A host and its application.

use std::net::IpAddr;

use wirepath_host::{Host, HostConfig, Shutdown, SocketError, SocketId, SocketOptions};
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::{Config, SynCookies};
use wirepath_tcp::state::State;
use wirepath_tcp::time::Millis;
use wirepath_wire::tuple::{Endpoint, Tuple};

use crate::text::text_at;

/// Most bytes that one application sends.
const MOST_TEXT: usize = 256 << 10;

/// Where the texts of the two begin: far from each other.
const TEXT_OF_SERVER: u32 = 0;
const TEXT_OF_CLIENT: u32 = 1 << 30;

/// One of the two.
pub(super) struct Side {
    pub(super) host: Host,
    /// Of a server, the one that listens.
    listener: Option<SocketId>,
    /// It answers every SYN with a cookie.
    gives_cookies: bool,
    socket: Option<SocketId>,
    tuple: Option<Tuple>,
    /// Where its own text begins, and that of the other.
    own_text: u32,
    other_text: u32,
    /// Bytes that `send` took, and that `recv` gave.
    pub(super) sent: usize,
    pub(super) received: usize,
    /// It was told that the connection was reset, or given up here.
    was_reset: bool,
    gave_up: bool,
    /// It was told that the peer sends no more.
    pub(super) has_end: bool,
    says_no_more: bool,
    /// The application has closed or aborted.
    pub(super) has_left: bool,
}

impl Side {
    fn new(address: IpAddr, texts: [u32; 2], tcp: Config) -> Self {
        let [own_text, other_text] = texts;
        let mut config = HostConfig::new(address, [7; 16]);
        config.capacity = Capacity {
            connections: 4,
            half_open: 4,
            time_wait: 4,
            blocks: 192,
        };
        config.tcp = tcp;
        Self {
            host: Host::new(config),
            listener: None,
            gives_cookies: tcp.syn_cookies == SynCookies::Always,
            socket: None,
            tuple: None,
            own_text,
            other_text,
            sent: 0,
            received: 0,
            was_reset: false,
            gave_up: false,
            has_end: false,
            says_no_more: false,
            has_left: false,
        }
    }

    /// One that listens.
    pub(super) fn server(service: Endpoint, tcp: Config) -> Self {
        let mut side = Self::new(service.address, [TEXT_OF_SERVER, TEXT_OF_CLIENT], tcp);
        let listener = side.host.socket();
        side.host.bind(listener, service).expect("a new socket");
        side.host.listen(listener, 1).expect("a bound socket");
        side.listener = Some(listener);
        side
    }

    /// One that connects.
    pub(super) fn client(address: IpAddr, service: Endpoint, tcp: Config) -> Self {
        let mut side = Self::new(address, [TEXT_OF_CLIENT, TEXT_OF_SERVER], tcp);
        let socket = side.host.socket();
        side.host.connect(socket, service).expect("a port");
        side.socket = Some(socket);
        side.tuple = side.host.tuple(socket).ok();
        side
    }

    /// Whether there is, or ever was, a connection.
    pub(super) fn has_connection(&self) -> bool {
        self.tuple.is_some()
    }

    /// A server takes the first connection that comes, and refuses another: an old ACK that comes
    /// again after the end opens one where SYN cookies are all that is remembered.
    pub(super) fn accept(&mut self) {
        let Some(listener) = self.listener else {
            return;
        };
        while let Ok(socket) = self.host.accept(listener) {
            if self.tuple.is_none() {
                self.socket = Some(socket);
                self.tuple = self.host.tuple(socket).ok();
                continue;
            }
            assert!(self.gives_cookies, "one handshake, two connections");
            let at_once = |options: &mut SocketOptions| options.linger = Some(Millis(0));
            self.host.set_options(socket, at_once).expect("a socket");
            self.host.close(socket).expect("a socket");
        }
    }

    pub(super) fn send(&mut self, len: usize, is_urgent: bool) {
        let Some(socket) = self.socket else { return };
        let len = len.min(MOST_TEXT - self.sent);
        let text = text_at(self.own_text + self.sent as u32, len);
        let sent = if is_urgent {
            self.host.send_urgent(socket, &text)
        } else {
            self.host.send(socket, &text)
        };
        match sent {
            Ok(count) => self.sent += count,
            Err(error) => self.hear(error),
        }
    }

    /// Reads at most `most` bytes; each must be what the other side has sent there.
    pub(super) fn read(&mut self, most: usize) {
        let Some(socket) = self.socket else { return };
        let mut buffer = vec![0; most.clamp(1, 1 << 16)];
        match self.host.recv(socket, &mut buffer) {
            Ok(0) => self.has_end = true,
            Ok(count) => {
                assert!(!self.has_end, "text after the end");
                let expected = text_at(self.other_text + self.received as u32, count);
                let is_right = buffer[..count] == expected;
                assert!(is_right, "wrong text after {}", self.received);
                self.received += count;
            }
            Err(error) => self.hear(error),
        }
    }

    /// Reads all there is.
    pub(super) fn drain(&mut self) {
        let mut before = usize::MAX;
        while before != self.received {
            before = self.received;
            self.read(1 << 16);
        }
    }

    pub(super) fn shutdown(&mut self) {
        if let Some(socket) = self.socket
            && let Err(error) = self.host.shutdown(socket, Shutdown::Write)
        {
            self.hear(error);
        }
    }

    /// As [`shutdown`](Self::shutdown), once.
    pub(super) fn say_no_more(&mut self) {
        if self.socket.is_some() && !self.says_no_more {
            self.says_no_more = true;
            self.shutdown();
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.host.close(socket).expect("a socket");
            self.has_left = true;
        }
    }

    pub(super) fn abort(&mut self) {
        self.set(|options| options.linger = Some(Millis(0)));
        self.close();
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut SocketOptions)) {
        if let Some(socket) = self.socket {
            self.host.set_options(socket, change).expect("a socket");
        }
    }

    fn hear(&mut self, error: SocketError) {
        match error {
            SocketError::WouldBlock | SocketError::BrokenPipe => {}
            SocketError::ConnectionReset | SocketError::ConnectionRefused => self.was_reset = true,
            SocketError::ConnectionAborted | SocketError::TimedOut => self.gave_up = true,
            other => panic!("{other}"),
        }
    }

    /// Whether it knows that the connection did not end well.
    pub(super) fn has_failed(&self) -> bool {
        self.was_reset || self.gave_up
    }

    /// Resets have a cause: somebody has left or given up, or forgot of a handshake.
    pub(super) fn assert_cause_of_resets(client: &Self, server: &Self) {
        let left = client.has_left || server.has_left;
        let gave_up = client.gave_up || server.gave_up;
        let forgot = server.gives_cookies || !server.has_connection();
        let was_reset = client.was_reset || server.was_reset;
        assert!(
            left || gave_up || forgot || !was_reset,
            "a reset out of nothing"
        );
    }

    /// Whether the handshake is over, well or not.
    pub(super) fn has_opened(&self) -> bool {
        let state = self.state();
        state != State::SynSent && state != State::SynReceived
    }

    /// What the stack has of the connection.
    pub(super) fn state(&self) -> State {
        self.tuple
            .map_or(State::Closed, |tuple| self.host.state(&tuple))
    }

    /// Whether nothing is left to happen.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state(), State::Closed | State::TimeWait)
    }

    /// What is known at the end: errors that no call was told of.
    pub(super) fn take_error(&mut self) {
        let error = self.socket.and_then(|socket| {
            let error = self.host.take_error(socket);
            error.expect("a socket")
        });
        if let Some(error) = error {
            self.hear(error);
        }
    }
}
