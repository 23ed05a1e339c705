//! One queue of an interface, with nothing above it.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;

use wirepath_bpf::{AddressKind, Attachment, Mode, Steering};
use wirepath_device::{Batch, Device as _, Frame as _};
use wirepath_xdp::{Interface, Options, XdpDevice, XdpFrame};

/// Frames taken at a time: as many as a worker of the stack takes.
const BATCH: usize = 64;

/// The rings of a queue, and the XDP program that fills them: the stack's own.
pub(super) struct End {
    pub(super) device: XdpDevice,
    batch: Batch<XdpFrame>,
    attachment: Attachment,
    _steering: Steering,
}

impl End {
    /// Takes a queue, and all that is sent to `address`, which the kernel must not have.
    ///
    /// # Errors
    /// Not root, or the interface or its queue is in use.
    pub(super) fn open(
        interface: &str,
        queue: u32,
        (address, mode): (Ipv4Addr, Option<Mode>),
    ) -> anyhow::Result<Self> {
        let found = Interface::find(interface)?;
        let steering = Steering::load()?;
        let attachment = steering.attach(interface, mode)?;
        let device = XdpDevice::open(&found, queue, &Options::default())?;
        steering.set_socket(queue, device.as_fd())?;
        steering.set_address(IpAddr::V4(address), AddressKind::Owned)?;
        Ok(Self {
            device,
            batch: Batch::with_capacity(BATCH),
            attachment,
            _steering: steering,
        })
    }

    pub(super) fn mode(&self) -> Mode {
        self.attachment.mode()
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
