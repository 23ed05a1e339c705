//! The AF_XDP device: one socket with its own memory on one queue of one interface.
//!
//! [`Interface::find`] looks at the interface, [`XdpDevice::open`] binds a socket to one of its
//! queues, and an XDP program of the caller's choice sends frames to it. From then on the device
//! is used through [`Device`](wirepath_device::Device) alone.
#![deny(unsafe_code)]

mod device;
mod error;
mod interface;
mod limits;
mod open;
mod options;
mod prefetch;
mod rings;
mod runs;
mod settings;
mod socket;
mod wake;

pub use device::XdpDevice;
pub use error::OpenError;
pub use interface::Interface;
pub use options::{MultiBuffer, Options, ZeroCopy};
pub use rings::{Statistics, XdpFrame};
pub use settings::{Coalescing, RingSizes, Rss, Settings, TOEPLITZ};
pub use wake::Waker;
