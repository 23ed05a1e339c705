//! The device: when to enter the kernel, and what its errors mean.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use wirepath_device::{Batch, Capabilities, Device, Full, Ledger};

use crate::limits::{BATCH, FLUSHES_PER_CHECK, MAX_KICKS, SEND_RETRY};
use crate::rings::{Rings, Statistics, XdpFrame};
use crate::wake::Waker;
use crate::{Interface, OpenError, Options, open, socket};

/// Whether the queue is polled by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BusyPoll {
    Off,
    /// It will be, if the kernel can once it has seen a frame.
    Wanted,
    On,
}

/// An AF_XDP socket with its own frames on one queue of an interface.
///
/// Drop the attachment of the XDP program before the device: some drivers do not bear the other
/// order under load.
pub struct XdpDevice {
    rings: Rings,
    waker: Waker,
    mtu: usize,
    interface: Box<str>,
    queue: u32,
    zero_copy: bool,
    busy_poll: BusyPoll,
    flushes: u32,
    /// Whether a frame has come.
    heard: bool,
    gone: bool,
}

impl XdpDevice {
    /// What can be known to fail before anything is changed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn check(interface: &Interface, queue: u32, options: &Options) -> Result<(), OpenError> {
        open::check(interface, queue, options)
    }

    /// Whether this process may open AF_XDP sockets.
    ///
    /// # Errors
    /// [`OpenError::NoPrivilege`], or another when the kernel has none.
    pub fn may_open(interface: &Interface) -> Result<(), OpenError> {
        open::may_open(interface)
    }

    /// Binds a socket to a queue. Frames come once an XDP program redirects to it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(interface: &Interface, queue: u32, options: &Options) -> Result<Self, OpenError> {
        let (rings, mtu) = open::open(interface, queue, options)?;
        let waker = Waker::new().map_err(|source| OpenError::System {
            what: "make an eventfd",
            interface: interface.name().to_owned(),
            queue,
            source,
        })?;
        if options.busy_poll {
            let refused = |source| OpenError::System {
                what: "prefer busy polling",
                interface: interface.name().to_owned(),
                queue,
                source,
            };
            socket::prefer_busy_poll(rings.fd()).map_err(refused)?;
        }
        Ok(Self {
            zero_copy: socket::is_zero_copy(rings.fd()),
            busy_poll: if options.busy_poll {
                BusyPoll::Wanted
            } else {
                BusyPoll::Off
            },
            rings,
            waker,
            mtu,
            interface: interface.name().into(),
            queue,
            flushes: 0,
            heard: false,
            gone: false,
        })
    }

    /// The queue it is bound to.
    #[must_use]
    pub fn queue(&self) -> u32 {
        self.queue
    }

    /// Whether the driver reads and writes our frames in place.
    #[must_use]
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// A handle that wakes this device from [`wait`](Device::wait).
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// What the kernel has counted for this socket. Enters the kernel.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn statistics(&self) -> io::Result<Statistics> {
        self.rings.statistics()
    }

    /// Kicks the kernel until it has taken all that is queued, makes no progress, or has been
    /// kicked enough.
    fn send_queued(&mut self) -> io::Result<()> {
        let mut queued = self.rings.queued();
        for _ in 0..MAX_KICKS {
            if queued == 0 || !self.rings.transmit_needs_kick() {
                break;
            }
            self.judge(send(self.rings.fd(), &[], SendFlags::DONTWAIT).map(|_| ()))?;
            // Room in the completion ring is what the kernel may be waiting for.
            let made_room = self.rings.complete();
            let before = std::mem::replace(&mut queued, self.rings.queued());
            if queued == before && !made_room {
                break;
            }
        }
        Ok(())
    }

    fn offer_free_frames(&mut self) -> io::Result<()> {
        self.rings.refill();
        if self.busy_poll == BusyPoll::On || self.rings.fill_needs_kick() {
            self.judge(recv(self.rings.fd(), &mut [0; 0], RecvFlags::DONTWAIT).map(|_| ()))?;
        }
        Ok(())
    }

    /// A busy driver, a link that is down and a signal pass; all else is for good.
    fn judge(&mut self, result: Result<(), Errno>) -> io::Result<()> {
        match result {
            Ok(())
            | Err(Errno::AGAIN | Errno::BUSY | Errno::NOBUFS | Errno::INTR | Errno::NETDOWN) => {
                Ok(())
            }
            Err(error) => {
                self.gone = true;
                Err(self.failure(error))
            }
        }
    }

    /// The error of a device that is gone, which may be one of several.
    fn failure(&self, error: Errno) -> io::Error {
        let (interface, queue) = (&self.interface, self.queue);
        io::Error::other(format!("queue {queue} of {interface}: {error}"))
    }

    /// What poll(2) said of the socket and of the waker.
    fn woke(&mut self, socket: PollFlags, waker: PollFlags) -> io::Result<()> {
        if waker.contains(PollFlags::IN) {
            self.waker.rest();
        }
        if socket.contains(PollFlags::IN) {
            return Ok(());
        }
        self.check_interface()
    }

    /// Begins to poll the queue where that is wanted and can be.
    fn try_busy_poll(&mut self) {
        if self.busy_poll == BusyPoll::Wanted && self.heard {
            let napi = socket::napi_id(self.rings.fd());
            self.busy_poll = if napi == 0 {
                let queue = self.queue;
                tracing::warn!(queue, "the driver's queue has no NAPI id: no busy polling");
                BusyPoll::Off
            } else {
                BusyPoll::On
            };
        }
    }

    /// The kernel leaves an error on the socket when the interface is removed.
    fn check_interface(&mut self) -> io::Result<()> {
        if !self.gone {
            self.gone = matches!(sockopt::socket_error(self.rings.fd()), Ok(Err(_)) | Err(_));
        }
        if self.gone {
            Err(self.failure(Errno::NODEV))
        } else {
            Ok(())
        }
    }
}

impl Device for XdpDevice {
    type Frame = XdpFrame;

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.mtu,
            batch: BATCH,
        }
    }

    #[inline]
    fn receive(&mut self, batch: &mut Batch<XdpFrame>) -> usize {
        let received = self.rings.receive(batch.room(), |frame| {
            if batch.push(frame).is_err() {
                unreachable!("no more frames are taken than there is room for");
            }
        });
        self.heard |= received > 0;
        received
    }

    #[inline]
    fn take_too_long(&mut self) -> u64 {
        self.rings.take_too_long()
    }

    #[inline]
    fn allocate(&mut self) -> Option<XdpFrame> {
        self.rings.allocate()
    }

    #[inline]
    fn transmit(&mut self, frame: XdpFrame) -> Result<(), Full<XdpFrame>> {
        self.rings.transmit(frame)
    }

    #[inline]
    fn release(&mut self, frame: XdpFrame) {
        self.rings.release(frame);
    }

    fn flush(&mut self) -> io::Result<()> {
        // First what a peer waits for.
        self.send_queued()?;
        self.rings.complete();
        self.offer_free_frames()?;
        self.flushes = self.flushes.wrapping_add(1);
        if self.gone || self.flushes.is_multiple_of(FLUSHES_PER_CHECK) {
            self.try_busy_poll();
            self.check_interface()?;
        }
        Ok(())
    }

    fn wait_any(devices: &mut [&mut Self], timeout: Duration) -> io::Result<()> {
        let sending = devices.iter_mut().any(|device| device.rings.queued() > 0);
        let timeout = if sending {
            timeout.min(SEND_RETRY)
        } else {
            timeout
        };
        // A timeout beyond what the kernel can count is none.
        let timeout = Timespec::try_from(timeout).ok();
        let mut fds = Vec::with_capacity(2 * devices.len());
        for device in devices.iter() {
            fds.push(PollFd::from_borrowed_fd(device.rings.fd(), PollFlags::IN));
            fds.push(PollFd::new(&device.waker, PollFlags::IN));
        }
        let polled = poll(&mut fds, timeout.as_ref()).map(|_| ());
        let events: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        for (device, events) in devices.iter_mut().zip(events.chunks(2)) {
            device.woke(events[0], events[1])?;
        }
        match devices.first_mut() {
            Some(device) => device.judge(polled),
            None => Ok(()),
        }
    }

    fn ledger(&self) -> Ledger {
        self.rings.ledger()
    }
}

/// The socket, for [`set_socket`](../wirepath_bpf/struct.Steering.html#method.set_socket).
impl AsFd for XdpDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rings.fd()
    }
}

impl fmt::Debug for XdpDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XdpDevice")
            .field("queue", &self.queue)
            .field("ledger", &self.rings.ledger())
            .finish_non_exhaustive()
    }
}
