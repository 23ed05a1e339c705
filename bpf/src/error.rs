//! What can fail, on what, why, and what to do.

use std::net::IpAddr;

use rustix::thread::{CapabilitySet, capabilities};

use crate::Mode;

/// A failure to load, attach or configure the XDP program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SteerError {
    /// The process may not use bpf(2).
    #[error(
        "cannot {what}: permission denied; run as root, or give the program CAP_BPF, \
         CAP_NET_ADMIN and CAP_PERFMON, and CAP_NET_RAW for its sockets (setcap, or \
         AmbientCapabilities= in a systemd unit)"
    )]
    NoPrivilege {
        /// What was tried.
        what: &'static str,
    },
    /// The kernel did not take the program.
    #[error(
        "cannot load the XDP program: {0:#}; Linux 5.9 or later with BPF is needed, and beside \
         CAP_BPF also CAP_PERFMON where it does not run as root"
    )]
    Load(#[source] libbpf_rs::Error),
    /// There is no interface of that name in this network namespace.
    #[error("no interface {0} here; `ip link` lists those there are")]
    NoSuchInterface(String),
    /// Another program holds the place.
    #[error(
        "interface {interface} already has an XDP program{}; if it is another server, stop that \
         first, else see `bpftool net` and remove it with `ip link set dev {interface} xdp off`",
        program.map(|id| format!(" (id {id})")).unwrap_or_default()
    )]
    AlreadyAttached {
        /// The name of the interface.
        interface: String,
        /// The kernel's id of the other program, where it tells.
        program: Option<u32>,
    },
    /// The driver or the kernel refused the program.
    #[error(
        "cannot attach the XDP program to {interface} in {mode} mode: {source}; {}", advice(*mode)
    )]
    Attach {
        /// The name of the interface.
        interface: String,
        /// The mode that was tried last.
        mode: Mode,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A listener needs an address that [`Steering::set_address`](crate::Steering::set_address)
    /// knows.
    #[error("cannot listen on {0}: it is not an address of ours; add the address first")]
    UnknownAddress(IpAddr),
    /// A map of the program refused a change.
    #[error("cannot {what} in the XDP program's map: {source:#}")]
    Map {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: libbpf_rs::Error,
    },
}

fn advice(mode: Mode) -> &'static str {
    match mode {
        Mode::Native => {
            "the driver may have no XDP or the MTU may be too large for it: try skb mode or a \
             smaller MTU"
        }
        Mode::Skb => "this kernel may be older than 5.9 or built without XDP",
    }
}

pub(crate) fn map_error(what: &'static str) -> impl FnOnce(libbpf_rs::Error) -> SteerError {
    move |source| SteerError::Map { what, source }
}

/// The verifier says "permission denied" as well, so the capabilities must tell which it was.
pub(crate) fn load_error(error: libbpf_rs::Error) -> SteerError {
    let denied = error.kind() == libbpf_rs::ErrorKind::PermissionDenied;
    let holds = |capability| {
        let either = capability | CapabilitySet::SYS_ADMIN;
        capabilities(None).is_ok_and(|sets| sets.effective.intersects(either))
    };
    if denied && !(holds(CapabilitySet::BPF) && holds(CapabilitySet::NET_ADMIN)) {
        return SteerError::NoPrivilege {
            what: "load the XDP program",
        };
    }
    SteerError::Load(error)
}
