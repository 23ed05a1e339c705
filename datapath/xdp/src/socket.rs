//! Options of the AF_XDP socket for which there is no safe wrapper.
#![allow(unsafe_code, reason = "getsockopt and setsockopt take pointers")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How long the kernel polls the queue within one call, in microseconds. With none to wait for, as
/// in every call of ours, it polls once; but it must not be 0.
const POLL_MICROSECONDS: u32 = 20;

/// Most frames that one such poll takes.
const POLL_BUDGET: u32 = 64;

/// Whether the driver writes straight into our memory.
pub(crate) fn is_zero_copy(socket: BorrowedFd<'_>) -> bool {
    let options = get(socket, libc::SOL_XDP, libc::XDP_OPTIONS);
    options.is_some_and(|options| options & libc::XDP_OPTIONS_ZEROCOPY != 0)
}

/// Has the queue polled by whoever enters the kernel for this socket, rather than by interrupts.
pub(crate) fn prefer_busy_poll(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SO_PREFER_BUSY_POLL, 1)?;
    set(socket, libc::SO_BUSY_POLL, POLL_MICROSECONDS)?;
    set(socket, libc::SO_BUSY_POLL_BUDGET, POLL_BUDGET)
}

/// The kernel's number of what polls the queue, once a frame has come; 0 where it tells none, and
/// so polls for nobody.
pub(crate) fn napi_id(socket: BorrowedFd<'_>) -> u32 {
    get(socket, libc::SOL_SOCKET, libc::SO_INCOMING_NAPI_ID).unwrap_or(0)
}

fn get(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int) -> Option<u32> {
    let mut value: u32 = 0;
    let mut size = size_of::<u32>() as libc::socklen_t;
    // SAFETY: these options write one u32, and we say how long that is.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    (failed == 0).then_some(value)
}

fn set(socket: BorrowedFd<'_>, option: libc::c_int, value: u32) -> io::Result<()> {
    let size = size_of::<u32>() as libc::socklen_t;
    // SAFETY: these options read one u32, and we say how long that is.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
