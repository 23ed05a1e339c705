//! What is known of pools and their backends.

use wirepath_wire::tuple::Endpoint;

/// Counters with their names and what they mean, in one table.
macro_rules! counted {
    ($(#[$about:meta])* $name:ident { $($field:ident: $help:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $(#[doc = $help] pub $field: u64,)+
        }

        impl $name {
            /// Names, meanings and counts.
            pub fn table(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($field), $help, self.$field),)+].into_iter()
            }

            fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)+
            }
        }
    };
}

/// The counters of [`Refusals`], and the causes that are counted in them.
macro_rules! causes {
    ($($cause:ident, $field:ident: $help:literal;)+) => {
        counted! {
            /// Clients that were refused, since the pool was first known.
            Refusals { $($field: $help,)+ }
        }

        /// Why a client was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause {
            $(#[doc = $help] $cause,)+
        }

        impl Cause {
            /// The name of its counter.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => stringify!($field),)+
                }
            }
        }

        impl Refusals {
            pub(super) const fn count(&mut self, cause: Cause) {
                let count = match cause {
                    $(Cause::$cause => &mut self.$field,)+
                };
                *count += 1;
            }
        }
    };
}

causes! {
    TooMany, too_many: "There were as many clients as there may be";
    TooManyOfSource, too_many_of_source: "Their address had as many connections as it may";
    BadHeader, bad_header: "Their first text was not the header that it had to be";
    NoBackend, no_backend: "No backend was to be had";
    NoRoom, no_room: "The worker had no room, or no port, for a connection to a backend";
    QueueFull, queue_full: "All backends were full, and so was the queue";
    TimedOut, timed_out: "They had waited for a backend for too long";
}

counted! {
    /// What a backend did since it was first known.
    Tally {
        opened: "Connections opened to it",
        refused: "Attempts that it refused",
        timed_out: "Attempts that took too long",
        failed: "Attempts that failed otherwise",
        reset: "Connections that it reset",
        ejected: "Times that it was left out for failing",
        text_to: "Bytes of text to it, of connections that are over",
        text_from: "Bytes of text from it, of connections that are over",
    }
}

/// How a backend stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It gets connections.
    Up,
    /// It is left out for a while, as connections to it failed.
    Ejected,
    /// Its checks have failed.
    Down,
    /// The host's kernel has no way to it any more. A server knows, a worker does not.
    Unrouted,
    /// It gets no more connections, as the operator wants it.
    Draining,
    /// It gets no connections, as the operator wants it.
    Disabled,
    /// It is in the settings no more; connections that it has go on.
    Removed,
}

impl Standing {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Ejected => "ejected",
            Self::Down => "down",
            Self::Unrouted => "unrouted",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

/// What is known of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolReport {
    /// Connections that clients have now.
    pub clients: usize,
    /// Clients that wait for a backend to have room.
    pub queued: usize,
    /// Clients that were refused.
    pub refusals: Refusals,
    /// Its backends, then those that are removed and still have connections.
    pub backends: Vec<BackendReport>,
}

/// What is known of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendReport {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it stands.
    pub standing: Standing,
    /// Connections and attempts now.
    pub held: usize,
    /// What it did.
    pub tally: Tally,
}

impl PoolReport {
    /// Adds what another worker knows; of what they disagree about the worse.
    pub fn add(&mut self, other: &Self) {
        self.clients += other.clients;
        self.queued += other.queued;
        self.refusals.add(&other.refusals);
        for backend in &other.backends {
            let mut known = self.backends.iter_mut();
            match known.find(|it| it.endpoint == backend.endpoint) {
                None => self.backends.push(*backend),
                Some(known) => {
                    known.standing = known.standing.max(backend.standing);
                    known.held += backend.held;
                    known.tally.add(&backend.tally);
                }
            }
        }
    }
}
