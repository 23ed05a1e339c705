//! Opening a socket, with a clear error for each way in which that can fail.

use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wirepath_device::LINK_HEADERS;
use xsk_rs::config::{
    BindFlags, FrameSize, Interface as InterfaceName, LibxdpFlags, QueueSize, SocketConfig,
    UmemConfig,
};
use xsk_rs::{FrameDesc, Umem};

use crate::limits::{FIRST_BIND_RETRY, LONGEST_BIND_RETRY};
use crate::rings::{Layout, Parts, Rings};
use crate::{Interface, MultiBuffer, OpenError, Options, ZeroCopy};

/// Opens a socket on a queue, and waits a little for a queue that is taken. Returns the MTU, which
/// is smaller than the interface's where packets must fit one slot, as well.
#[allow(
    clippy::disallowed_methods,
    reason = "set-up may sleep; the packet path has not begun"
)]
pub(crate) fn open(
    interface: &Interface,
    queue: u32,
    options: &Options,
) -> Result<(Rings, usize), OpenError> {
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
            limit,
        });
    }
    Ok(())
}

/// Opens a socket that is bound to nothing, and closes it.
pub(crate) fn may_open(interface: &Interface) -> Result<(), OpenError> {
    let options = Options::default();
    let opening = Opening {
        interface,
        queue: 0,
        options: &options,
    };
    let opened = rustix::net::socket(AddressFamily::XDP, SocketType::RAW, None);
    let refused = |errno: Errno| opening.refused("open an AF_XDP socket", errno.into());
    opened.map(drop).map_err(refused)
}

struct Opening<'a> {
    interface: &'a Interface,
    queue: u32,
    options: &'a Options,
}

impl Opening<'_> {
    /// With packets in several slots where the MTU needs it and the kernel lets us.
    fn attempt(&self) -> Result<(Rings, usize), OpenError> {
        let (mtu, limit) = (self.interface.mtu(), self.options.largest_mtu_of_one_slot());
        if mtu <= limit {
            return self.bind(mtu);
        }
        if self.options.multi_buffer == MultiBuffer::Auto {
            match self.bind(mtu) {
                Err(OpenError::System { .. } | OpenError::NoZeroCopy { .. }) => {}
                result => return result,
            }
        }
        let opened = self.bind(limit)?;
        let interface = self.interface.name();
        tracing::warn!(
            interface,
            mtu,
            limit,
            "packets above the limit will be dropped"
        );
        Ok(opened)
    }

    /// Everything anew each time: libxdp cannot bind a socket twice.
    fn bind(&self, mtu: usize) -> Result<(Rings, usize), OpenError> {
        let layout = Layout {
            receive_share: self.options.receive_share(),
            slots_of_a_frame: self.options.slots(mtu),
            longest: mtu + LINK_HEADERS,
        };
        let (umem, slots) = self.memory()?;
        let parts = self.socket(umem, layout.slots_of_a_frame > 1)?;
        let mut rings = Rings::new(parts, slots, layout);
        rings.refill();
        Ok((rings, mtu))
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

    fn socket(&self, umem: Umem, multi_buffer: bool) -> Result<Parts, OpenError> {
        let multi_buffer = if multi_buffer {
            BindFlags::XDP_USE_SG
        } else {
            BindFlags::empty()
        };
        let ring = self.ring_size()?;
        let config = SocketConfig::builder()
            .rx_queue_size(ring)
            .tx_queue_size(ring)
            .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
            .bind_flags(BindFlags::XDP_USE_NEED_WAKEUP | multi_buffer | self.copy_flags())
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
