//! Between the two connections of a pair: text, ends and failures are carried through.

use wirepath_stack::app::{Request, Socket};
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::time::Instant;

use super::backend::Failure;
use super::header::Header;
use super::pair::Stage;
use super::settings::PoolId;
use super::{Proxy, Seat};

/// Which side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Front = 0,
    Back = 1,
}

impl Seat {
    const fn place(self) -> Option<(Side, u32)> {
        match self {
            Self::None | Self::Check(_) => None,
            Self::Front(number) => Some((Side::Front, number)),
            Self::Back(number) => Some((Side::Back, number)),
        }
    }
}

impl Proxy {
    /// A client of a pool has come.
    pub fn on_client(&mut self, socket: &mut Socket<'_>, seat: &mut Seat, pool: PoolId) {
        match self.admit(socket.now(), pool, *socket.tuple()) {
            Some(number) => *seat = Seat::Front(number),
            None => socket.abort(),
        }
    }

    /// A backend has answered.
    pub fn on_open(&mut self, socket: &mut Socket<'_>, seat: Seat) {
        if let Seat::Check(number) = seat {
            return self.on_check_open(socket, number);
        }
        let Some((Side::Back, number)) = seat.place() else {
            return;
        };
        let Some(pair) = self.pairs.get_mut(number as usize) else {
            return socket.abort();
        };
        pair.stage = Stage::Relaying;
        pair.connected = Some(socket.now());
        pair.heard = [socket.now(); 2];
        let (client, front_closed) = (pair.front, pair.front_closed);
        let pool = self.pools.get_mut(usize::from(pair.pool.0));
        if let Some((pool, endpoint)) = pool.and_then(Option::as_mut).zip(pair.backend) {
            if let Some(version) = pool.settings.header {
                let header = Header::new(version, client.remote, client.local);
                // A new connection has room for it.
                socket.send(header.bytes());
            }
            if let Some(backend) = pool.backend(endpoint) {
                backend.succeed();
                backend.tally.opened += 1;
            }
        }
        if front_closed {
            socket.shutdown();
        }
        socket.with_partner(|it| it.resume());
    }

    /// Text has come: it goes to the other side, as much as there is room for.
    pub fn on_text(&mut self, socket: &mut Socket<'_>, seat: Seat, text: &[u8]) -> usize {
        if let Seat::Check(number) = seat {
            return self.on_check_text(socket, number, text);
        }
        let now = socket.now();
        let place = seat.place();
        let pair = place.and_then(|(side, number)| Some((side, self.pair(number)?)));
        // Nobody is left to have it.
        let Some((side, pair)) = pair else {
            return text.len();
        };
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
        let Some((side, number)) = seat.place() else {
            return socket.shutdown();
        };
        if let Some(pair) = self.pair(number).filter(|pair| pair.waits()) {
            debug_assert_eq!(
                side,
                Side::Front,
                "a backend that was never open has closed"
            );
            pair.front_closed = true;
        } else if socket.with_partner(|it| it.shutdown()).is_none() {
            socket.shutdown();
        }
    }

    /// One side is gone.
    pub fn on_closed(&mut self, socket: &mut Socket<'_>, seat: Seat, reason: CloseReason) {
        let now = socket.now();
        if let Seat::Check(number) = seat {
            return self.on_check_closed(now, number);
        }
        let Some((side, number)) = seat.place() else {
            return;
        };
        let bytes = socket.connection().counts().bytes_received;
        let Some(pair) = self.pair(number) else {
            return;
        };
        if side == Side::Back && pair.stage == Stage::Opening {
            let failure = match reason {
                // Nobody else ends an attempt but who gives it up.
                CloseReason::TimedOut | CloseReason::Aborted => Failure::TimedOut,
                CloseReason::Refused => Failure::Refused,
                _ => Failure::Other,
            };
            if pair.ends[Side::Front as usize].is_none() {
                return self.fail_attempt(now, number, failure);
            }
        }
        pair.ends[side as usize] = Some(reason);
        pair.bytes[side as usize] = bytes;
        let is_over = pair.is_over();
        if reason != CloseReason::Finished || pair.waits() {
            // What ended one side ends the other.
            socket.with_partner(|it| it.abort());
        }
        if is_over {
            self.finish(now, number);
        }
    }

    /// Both sides are gone.
    fn finish(&mut self, now: Instant, number: u32) {
        let Some(pair) = self.pairs.try_remove(number as usize) else {
            return;
        };
        self.log.note(now, &pair);
        let Some(pool) = self.pool(pair.pool) else {
            return;
        };
        pool.let_go(pair.source);
        let Some(endpoint) = pair.backend else {
            return;
        };
        if let Some(backend) = pool.backend(endpoint) {
            let [from_client, from_backend] = pair.bytes;
            backend.tally.text_to += from_client;
            backend.tally.text_from += from_backend;
            let is_reset = pair.ends[Side::Back as usize] == Some(CloseReason::Reset);
            backend.tally.reset += u64::from(is_reset);
        }
        self.give_back(now, pair.pool, endpoint);
    }

    /// The next thing to ask the worker for.
    pub(crate) fn poll_request(&mut self) -> Option<Request<Seat>> {
        self.requests.pop_front()
    }
}
