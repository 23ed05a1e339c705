//! wirepath as a victim: a host as a value.

use std::time::Duration;

use wirepath_host::{Host, HostConfig, Shutdown, SocketId};
use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::SynCookies;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::segment::{PEER, Segment, VICTIM, parse};
use super::victim::{OPEN_PORT, Victim};

const START: Instant = Instant::from_millis(1_000_000);
/// What passes between two packets: so little that no timer of a batch fires, and enough for a
/// reset of each, which are limited to 64 a millisecond.
const TICK: Duration = Duration::from_micros(20);

/// Our host.
pub(crate) struct Ours {
    host: Host,
    listener: SocketId,
    now: Instant,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let mut config = HostConfig::new(VICTIM.into(), [7; 16]);
        config.capacity = Capacity {
            half_open: 1_024,
            ..config.capacity
        };
        config.tcp.syn_cookies = SynCookies::Off;
        let mut host = Host::new(config);
        host.poll(START);
        let listener = host.socket();
        let bound = host.bind(listener, Endpoint::new(VICTIM.into(), OPEN_PORT));
        bound
            .and_then(|()| host.listen(listener, 1_024))
            .expect("nobody else listens");
        Self {
            host,
            listener,
            now: START,
        }
    }
}

impl Victim for Ours {
    type Socket = SocketId;

    fn renew(&mut self) {
        *self = Self::new();
    }

    fn exchange(&mut self, packet: Option<&[u8]>) -> Vec<Segment> {
        self.now = self.now + TICK;
        if let Some(packet) = packet {
            self.host.inject(self.now, packet);
        }
        let sent = self.host.poll(self.now);
        sent.iter().filter_map(|sent| parse(&sent.packet)).collect()
    }

    fn connect(&mut self, peer_port: u16) -> SocketId {
        let socket = self.host.socket();
        let peer = Endpoint::new(PEER.into(), peer_port);
        self.host.connect(socket, peer).expect("a port is free");
        socket
    }

    fn accept(&mut self) -> SocketId {
        self.host.accept(self.listener).expect("one waits")
    }

    fn shutdown(&mut self, socket: &SocketId) {
        let done = self.host.shutdown(*socket, Shutdown::Write);
        done.expect("the connection is open");
    }

    fn send(&mut self, socket: &SocketId, text: &[u8]) {
        assert_eq!(self.host.send(*socket, text), Ok(text.len()));
    }

    fn close(&mut self, socket: SocketId) {
        self.host.close(socket).expect("the connection is open");
    }

    fn read_end(&mut self, socket: &SocketId) {
        let read = self.host.recv(*socket, &mut [0; 1]);
        assert_eq!(read, Ok(0), "the peer has closed");
    }

    fn states(&mut self, tuples: &[Tuple]) -> Vec<State> {
        tuples.iter().map(|tuple| self.host.state(tuple)).collect()
    }
}
