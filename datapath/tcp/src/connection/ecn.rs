//! Explicit congestion notification: RFC 3168.

use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Segment, UnscaledWindow};

use super::{Connection, Outgoing};
use crate::config::{Config, CongestionControl, EcnMode};
use crate::rcv::AckDue;
use crate::recovery::Phase;
use crate::time::Instant;

/// What a SYN says that offers it.
pub(crate) const OFFER: Flags = Flags::ECE.union(Flags::CWR);

/// The state of ECN of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct EcnState {
    /// Both sides agreed: RFC 3168 6.1.1.
    agreed: bool,
    /// A mark of the network is to be told until the peer has heard: RFC 3168 6.1.3.
    echoes: bool,
    /// RCV.NXT before the marks changed, when an ACK of that was owed: RFC 8257 3.2.
    owed_before: Option<SeqNum>,
    /// The peer is to be told that we have heard: RFC 3168 6.1.2.
    cwr_due: bool,
    /// SND.NXT when cwnd was last reduced: once a window is enough.
    reduced_at: SeqNum,
}

impl EcnState {
    pub(super) const fn new(iss: SeqNum) -> Self {
        Self {
            agreed: false,
            echoes: false,
            owed_before: None,
            cwr_due: false,
            reduced_at: iss,
        }
    }

    /// Whether both sides agreed on it.
    pub(super) const fn is_agreed(&self) -> bool {
        self.agreed
    }

    /// Whether marks are to be told.
    pub(super) const fn has_marks(&self) -> bool {
        self.echoes || self.owes_before_change()
    }

    /// Whether what came before the marks changed is to be acknowledged.
    pub(super) const fn owes_before_change(&self) -> bool {
        self.owed_before.is_some()
    }

    /// cwnd was reduced for whatever reason: the next new text says so.
    pub(super) fn on_reduced(&mut self, nxt: SeqNum) {
        self.cwr_due = self.agreed;
        self.reduced_at = nxt;
    }
}

/// Whether a SYN-ACK takes the offer of `syn` up.
pub(crate) fn takes_up(config: &Config, syn: &Header) -> bool {
    config.ecn != EcnMode::Off && syn.flags.contains(OFFER)
}

impl Connection {
    /// Whether our SYN offers it. One that is sent again does not: something on the path may drop
    /// what it does not know (RFC 3168 6.1.1.1).
    pub(super) fn offers_ecn(&self) -> bool {
        self.config.ecn == EcnMode::Active && self.liveness.retries == 0
    }

    /// The peer's SYN or SYN-ACK says whether it is in use: RFC 3168 6.1.1.
    pub(super) fn agree_on_ecn(&mut self, syn: &Header) {
        // Who has sent a SYN that does not offer it must not mark.
        let may = self.passive || self.offers_ecn();
        self.ecn.agreed = may
            && match syn.flags.contains(Flags::ACK) {
                true => syn.flags.intersection(OFFER) == Flags::ECE,
                false => takes_up(&self.config, syn),
            };
    }

    /// What an acceptable segment says of the path to us: RFC 3168 6.1.3.
    pub(super) fn note_mark(&mut self, segment: &Segment<'_>) {
        if !self.ecn.agreed {
            return;
        }
        let marked = segment.ecn == Ecn::Ce;
        if self.config.congestion == CongestionControl::Dctcp {
            if !segment.payload.is_empty() && marked != self.ecn.echoes {
                // RFC 8257 3.2: an ACK at once with every change, and exactly what was marked.
                let owes = self.rcv.ack_due != AckDue::No;
                self.ecn.owed_before = owes.then_some(self.rcv.nxt);
                self.ecn.echoes = marked;
                self.rcv.ack_due = AckDue::Now;
            }
            return;
        }
        if segment.has(Flags::CWR) {
            self.ecn.echoes = false;
        }
        if marked && !segment.payload.is_empty() {
            self.ecn.echoes = true;
        }
    }

    /// What an acceptable ACK says of the path from us: RFC 3168 6.1.2, once a window.
    pub(super) fn heed_echo(&mut self, segment: &Segment<'_>) {
        let ack = segment.header.ack;
        if !ack.after(self.ecn.reduced_at) {
            return;
        }
        if !self.is_echo(segment) {
            // Kept near, or after 2^31 bytes it would seem to lie ahead.
            self.ecn.reduced_at = ack - 1;
            return;
        }
        self.recovery.forget_undo();
        if self.recovery.phase() == Phase::Open {
            self.congestion.on_mark(self.snd.flight().len());
        }
        self.ecn.on_reduced(self.snd.nxt);
    }

    /// Whether a segment echoes a mark.
    pub(super) fn is_echo(&self, segment: &Segment<'_>) -> bool {
        self.ecn.agreed && segment.has(Flags::ECE) && !segment.has(Flags::SYN)
    }

    /// Tells a mark, with every segment that acknowledges.
    pub(super) fn echo_mark(&self, header: &mut Header) {
        if self.ecn.echoes {
            header.flags |= Flags::ECE;
        }
    }

    /// RFC 8257 3.2: the marks change again before the ACK of their last change has gone. It goes
    /// now.
    pub(super) fn ack_overtaken(&mut self, now: Instant, segment: &Segment<'_>) -> Option<Header> {
        let changes = (segment.ecn == Ecn::Ce) != self.ecn.echoes;
        let overtakes = self.ecn.owed_before.is_some() && !segment.payload.is_empty() && changes;
        let outgoing = overtakes.then(|| self.ack_before_change(now))??;
        Some(outgoing.header)
    }

    /// RFC 8257 3.2: what came before the marks changed is acknowledged as it was marked.
    pub(super) fn ack_before_change(&mut self, now: Instant) -> Option<Outgoing> {
        let nxt = self.ecn.owed_before.take()?;
        let due = self.rcv.ack_due;
        let seq = self.snd.acceptable_seq(self.negotiated.snd_scale);
        let mut outgoing = self.bare_segment(now, seq, Flags::ACK);
        self.rcv.ack_due = due;
        let header = &mut outgoing.header;
        header.flags.set(Flags::ECE, !self.ecn.echoes);
        // The edge stays where it was told.
        let since = header.ack.bytes_since(nxt) >> self.negotiated.rcv_scale.shift();
        let field = u32::from(header.window.0) + since;
        header.window = UnscaledWindow(u16::try_from(field).unwrap_or(u16::MAX));
        header.ack = nxt;
        Some(outgoing)
    }

    /// New text may be marked, and says that cwnd was reduced. What is sent again may not
    /// (RFC 3168 6.1.5), nor pure ACKs (6.1.4), nor probes of a window (6.1.6).
    pub(super) fn make_capable(&mut self, header: &mut Header) -> Ecn {
        if !self.ecn.agreed {
            return Ecn::NotEct;
        }
        if std::mem::take(&mut self.ecn.cwr_due) {
            header.flags |= Flags::CWR;
        }
        Ecn::Ect0
    }
}
