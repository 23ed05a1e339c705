//! The command's side of the API.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::model::{Flow, FlowPage, Listener, NewListener, Problem, Rank};
use super::pools::BackendChange;
use super::socket::DIRECTORY;
use super::stats::{PoolStats, Stats};
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
        matches!(self.status, 400 | 422)
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
    // One that may not be asked runs all the same: asking it tells why not.
    paths.retain(|path| match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    });
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
        let (mut flows, mut after) = (Vec::new(), None);
        loop {
            let page = self.flow_page("", after.as_deref(), None).await?;
            flows.extend(page.flows);
            match page.next {
                None => return Ok(flows),
                next => after = next,
            }
        }
    }

    /// Those of its flows that pass a filter, from `after` on, so many at most.
    ///
    /// # Errors
    /// As [`flows`](Self::flows); the filter makes no sense.
    pub async fn flow_page(
        &self,
        filter: &str,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> anyhow::Result<FlowPage> {
        let mut query = vec![("filter", filter.to_owned())];
        query.extend(after.map(|after| ("after", after.to_owned())));
        query.extend(limit.map(|limit| ("limit", limit.to_string())));
        let query = serde_urlencoded::to_string(query)?;
        self.get(&format!("/v1/flows?{query}")).await
    }

    /// The connections that rank highest, the first first.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn top(&self, by: Rank, limit: usize) -> anyhow::Result<Vec<Flow>> {
        self.get(&format!("/v1/top?by={}&limit={limit}", by.name()))
            .await
    }

    /// How many of its flows are in each state, by name.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn summary(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        self.get("/v1/summary").await
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

    /// What it counted, for Prometheus.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let response = self.request(Method::GET, "/metrics", Vec::new()).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Who listens there.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn listeners(&self) -> anyhow::Result<Vec<Listener>> {
        self.get("/v1/listeners").await
    }

    /// Has a service wait at an endpoint.
    ///
    /// # Errors
    /// As [`flows`](Self::flows), and why it cannot.
    pub async fn listen(&self, new: &NewListener) -> anyhow::Result<()> {
        let body = serde_json::to_vec(new)?;
        let done = self.request(Method::POST, "/v1/listeners", body).await;
        done.map(drop)
    }

    /// Has nobody wait there any more.
    ///
    /// # Errors
    /// As [`flows`](Self::flows), and why it cannot.
    pub async fn unlisten(&self, endpoint: SocketAddr) -> anyhow::Result<()> {
        let query = serde_urlencoded::to_string([("endpoint", endpoint.to_string())])?;
        let resource = format!("/v1/listeners?{query}");
        let done = self.request(Method::DELETE, &resource, Vec::new()).await;
        done.map(drop)
    }

    /// Its pools of backends, by name.
    ///
    /// # Errors
    /// As [`flows`](Self::flows).
    pub async fn pools(&self) -> anyhow::Result<BTreeMap<String, PoolStats>> {
        self.get("/v1/pools").await
    }

    /// Changes what a backend may be given.
    ///
    /// # Errors
    /// As [`flows`](Self::flows), and there is no such backend.
    pub async fn change_backend(&self, change: &BackendChange) -> anyhow::Result<()> {
        let body = serde_json::to_vec(change)?;
        let done = self.request(Method::PATCH, "/v1/pools", body).await;
        done.map(drop)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, resource: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, resource).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, resource: &str) -> anyhow::Result<T> {
        let path = self.path.display();
        let response = self.request(method, resource, Vec::new()).await?;
        let body = response.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&body)
            .with_context(|| format!("the server at {path} speaks another version"))
    }

    /// The answer to a request, if it is one of success.
    pub(super) async fn request(
        &self,
        method: Method,
        resource: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Response<Incoming>> {
        let path = self.path.display();
        let stream = UnixStream::connect(&self.path).await.with_context(|| {
            format!("cannot reach a server at {path}; is it running, and is --control right?")
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(resource)
            .header("host", "wirepath")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await;
        let response = response.with_context(|| format!("the server at {path} hung up"))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.into_body().collect().await?.to_bytes();
            let text = || String::from_utf8_lossy(&body).trim().to_owned();
            let problem = serde_json::from_slice::<Problem>(&body);
            return Err(anyhow::Error::from(Refused {
                path: self.path.clone(),
                status: status.as_u16(),
                text: problem.map_or_else(|_| text(), |problem| problem.error),
            }));
        }
        Ok(response)
    }
}
