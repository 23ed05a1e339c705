//! What the two ends of a connection are going to do.

use std::time::Duration;

use wirepath_tcp::time::Instant;

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that opens.
    Client,
    /// The one that listens.
    Server,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// When an end may say what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// From the start, as fast as it can.
    AtOnce,
    /// Once it has received everything: an answer.
    AfterAll,
    /// As many bytes as it has received: an echo.
    Echo,
    /// So many bytes more than it has received: questions, each after the answer to the last.
    Rounds(u64),
}

/// When an end says that it has no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// After its last byte; it still receives (half-close).
    WhenSent,
    /// After its last byte and the peer's.
    WhenDone,
    /// As before, and it stops reading with that.
    Close,
    /// After the peer's end.
    AfterPeer,
}

/// An application that reads in small pieces, with pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowRead {
    /// Bytes it takes at a time.
    pub chunk: usize,
    /// How long it then takes nothing.
    pub pause: Duration,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndPlan {
    /// Bytes it sends in all.
    pub send: u64,
    /// When it sends them.
    pub pace: Pace,
    /// When it closes.
    pub finish: Finish,
    /// Resets the connection once it has sent and received so many bytes in sum.
    pub abort_after: Option<u64>,
    /// How it reads, if not at once.
    pub read: Option<SlowRead>,
    /// Whether Nagle's algorithm is on.
    pub nagle: bool,
}

impl Default for EndPlan {
    fn default() -> Self {
        Self {
            send: 0,
            pace: Pace::AtOnce,
            finish: Finish::WhenDone,
            abort_after: None,
            read: None,
            nagle: true,
        }
    }
}

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionPlan {
    /// When the client opens it.
    pub start: Instant,
    /// The client's part.
    pub client: EndPlan,
    /// The server's part.
    pub server: EndPlan,
}

impl ConnectionPlan {
    /// The part of one end.
    #[must_use]
    pub const fn end(&self, side: Side) -> &EndPlan {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Whether either end may reset it.
    #[must_use]
    pub const fn aborts(&self) -> bool {
        self.client.abort_after.is_some() || self.server.abort_after.is_some()
    }
}

/// The bytes of one direction of a connection: each a function of where it stands, so that one
/// that is wrong, missing, doubled or misplaced is seen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// What `sender` sends on the connection with this number.
    #[must_use]
    pub const fn new(connection: usize, sender: Side) -> Self {
        let number = connection as u64 * 2 + sender as u64 + 1;
        Self(number.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// The byte at `position`.
    #[must_use]
    pub const fn byte(self, position: u64) -> u8 {
        let mixed = (position ^ self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 56) as u8
    }

    /// Writes the bytes from `position` on.
    pub fn fill(self, position: u64, text: &mut [u8]) {
        for (byte, at) in text.iter_mut().zip(position..) {
            *byte = self.byte(at);
        }
    }

    /// Where `text`, which should start at `position`, first differs.
    #[must_use]
    pub fn first_difference(self, position: u64, text: &[u8]) -> Option<u64> {
        let wrong = text.iter().zip(position..);
        wrong
            .filter(|&(byte, at)| *byte != self.byte(at))
            .map(|(_, at)| at)
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_out_of_place_is_seen() {
        let stream = Stream::new(3, Side::Client);
        let mut text = [0; 64];
        stream.fill(1_000, &mut text);
        assert_eq!(stream.first_difference(1_000, &text), None);
        for wrong in [999, 1_001, 1_064, 0] {
            assert!(stream.first_difference(wrong, &text).is_some());
        }
        let other = Stream::new(3, Side::Server);
        assert!(other.first_difference(1_000, &text).is_some());
        text[40] ^= 1;
        assert_eq!(stream.first_difference(1_000, &text), Some(1_040));
    }
}
