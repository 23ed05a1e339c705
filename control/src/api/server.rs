//! The server's side of the API.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use wirepath_stack::listeners::Tally;

use super::failure::{self, BODY_MAX, Body, Failure, Parameters};
use super::flows::{flows, summary, top};
use super::model::{Listener, NewListener};
use super::pools::{change, pools};
use super::reload::reload;
use super::socket::ControlSocket;
use super::stats::Stats;
use super::{capture, connection, metrics, trace};
use crate::config::Reloader;
use crate::runtime::{ControlPlane, ListenError, ListenerInfo};

/// What the API is, for programs.
pub(super) const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// Where the resources are: here, and in the files of captures and traces.
pub(super) const PATHS: [&str; 9] = [
    "/v1/flows",
    "/v1/top",
    "/v1/summary",
    "/v1/stats",
    "/v1/listeners",
    "/v1/pools",
    "/v1/reload",
    "/v1/openapi.json",
    METRICS,
];
const METRICS: &str = "/metrics";

/// What the API answers from.
#[derive(Debug, Clone)]
pub struct Server {
    pub(super) plane: Arc<ControlPlane>,
    /// How it takes on another configuration, if it can.
    pub(super) reloader: Option<Arc<Reloader>>,
}

/// An answer, or why there is none.
pub(super) type Answer<T> = Result<Json<T>, Failure>;

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

/// Answers requests at the control socket until the end.
///
/// # Errors
/// The socket failed.
pub async fn serve(socket: &ControlSocket, server: Server) -> io::Result<()> {
    let resources = [
        get(flows),
        get(top),
        get(summary),
        get(stats),
        get(listeners).post(listen).delete(unlisten),
        get(pools).patch(change),
        post(reload),
        get(openapi),
        get(prometheus),
    ];
    let routes = PATHS.into_iter().zip(resources);
    let captures = capture::routes(Arc::clone(&server.plane));
    let traces = trace::routes(Arc::clone(&server.plane));
    let router = routes.fold(Router::new(), |router, (path, resource)| {
        router.route(path, resource)
    });
    let router = router.with_state(server).merge(captures).merge(traces);
    let refusal = Router::new().fallback(failure::forbidden);
    let listener = socket.listener()?;
    connection::serve_unix(listener, complete(router), refusal).await
}

/// Answers requests for `/metrics`, and nothing else, at a TCP socket of the kernel.
///
/// # Errors
/// The socket failed.
pub async fn serve_metrics(listener: TcpListener, server: Server) -> io::Result<()> {
    let router = Router::new().route(METRICS, get(prometheus));
    connection::serve_tcp(listener, complete(router.with_state(server))).await
}

/// With answers to what makes no sense.
fn complete(router: Router) -> Router {
    router
        .fallback(failure::not_found)
        .method_not_allowed_fallback(failure::no_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

async fn stats(State(server): State<Server>) -> Answer<Stats> {
    Ok(Json(Stats::of(&server.plane.report().await?)))
}

async fn prometheus(State(server): State<Server>) -> Result<impl IntoResponse, Failure> {
    let text = metrics::metrics(&server.plane.report().await?);
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn listeners(State(server): State<Server>) -> Answer<Vec<Listener>> {
    let listeners = server.plane.listeners().await?;
    Ok(Json(listeners.iter().map(Listener::from).collect()))
}

async fn listen(
    State(server): State<Server>,
    Body(new): Body<NewListener>,
) -> Result<(StatusCode, Json<Listener>), Failure> {
    let role = new.role(&server.plane.pool_numbers());
    let role = role.map_err(|error| Failure::new(StatusCode::BAD_REQUEST, error))?;
    let endpoint = new.endpoint;
    if endpoint.port() == 0 {
        let error = "a port is from 1 to 65535";
        return Err(Failure::new(StatusCode::BAD_REQUEST, error));
    }
    whole(async move { server.plane.listen(endpoint, role).await }).await?;
    let new = ListenerInfo {
        endpoint,
        role,
        closing: false,
        tally: Tally::default(),
    };
    Ok((StatusCode::CREATED, Json(Listener::from(&new))))
}

/// Which listener.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    endpoint: SocketAddr,
}

async fn unlisten(
    State(server): State<Server>,
    Parameters(which): Parameters<Which>,
) -> Result<StatusCode, Failure> {
    whole(async move { server.plane.unlisten(which.endpoint).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a change to its end, though its client may hang up meanwhile: what is dropped half-way
/// would leave workers and the XDP program of different minds.
async fn whole(
    change: impl Future<Output = Result<(), ListenError>> + Send + 'static,
) -> Result<(), Failure> {
    let done = tokio::spawn(change).await;
    let panicked = |error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    Ok(done.map_err(panicked)??)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::channel;

    use super::*;

    #[tokio::test]
    async fn a_change_goes_on_when_its_client_has_hung_up() {
        let ((go, may_go), (done, is_done)) = (channel(), channel());
        let change = whole(async move {
            may_go.await.expect("it is let go");
            done.send(()).expect("it is waited for");
            Ok(())
        });
        tokio::select! {
            biased;
            _ = change => panic!("it was not let go yet"),
            () = tokio::task::yield_now() => {}
        }
        go.send(()).expect("the change is under way");
        is_done.await.expect("it has come to its end");
    }
}
