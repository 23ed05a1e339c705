//! Opening a socket, with a clear error for each way in which that can fail.

use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use xsk_rs::config::{
    BindFlags, FrameSize, Interface as InterfaceName, LibxdpFlags, QueueSize, SocketConfig,
    UmemConfig,
};
use xsk_rs::{FrameDesc, Umem};

use crate::limits::{FIRST_BIND_RETRY, LONGEST_BIND_RETRY};
use crate::rings::{Parts, Rings};
use crate::{Interface, OpenError, Options, ZeroCopy};

/// Opens a socket on a queue, and waits a little for a queue that is taken.
#[allow(
    clippy::disallowed_methods,
    reason = "set-up may sleep; the packet path has not begun"
)]
pub(crate) fn open(
    interface: &Interface,
    queue: u32,
    options: &Options,
) -> Result<Rings, OpenError> {
    check(interface, queue, options)?;
    let opening = Opening {
        interface,
        queue,
        options,
    };
    raise_memlock();
    let mut waited = Duration::ZERO;
    let mut pause = FIRST_BIND_RETRY;
    loop {
        match opening.attempt() {
            Err(OpenError::QueueTaken { .. }) if waited < options.bind_timeout => {
                std::thread::sleep(pause);
                waited += pause;
                pause = (pause * 2).min(LONGEST_BIND_RETRY);
            }
            result => return result,
        }
    }
}

/// What can be known to fail beforehand.
pub(crate) fn check(interface: &Interface, queue: u32, options: &Options) -> Result<(), OpenError> {
    let name = || interface.name().to_owned();
    if let Some(flaw) = options.flaw() {
        return Err(OpenError::Options(flaw));
    }
    if queue >= interface.queues() {
        return Err(OpenError::NoSuchQueue {
            interface: name(),
            queue,
            queues: interface.queues(),
        });
    }
    let limit = options.largest_mtu();
    if interface.mtu() > limit {
        return Err(OpenError::MtuTooLarge {
            interface: name(),
            mtu: interface.mtu(),
            frame_size: options.frame_size,
            limit,
        });
    }
    Ok(())
}

struct Opening<'a> {
    interface: &'a Interface,
    queue: u32,
    options: &'a Options,
}

impl Opening<'_> {
    /// Everything anew each time: libxdp cannot bind a socket twice.
    fn attempt(&self) -> Result<Rings, OpenError> {
        let (umem, frames) = self.memory()?;
        let parts = self.socket(umem)?;
        let mut rings = Rings::new(parts, frames, self.options.receive_share());
        rings.refill();
        Ok(rings)
    }

    fn memory(&self) -> Result<(Umem, Vec<FrameDesc>), OpenError> {
        let ring = self.ring_size()?;
        let frame_size = FrameSize::new(self.options.frame_size)
            .map_err(|_| OpenError::Options("the frame size is too small"))?;
        let config = UmemConfig::builder()
            .frame_size(frame_size)
            .fill_queue_size(ring)
            .comp_queue_size(ring)
            .build()
            .map_err(|_| OpenError::Options("the frame size is no power of two"))?;
        let count = NonZeroU32::new(self.options.frame_count)
            .ok_or(OpenError::Options("there are no frames"))?;
        Umem::new(config, count, false)
            .map_err(|error| self.refused("register the memory of the frames", cause(&error)))
    }

    fn socket(&self, umem: Umem) -> Result<Parts, OpenError> {
        let ring = self.ring_size()?;
        let config = SocketConfig::builder()
            .rx_queue_size(ring)
            .tx_queue_size(ring)
            .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
            .bind_flags(BindFlags::XDP_USE_NEED_WAKEUP | self.copy_flags())
            .build();
        let name: InterfaceName = self
            .interface
            .name()
            .parse()
            .map_err(|_| OpenError::NoSuchInterface(self.name()))?;
        Parts::bind(config, umem, &name, self.queue)
            .map_err(|error| self.refused("bind an AF_XDP socket", cause(&error)))
    }

    /// Without either flag the kernel tries zero-copy and falls back to copying.
    fn copy_flags(&self) -> BindFlags {
        match self.options.zero_copy {
            ZeroCopy::Auto => BindFlags::empty(),
            ZeroCopy::On => BindFlags::XDP_ZEROCOPY,
            ZeroCopy::Off => BindFlags::XDP_COPY,
        }
    }

    fn ring_size(&self) -> Result<QueueSize, OpenError> {
        QueueSize::new(self.options.ring_size)
            .map_err(|_| OpenError::Options("the ring size must be a power of two"))
    }

    fn name(&self) -> String {
        self.interface.name().to_owned()
    }

    /// Tells the errors apart that have a remedy of their own.
    fn refused(&self, what: &'static str, source: io::Error) -> OpenError {
        let interface = self.name();
        let queue = self.queue;
        match Errno::from_io_error(&source) {
            Some(Errno::PERM | Errno::ACCESS) => OpenError::NoPrivilege { interface },
            Some(Errno::NOBUFS) => OpenError::Memlock {
                interface,
                bytes: u64::from(self.options.frame_size) * u64::from(self.options.frame_count),
            },
            Some(Errno::BUSY) => OpenError::QueueTaken { interface, queue },
            Some(Errno::NODEV) => OpenError::NoSuchInterface(interface),
            Some(Errno::OPNOTSUPP | Errno::INVAL) if self.options.zero_copy == ZeroCopy::On => {
                let driver = self.interface.driver().to_owned();
                OpenError::NoZeroCopy {
                    interface,
                    queue,
                    driver,
                }
            }
            _ => OpenError::System {
                what,
                interface,
                queue,
                source,
            },
        }
    }
}

/// The kernel's errno under an error of xsk-rs, which by itself names only the call.
fn cause(error: &dyn Error) -> io::Error {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .and_then(io::Error::raw_os_error)
        .map_or_else(
            || io::Error::other(error.to_string()),
            io::Error::from_raw_os_error,
        )
}

/// The frames count against RLIMIT_MEMLOCK unless we have CAP_IPC_LOCK.
fn raise_memlock() {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if setrlimit(Resource::Memlock, unlimited).is_err() {
        let maximum = getrlimit(Resource::Memlock).maximum;
        // If even this fails, registering the memory will tell.
        let _ = setrlimit(
            Resource::Memlock,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
}
