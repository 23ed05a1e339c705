//! What the stack needs of a network device, and nothing more.
//!
//! A [`Device`] hands out [`Frame`]s: tokens that own the bytes of one slot of its memory. A frame
//! is always in exactly one place (free, fill ring, receive ring, transmit ring, or in somebody's
//! hand) and the [`Ledger`] proves it.
#![forbid(unsafe_code)]

mod batch;
mod ledger;
pub mod memory;

pub use batch::Batch;
pub use ledger::Ledger;

use std::io;
use std::time::Duration;

/// The bytes of one slot of a device's memory.
///
/// Implementations are neither `Clone` nor `Send`, and only a [`Device`] makes them.
pub trait Frame {
    /// The bytes received, or written so far: the first `len` bytes of the slot.
    fn bytes(&self) -> &[u8];

    /// The whole slot, to be written.
    fn buffer(&mut self) -> &mut [u8];

    /// Sets how many bytes of the slot count, at most its capacity.
    fn set_len(&mut self, len: usize);
}

/// Bytes of a frame besides the IP packet, at most: the Ethernet header and one 802.1Q tag.
pub const LINK_HEADERS: usize = 14 + 4;

/// A queue that had no room gives the frame back.
#[derive(Debug)]
pub struct Full<F>(pub F);

/// What a device can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Largest IP packet, in bytes, that the link carries in either direction.
    pub mtu: usize,
    /// Most frames one [`Device::receive`] yields.
    pub batch: usize,
}

impl Capabilities {
    /// Bytes of the longest frame, link headers included. The device drops what is longer.
    #[must_use]
    pub const fn longest_frame(&self) -> usize {
        self.mtu + LINK_HEADERS
    }
}

/// One queue pair of a network interface.
///
/// Only [`Device::flush`] and [`Device::wait_any`] may enter the kernel.
pub trait Device {
    /// The token for one slot of this device's memory.
    type Frame: Frame;

    /// What this device can do; constant for its life.
    fn capabilities(&self) -> Capabilities;

    /// Moves received frames to the end of `batch` while both have room; returns how many.
    fn receive(&mut self, batch: &mut Batch<Self::Frame>) -> usize;

    /// Frames that were dropped because they were longer than
    /// [`longest_frame`](Capabilities::longest_frame), since this was asked last.
    fn take_too_long(&mut self) -> u64;

    /// Takes a free frame of length 0, or `None` when all are in use.
    fn allocate(&mut self) -> Option<Self::Frame>;

    /// Queues a frame to be sent at the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`Full`], with the frame, when the transmit ring has no room.
    fn transmit(&mut self, frame: Self::Frame) -> Result<(), Full<Self::Frame>>;

    /// Gives a frame back to the device.
    fn release(&mut self, frame: Self::Frame);

    /// Hands queued frames to the kernel, takes back those it has sent, and refills receive slots.
    ///
    /// # Errors
    /// Only what the device cannot recover from: the interface is gone. A full ring or a link
    /// that is down is retried by the next flush.
    fn flush(&mut self) -> io::Result<()>;

    /// Sleeps until one of `devices` has a frame, somebody wakes one, or `timeout` has passed.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    fn wait_any(devices: &mut [&mut Self], timeout: Duration) -> io::Result<()>
    where
        Self: Sized;

    /// As [`wait_any`](Self::wait_any), of this device alone.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    fn wait(&mut self, timeout: Duration) -> io::Result<()>
    where
        Self: Sized,
    {
        Self::wait_any(&mut [self], timeout)
    }

    /// Where this device's frames are; all but `in_hand` must sum to the total less those the
    /// caller holds.
    fn ledger(&self) -> Ledger;
}
