//! The way out of work that makes namespaces, whatever ends it.

use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use super::remove_all;

/// Does `work` on a thread of its own, until it is done or SIGINT or SIGTERM comes, and then
/// removes all namespaces of this process. Work that a signal has cut short goes on without them,
/// so the caller should end the process.
///
/// # Errors
/// Those of `work`; that it panicked; or which signal came.
pub fn guarded<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = tokio.block_on(async {
        // Before anything is made that a signal would leave behind.
        let signalled = signalled()?;
        let work = tokio::task::spawn_blocking(work);
        tokio::select! {
            done = work => done.context("a thread panicked")?,
            signal = signalled => Err(anyhow!("{signal}: removed what was made")),
        }
    });
    remove_all();
    // Not waiting for the thread of the work: its namespaces are gone.
    tokio.shutdown_background();
    done
}

fn signalled() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "interrupted",
            _ = terminate.recv() => "terminated",
        }
    })
}
