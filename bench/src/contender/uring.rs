//! The kernel's TCP behind io_uring: one thread, one operation of each connection under way.
#![allow(
    unsafe_code,
    reason = "the kernel reads and writes the buffers of operations that are under way"
)]

use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::net::sockopt;
use wirepath_apps::Service;

use crate::load::Pattern;

const ENTRIES: u32 = 4_096;
const BUFFER: usize = 32 << 10;
/// The number of the operation that accepts.
const ACCEPT: u64 = u64::MAX;
/// How long who sleeps may take to notice that it is to end.
const NAP: Timespec = Timespec::new().nsec(50_000_000);

/// A connection. It stays in its place while an operation is under way: the kernel has the address
/// of its buffer.
struct Peer {
    socket: OwnedFd,
    buffer: Box<[u8]>,
    /// What of the buffer is to be sent.
    unsent: std::ops::Range<usize>,
    /// Bytes of the pattern that were sent.
    sent: u64,
}

/// The server.
pub(super) struct UringServer {
    ring: IoUring,
    listener: TcpListener,
    service: Service,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
}

impl UringServer {
    pub(super) fn new(listener: OwnedFd, service: Service) -> anyhow::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(ENTRIES)
            .context("the kernel gives no io_uring")?;
        let mut server = Self {
            ring,
            listener: listener.into(),
            service,
            peers: Vec::new(),
            free: Vec::new(),
        };
        server.accept()?;
        Ok(server)
    }

    pub(super) fn run(&mut self, spins: bool, ends: &AtomicBool) -> anyhow::Result<()> {
        let mut done: Vec<(u64, i32)> = Vec::with_capacity(ENTRIES as usize);
        while !ends.load(Ordering::Relaxed) {
            let submitted = if spins {
                self.ring.submit()
            } else {
                let nap = SubmitArgs::new().timespec(&NAP);
                self.ring.submitter().submit_with_args(1, &nap)
            };
            match submitted.map_err(|error| error.raw_os_error()) {
                Ok(_) | Err(Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => {}
                Err(code) => anyhow::bail!("cannot enter the io_uring: error {code:?}"),
            }
            let completions = self.ring.completion();
            done.extend(completions.map(|it: cqueue::Entry| (it.user_data(), it.result())));
            for (number, result) in done.drain(..) {
                if number == ACCEPT {
                    self.on_accepted(result)?;
                } else {
                    self.on_done(number as usize, result)?;
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        let fd = Fd(self.listener.as_raw_fd());
        let null = std::ptr::null_mut();
        let entry = opcode::Accept::new(fd, null, null.cast());
        self.push(&entry.build().user_data(ACCEPT))
    }

    fn on_accepted(&mut self, result: RawFd) -> anyhow::Result<()> {
        self.accept()?;
        if result < 0 {
            let error = std::io::Error::from_raw_os_error(-result);
            let passes = [libc::ECONNABORTED, libc::EINTR, libc::EAGAIN].contains(&-result);
            return if passes {
                Ok(())
            } else {
                Err(error).context("cannot accept")
            };
        }
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
        let socket = unsafe { OwnedFd::from_raw_fd(result) };
        sockopt::set_tcp_nodelay(&socket, true)?;
        let mut peer = Peer {
            socket,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            unsent: 0..0,
            sent: 0,
        };
        if self.service == Service::Chargen {
            peer.generate();
        }
        let number = self.free.pop().unwrap_or(self.peers.len());
        if number == self.peers.len() {
            self.peers.push(None);
        }
        self.peers[number] = Some(peer);
        self.go_on(number)
    }

    /// An operation of a connection has ended, so that its buffer is ours again.
    fn on_done(&mut self, number: usize, result: i32) -> anyhow::Result<()> {
        let Some(peer) = self.peers[number].as_mut() else {
            return Ok(());
        };
        if result <= 0 {
            self.peers[number] = None;
            self.free.push(number);
            return Ok(());
        }
        let count = result as usize;
        if !peer.unsent.is_empty() {
            peer.unsent.start += count;
            peer.sent += count as u64;
            if peer.unsent.is_empty() && self.service == Service::Chargen {
                peer.generate();
            }
        } else if self.service == Service::Echo {
            peer.unsent = 0..count;
        }
        self.go_on(number)
    }

    /// Begins the next operation of a connection: what is unsent goes first.
    fn go_on(&mut self, number: usize) -> anyhow::Result<()> {
        let Some(peer) = self.peers[number].as_mut() else {
            return Ok(());
        };
        let fd = Fd(peer.socket.as_raw_fd());
        let entry = if peer.unsent.is_empty() {
            let buffer = &mut peer.buffer;
            opcode::Recv::new(fd, buffer.as_mut_ptr(), buffer.len() as u32).build()
        } else {
            let text = &peer.buffer[peer.unsent.clone()];
            opcode::Send::new(fd, text.as_ptr(), text.len() as u32)
                .flags(libc::MSG_NOSIGNAL)
                .build()
        };
        self.push(&entry.user_data(number as u64))
    }

    fn push(&mut self, entry: &squeue::Entry) -> anyhow::Result<()> {
        loop {
            // SAFETY: the socket and the buffer of the operation are those of a peer, which stays
            // until the operation has ended, also when the server is dropped.
            let pushed = unsafe { self.ring.submission().push(entry) };
            if pushed.is_ok() {
                return Ok(());
            }
            self.ring.submit().context("cannot enter the io_uring")?;
        }
    }
}

impl Drop for UringServer {
    /// No operation outlives the buffer that it was given.
    fn drop(&mut self) {
        let all = CancelBuilder::any();
        let ended = self.ring.submitter().register_sync_cancel(None, all);
        let none = |error: &std::io::Error| error.raw_os_error() == Some(libc::ENOENT);
        if ended.is_err_and(|error| !none(&error)) {
            std::mem::forget(std::mem::take(&mut self.peers));
        }
    }
}

impl Peer {
    /// The next piece of the pattern.
    fn generate(&mut self) {
        let text = Pattern::characters().from(self.sent, self.buffer.len() as u64);
        self.buffer[..text.len()].copy_from_slice(text);
        self.unsent = 0..text.len();
    }
}
