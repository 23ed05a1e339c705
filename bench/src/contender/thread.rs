//! Servers that are a thread of this process.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use anyhow::{Context, anyhow};
use core_affinity::CoreId;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

/// As many as the kernel lets wait.
const BACKLOG: i32 = 65_535;

/// A running one.
pub(crate) struct ServerThread {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl ServerThread {
    /// Runs `serve` on a core until the flag says that it is to end.
    pub(super) fn start(
        core: Option<usize>,
        serve: impl FnOnce(&AtomicBool) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = Builder::new().name("server".to_owned()).spawn(move || {
            if let Some(id) = core {
                core_affinity::set_for_current(CoreId { id });
            }
            serve(&told)
        })?;
        Ok(Self { ends, thread })
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the server panicked"))?
    }
}

/// A listening socket of the kernel with the longest backlog, which the standard library does not
/// give.
pub(super) fn open_listener(endpoint: SocketAddr) -> anyhow::Result<OwnedFd> {
    let listening = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &endpoint)?;
        listen(&socket, BACKLOG)?;
        Ok::<_, rustix::io::Errno>(socket)
    };
    listening().with_context(|| format!("cannot listen at {endpoint}"))
}
