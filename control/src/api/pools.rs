//! `/v1/pools`: pools of backends, and what an operator wants of a backend.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::failure::{Body, Failure};
use super::server::{Answer, Server};
use super::stats::{self, PoolStats};
use crate::config::AdminChoice;

/// What a backend may be given from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendChange {
    /// Name of the pool.
    pub pool: String,
    /// Where the backend is.
    pub address: SocketAddr,
    /// ready, drain or disabled.
    pub state: AdminChoice,
}

pub(super) async fn pools(State(server): State<Server>) -> Answer<BTreeMap<String, PoolStats>> {
    let pools = server.plane.pools().await?;
    Ok(Json(pools.iter().map(stats::pool).collect()))
}

/// Holds until the file says otherwise than now.
pub(super) async fn change(
    State(server): State<Server>,
    Body(change): Body<BackendChange>,
) -> Result<StatusCode, Failure> {
    let BackendChange {
        pool,
        address,
        state,
    } = change;
    let set = server.plane.set_admin(&pool, address, state.into());
    if set.await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let reason = format!("there is no backend {address} in a pool {pool:?}");
    Err(Failure::new(StatusCode::NOT_FOUND, reason))
}
