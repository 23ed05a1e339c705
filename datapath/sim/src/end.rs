//! One end of a connection at work: it follows its plan and believes nothing.

use wirepath_tcp::time::Instant;

use crate::plan::{ConnectionPlan, EndPlan, Finish, Pace, Side, Stream};

/// Bytes offered to the stack at a time.
const SCRATCH: usize = 8192;

/// What an end can do with its connection, on either stack.
pub(crate) trait Pipe {
    /// Sends what there is room for; returns how much that was.
    fn send(&mut self, text: &[u8]) -> usize;
    /// Nothing more will be sent.
    fn shutdown(&mut self);
    /// Nothing more will be sent or read.
    fn close(&mut self);
    /// Resets the connection.
    fn abort(&mut self);
}

/// How a connection ended, for one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both sides closed.
    Finished,
    /// Either side reset it.
    Reset,
    /// The peer did not answer.
    TimedOut,
}

/// One end of a connection.
#[derive(Debug)]
pub struct End {
    /// The number of the connection.
    pub connection: usize,
    /// Which end this is.
    pub side: Side,
    plan: EndPlan,
    /// Bytes the peer will send.
    expected: u64,
    aborts: bool,
    /// Whether the peer's TIME-WAIT may end before our RTO.
    peer_forgets: bool,
    incoming: Stream,
    outgoing: Stream,
    sent: u64,
    received: u64,
    opened: bool,
    shut: bool,
    aborted: bool,
    peer_closed: bool,
    ending: Option<Ending>,
    /// When a slow reader reads again; `NEVER` while it does not pause.
    resumes: Instant,
    fault: Option<String>,
    /// Counts everything that moved.
    steps: u64,
}

impl End {
    /// The end at `side` of the connection with this number.
    #[must_use]
    pub fn new(connection: usize, side: Side, plan: &ConnectionPlan) -> Self {
        Self {
            connection,
            side,
            plan: *plan.end(side),
            expected: plan.end(side.other()).send,
            aborts: plan.aborts(),
            peer_forgets: false,
            incoming: Stream::new(connection, side.other()),
            outgoing: Stream::new(connection, side),
            sent: 0,
            received: 0,
            opened: false,
            shut: false,
            aborted: false,
            peer_closed: false,
            ending: None,
            resumes: Instant::NEVER,
            fault: None,
            steps: 0,
        }
    }

    /// Bytes handed to the stack.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes taken from the stack, all as they should be.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// A number that grows with everything that happens here.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// How far it is, for a report.
    #[must_use]
    pub fn progress(&self) -> String {
        let (sent, received) = (self.sent, self.received);
        let (side, planned, expected) = (self.side, self.plan.send, self.expected);
        let flags = [
            (self.opened, "opened"),
            (self.shut, "shut"),
            (self.aborted, "aborted"),
            (self.peer_closed, "peer closed"),
            (self.is_over(), "over"),
        ];
        let flags = flags.iter().filter(|(is, _)| *is);
        let flags: Vec<&str> = flags.map(|(_, name)| *name).collect();
        let flags = flags.join(", ");
        format!("{side:?} sent {sent}/{planned} received {received}/{expected} [{flags}]")
    }

    /// What this end saw that must not be.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether the handshake was done.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.opened && self.ending.is_none()
    }

    /// Whether nothing more can happen here.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.ending.is_some()
    }

    /// When a slow reader will read again, if it pauses.
    #[must_use]
    pub fn resumes(&self) -> Option<Instant> {
        (self.resumes != Instant::NEVER && !self.is_over()).then_some(self.resumes)
    }

    /// Ends the pause of a slow reader, if it is over; whether it was.
    pub(crate) fn resume(&mut self, now: Instant) -> bool {
        let due = self.resumes().is_some_and(|at| at <= now);
        if due {
            self.resumes = Instant::NEVER;
        }
        due
    }

    /// From now on it reads all there is at once.
    pub(crate) const fn hurry(&mut self) {
        self.plan.read = None;
        self.resumes = Instant::NEVER;
    }

    /// The peer's TIME-WAIT is short: when all of its last ACKs are lost, it answers what comes
    /// again with a reset.
    pub(crate) const fn bear_forgetting(&mut self) {
        self.peer_forgets = true;
    }

    pub(crate) const fn has_shut(&self) -> bool {
        self.shut
    }

    pub(crate) const fn nagle(&self) -> bool {
        self.plan.nagle
    }

    pub(crate) fn on_open(&mut self) {
        if self.opened {
            self.complain("opened twice");
        }
        self.opened = true;
        self.steps += 1;
    }

    /// Text has arrived. Returns how much of it is taken.
    pub(crate) fn take(&mut self, now: Instant, text: &[u8], pipe: &mut impl Pipe) -> usize {
        if self.resumes().is_some_and(|at| at > now) || self.aborted {
            return 0;
        }
        let most = self.plan.read.map_or(usize::MAX, |slow| slow.chunk);
        let mut text = &text[..text.len().min(most)];
        if self.plan.pace == Pace::Echo && self.sent < self.plan.send && !self.must_abort() {
            // An echo keeps nothing that it cannot send.
            let limit = (self.received + text.len() as u64).min(self.plan.send);
            self.send_up_to(limit, pipe);
            if self.sent < limit {
                text = &text[..(self.sent - self.received) as usize];
            }
        }
        if let Some(at) = self.incoming.first_difference(self.received, text) {
            self.complain(&format!("byte {at} is wrong"));
        }
        self.received += text.len() as u64;
        if self.received > self.expected {
            self.complain("more bytes than the peer sends");
        }
        self.resumes = match self.plan.read {
            Some(slow) if !text.is_empty() => now + slow.pause,
            _ => Instant::NEVER,
        };
        self.steps += u64::from(!text.is_empty());
        text.len()
    }

    /// Does what the plan says now.
    pub(crate) fn pump(&mut self, pipe: &mut impl Pipe) {
        if self.aborted || self.is_over() || !self.opened {
            return;
        }
        if !self.must_abort() {
            self.send_up_to(self.may_send(), pipe);
        }
        if self.must_abort() {
            self.aborted = true;
            self.steps += 1;
            pipe.abort();
        } else if !self.shut && self.may_finish() {
            self.shut = true;
            self.steps += 1;
            match self.plan.finish {
                Finish::Close => pipe.close(),
                _ => pipe.shutdown(),
            }
        }
    }

    fn send_up_to(&mut self, limit: u64, pipe: &mut impl Pipe) {
        while self.sent < limit {
            let mut scratch = [0; SCRATCH];
            let len = (limit - self.sent).min(SCRATCH as u64) as usize;
            self.outgoing.fill(self.sent, &mut scratch[..len]);
            let sent = pipe.send(&scratch[..len]);
            self.sent += sent as u64;
            self.steps += u64::from(sent > 0);
            if sent < len {
                break;
            }
        }
    }

    pub(crate) fn on_peer_closed(&mut self) {
        if self.received < self.expected && !self.aborts {
            self.complain("the peer's end came before all it sent");
        }
        if self.peer_closed {
            self.complain("the peer closed twice");
        }
        self.peer_closed = true;
        self.steps += 1;
    }

    pub(crate) fn on_closed(&mut self, ending: Ending) {
        if self.ending.is_some() {
            self.complain("closed twice");
        }
        self.ending = Some(ending);
        self.steps += 1;
        let complete = self.received == self.expected && self.sent == self.plan.send;
        let done = complete && (ending == Ending::Finished || self.is_forgotten(ending));
        if !self.aborts && !done {
            self.complain(&format!("ended before it was done: {ending:?}"));
        }
    }

    /// Whether the peer had done all, and only did not say so again.
    fn is_forgotten(&self, ending: Ending) -> bool {
        self.peer_forgets && ending == Ending::Reset && self.shut && self.peer_closed
    }

    pub(crate) fn complain(&mut self, what: &str) {
        let what = format!("{what}: {}", self.progress());
        self.fault.get_or_insert(what);
    }

    fn may_send(&self) -> u64 {
        let limit = match self.plan.pace {
            Pace::AtOnce => self.plan.send,
            _ if self.received == self.expected => self.plan.send,
            Pace::AfterAll => 0,
            Pace::Echo => self.received,
            Pace::Rounds(ahead) => self.received + ahead,
        };
        limit.min(self.plan.send)
    }

    fn may_finish(&self) -> bool {
        let sent = self.sent == self.plan.send;
        let received = self.received == self.expected;
        sent && match self.plan.finish {
            Finish::WhenSent => true,
            Finish::WhenDone | Finish::Close => received,
            Finish::AfterPeer => self.peer_closed,
        }
    }

    fn must_abort(&self) -> bool {
        let bytes = self.sent + self.received;
        self.plan.abort_after.is_some_and(|after| bytes >= after)
    }
}
