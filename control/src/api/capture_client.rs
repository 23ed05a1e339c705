//! The command's side of a capture.

use anyhow::{Context, bail};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};

use super::capture::{CaptureQuery, NUMBER};
use super::client::Client;

/// A capture that a server streams.
#[derive(Debug)]
pub struct CaptureStream {
    client: Client,
    number: u64,
    body: Incoming,
}

impl Client {
    /// Begins a capture.
    ///
    /// # Errors
    /// As [`flows`](Self::flows), and the server refuses: the filter makes no sense, or too many
    /// captures are running.
    pub async fn capture(&self, query: &CaptureQuery) -> anyhow::Result<CaptureStream> {
        let query = serde_urlencoded::to_string(query)?;
        let resource = format!("/v1/capture?{query}");
        let response = self
            .request(hyper::Method::GET, &resource, Vec::new())
            .await?;
        let number = response.headers().get(NUMBER);
        let number = number.and_then(|number| number.to_str().ok()?.parse().ok());
        let Some(number) = number else {
            bail!("the server speaks another version: it does not number the capture");
        };
        Ok(CaptureStream {
            client: self.clone(),
            number,
            body: response.into_body(),
        })
    }
}

impl CaptureStream {
    /// More of it, cut anywhere; `None` at the end.
    ///
    /// # Errors
    /// The server has gone.
    pub async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            let frame = self.body.frame().await.transpose();
            let frame = frame.context("the server hung up")?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }

    /// Asks the server to end it: what was recorded until now still comes.
    ///
    /// # Errors
    /// The server has gone, or knows the capture no more.
    pub async fn end(&self) -> anyhow::Result<()> {
        let resource = format!("/v1/capture/{}", self.number);
        self.client
            .request(hyper::Method::DELETE, &resource, Vec::new())
            .await
            .map(drop)
    }
}
