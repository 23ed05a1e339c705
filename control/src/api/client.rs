//! The command's side of the API.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::model::{Flow, Stats};
use super::socket::DIRECTORY;
use crate::config::Diff;

/// A running server, asked through its control socket.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

/// A server has answered that it will not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the server at {} answered {status}: {text}", path.display())]
pub struct Refused {
    path: PathBuf,
    status: u16,
    text: String,
}

impl Refused {
    /// Whether what it was told to do makes no sense.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.status == 422
    }
}

/// The control sockets of all servers that run here, in `/run/wirepath`.
///
/// # Errors
/// The directory cannot be read, but for not being there.
pub fn running_servers() -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| std::os::unix::net::UnixStream::connect(path).is_ok());
    paths.sort();
    Ok(paths)
}

impl Client {
    /// The server whose control socket is at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// All its flows.
    ///
    /// # Errors
    /// No server listens there, or it does not answer as it should.
    pub async fn flows(&self) -> anyhow::Result<Vec<Flow>> {
        self.get("/v1/flows").await
    }

    /// What it counted.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn stats(&self) -> anyhow::Result<Stats> {
        self.get("/v1/stats").await
    }

    /// Has it read its configuration again, or, with `preview`, say what that would change.
    ///
    /// # Errors
    /// As [`flows`](Self::flows), or what keeps it from doing so.
    pub async fn reload(&self, preview: bool) -> anyhow::Result<Diff> {
        let resource = format!("/v1/reload?preview={preview}");
        self.ask(Method::POST, &resource).await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, resource: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, resource).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, resource: &str) -> anyhow::Result<T> {
        let path = self.path.display();
        let response = self.request(method, resource).await?;
        let body = response.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&body)
            .with_context(|| format!("the server at {path} speaks another version"))
    }

    /// The answer to a request without a body, if it is one of success.
    pub(super) async fn request(
        &self,
        method: Method,
        resource: &str,
    ) -> anyhow::Result<Response<Incoming>> {
        let path = self.path.display();
        let stream = UnixStream::connect(&self.path).await.with_context(|| {
            format!("cannot reach a server at {path}; is it running, and is --control right?")
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer.
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(resource);
        let request = request.header("host", "wirepath");
        let response = sender
            .send_request(request.body(Empty::<Bytes>::new())?)
            .await;
        let response = response.with_context(|| format!("the server at {path} hung up"))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.into_body().collect().await?.to_bytes();
            let text = String::from_utf8_lossy(&body);
            return Err(anyhow::Error::from(Refused {
                path: self.path.clone(),
                status: status.as_u16(),
                text: text.trim().to_owned(),
            }));
        }
        Ok(response)
    }
}
