//! What can fail while a device is opened, on what, why, and what to do.

use std::io;

/// A failure to open a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no interface of that name in this network namespace.
    #[error("no interface {0} here; `ip link` lists those there are")]
    NoSuchInterface(String),
    /// The interface has fewer queues.
    #[error(
        "interface {interface} has no queue {queue}: it has {queues}; `ethtool -l {interface}` \
         shows them"
    )]
    NoSuchQueue {
        /// The name of the interface.
        interface: String,
        /// The queue that was asked for.
        queue: u32,
        /// How many there are.
        queues: u32,
    },
    /// Somebody else has the queue.
    #[error(
        "queue {queue} of {interface} is taken by another AF_XDP socket; stop the program that \
         has it (`ss --xdp -p` lists them) or choose another queue"
    )]
    QueueTaken {
        /// The name of the interface.
        interface: String,
        /// The queue that was asked for.
        queue: u32,
    },
    /// A packet as long as the MTU allows would take too many slots.
    #[error(
        "the MTU of {interface} is {mtu}, but packets may have up to {limit} bytes; \
         `ip link set dev {interface} mtu {limit}`"
    )]
    MtuTooLarge {
        /// The name of the interface.
        interface: String,
        /// Its MTU.
        mtu: usize,
        /// The largest MTU that fits.
        limit: usize,
    },
    /// The process may not open AF_XDP sockets.
    #[error(
        "cannot open an AF_XDP socket for {interface}: permission denied; run as root, or give \
         the program CAP_NET_RAW (setcap, or AmbientCapabilities= in a systemd unit)"
    )]
    NoPrivilege {
        /// The name of the interface.
        interface: String,
    },
    /// The kernel would not lock the memory of the frames.
    #[error(
        "cannot lock {bytes} bytes of frames for {interface}: the limit on locked memory is too \
         low; raise it (`ulimit -l unlimited`, LimitMEMLOCK= in a systemd unit) or use fewer \
         frames"
    )]
    Memlock {
        /// The name of the interface.
        interface: String,
        /// Bytes of all frames together.
        bytes: u64,
    },
    /// Zero-copy was demanded, and the driver has none.
    #[error(
        "the driver of {interface} ({driver}) has no zero-copy AF_XDP, or not on queue {queue}; \
         set zero-copy to auto"
    )]
    NoZeroCopy {
        /// The name of the interface.
        interface: String,
        /// The queue that was asked for.
        queue: u32,
        /// The name of the driver.
        driver: String,
    },
    /// The numbers do not go together.
    #[error("cannot open a device with these options: {0}")]
    Options(&'static str),
    /// Any other refusal.
    #[error("cannot {what} for queue {queue} of {interface}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The name of the interface.
        interface: String,
        /// The queue that was asked for.
        queue: u32,
        /// What the kernel said.
        source: io::Error,
    },
}
