//! The four rings, the memory of the frames, and who holds which frame.
//!
//! Everything that could let two parties have the same frame is in here. The invariant that makes
//! it sound: every descriptor that [`Rings::new`] gets is at any time in exactly one of these
//! places, which [`Ledger`] counts: the free stack, the kernel (fill and receive ring, or transmit
//! and completion ring), or an [`XdpFrame`].
#![allow(
    unsafe_code,
    reason = "the kernel reads and writes the frames that we hand to it"
)]

use std::fmt;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use wirepath_device::{Frame, Full, Ledger};
use xsk_rs::config::{Interface, SocketConfig};
use xsk_rs::socket::SocketCreateError;
use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, Socket, TxQueue, Umem};

use crate::limits::{BATCH, HEADROOM, MIN_FRAME};

/// One frame of an [`XdpDevice`](crate::XdpDevice).
///
/// A frame that is dropped, and not given back, is lost to the device. It stays valid when the
/// device is dropped first; the device's memory and queue are then not freed before the process
/// ends.
///
/// ```compile_fail
/// fn send(frame: wirepath_xdp::XdpFrame) -> impl Send {
///     frame
/// }
/// ```
pub struct XdpFrame {
    /// The first byte of the packet.
    data: NonNull<u8>,
    len: u32,
    /// Bytes from `data` to the end of the slot.
    capacity: u32,
    desc: FrameDesc,
}

const _: () = assert!(size_of::<XdpFrame>() == 48);

impl Frame for XdpFrame {
    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: `data` points to `capacity` bytes, of which `len` are part, that are mapped as
        // long as this frame exists, initialized, and nobody else's by the module's invariant.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len as usize) }
    }

    #[inline]
    fn buffer(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.capacity as usize) }
    }

    #[inline]
    fn set_len(&mut self, len: usize) {
        assert!(
            len <= self.capacity as usize,
            "a frame of {} has no {len} bytes",
            self.capacity
        );
        self.len = len as u32;
    }
}

impl fmt::Debug for XdpFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XdpFrame")
            .field("addr", &self.desc.addr())
            .field("len", &self.len)
            .finish()
    }
}

/// What the kernel counts for a socket (XDP_STATISTICS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Received and dropped for other reasons than a full ring.
    pub rx_dropped: u64,
    /// Dropped because of a bad descriptor in the fill ring.
    pub rx_invalid_descs: u64,
    /// Not sent because of a bad descriptor in the transmit ring.
    pub tx_invalid_descs: u64,
    /// Dropped because the receive ring was full.
    pub rx_ring_full: u64,
    /// How often the kernel found the fill ring empty.
    pub fill_ring_empty: u64,
    /// How often the kernel found the transmit ring empty.
    pub tx_ring_empty: u64,
}

/// What a socket consists of, as it is opened.
pub(crate) struct Parts {
    pub(crate) umem: Umem,
    pub(crate) fill: FillQueue,
    pub(crate) completion: CompQueue,
    pub(crate) receive: RxQueue,
    pub(crate) transmit: TxQueue,
}

impl Parts {
    /// Binds a socket with memory of its own to a queue. No XDP program is loaded for it.
    pub(crate) fn bind(
        config: SocketConfig,
        umem: Umem,
        interface: &Interface,
        queue: u32,
    ) -> Result<Self, SocketCreateError> {
        // SAFETY: the memory is not shared, so this is its only socket.
        let (transmit, receive, own) = unsafe { Socket::new(config, &umem, interface, queue)? };
        let (fill, completion) = own.expect("a first socket has its own fill and completion ring");
        Ok(Self {
            umem,
            fill,
            completion,
            receive,
            transmit,
        })
    }
}

/// The rings and the frames in and out of them. No call enters the kernel.
pub(crate) struct Rings {
    parts: ManuallyDrop<Parts>,
    /// The start of the frames' memory.
    area: NonNull<u8>,
    frame_size: usize,
    /// The descriptor of each frame as it was made.
    homes: Box<[FrameDesc]>,
    /// A stack, of which the first `ledger.free` are in use; hot frames are on top.
    free: Box<[FrameDesc]>,
    scratch: [FrameDesc; BATCH],
    transmit_size: u32,
    receive_share: usize,
    ledger: Ledger,
}

// SAFETY: only `area` is not Send by itself, and the memory that it points to belongs to `parts`,
// which is Send; nothing here is tied to the thread that made it.
unsafe impl Send for Rings {}

impl Rings {
    /// Takes over the socket and all the frames of its memory.
    pub(crate) fn new(mut parts: Parts, frames: Vec<FrameDesc>, receive_share: usize) -> Self {
        let mut first = frames[0];
        // SAFETY: the descriptor is of this memory, and no frame is in anybody's hands yet.
        let mut data = unsafe { parts.umem.data_mut(&mut first) };
        let frame_size = data.cursor().buf_len() + HEADROOM;
        // SAFETY: as above. The memory starts HEADROOM before the data of the first frame.
        let area = unsafe {
            let start: *const u8 = parts.umem.data(&first).as_ref().as_ptr();
            NonNull::new_unchecked(start.cast_mut().sub(first.addr()))
        };
        let free = frames.len();
        Self {
            transmit_size: parts.transmit.nb_free_exact(),
            parts: ManuallyDrop::new(parts),
            area,
            frame_size,
            free: frames.clone().into_boxed_slice(),
            homes: frames.into_boxed_slice(),
            scratch: [FrameDesc::default(); BATCH],
            receive_share,
            ledger: Ledger {
                total: free,
                free,
                ..Ledger::default()
            },
        }
    }

    /// Takes received frames, at most `limit` and `BATCH`; returns how many.
    #[inline]
    pub(crate) fn receive(&mut self, limit: usize, mut take: impl FnMut(XdpFrame)) -> usize {
        let limit = limit.min(BATCH);
        // SAFETY: the ring and the descriptors are of the same memory.
        let taken = unsafe { self.parts.receive.consume(&mut self.scratch[..limit]) };
        self.ledger.receiving -= taken;
        self.ledger.in_hand += taken;
        for i in 0..taken {
            let desc = self.scratch[i];
            take(self.frame(desc, desc.lengths().data()));
        }
        taken
    }

    /// Takes a free frame, unless it is kept for receiving.
    #[inline]
    pub(crate) fn allocate(&mut self) -> Option<XdpFrame> {
        let kept = self.receive_share - self.ledger.receiving;
        if self.ledger.free <= kept {
            return None;
        }
        self.ledger.free -= 1;
        self.ledger.in_hand += 1;
        Some(self.frame(self.free[self.ledger.free], 0))
    }

    /// Puts a frame in the transmit ring.
    #[inline]
    pub(crate) fn transmit(&mut self, frame: XdpFrame) -> Result<(), Full<XdpFrame>> {
        self.check_owner(&frame);
        if frame.len < MIN_FRAME {
            // The kernel drops an empty descriptor and never completes it: the frame would leak.
            tracing::error!(
                len = frame.len,
                "a frame too short for an Ethernet header: not sent"
            );
            self.release(frame);
            return Ok(());
        }
        let mut desc = frame.desc;
        // SAFETY: the frame is of this memory, ours, and consumed if this succeeds.
        let queued = unsafe {
            self.parts
                .umem
                .data_mut(&mut desc)
                .cursor()
                .set_pos(frame.len as usize);
            self.parts.transmit.produce_one(&desc)
        };
        if queued == 0 {
            return Err(Full(frame));
        }
        self.ledger.in_hand -= 1;
        self.ledger.transmitting += 1;
        Ok(())
    }

    /// Takes a frame back.
    #[inline]
    pub(crate) fn release(&mut self, frame: XdpFrame) {
        self.check_owner(&frame);
        self.ledger.in_hand -= 1;
        self.free[self.ledger.free] = self.home(frame.desc);
        self.ledger.free += 1;
    }

    /// Takes back all frames that the kernel has sent.
    #[inline]
    pub(crate) fn complete(&mut self) {
        while self.ledger.transmitting > 0 {
            let unused = &mut self.free[self.ledger.free..];
            // SAFETY: the ring and the descriptors are of the same memory.
            let done = unsafe { self.parts.completion.consume(unused) };
            if done == 0 {
                break;
            }
            for i in self.ledger.free..self.ledger.free + done {
                self.free[i] = self.home(self.free[i]);
            }
            self.ledger.transmitting -= done;
            self.ledger.free += done;
        }
    }

    /// Gives the kernel free frames to receive into, up to the receive share.
    #[inline]
    pub(crate) fn refill(&mut self) {
        let wanted = self.receive_share - self.ledger.receiving;
        let count = wanted.min(self.ledger.free);
        let rest = self.ledger.free - count;
        // SAFETY: these frames are of this memory and free, so nobody else's.
        let filled = unsafe { self.parts.fill.produce(&self.free[rest..self.ledger.free]) };
        self.ledger.free -= filled;
        self.ledger.receiving += filled;
    }

    /// Frames in the transmit ring that the kernel has not looked at.
    #[inline]
    pub(crate) fn queued(&mut self) -> u32 {
        if self.ledger.transmitting == 0 {
            return 0;
        }
        self.transmit_size - self.parts.transmit.nb_free_exact()
    }

    /// Whether the kernel waits for a kick before it sends.
    #[inline]
    pub(crate) fn transmit_needs_kick(&self) -> bool {
        self.parts.transmit.needs_wakeup()
    }

    /// Whether the kernel waits for a kick before it looks at the fill ring.
    #[inline]
    pub(crate) fn fill_needs_kick(&self) -> bool {
        self.parts.fill.needs_wakeup()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger
    }

    pub(crate) fn statistics(&self) -> std::io::Result<Statistics> {
        let statistics = self.parts.receive.fd().xdp_statistics()?;
        Ok(Statistics {
            rx_dropped: statistics.rx_dropped(),
            rx_invalid_descs: statistics.rx_invalid_descs(),
            tx_invalid_descs: statistics.tx_invalid_descs(),
            rx_ring_full: statistics.rx_ring_full(),
            fill_ring_empty: statistics.rx_fill_ring_empty_descs(),
            tx_ring_empty: statistics.tx_ring_empty_descs(),
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open as long as `parts` are, which `self` holds.
        unsafe { BorrowedFd::borrow_raw(self.parts.receive.fd().as_raw_fd()) }
    }

    /// Whether the driver writes straight into our memory.
    pub(crate) fn is_zero_copy(&self) -> bool {
        let mut options: u32 = 0;
        let mut size = size_of::<u32>() as libc::socklen_t;
        // SAFETY: XDP_OPTIONS writes one u32, and we say how long that is.
        let failed = unsafe {
            libc::getsockopt(
                self.fd().as_raw_fd(),
                libc::SOL_XDP,
                libc::XDP_OPTIONS,
                (&raw mut options).cast(),
                &raw mut size,
            )
        };
        failed == 0 && options & libc::XDP_OPTIONS_ZEROCOPY != 0
    }

    /// The frame of a descriptor that nobody else has.
    #[inline]
    fn frame(&self, desc: FrameDesc, len: usize) -> XdpFrame {
        let addr = desc.addr();
        let capacity = self.frame_size - (addr & (self.frame_size - 1));
        assert!(
            addr < self.homes.len() * self.frame_size && len <= capacity,
            "the kernel names a frame at {addr} of {len} bytes, which does not exist"
        );
        // SAFETY: `addr` is within the memory, as was just asserted.
        let data = unsafe { self.area.add(addr) };
        XdpFrame {
            data,
            len: len as u32,
            capacity: capacity as u32,
            desc,
        }
    }

    /// The descriptor as it was made: a driver may have moved the start of the packet.
    #[inline]
    fn home(&self, desc: FrameDesc) -> FrameDesc {
        if desc.addr() & (self.frame_size - 1) == HEADROOM {
            return desc;
        }
        self.homes[desc.addr() / self.frame_size]
    }

    /// Two owners of one frame would be unsound, so a stranger's frame must end here.
    #[inline]
    fn check_owner(&self, frame: &XdpFrame) {
        let expected = self.area.as_ptr().wrapping_add(frame.desc.addr());
        assert!(
            std::ptr::eq(expected, frame.data.as_ptr()),
            "a frame was given to a device that it does not belong to"
        );
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        // Frames in hand point into the memory: then it must stay, and with it all of the socket.
        if self.ledger.in_hand == 0 {
            // SAFETY: `parts` are not used after this.
            unsafe { ManuallyDrop::drop(&mut self.parts) };
            return;
        }
        tracing::error!(
            frames = self.ledger.in_hand,
            "a device was dropped before its frames: memory and queue stay taken"
        );
    }
}
