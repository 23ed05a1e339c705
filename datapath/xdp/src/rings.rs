//! The four rings, the memory of the slots, and who holds which.
//!
//! Everything that could let two parties have the same slot is in here. The invariant that makes
//! it sound: every descriptor that [`Rings::new`] gets is at any time in exactly one of these
//! places, which [`Ledger`] counts: free, the kernel (fill and receive ring, or transmit and
//! completion ring), or an [`XdpFrame`].
//!
//! A frame is one slot. Where the MTU is larger than that, frames to be sent are [`Runs`] of
//! adjacent slots, written as if there were no borders between them; and what comes in several
//! slots is gathered in a run. Either way a frame's bytes lie side by side.
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

use crate::limits::{BATCH, HEADROOM, MAX_SLOTS, MIN_FRAME};
use crate::prefetch::prefetch;
use crate::runs::Runs;

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
    /// Bytes from `data` to the end of the slot, or of the run.
    capacity: u32,
    /// Of its slot, or of the first one of its run.
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

/// How the slots are used.
pub(crate) struct Layout {
    /// Slots that are kept for receiving.
    pub(crate) receive_share: usize,
    /// Slots that one frame to be sent may need.
    pub(crate) slots_of_a_frame: usize,
    /// Bytes of the longest frame that is taken.
    pub(crate) longest: usize,
}

/// A frame that has come in part.
struct Gathering {
    /// Where it is gathered; `None` where it cannot be.
    run: Option<XdpFrame>,
    /// Its bytes so far.
    len: usize,
}

/// The rings and the frames in and out of them. No call enters the kernel.
pub(crate) struct Rings {
    parts: ManuallyDrop<Parts>,
    /// The start of the slots' memory.
    area: NonNull<u8>,
    frame_size: usize,
    /// The descriptor of each slot as it was made.
    homes: Box<[FrameDesc]>,
    /// A stack of slots that are no part of a run; hot ones are on top. It has room for all.
    free: Vec<FrameDesc>,
    /// `None` where every frame fits a slot.
    runs: Option<Runs>,
    gathering: Option<Gathering>,
    longest: usize,
    too_long: u64,
    scratch: [FrameDesc; BATCH],
    transmit_size: u32,
    receive_share: usize,
    /// All but `free`, and without what is being gathered.
    ledger: Ledger,
}

// SAFETY: only `area` and the frame in `gathering` are not Send by themselves, and the memory that
// they point to belongs to `parts`, which is Send; nothing here is tied to the thread that made it.
unsafe impl Send for Rings {}

impl Rings {
    /// Takes over the socket and all the slots of its memory.
    pub(crate) fn new(mut parts: Parts, slots: Vec<FrameDesc>, layout: Layout) -> Self {
        let mut first = slots[0];
        // SAFETY: the descriptor is of this memory, and no frame is in anybody's hands yet.
        let mut data = unsafe { parts.umem.data_mut(&mut first) };
        let frame_size = data.cursor().buf_len() + HEADROOM;
        // SAFETY: as above. The memory starts HEADROOM before the data of the first frame.
        let area = unsafe {
            let start: *const u8 = parts.umem.data(&first).as_ref().as_ptr();
            NonNull::new_unchecked(start.cast_mut().sub(first.addr()))
        };
        let mut free = slots.clone();
        let runs = (layout.slots_of_a_frame > 1).then(|| {
            free.truncate(layout.receive_share);
            Runs::new(free.len(), slots.len(), layout.slots_of_a_frame)
        });
        Self {
            transmit_size: parts.transmit.nb_free_exact(),
            parts: ManuallyDrop::new(parts),
            area,
            frame_size,
            homes: slots.into_boxed_slice(),
            ledger: Ledger {
                total: free.len() + runs.as_ref().map_or(0, Runs::total),
                ..Ledger::default()
            },
            free,
            runs,
            gathering: None,
            longest: layout.longest,
            too_long: 0,
            scratch: [FrameDesc::default(); BATCH],
            receive_share: layout.receive_share,
        }
    }

    /// Takes received frames, at most `limit`; returns how many.
    #[inline]
    pub(crate) fn receive(&mut self, limit: usize, mut take: impl FnMut(XdpFrame)) -> usize {
        let mut received = 0;
        while received < limit {
            // Each frame in several slots needs a run.
            let room = self.runs.as_ref().map_or(BATCH, Runs::free);
            let wanted = (limit - received).min(BATCH).min(room);
            // SAFETY: the ring and the descriptors are of the same memory.
            let taken = unsafe { self.parts.receive.consume(&mut self.scratch[..wanted]) };
            self.ledger.receiving -= taken;
            for desc in &self.scratch[..taken] {
                prefetch(self.frame(*desc, desc.lengths().data()).bytes());
            }
            for i in 0..taken {
                if let Some(frame) = self.received(self.scratch[i]) {
                    self.ledger.in_hand += 1;
                    received += 1;
                    take(frame);
                }
            }
            if taken < wanted || wanted == 0 {
                break;
            }
        }
        received
    }

    /// The frame of a slot that was received, if that completes one.
    #[inline]
    fn received(&mut self, desc: FrameDesc) -> Option<XdpFrame> {
        let piece = self.frame(desc, desc.lengths().data());
        if self.gathering.is_some() || desc.has_more_frames() {
            return self.gather(&piece);
        }
        if piece.len as usize > self.longest {
            self.too_long += 1;
            self.put_back(desc);
            return None;
        }
        Some(piece)
    }

    /// Adds a slot to the frame that is being gathered, and returns that with its last slot.
    fn gather(&mut self, piece: &XdpFrame) -> Option<XdpFrame> {
        let mut gathering = self.gathering.take().unwrap_or_else(|| Gathering {
            run: self.take_run(Runs::take_for_receiving),
            len: 0,
        });
        let end = gathering.len + piece.len as usize;
        if let Some(run) = &mut gathering.run
            && let Some(room) = run.buffer().get_mut(gathering.len..end)
        {
            room.copy_from_slice(piece.bytes());
        }
        gathering.len = end;
        self.put_back(piece.desc);
        if piece.desc.has_more_frames() {
            self.gathering = Some(gathering);
            return None;
        }
        match gathering.run {
            Some(mut run) if end <= self.longest => {
                run.set_len(end);
                return Some(run);
            }
            Some(run) => self.put_back(run.desc),
            None => {}
        }
        self.too_long += 1;
        None
    }

    /// Frames that were too long to be taken, since this was asked last.
    #[inline]
    pub(crate) fn take_too_long(&mut self) -> u64 {
        std::mem::take(&mut self.too_long)
    }

    /// Takes a free frame, unless it is kept for receiving.
    #[inline]
    pub(crate) fn allocate(&mut self) -> Option<XdpFrame> {
        let frame = if self.runs.is_some() {
            self.take_run(Runs::take_for_sending)?
        } else {
            let kept = self.receive_share - self.ledger.receiving;
            if self.free.len() <= kept {
                return None;
            }
            let desc = self.free.pop()?;
            self.frame(desc, 0)
        };
        self.ledger.in_hand += 1;
        Some(frame)
    }

    /// A frame of a whole run, if `take` finds one.
    fn take_run(&mut self, take: impl FnOnce(&mut Runs) -> Option<usize>) -> Option<XdpFrame> {
        let runs = self.runs.as_mut()?;
        let slot = take(runs)?;
        let more = (runs.slots() - 1) * self.frame_size;
        let mut frame = self.frame(self.homes[slot], 0);
        frame.capacity += more as u32;
        Some(frame)
    }

    /// Puts a frame in the transmit ring.
    #[inline]
    pub(crate) fn transmit(&mut self, mut frame: XdpFrame) -> Result<(), Full<XdpFrame>> {
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
        let queued = if self.is_run(frame.desc) {
            self.queue_run(&mut frame)
        } else {
            let desc = self.sized(frame.desc, frame.len as usize);
            // SAFETY: the frame is of this memory, ours, and consumed if this succeeds.
            unsafe { self.parts.transmit.produce_one(&desc) > 0 }
        };
        if !queued {
            return Err(Full(frame));
        }
        self.ledger.in_hand -= 1;
        self.ledger.transmitting += 1;
        Ok(())
    }

    /// Puts as many slots of a run in the transmit ring as its bytes need; whether there was room.
    fn queue_run(&mut self, frame: &mut XdpFrame) -> bool {
        let (len, room) = (frame.len as usize, self.frame_size - HEADROOM);
        let pieces = len.div_ceil(room);
        if (self.parts.transmit.nb_free(pieces as u32) as usize) < pieces {
            return false;
        }
        // Every slot but the first keeps its headroom, so what is in them moves up.
        for piece in (1..pieces).rev() {
            let bytes = piece * room..len.min((piece + 1) * room);
            let to = piece * self.frame_size;
            frame.buffer().copy_within(bytes, to);
        }
        let run = self.slot(frame.desc);
        let mut descs = [FrameDesc::default(); MAX_SLOTS];
        for (piece, desc) in descs[..pieces].iter_mut().enumerate() {
            *desc = self.sized(self.homes[run + piece], room.min(len - piece * room));
            if piece + 1 < pieces {
                desc.set_options(libc::XDP_PKT_CONTD);
            }
        }
        // SAFETY: all slots of the run are this frame's, which is of this memory, ours, and
        // consumed if this succeeds.
        let queued = unsafe { self.parts.transmit.produce(&descs[..pieces]) };
        if queued > 0
            && let Some(runs) = &mut self.runs
        {
            runs.queue(run, queued as u32);
        }
        queued > 0
    }

    /// The descriptor of so many bytes of a slot.
    #[inline]
    fn sized(&self, mut desc: FrameDesc, len: usize) -> FrameDesc {
        // SAFETY: the slot is of this memory and in our hand, and its bytes are not looked at.
        let mut data = unsafe { self.parts.umem.data_mut(&mut desc) };
        data.cursor().set_pos(len);
        desc
    }

    /// Takes a frame back.
    #[inline]
    pub(crate) fn release(&mut self, frame: XdpFrame) {
        self.check_owner(&frame);
        self.ledger.in_hand -= 1;
        self.put_back(frame.desc);
    }

    /// Puts a slot, or the run that it begins, where the free ones are.
    #[inline]
    fn put_back(&mut self, desc: FrameDesc) {
        let slot = self.slot(desc);
        match &mut self.runs {
            Some(runs) if runs.owns(slot) => runs.give_back(slot),
            _ => self.free.push(self.home(desc)),
        }
    }

    /// Takes back all frames that the kernel has sent; whether there were any.
    #[inline]
    pub(crate) fn complete(&mut self) -> bool {
        let before = self.ledger.transmitting;
        while self.ledger.transmitting > 0 {
            // SAFETY: the ring and the descriptors are of the same memory.
            let done = unsafe { self.parts.completion.consume(&mut self.scratch) };
            if done == 0 {
                break;
            }
            for i in 0..done {
                let desc = self.scratch[i];
                let slot = self.slot(desc);
                match &mut self.runs {
                    Some(runs) if runs.owns(slot) => {
                        self.ledger.transmitting -= usize::from(runs.complete(slot));
                    }
                    _ => {
                        self.free.push(self.home(desc));
                        self.ledger.transmitting -= 1;
                    }
                }
            }
        }
        self.ledger.transmitting < before
    }

    /// Gives the kernel free slots to receive into, up to the receive share.
    #[inline]
    pub(crate) fn refill(&mut self) {
        let wanted = self.receive_share - self.ledger.receiving;
        if wanted == 0 {
            return;
        }
        let rest = self.free.len() - wanted.min(self.free.len());
        // SAFETY: these slots are of this memory and free, so nobody else's.
        let filled = unsafe { self.parts.fill.produce(&self.free[rest..]) };
        self.free.truncate(self.free.len() - filled);
        self.ledger.receiving += filled;
    }

    /// Slots in the transmit ring that the kernel has not looked at.
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
        let gathering = self.gathering.as_ref().and_then(|frame| frame.run.as_ref());
        Ledger {
            free: self.free.len() + self.runs.as_ref().map_or(0, Runs::free),
            receiving: self.ledger.receiving + usize::from(gathering.is_some()),
            ..self.ledger
        }
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

    /// The number of the slot of a descriptor.
    #[inline]
    fn slot(&self, desc: FrameDesc) -> usize {
        desc.addr() / self.frame_size
    }

    #[inline]
    fn is_run(&self, desc: FrameDesc) -> bool {
        let runs = self.runs.as_ref();
        runs.is_some_and(|runs| runs.owns(self.slot(desc)))
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
        self.homes[self.slot(desc)]
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
