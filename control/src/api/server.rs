//! The server's side of the API.

use std::io;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::capture;
use super::model::{Flow, Stats};
use super::reload::reload;
use super::socket::ControlSocket;
use super::trace;
use crate::config::Reloader;
use crate::runtime::{AskError, ControlPlane};

/// What the API answers from.
#[derive(Debug, Clone)]
pub struct Server {
    plane: Arc<ControlPlane>,
    /// How it takes on another configuration, if it can.
    pub(super) reloader: Option<Arc<Reloader>>,
}

/// An answer, or a status with a sentence.
pub(super) type Answer<T> = Result<Json<T>, (StatusCode, String)>;

impl Server {
    /// An API for this server.
    #[must_use]
    pub const fn new(plane: Arc<ControlPlane>) -> Self {
        Self {
            plane,
            reloader: None,
        }
    }

    /// The same, with reloads.
    #[must_use]
    pub fn with_reloader(mut self, reloader: Arc<Reloader>) -> Self {
        self.reloader = Some(reloader);
        self
    }
}

/// Answers requests until the end.
///
/// # Errors
/// The socket failed.
pub async fn serve(socket: &ControlSocket, server: Server) -> io::Result<()> {
    let captures = capture::routes(Arc::clone(&server.plane));
    let traces = trace::routes(Arc::clone(&server.plane));
    let router = Router::new()
        .route("/v1/flows", get(flows))
        .route("/v1/stats", get(stats))
        .route("/v1/reload", post(reload))
        .with_state(server)
        .merge(captures)
        .merge(traces);
    axum::serve(socket.listener()?, router).await
}

async fn flows(State(server): State<Server>) -> Answer<Vec<Flow>> {
    let mut flows = Vec::new();
    for worker in server.plane.workers() {
        let part = worker.flows().await.map_err(unavailable)?;
        flows.extend(part.iter().map(Flow::from));
    }
    Ok(Json(flows))
}

async fn stats(State(server): State<Server>) -> Answer<Stats> {
    let snapshots = server.plane.snapshots().await.map_err(unavailable)?;
    let steering = server.plane.steering().counters();
    let steering = steering.iter().flat_map(|counters| counters.iter());
    let steering = steering
        .map(|(verdict, count)| (verdict.name(), count))
        .collect();
    Ok(Json(Stats::of(&server.plane, &snapshots, &steering)))
}

fn unavailable(error: AskError) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
}
