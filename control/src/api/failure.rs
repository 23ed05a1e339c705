//! Requests that cannot be met: a status, and a sentence as JSON.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::model::Problem;
use crate::runtime::{AskError, ListenError};

/// Largest body of a request in bytes.
pub(super) const BODY_MAX: usize = 16 * 1024;
/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Why a request is not met.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, error: impl ToString) -> Self {
        let error = error.to_string();
        Self { status, error }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem { error: self.error };
        (self.status, Json(problem)).into_response()
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        let status = match &error {
            ListenError::NotServed(..) => StatusCode::BAD_REQUEST,
            ListenError::Unknown(_) => StatusCode::NOT_FOUND,
            ListenError::Taken(..) | ListenError::TooMany(_) => StatusCode::CONFLICT,
            // Another program of this host has the port.
            ListenError::Reserve(_) => StatusCode::CONFLICT,
            ListenError::Ending | ListenError::Worker(_) => StatusCode::SERVICE_UNAVAILABLE,
            ListenError::Steering(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error)
    }
}

/// A body that is JSON, whatever its header says of it: curl says something else.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = tokio::time::timeout(BODY_WITHIN, Bytes::from_request(request, state)).await;
        let late = format!("the body has not come within {BODY_WITHIN:?}");
        let bytes = bytes
            .map_err(|_| Failure::new(StatusCode::REQUEST_TIMEOUT, late))?
            .map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    let error = format!("a body has at most {BODY_MAX} bytes");
                    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error)
                }
                status => Failure::new(status, error.body_text()),
            })?;
        let value = serde_json::from_slice(&bytes);
        let wrong = |error| format!("the body is not as it should be: {error}");
        let value = value.map_err(|error| Failure::new(StatusCode::BAD_REQUEST, wrong(error)));
        value.map(Self)
    }
}

/// The parameters after the question mark.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::from_request_parts(parts, state).await;
        let wrong = |error: axum::extract::rejection::QueryRejection| {
            Failure::new(StatusCode::BAD_REQUEST, error.body_text())
        };
        query
            .map(|Query(parameters)| Self(parameters))
            .map_err(wrong)
    }
}

/// No resource of this name.
pub(super) async fn not_found(request: Request) -> Failure {
    let path = request.uri().path();
    let error = format!("there is no {path}; /v1/openapi.json tells what there is");
    Failure::new(StatusCode::NOT_FOUND, error)
}

/// The resource has no such method.
pub(super) async fn no_method(request: Request) -> Failure {
    let (method, path) = (request.method(), request.uri().path());
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} has no {method}; /v1/openapi.json tells what it has"),
    )
}

/// Whoever asks may not.
pub(super) async fn forbidden() -> Failure {
    let error = "only root and the user and group of the server may ask here";
    Failure::new(StatusCode::FORBIDDEN, error)
}
