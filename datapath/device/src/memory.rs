//! A device whose wire is memory.

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use crate::{Batch, Capabilities, Device, Frame, Full, LINK_HEADERS, Ledger};

/// One slot of a [`MemoryDevice`].
#[derive(Debug)]
pub struct MemoryFrame {
    slot: Box<[u8]>,
    len: usize,
    /// Frames stay on the thread of their device.
    not_send: PhantomData<Rc<()>>,
}

impl Frame for MemoryFrame {
    fn bytes(&self) -> &[u8] {
        &self.slot[..self.len]
    }

    fn buffer(&mut self) -> &mut [u8] {
        &mut self.slot
    }

    fn set_len(&mut self, len: usize) {
        self.len = len.min(self.slot.len());
    }
}

/// What a [`MemoryDevice`] is made with.
#[derive(Debug, Clone, Copy)]
pub struct MemoryDeviceConfig {
    /// Largest IP packet, in bytes.
    pub mtu: usize,
    /// Frames in all.
    pub frames: usize,
    /// Frames that fit into the receive ring, and into the transmit ring.
    pub ring: usize,
}

/// A network device without a kernel: frames come from [`deliver`](Self::deliver), and those that
/// were flushed leave by [`take_sent`](Self::take_sent). It allocates only when it is made.
#[derive(Debug)]
pub struct MemoryDevice {
    config: MemoryDeviceConfig,
    free: Vec<MemoryFrame>,
    received: VecDeque<MemoryFrame>,
    queued: VecDeque<MemoryFrame>,
    sent: VecDeque<MemoryFrame>,
    in_hand: usize,
    overruns: u64,
    too_long: u64,
}

impl MemoryDevice {
    /// A device with all its frames free.
    #[must_use]
    pub fn new(config: MemoryDeviceConfig) -> Self {
        let frame = |_| MemoryFrame {
            slot: vec![0; config.mtu + LINK_HEADERS].into_boxed_slice(),
            len: 0,
            not_send: PhantomData,
        };
        Self {
            config,
            free: (0..config.frames).map(frame).collect(),
            received: VecDeque::with_capacity(config.ring),
            queued: VecDeque::with_capacity(config.ring),
            sent: VecDeque::with_capacity(config.ring),
            in_hand: 0,
            overruns: 0,
            too_long: 0,
        }
    }

    /// A frame comes from the wire. Whether there was room for it.
    pub fn deliver(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.capabilities().longest_frame() {
            self.too_long += 1;
            return false;
        }
        let room = self.received.len() < self.config.ring;
        let Some(mut frame) = room.then(|| self.free.pop()).flatten() else {
            self.overruns += 1;
            return false;
        };
        frame.slot[..bytes.len()].copy_from_slice(bytes);
        frame.len = bytes.len();
        self.received.push_back(frame);
        true
    }

    /// Hands the oldest flushed frame to `wire` and takes its slot back; whether there was one.
    pub fn take_sent(&mut self, wire: impl FnOnce(&[u8])) -> bool {
        let Some(frame) = self.sent.pop_front() else {
            return false;
        };
        wire(frame.bytes());
        self.free.push(frame);
        true
    }

    /// Whether frames wait to be received.
    #[must_use]
    pub fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    /// Frames lost because no slot was free or the receive ring was full.
    #[must_use]
    pub const fn overruns(&self) -> u64 {
        self.overruns
    }
}

impl Device for MemoryDevice {
    type Frame = MemoryFrame;

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.config.mtu,
            batch: self.config.ring,
        }
    }

    fn receive(&mut self, batch: &mut Batch<MemoryFrame>) -> usize {
        let count = batch.room().min(self.received.len());
        for frame in self.received.drain(..count) {
            self.in_hand += 1;
            if let Err(Full(frame)) = batch.push(frame) {
                // Cannot be: the batch had room for all of them.
                self.in_hand -= 1;
                self.free.push(frame);
            }
        }
        count
    }

    fn take_too_long(&mut self) -> u64 {
        std::mem::take(&mut self.too_long)
    }

    fn allocate(&mut self) -> Option<MemoryFrame> {
        let mut frame = self.free.pop()?;
        frame.len = 0;
        self.in_hand += 1;
        Some(frame)
    }

    fn transmit(&mut self, frame: MemoryFrame) -> Result<(), Full<MemoryFrame>> {
        if self.queued.len() + self.sent.len() >= self.config.ring {
            return Err(Full(frame));
        }
        self.in_hand -= 1;
        self.queued.push_back(frame);
        Ok(())
    }

    fn release(&mut self, frame: MemoryFrame) {
        self.in_hand -= 1;
        self.free.push(frame);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sent.append(&mut self.queued);
        Ok(())
    }

    /// Virtual time does not pass here.
    fn wait_any(_devices: &mut [&mut Self], _timeout: Duration) -> io::Result<()> {
        Ok(())
    }

    fn ledger(&self) -> Ledger {
        Ledger {
            total: self.config.frames,
            free: self.free.len(),
            receiving: self.received.len(),
            transmitting: self.queued.len() + self.sent.len(),
            in_hand: self.in_hand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> MemoryDevice {
        MemoryDevice::new(MemoryDeviceConfig {
            mtu: 100,
            frames: 3,
            ring: 2,
        })
    }

    #[test]
    fn a_frame_is_always_in_one_place() {
        let mut device = device();
        assert!(device.deliver(b"one") && device.deliver(b"two"));
        assert!(!device.deliver(b"three"), "the receive ring is full");
        let mut batch = Batch::with_capacity(8);
        assert_eq!(device.receive(&mut batch), 2);
        let ledger = device.ledger();
        assert!(ledger.balances() && ledger.in_hand == 2 && ledger.free == 1);
        batch.drain().for_each(|frame| device.release(frame));
        assert_eq!(device.ledger().free, 3);
    }

    #[test]
    fn a_frame_longer_than_the_mtu_allows_is_dropped_and_counted() {
        let mut device = device();
        assert!(device.deliver(&[0; 118]) && !device.deliver(&[0; 119]));
        assert_eq!((device.take_too_long(), device.take_too_long()), (1, 0));
        assert_eq!(device.overruns(), 0);
    }

    #[test]
    fn the_transmit_ring_is_bounded_and_only_flush_sends() {
        let mut device = device();
        for full in [false, false, true] {
            let frame = device.allocate().unwrap();
            let refused = device.transmit(frame).err();
            assert_eq!(refused.is_some(), full);
            if let Some(Full(frame)) = refused {
                device.release(frame);
            }
        }
        assert!(!device.take_sent(|_| {}));
        device.flush().unwrap();
        assert!(device.take_sent(|bytes| assert!(bytes.is_empty())));
        assert!(device.take_sent(|_| {}) && !device.take_sent(|_| {}));
        assert_eq!(device.ledger().free, 3);
    }
}
