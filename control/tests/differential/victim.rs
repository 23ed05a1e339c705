//! The host that is probed, and how its connections are brought to a state.

use wirepath_tcp::state::State;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Options, Ports, UnscaledWindow};
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::outcome::{Outcome, Reply};
use super::probe::{Probe, Stand, TEXT};
use super::segment::{PEER, Segment, VICTIM, packet};

/// Where the victim listens, and where it does not.
pub(crate) const OPEN_PORT: u16 = 80;
pub(crate) const CLOSED_PORT: u16 = 9;
/// ISN of the peer, and what it acknowledges where the victim has sent nothing: far from the
/// other, and so that windows reach across 2^32.
const IRS: u32 = u32::MAX - 30_000;
const NEVER_SENT: u32 = 1_000_000_000;
const MSS: u16 = 1_460;
const WINDOW: u16 = u16::MAX;

/// A host with TCP sockets. One socket listens at [`OPEN_PORT`].
pub(crate) trait Victim {
    /// A socket of a connection.
    type Socket;
    /// Forgets every connection of earlier probes.
    fn renew(&mut self);
    /// A packet arrives, or none. What the host has sent when it is processed.
    fn exchange(&mut self, packet: Option<&[u8]>) -> Vec<Segment>;
    /// Begins to open a connection to this port of the peer.
    fn connect(&mut self, peer_port: u16) -> Self::Socket;
    /// Accepts the connection that was opened last.
    fn accept(&mut self) -> Self::Socket;
    /// Sends FIN.
    fn shutdown(&mut self, socket: &Self::Socket);
    /// Sends text, all of it.
    fn send(&mut self, socket: &Self::Socket, text: &[u8]);
    /// Gives the socket up.
    fn close(&mut self, socket: Self::Socket);
    /// Reads the end of what the peer sends, and sends the ACK of it now if it was delayed.
    fn read_end(&mut self, socket: &Self::Socket);
    /// The states of these connections now, `Closed` for one that is not there.
    fn states(&mut self, tuples: &[Tuple]) -> Vec<State>;
}

/// Sends each probe to a connection of its own. The first one uses `port` of the peer, each other
/// the next.
pub(crate) fn observe<V: Victim>(victim: &mut V, probes: &[Probe], port: u16) -> Vec<Outcome> {
    victim.renew();
    let mut connections: Vec<_> = (port..)
        .zip(probes)
        .map(|(port, probe)| {
            let mut connection = Connection::new(port, probe.stand);
            connection.bring(victim, probe.stand);
            connection
        })
        .collect();
    let tuples: Vec<Tuple> = connections.iter().map(Connection::tuple).collect();
    let before = victim.states(&tuples);
    for (probe, state) in probes.iter().zip(&before) {
        let expected = match probe.stand.state() {
            // Known to the listener alone.
            State::Listen => State::Closed,
            state => state,
        };
        assert_eq!(*state, expected, "the way to {probe}");
    }
    let replies: Vec<Vec<Reply>> = connections
        .iter_mut()
        .zip(probes)
        .map(|(connection, probe)| connection.probe(victim, probe))
        .collect();
    let changes = before.into_iter().zip(victim.states(&tuples));
    let outcomes = replies.into_iter().zip(changes);
    outcomes
        .map(|(replies, (before, after))| Outcome {
            replies,
            change: (before != after).then_some(after),
        })
        .collect()
}

/// A connection as the peer sees it.
struct Connection<S> {
    ports: Ports,
    socket: Option<S>,
    /// RCV.NXT of the victim.
    next: u32,
    /// The right edge of its window.
    edge: u32,
    /// SND.UNA and SND.NXT of the victim.
    una: u32,
    nxt: u32,
}

impl<S> Connection<S> {
    const fn new(port: u16, stand: Stand) -> Self {
        let closed = matches!(stand, Stand::In(State::Closed));
        Self {
            ports: Ports {
                source: port,
                destination: if closed { CLOSED_PORT } else { OPEN_PORT },
            },
            socket: None,
            next: IRS,
            edge: IRS.wrapping_add(WINDOW as u32),
            una: NEVER_SENT,
            nxt: NEVER_SENT,
        }
    }

    fn tuple(&self) -> Tuple {
        Tuple {
            local: Endpoint::new(VICTIM.into(), self.ports.destination),
            remote: Endpoint::new(PEER.into(), self.ports.source),
        }
    }

    /// The steps to a stand: RFC 9293 3.3.2, figure 5.
    fn bring<V: Victim<Socket = S>>(&mut self, victim: &mut V, stand: Stand) {
        match stand {
            Stand::In(State::Closed | State::Listen) => {}
            Stand::In(State::SynSent) => self.connect(victim),
            Stand::In(State::SynReceived) => self.send(victim, Flags::SYN),
            Stand::Crossed => {
                self.connect(victim);
                self.send(victim, Flags::SYN);
            }
            stand => {
                self.send(victim, Flags::SYN);
                self.acknowledge(victim);
                self.socket = Some(victim.accept());
                self.leave_established(victim, stand);
            }
        }
    }

    fn leave_established<V: Victim<Socket = S>>(&mut self, victim: &mut V, stand: Stand) {
        match stand {
            Stand::In(State::FinWait1) => self.call(victim, V::shutdown),
            Stand::In(State::FinWait2) => {
                self.call(victim, V::shutdown);
                self.acknowledge(victim);
            }
            Stand::In(State::CloseWait) => self.send_fin(victim),
            Stand::In(State::Closing) => {
                // It does not acknowledge the FIN that it crosses.
                self.call(victim, V::shutdown);
                self.send(victim, Flags::FIN | Flags::ACK);
            }
            Stand::In(State::LastAck) => {
                self.send_fin(victim);
                self.call(victim, V::shutdown);
            }
            Stand::In(State::TimeWait) => {
                self.call(victim, V::shutdown);
                self.una = self.nxt;
                self.send(victim, Flags::FIN | Flags::ACK);
            }
            Stand::InFlight => self.call(victim, |victim, socket| victim.send(socket, TEXT)),
            Stand::Detached => {
                let socket = self.socket.take().expect("the connection is open");
                victim.close(socket);
                self.hear(victim, None);
                self.acknowledge(victim);
            }
            _ => {}
        }
    }

    fn connect<V: Victim<Socket = S>>(&mut self, victim: &mut V) {
        self.socket = Some(victim.connect(self.ports.source));
        self.hear(victim, None);
    }

    /// Lets the application of the victim act, and hears what comes of it.
    fn call<V: Victim<Socket = S>>(&mut self, victim: &mut V, call: impl Fn(&mut V, &S)) {
        let socket = self.socket.as_ref().expect("the connection is open");
        call(victim, socket);
        self.hear(victim, None);
    }

    /// Closes first. The ACK of it is not to be taken for one of the probe.
    fn send_fin<V: Victim<Socket = S>>(&mut self, victim: &mut V) {
        self.send(victim, Flags::FIN | Flags::ACK);
        self.call(victim, V::read_end);
    }

    /// Acknowledges all that the victim has sent.
    fn acknowledge<V: Victim<Socket = S>>(&mut self, victim: &mut V) {
        self.una = self.nxt;
        self.send(victim, Flags::ACK);
    }

    /// Sends the next segment of an ordinary peer, which acknowledges up to SND.UNA.
    fn send<V: Victim<Socket = S>>(&mut self, victim: &mut V, flags: Flags) {
        let mut header = self.header(flags, self.next, self.una);
        if flags.contains(Flags::SYN) {
            header.options.mss = Some(MSS);
        }
        let takes_space = flags.intersects(Flags::SYN | Flags::FIN);
        self.next = self.next.wrapping_add(takes_space.into());
        self.hear(victim, Some(&packet(self.ports, &header, &[])));
    }

    fn header(&self, flags: Flags, seq: u32, ack: u32) -> Header {
        Header {
            seq: SeqNum::new(seq),
            ack: SeqNum::new(ack),
            flags,
            window: UnscaledWindow(WINDOW),
            urgent: 0,
            options: Options::default(),
        }
    }

    /// Takes note of what the victim says.
    fn hear<V: Victim<Socket = S>>(&mut self, victim: &mut V, packet: Option<&[u8]>) {
        for segment in victim.exchange(packet) {
            if segment.ports.destination != self.ports.source {
                continue;
            }
            let header = &segment.header;
            let seq = header.seq.value();
            self.nxt = seq.wrapping_add(segment.len);
            self.ports.destination = segment.ports.source;
            if header.flags.contains(Flags::SYN) {
                self.una = seq;
            }
            if header.flags.contains(Flags::ACK) {
                // No side offers a scale that the other would take.
                let window = u32::from(header.window.0);
                self.edge = header.ack.value().wrapping_add(window);
            }
        }
    }

    fn probe<V: Victim<Socket = S>>(&mut self, victim: &mut V, probe: &Probe) -> Vec<Reply> {
        let seq = probe.seq.place(self.next, self.edge);
        let ack = probe.ack.place(self.una, self.nxt);
        let sent = self.header(probe.flags(), seq, ack);
        let mut replies = victim.exchange(Some(&packet(self.ports, &sent, probe.text())));
        replies.retain(|reply| reply.ports.destination == self.ports.source);
        let space = (self.nxt, self.next);
        let told = |reply: &Segment| Reply::new(reply, &sent, space);
        replies.iter().map(told).collect()
    }
}
