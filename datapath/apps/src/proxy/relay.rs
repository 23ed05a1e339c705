//! Between the two connections of a pair: text, ends and failures are carried through.

use wirepath_stack::app::Socket;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;

use super::backend::Failure;
use super::header::Header;
use super::pair::{Pair, Side, Stage};
use super::report::Cause;
use super::settings::PoolId;
use super::{PairId, Proxy, Seat};

impl Seat {
    const fn place(self) -> Option<(Side, PairId)> {
        match self {
            Self::None | Self::Check(_) => None,
            Self::Front(id) => Some((Side::Front, id)),
            Self::Back(id) => Some((Side::Back, id)),
        }
    }
}

impl Proxy {
    /// A client of a pool has come.
    pub fn on_client(&mut self, socket: &mut Socket<'_>, seat: &mut Seat, pool: PoolId) {
        match self.admit(socket.now(), pool, *socket.tuple()) {
            Some(id) => *seat = Seat::Front(id),
            None => socket.abort(),
        }
    }

    /// A backend has answered.
    pub fn on_open(&mut self, socket: &mut Socket<'_>, seat: Seat) {
        match seat {
            Seat::Check(id) => self.on_check_open(socket, id),
            Seat::Back(id) => self.on_back_open(socket, id),
            Seat::None | Seat::Front(_) => {}
        }
    }

    fn on_back_open(&mut self, socket: &mut Socket<'_>, id: PairId) {
        let now = socket.now();
        let pair = self.pairs.get_mut(id);
        let is_wanted =
            |pair: &&mut Pair| pair.back.as_ref() == Some(socket.tuple()) && pair.refused.is_none();
        let Some(pair) = pair.filter(is_wanted) else {
            return socket.abort();
        };
        let pool = self.pools.get_mut(pair.pool);
        let Some((pool, endpoint)) = pool.zip(pair.backend) else {
            return socket.abort();
        };
        if pool.is_disabled(endpoint) {
            // Since the SYN left.
            socket.abort();
            return self.fail_attempt(now, id, None);
        }
        if let Some(version) = pool.settings.header {
            let header = Header::new(version, pair.ends);
            // What the client says must not be taken for it.
            if socket.send(header.bytes()) < header.bytes().len() {
                socket.abort();
                return self.fail_attempt(now, id, None);
            }
        }
        if let Some(backend) = pool.backend(endpoint) {
            backend.succeed(now);
            backend.tally.opened += 1;
        }
        pair.stage = Stage::Relaying;
        pair.connected = Some(now);
        pair.heard = [now; 2];
        if pair.closed[Side::Front as usize] {
            socket.shutdown();
        }
        socket.with_partner(|it| it.resume());
    }

    /// Text has come: it goes to the other side, as much as there is room for.
    pub fn on_text(&mut self, socket: &mut Socket<'_>, seat: Seat, text: &[u8]) -> usize {
        if let Seat::Check(id) = seat {
            return self.on_check_text(socket, id, text);
        }
        let now = socket.now();
        // Where nobody is left to have it, it is taken.
        let Some((side, id)) = seat.place() else {
            return text.len();
        };
        let Some(pair) = self.pairs.get_mut(id) else {
            return text.len();
        };
        if pair.stage == Stage::Greeted {
            return self.greet(now, id, text);
        }
        if pair.waits() {
            return 0;
        }
        pair.heard[side as usize] = now;
        if side == Side::Back && pair.first_byte.is_none() {
            pair.first_byte = Some(now);
        }
        socket
            .with_partner(|partner| partner.send(text))
            .unwrap_or(text.len())
    }

    /// There is room again: the other side may have text that waits for it.
    pub fn on_writable(&mut self, socket: &mut Socket<'_>) {
        socket.with_partner(|it| it.resume());
    }

    /// One side has closed, and all of its text has been passed on: the other is told.
    pub fn on_peer_closed(&mut self, socket: &mut Socket<'_>, seat: Seat) {
        let Some((side, id)) = seat.place() else {
            return socket.shutdown();
        };
        let Some(pair) = self.pairs.get_mut(id) else {
            return socket.shutdown();
        };
        pair.closed[side as usize] = true;
        if pair.stage == Stage::Greeted {
            // The header cannot come any more.
            return self.refuse(id, Cause::BadHeader);
        }
        // A backend that is still to be opened is told then.
        if !pair.waits() && socket.with_partner(|it| it.shutdown()).is_none() {
            socket.shutdown();
        }
    }

    /// One side is gone.
    pub fn on_closed(&mut self, socket: &mut Socket<'_>, seat: Seat, reason: CloseReason) {
        let now = socket.now();
        if let Seat::Check(id) = seat {
            return self.on_check_closed(now, id);
        }
        let Some((side, id)) = seat.place() else {
            return;
        };
        let bytes = socket.connection().counts().bytes_received;
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        if side == Side::Back && pair.back.as_ref() != Some(socket.tuple()) {
            // Of an attempt that was given up.
            return;
        }
        let client_is_there = pair.reasons[Side::Front as usize].is_none();
        if side == Side::Back && pair.stage == Stage::Opening && client_is_there {
            return self.fail_attempt(now, id, Some(failure_of(reason)));
        }
        pair.reasons[side as usize] = Some(reason);
        pair.bytes[side as usize] = bytes;
        // Who had said all it had to say may go as it likes: the other is still to hear it.
        let is_complete = reason == CloseReason::Finished || pair.closed[side as usize];
        let is_over = pair.is_over();
        if pair.waits() || !is_complete {
            socket.with_partner(|it| it.abort());
        }
        if is_over {
            self.finish(now, id);
        }
    }

    /// Both sides are gone.
    fn finish(&mut self, now: Instant, id: PairId) {
        self.leave_queue(id);
        let Some(pair) = self.pairs.remove(id) else {
            return;
        };
        self.log.note(now, &pair);
        let Some(pool) = self.pools.get_mut(pair.pool) else {
            return;
        };
        if pair.admitted {
            pool.let_go(pair.ends.client.address);
        }
        let Some(endpoint) = pair.backend else {
            return;
        };
        if let Some(backend) = pool.backend(endpoint) {
            let [from_client, from_backend] = pair.bytes;
            backend.tally.text_to += from_client;
            backend.tally.text_from += from_backend;
            let is_reset = pair.reasons[Side::Back as usize] == Some(CloseReason::Reset);
            backend.tally.reset += u64::from(is_reset);
        }
        self.give_back(now, pair.pool, endpoint);
    }
}

/// Why an attempt came to nothing. Who takes too long is aborted from here.
const fn failure_of(reason: CloseReason) -> Failure {
    match reason {
        CloseReason::TimedOut | CloseReason::Aborted => Failure::TimedOut,
        CloseReason::Refused => Failure::Refused,
        _ => Failure::Other,
    }
}
