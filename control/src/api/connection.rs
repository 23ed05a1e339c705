//! Connections of the API's clients. None can hold up the others: each has a task, they are so
//! many at most, and each lasts so long at most.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::socket::is_trusted;

/// Clients at a time of the control socket, and of the one for metrics; the others wait. Fewer
/// than the errands that wait for a worker, so that none is refused.
const CLIENTS_MAX: usize = 32;
const METRICS_CLIENTS_MAX: usize = 8;
/// How long the head of a request may take to come, the wait for the next included.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may last: who is slow makes room for others then.
const LASTS: Duration = Duration::from_secs(60);
/// How long the wait after a failed `accept` is: it would fail again at once.
const BREATH: Duration = Duration::from_millis(100);

/// Clients of one socket that may come in.
#[derive(Debug, Clone)]
struct Door(Arc<Semaphore>);

impl Door {
    fn for_clients(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    async fn enter(&self) -> io::Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        permit.map_err(io::Error::other)
    }
}

/// Answers at a unix socket: those who are trusted by `router`, all others by `refusal`.
pub(super) async fn serve_unix(
    listener: UnixListener,
    router: Router,
    refusal: Router,
) -> io::Result<()> {
    let door = Door::for_clients(CLIENTS_MAX);
    loop {
        let permit = door.enter().await?;
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                breathe(&error).await;
                continue;
            }
        };
        let router = if is_trusted(&stream) {
            router.clone()
        } else {
            tracing::warn!("a user without rights asked at the control socket");
            refusal.clone()
        };
        tokio::spawn(converse(stream, router, permit));
    }
}

/// Answers at a TCP socket of the kernel.
pub(super) async fn serve_tcp(listener: TcpListener, router: Router) -> io::Result<()> {
    let door = Door::for_clients(METRICS_CLIENTS_MAX);
    loop {
        let permit = door.enter().await?;
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, router.clone(), permit));
            }
            Err(error) => breathe(&error).await,
        }
    }
}

async fn breathe(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a client");
    tokio::time::sleep(BREATH).await;
}

/// How long a connection may last: what streams until its client has enough lifts the limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience(Arc<AtomicBool>);

impl Patience {
    pub(super) fn lift(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    async fn run_out(&self) {
        tokio::time::sleep(LASTS).await;
        if self.0.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

async fn converse<S>(stream: S, router: Router, _permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let patience = Patience::default();
    let router = router.layer(Extension(patience.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::select! {
        // However it ends: the client knows, or is gone.
        _ = connection => {}
        () = patience.run_out() => {}
    }
}
