//! The timers of one connection.

use crate::time::Instant;

/// What a connection may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Timer {
    /// Retransmission: RFC 6298 5.
    Retransmit,
    /// Zero-window probe, and the override of silly-window avoidance: RFC 9293 3.8.6.1, 3.8.6.2.1.
    Persist,
    /// Delayed ACK: RFC 9293 3.8.6.3.
    DelayedAck,
    /// Keep-alive: RFC 9293 3.8.4.
    KeepAlive,
    /// 2 MSL in TIME-WAIT, and the longest stay in FIN-WAIT-2.
    Linger,
    /// Reordering: what is late counts as lost (RFC 8985 6.2 step 5).
    Reordering,
    /// Tail loss probe: RFC 8985 7.2.
    TailProbe,
    /// Another try at a pool that had no block for the application's text.
    Memory,
    /// Text that pacing holds back.
    Pacing,
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Retransmit,
        Self::Persist,
        Self::DelayedAck,
        Self::KeepAlive,
        Self::Linger,
        Self::Reordering,
        Self::TailProbe,
        Self::Memory,
        Self::Pacing,
    ];

    /// The name that `ss` gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retransmit => "on",
            Self::Persist => "persist",
            Self::DelayedAck => "ack",
            Self::KeepAlive => "keepalive",
            Self::Linger => "timewait",
            Self::Reordering => "reordering",
            Self::TailProbe => "tail probe",
            Self::Memory => "memory",
            Self::Pacing => "pacing",
        }
    }
}

/// One deadline per [`Timer`].
#[derive(Debug)]
pub(crate) struct Timers([Instant; Timer::ALL.len()]);

impl Default for Timers {
    fn default() -> Self {
        Self([Instant::NEVER; Timer::ALL.len()])
    }
}

impl Timers {
    pub(crate) fn arm(&mut self, timer: Timer, deadline: Instant) {
        self.0[timer as usize] = deadline;
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.arm(timer, Instant::NEVER);
    }

    pub(crate) fn disarm_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.deadline(timer) != Instant::NEVER
    }

    /// Whether none is armed but perhaps this one.
    pub(crate) fn is_none_but(&self, timer: Timer) -> bool {
        let mut others = Timer::ALL.into_iter().filter(|&other| other != timer);
        !others.any(|other| self.is_armed(other))
    }

    pub(crate) fn deadline(&self, timer: Timer) -> Instant {
        self.0[timer as usize]
    }

    /// Whether `timer` is due; a timer that is due is disarmed.
    pub(crate) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.deadline(timer) <= now;
        if due {
            self.disarm(timer);
        }
        due
    }

    /// The earliest deadline; `NEVER` when none is armed.
    pub(crate) fn earliest(&self) -> Instant {
        self.0.into_iter().fold(Instant::NEVER, Instant::min)
    }

    /// The earliest deadline and its timer, if any is armed.
    pub(crate) fn next(&self) -> Option<(Timer, Instant)> {
        let timers = Timer::ALL
            .into_iter()
            .map(|timer| (timer, self.deadline(timer)));
        timers
            .filter(|&(_, at)| at != Instant::NEVER)
            .min_by_key(|&(_, at)| at)
    }
}
