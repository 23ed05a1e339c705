//! What the program decides about a frame; the table itself is `bpf/verdicts.h`.

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The kernel has it.
    Pass,
    /// The socket of its queue has it.
    Redirect,
    /// Nobody has it.
    Drop,
}

macro_rules! verdicts {
    ($($variant:ident, $name:literal, $action:ident, $help:literal;)+) => {
        /// What the program decided about a frame, and why.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Verdict {
            $(#[doc = $help] $variant,)+
        }

        impl Verdict {
            /// All of them, in the order of the program's counters.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name of its counter.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the counter counts, for people.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => $help,)+
                }
            }

            /// What becomes of the frame.
            #[must_use]
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$variant => Action::$action,)+
                }
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/verdicts.rs"));

/// Frames by verdict since the program was loaded, summed over all CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters(pub(crate) [u64; Verdict::ALL.len()]);

impl Counters {
    /// How many frames met with this verdict.
    #[must_use]
    pub fn get(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    /// All verdicts and their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Verdict, u64)> + '_ {
        Verdict::ALL
            .iter()
            .map(|&verdict| (verdict, self.get(verdict)))
    }

    /// How many frames ended with this action.
    #[must_use]
    pub fn total(&self, action: Action) -> u64 {
        self.iter()
            .filter(|(verdict, _)| verdict.action() == action)
            .map(|(_, count)| count)
            .sum()
    }
}
