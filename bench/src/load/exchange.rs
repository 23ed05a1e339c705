//! One connection of the client: what it has asked, sent and received.

use std::collections::VecDeque;

use wirepath_tcp::time::Instant;

use super::pattern::Pattern;

/// The text of one connection, without the connection.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Bytes that are to be sent in all, and that were.
    asked: u64,
    sent: u64,
    received: u64,
    /// When the requests without an answer were due, and where their answers end.
    open: VecDeque<(Instant, u64)>,
}

impl Exchange {
    /// One more request of `size` bytes is due.
    pub(crate) fn ask(&mut self, due: Instant, size: u64) {
        self.asked += size;
        self.open.push_back((due, self.asked));
    }

    /// There is always more to send.
    pub(crate) const fn ask_for_ever(&mut self) {
        self.asked = u64::MAX;
    }

    /// What is to be sent next, a piece of it.
    pub(crate) fn unsent(&self) -> &'static [u8] {
        Pattern::messages().from(self.sent, self.asked - self.sent)
    }

    pub(crate) const fn note_sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Takes bytes in that `pattern` must have. Whether it has.
    pub(crate) fn take(&mut self, bytes: &[u8], pattern: &Pattern) -> bool {
        let right = pattern.is_at(self.received, bytes);
        self.received += bytes.len() as u64;
        right
    }

    /// When the requests that have no whole answer were due.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = Instant> + '_ {
        self.open.iter().map(|&(due, _)| due)
    }

    /// When the next request whose answer is whole was due.
    pub(crate) fn next_answered(&mut self) -> Option<Instant> {
        let &(due, end) = self.open.front()?;
        if end > self.received {
            return None;
        }
        self.open.pop_front();
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_requests_are_answered_in_order() {
        let (pattern, at) = (Pattern::messages(), Instant::from_millis);
        let mut exchange = Exchange::default();
        exchange.ask(at(1), 64);
        exchange.ask(at(2), 64);
        assert_eq!(exchange.unsent().len(), 128);
        exchange.note_sent(128);
        assert!(exchange.unsent().is_empty());
        assert!(exchange.take(pattern.from(0, 63), pattern));
        assert_eq!(exchange.next_answered(), None);
        assert!(exchange.take(pattern.from(63, 65), pattern));
        assert_eq!(exchange.next_answered(), Some(at(1)));
        assert_eq!(exchange.next_answered(), Some(at(2)));
        assert_eq!(exchange.next_answered(), None);
        assert!(!exchange.take(b"something else", pattern));
    }
}
