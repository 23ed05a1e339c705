//! One queue of an interface, with nothing above it.

use std::net::Ipv4Addr;

use wirepath_device::{Batch, Device as _, Frame as _};
use wirepath_xdp::{XdpDevice, XdpFrame};

use crate::queue::{self, Hold};

/// Frames taken at a time: as many as a worker of the stack takes.
const BATCH: usize = 64;

/// The rings of a queue, and the XDP program that fills them: the stack's own.
pub(super) struct End {
    pub(super) device: XdpDevice,
    batch: Batch<XdpFrame>,
    // Goes after the device.
    hold: Hold,
}

impl End {
    /// Takes a queue, and all that is sent to `address`, which the kernel must not have.
    ///
    /// # Errors
    /// Not root, or the interface or its queue is in use.
    pub(super) fn open(interface: &str, queue: u32, address: Ipv4Addr) -> anyhow::Result<Self> {
        let (device, hold) = queue::open(interface, queue, &[address.into()])?;
        Ok(Self {
            device,
            batch: Batch::with_capacity(BATCH),
            hold,
        })
    }

    /// Where its XDP program runs.
    pub(super) fn mode(&self) -> &'static str {
        self.hold.mode()
    }

    /// Takes what has come, and sends each frame again that `take` wants sent, as it left it.
    ///
    /// # Errors
    /// The interface is gone.
    pub(super) fn turn(&mut self, mut take: impl FnMut(&mut [u8]) -> bool) -> usize {
        let received = self.device.receive(&mut self.batch);
        for mut frame in self.batch.drain() {
            let len = frame.bytes().len();
            let again = take(&mut frame.buffer()[..len]);
            if !again {
                self.device.release(frame);
            } else if let Err(full) = self.device.transmit(frame) {
                self.device.release(full.0);
            }
        }
        received
    }

    /// Sends a new frame that `write` makes, if there is room.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        let Some(mut frame) = self.device.allocate() else {
            return;
        };
        let len = write(frame.buffer());
        frame.set_len(len);
        if let Err(full) = self.device.transmit(frame) {
            self.device.release(full.0);
        }
    }
}
