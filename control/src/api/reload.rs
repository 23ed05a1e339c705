//! `POST /v1/reload`: the configuration, read again.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::failure::{Failure, Parameters};
use super::server::{Answer, Server};
use crate::config::{Diff, ReloadError};
use crate::runtime::ListenError;

/// What can be asked with it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wish {
    /// Only say what would change.
    preview: bool,
}

/// Answers with the difference; with an error nothing has changed.
pub(super) async fn reload(
    State(server): State<Server>,
    Parameters(wish): Parameters<Wish>,
    body: Bytes,
) -> Answer<Diff> {
    if !body.is_empty() {
        // Somebody means a preview, perhaps.
        let error = "there is no body to a reload; ?preview=true only tells what would change";
        return Err(Failure::new(StatusCode::BAD_REQUEST, error));
    }
    let reloader = server.reloader.as_ref().map(Arc::clone);
    let reloader = reloader.ok_or_else(|| refusal(&ReloadError::NoFile))?;
    // A task of its own: who asks may hang up, and a reload must come to its end.
    let task = tokio::spawn(async move {
        if wish.preview {
            reloader.preview().await
        } else {
            reloader.reload().await
        }
    });
    let failed = |error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    let diff = task.await.map_err(failed)?;
    Ok(Json(diff.map_err(|error| refusal(&error))?))
}

fn refusal(error: &ReloadError) -> Failure {
    let status = match error {
        ReloadError::Source(_) | ReloadError::NeedsRestart(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ReloadError::Ending | ReloadError::Listen(ListenError::Worker(_)) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ReloadError::NoFile | ReloadError::Listen(_) => StatusCode::CONFLICT,
    };
    Failure::new(status, error)
}
