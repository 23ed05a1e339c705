//! The AF_XDP device: one socket with its own memory on one queue of one interface.
//!
//! [`Interface::find`] looks at the interface, [`XdpDevice::open`] binds a socket to one of its
//! queues, and an XDP program of the caller's choice sends frames to it. From then on the device
//! is used through [`Device`](wirepath_device::Device) alone.
#![deny(unsafe_code)]

mod device;
mod error;
mod interface;
mod open;
mod options;
mod rings;
mod wake;

pub use device::XdpDevice;
pub use error::OpenError;
pub use interface::Interface;
pub use options::{Options, ZeroCopy};
pub use rings::{Statistics, XdpFrame};
pub use wake::Waker;

/// Room for the driver and XDP programs before the bytes of every frame (XDP_PACKET_HEADROOM).
const HEADROOM: usize = 256;

/// Most frames that one `receive` takes: enough to overlap cache misses, few enough for the L1.
const BATCH: usize = 64;

/// Ethernet header and one 802.1Q tag.
const LINK_HEADERS: usize = 14 + 4;
