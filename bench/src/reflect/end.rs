//! One queue of an interface, with nothing above it.

use wirepath_device::{Batch, Device as _, Frame as _};
use wirepath_xdp::{XdpDevice, XdpFrame};

/// Frames taken at a time: as many as a worker of the stack takes.
const BATCH: usize = 64;

/// The rings of a queue.
pub(super) struct End {
    pub(super) device: XdpDevice,
    batch: Batch<XdpFrame>,
}

impl End {
    pub(super) fn new(device: XdpDevice) -> Self {
        Self {
            device,
            batch: Batch::with_capacity(BATCH),
        }
    }

    /// Takes what has come, and sends each frame again that `take` wants sent, as it left it.
    pub(super) fn turn(&mut self, mut take: impl FnMut(&mut [u8]) -> bool) -> Turn {
        let received = self.device.receive(&mut self.batch);
        let mut refused = 0;
        for mut frame in self.batch.drain() {
            let len = frame.bytes().len();
            let again = take(&mut frame.buffer()[..len]);
            if !again {
                self.device.release(frame);
            } else if let Err(full) = self.device.transmit(frame) {
                self.device.release(full.0);
                refused += 1;
            }
        }
        Turn { received, refused }
    }

    /// Sends a new frame that `write` makes. Whether there was room.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let Some(mut frame) = self.device.allocate() else {
            return false;
        };
        let len = write(frame.buffer());
        frame.set_len(len);
        let sent = self.device.transmit(frame);
        sent.map_err(|full| self.device.release(full.0)).is_ok()
    }
}

/// What one look at the rings brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) received: usize,
    /// Frames that were to be sent again and found no room.
    pub(super) refused: usize,
}
