//! What must hold for every segment that our stack sends, seen from the wire.

use wirepath_wire::ethernet;
use wirepath_wire::ip::{self, Protocol};
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{self, ChecksumPolicy, Flags, Header, Segment};

use crate::plan::Side;
use crate::scenario::Scenario;

/// Both halves of every connection, by the number of the connection.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// Which sides are ours.
    ours: [bool; 2],
    mtu: usize,
    halves: Vec<[Half; 2]>,
}

/// What one side has sent so far.
#[derive(Debug, Clone, Copy, Default)]
struct Half {
    iss: Option<SeqNum>,
    /// The shift it offered.
    scale: Option<u8>,
    mss: Option<u16>,
    ack: Option<SeqNum>,
    /// The end of the window it offered: RCV.NXT + RCV.WND.
    edge: Option<SeqNum>,
    fin: Option<SeqNum>,
}

impl Monitor {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            ours: [Side::Client, Side::Server].map(|side| !scenario.is_smol(side)),
            mtu: scenario.device.mtu,
            halves: vec![[Half::default(); 2]; scenario.connections.len()],
        }
    }

    /// A frame that `from` sends.
    pub(crate) fn on_sent(&mut self, from: Side, frame: &[u8]) -> Result<(), String> {
        let frame = ethernet::parse(frame).map_err(|error| error.to_string())?;
        if frame.payload.len() > self.mtu {
            return Err("a packet larger than the MTU".to_owned());
        }
        let Some(packet) = ip::parse(frame.payload).ok() else {
            return Ok(());
        };
        if packet.header.protocol != Protocol::TCP {
            return Ok(());
        }
        let received = tcp::parse(&packet, ChecksumPolicy::Whole);
        let received = received.map_err(|error| format!("a segment is sent wrong: {error}"))?;
        let client_port = match from {
            Side::Client => received.ports.source,
            Side::Server => received.ports.destination,
        };
        let number = crate::host::connection_of(client_port);
        let Some(halves) = self.halves.get_mut(number) else {
            return Err(format!("a segment from nowhere: port {client_port}"));
        };
        let peer = halves[from.other() as usize];
        let half = &mut halves[from as usize];
        let judged = half.on_sent(&received.segment, &peer);
        if self.ours[from as usize] {
            judged.map_err(|what| format!("connection {number}, {from:?}: {what}"))
        } else {
            Ok(())
        }
    }
}

impl Half {
    fn on_sent(&mut self, segment: &Segment<'_>, peer: &Self) -> Result<(), &'static str> {
        let header = &segment.header;
        if segment.has(Flags::RST) {
            return Ok(());
        }
        if segment.has(Flags::SYN) && self.iss != Some(header.seq) {
            *self = Self {
                iss: Some(header.seq),
                scale: header.options.window_scale.map(|scale| scale.shift()),
                mss: header.options.mss,
                ..Self::default()
            };
        }
        self.check_text(segment, peer)?;
        if segment.has(Flags::ACK) {
            self.check_ack(header, segment.has(Flags::SYN), peer)?;
        }
        Ok(())
    }

    fn check_text(&mut self, segment: &Segment<'_>, peer: &Self) -> Result<(), &'static str> {
        let len = segment.payload.len();
        let most = peer.mss.map_or(usize::MAX, usize::from);
        if len > most {
            return Err("more text than the peer's MSS");
        }
        let end = segment.end();
        if segment.has(Flags::FIN) {
            if self.fin.is_some_and(|fin| fin != end) {
                return Err("its FIN has moved");
            }
            self.fin = Some(end);
        }
        if self.fin.is_some_and(|fin| end.after(fin)) {
            return Err("text after its FIN");
        }
        // A probe of a window of zero is one octet beyond it.
        let allowed = peer.edge.map(|edge| edge + u32::from(segment.len() == 1));
        let syn = segment.has(Flags::SYN);
        if !syn && !segment.is_empty() && allowed.is_some_and(|edge| end.after(edge)) {
            return Err("text beyond the peer's window");
        }
        Ok(())
    }

    fn check_ack(&mut self, header: &Header, syn: bool, peer: &Self) -> Result<(), &'static str> {
        if self.ack.is_some_and(|ack| header.ack.before(ack)) {
            return Err("its ACK went back");
        }
        let scaled = self.scale.filter(|_| peer.scale.is_some() && !syn);
        let unit = 1 << scaled.unwrap_or(0);
        let edge = header.ack + u32::from(header.window.0) * unit;
        // RFC 7323 2.4: by less than a unit of the scale it may.
        if self
            .edge
            .is_some_and(|known| (edge + (unit - 1)).before(known))
        {
            return Err("the edge of its window went back");
        }
        self.ack = Some(header.ack);
        self.edge = Some(self.edge.map_or(edge, |known| known.latest(edge)));
        Ok(())
    }
}
