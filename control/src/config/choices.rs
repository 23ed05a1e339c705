//! Settings that are one of a few words.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use wirepath_apps::proxy::{Admin, Balance, Refusal, Version};
use wirepath_apps::{Role, Service};
use wirepath_tcp::config::{CongestionControl, EcnMode, SynCookies};
use wirepath_wire::tcp::ChecksumPolicy;
use wirepath_xdp::{MultiBuffer, ZeroCopy};

use crate::runtime::Idle;

/// The word for a value.
pub(super) fn word_for<W: ValueEnum + Into<T>, T: PartialEq>(value: &T) -> Option<W> {
    let mut words = W::value_variants().iter();
    words.find(|word| (*word).clone().into() == *value).cloned()
}

/// Makes an enum of words, with what each stands for.
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident for $value:ty {
            $($(#[$word_about:meta])* $word:ident => $stands_for:expr,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$word_about])* $word,)+
        }

        impl From<$name> for $value {
            fn from(word: $name) -> Self {
                match word {
                    $($name::$word => $stands_for,)+
                }
            }
        }
    };
}

words! {
    /// Where the XDP program runs.
    Mode for Option<wirepath_bpf::Mode> {
        /// Native, or skb where the driver has none.
        Auto => None,
        /// In the driver.
        Native => Some(wirepath_bpf::Mode::Native),
        /// In the generic hook: slower, on any interface.
        Skb => Some(wirepath_bpf::Mode::Skb),
    }
}

words! {
    /// Whether the driver writes frames straight into our memory.
    ZeroCopyChoice for ZeroCopy {
        /// Where the driver can.
        Auto => ZeroCopy::Auto,
        /// Or fail.
        On => ZeroCopy::On,
        /// Never.
        Off => ZeroCopy::Off,
    }
}

words! {
    /// Whether a packet may lie in several frames of memory.
    MultiBufferChoice for MultiBuffer {
        /// Where the MTU needs it and the kernel can; otherwise larger packets are dropped.
        Auto => MultiBuffer::Auto,
        /// Never: some drivers have zero-copy only without it.
        Off => MultiBuffer::Off,
    }
}

words! {
    /// Whether a worker has the kernel poll its queues in every turn.
    BusyPoll for bool {
        /// Where the driver's queues can be polled.
        On => true,
        /// Never.
        Off => false,
    }
}

words! {
    /// What a worker does when there is nothing to do.
    IdleChoice for Idle {
        /// Least latency, a whole core.
        Spin => Idle::Spin,
        /// Sleep until a frame comes.
        Adaptive => Idle::Adaptive,
    }
}

words! {
    /// Which checksums to take.
    RxChecksum for ChecksumPolicy {
        /// Only whole ones.
        Whole => ChecksumPolicy::Whole,
        /// Also those that hold just the pseudo-header, as veth peers with tx offload send.
        PartialOk => ChecksumPolicy::PartialOk,
    }
}

words! {
    /// What waits at a port.
    ServiceChoice for Option<Service> {
        /// RFC 862.
        Echo => Some(Service::Echo),
        /// RFC 863.
        Discard => Some(Service::Discard),
        /// RFC 864.
        Chargen => Some(Service::Chargen),
        /// None of its own: that of the backends of a pool.
        Proxy => None,
    }
}

impl From<Role> for ServiceChoice {
    fn from(role: Role) -> Self {
        let service = match role {
            Role::Service(service) => Some(service),
            Role::Proxy(_) => None,
        };
        word_for(&service).unwrap_or(Self::Proxy)
    }
}

words! {
    /// How a backend is chosen.
    BalanceChoice for Balance {
        /// In turn, by weight.
        RoundRobin => Balance::RoundRobin,
        /// Whoever has the fewest connections for its weight.
        LeastConnections => Balance::LeastConnections,
        /// By the client's address: rendezvous hashing.
        SourceHash => Balance::SourceHash,
        /// By the client's address: Maglev hashing.
        Maglev => Balance::Maglev,
    }
}

words! {
    /// What a client gets when there is no backend for it.
    RefusalChoice for Refusal {
        /// An RST.
        Reset => Refusal::Reset,
        /// A FIN.
        Close => Refusal::Close,
    }
}

words! {
    /// The header that tells backends of the client.
    HeaderChoice for Option<Version> {
        /// None.
        Off => None,
        /// Version 1 of the PROXY protocol.
        V1 => Some(Version::V1),
        /// Version 2.
        V2 => Some(Version::V2),
    }
}

words! {
    /// What a backend may be given.
    #[derive(Default)]
    AdminChoice for Admin {
        /// Connections.
        #[default]
        Ready => Admin::Ready,
        /// No more; those it has go on.
        Drain => Admin::Drain,
        /// No more, and those it has are reset.
        Disabled => Admin::Disabled,
    }
}

words! {
    /// How the congestion window grows and shrinks.
    Congestion for CongestionControl {
        /// RFC 9438, with HyStart++.
        Cubic => CongestionControl::Cubic,
        /// NewReno: RFC 5681 and RFC 6582.
        Reno => CongestionControl::NewReno,
        /// RFC 8257, for networks that mark early.
        Dctcp => CongestionControl::Dctcp,
        /// Gives way when round trips grow.
        Vegas => CongestionControl::Vegas,
        /// Version 3: by a model of the path, and paced.
        Bbr => CongestionControl::Bbr,
    }
}

words! {
    /// Whether to agree on explicit congestion notification.
    Ecn for EcnMode {
        /// Never.
        Off => EcnMode::Off,
        /// When a peer offers it.
        On => EcnMode::Active,
    }
}

words! {
    /// When a SYN is answered without keeping an entry.
    Cookies for SynCookies {
        /// Never: a SYN that finds no room is dropped.
        Off => SynCookies::Off,
        /// When there is no room for an entry.
        WhenFull => SynCookies::WhenFull,
        /// Always.
        Always => SynCookies::Always,
    }
}
