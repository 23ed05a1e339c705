//! Captures over the API: a GET streams pcapng, a DELETE of its number has it end well.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Extension, Router};
use futures_util::stream;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use super::connection::Patience;
use super::failure::{Failure, Parameters};
use crate::capture::{Capture, CaptureError, CaptureOptions, Captures, Filter, SNAPLEN_MAX};
use crate::runtime::ControlPlane;

/// Where captures begin, and where one ends.
pub(super) const CAPTURE: &str = "/v1/capture";
pub(super) const ONE_CAPTURE: &str = "/v1/capture/{number}";

/// The header that tells the number of a capture.
pub(super) const NUMBER: &str = "wirepath-capture";

/// What a capture can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureQuery {
    /// Which frames, in tcpdump's language; see docs/capture.md.
    pub filter: String,
    /// Bytes of each frame to keep, from 1 to 65,535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snaplen: Option<u32>,
    /// Frames after which to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Seconds after which to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl TryFrom<CaptureQuery> for CaptureOptions {
    type Error = String;

    fn try_from(query: CaptureQuery) -> Result<Self, String> {
        let filter = query.filter.parse::<Filter>();
        let snaplen = query.snaplen.unwrap_or(SNAPLEN_MAX);
        if !(1..=SNAPLEN_MAX).contains(&snaplen) {
            return Err(format!("snaplen {snaplen} is not in 1..={SNAPLEN_MAX}"));
        }
        Ok(Self {
            filter: filter.map_err(|error| error.to_string())?,
            snaplen,
            count: query.count,
            limit: query.seconds.map(Duration::from_secs),
        })
    }
}

pub(super) fn routes(plane: Arc<ControlPlane>) -> Router {
    Router::new()
        .route(CAPTURE, get(start))
        .route(ONE_CAPTURE, delete(end))
        .with_state(Captures::new(plane))
}

async fn start(
    State(captures): State<Arc<Captures>>,
    Extension(patience): Extension<Patience>,
    Parameters(query): Parameters<CaptureQuery>,
) -> Result<Response, Failure> {
    let options = CaptureOptions::try_from(query);
    let options = options.map_err(|reason| Failure::new(StatusCode::BAD_REQUEST, reason))?;
    let capture = captures.start(options).await;
    let capture = capture.map_err(|error| refusal(&error))?;
    // It lasts until its client has enough.
    patience.lift();
    let number = (NUMBER, capture.id().to_string());
    let kind = (header::CONTENT_TYPE, "application/x-pcapng");
    let body = Body::from_stream(stream::try_unfold(capture, more));
    Ok(([number], [kind], body).into_response())
}

async fn more(mut capture: Capture) -> Result<Option<(Bytes, Capture)>, CaptureError> {
    let blocks = capture.next().await?;
    Ok(blocks.map(|blocks| (blocks, capture)))
}

async fn end(
    State(captures): State<Arc<Captures>>,
    number: Result<Path<u64>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let wrong = |error: PathRejection| Failure::new(StatusCode::BAD_REQUEST, error.body_text());
    let Path(number) = number.map_err(wrong)?;
    if captures.end(number) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let reason = format!("there is no capture {number}");
    Err(Failure::new(StatusCode::NOT_FOUND, reason))
}

fn refusal(error: &CaptureError) -> Failure {
    let status = match error {
        CaptureError::TooMany => StatusCode::CONFLICT,
        CaptureError::Worker(_) => StatusCode::SERVICE_UNAVAILABLE,
        CaptureError::Pcapng(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Failure::new(status, error)
}
