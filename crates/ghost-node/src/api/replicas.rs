//! The routes of replicas: listed, added, limited, paused, removed.
//!
//! One question and one answer, whatever is asked: the daemon does it, on the pool.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State as Of};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::client::quoted;
use super::routes::{State, json, on_pool, refusal, small};
use super::wire::{Code, Refusal};
use crate::daemon::{Daemon, HostKey, ReplicaAsk, ReplicaError, ReplicaStatus};

/// What is asked about replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicasAsk {
    List,
    /// The public key with which replicas know this host.
    Key,
    /// The keys that the host at an address shows.
    HostKeys(String),
    Add(ReplicaAsk),
    /// Tries at once what waits or was refused.
    Sync(String),
    Pause(String),
    Resume(String),
    Limit(String, ReplicaLimit),
    Remove(String),
}

/// How fast a replica is sent to, and when not; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplicaLimit {
    /// Bytes a second; 0: as fast as it goes.
    pub rate_limit: Option<u64>,
    /// `22:00-06:30`; empty: none.
    pub quiet: Option<String>,
}

/// What is answered: what was asked for, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicasTold {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<ReplicaStatus>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_keys: Option<Vec<HostKey>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AddressBody {
    pub(super) address: String,
}

impl ReplicasAsk {
    /// As it goes over the socket.
    pub(super) fn request(&self) -> serde_json::Result<(Method, String, Vec<u8>)> {
        let of = |name: &str, what: &str| format!("/v1/replicas/{}{what}", quoted(name));
        let nothing = Vec::new();
        Ok(match self {
            ReplicasAsk::List => (Method::GET, "/v1/replicas".to_owned(), nothing),
            ReplicasAsk::Key => (Method::GET, "/v1/replicas/key".to_owned(), nothing),
            ReplicasAsk::HostKeys(address) => {
                let body = serde_json::to_vec(&AddressBody { address: address.clone() })?;
                (Method::POST, "/v1/replicas/host-keys".to_owned(), body)
            }
            ReplicasAsk::Add(ask) => {
                (Method::POST, "/v1/replicas".to_owned(), serde_json::to_vec(ask)?)
            }
            ReplicasAsk::Sync(name) => (Method::POST, of(name, "/sync"), nothing),
            ReplicasAsk::Pause(name) => (Method::POST, of(name, "/pause"), nothing),
            ReplicasAsk::Resume(name) => (Method::POST, of(name, "/resume"), nothing),
            ReplicasAsk::Limit(name, limit) => {
                (Method::POST, of(name, "/limit"), serde_json::to_vec(limit)?)
            }
            ReplicasAsk::Remove(name) => (Method::DELETE, of(name, ""), nothing),
        })
    }
}

impl ReplicasTold {
    fn one(status: ReplicaStatus) -> ReplicasTold {
        ReplicasTold { replicas: Some(vec![status]), ..ReplicasTold::default() }
    }
}

/// The daemon's answer.
pub(super) fn told(daemon: &Daemon, ask: &ReplicasAsk) -> Result<ReplicasTold, ReplicaError> {
    Ok(match ask {
        ReplicasAsk::List => {
            ReplicasTold { replicas: Some(daemon.replicas()), ..ReplicasTold::default() }
        }
        ReplicasAsk::Key => {
            ReplicasTold { key: Some(daemon.replica_key()?), ..ReplicasTold::default() }
        }
        ReplicasAsk::HostKeys(address) => {
            let keys = daemon.replica_host_keys(address)?;
            ReplicasTold { host_keys: Some(keys), ..ReplicasTold::default() }
        }
        ReplicasAsk::Add(replica) => ReplicasTold::one(daemon.replica_add(replica)?),
        ReplicasAsk::Sync(name) => ReplicasTold::one(daemon.replica_sync(name)?),
        ReplicasAsk::Pause(name) => ReplicasTold::one(daemon.replica_pause(name)?),
        ReplicasAsk::Resume(name) => ReplicasTold::one(daemon.replica_resume(name)?),
        ReplicasAsk::Limit(name, limit) => {
            let quiet = limit.quiet.as_deref();
            ReplicasTold::one(daemon.replica_limit(name, limit.rate_limit, quiet)?)
        }
        ReplicasAsk::Remove(name) => {
            daemon.replica_remove(name)?;
            ReplicasTold { replicas: Some(Vec::new()), ..ReplicasTold::default() }
        }
    })
}

impl From<ReplicaError> for Refusal {
    fn from(error: ReplicaError) -> Refusal {
        let code = match &error {
            ReplicaError::Name
            | ReplicaError::Address(_)
            | ReplicaError::Quiet
            | ReplicaError::Exists(_)
            | ReplicaError::TooMany
            | ReplicaError::HostKey(_) => Code::Usage,
            ReplicaError::Unknown(_) => Code::NotFound,
            ReplicaError::Busy(_) => Code::Busy,
            ReplicaError::Stopping => Code::Stopping,
            _ => Code::Failed,
        };
        refusal(code, error, "")
    }
}

type Shared = Of<Arc<State>>;

/// The routes, to be joined to all others.
pub(super) fn routes(router: Router<Arc<State>>) -> Router<Arc<State>> {
    router
        .route("/v1/replicas", get(list).post(add))
        .route("/v1/replicas/key", get(key))
        .route("/v1/replicas/host-keys", post(host_keys))
        .route("/v1/replicas/{name}", axum::routing::delete(remove))
        .route("/v1/replicas/{name}/sync", post(sync))
        .route("/v1/replicas/{name}/pause", post(pause))
        .route("/v1/replicas/{name}/resume", post(resume))
        .route("/v1/replicas/{name}/limit", post(limit))
}

async fn done(state: &Arc<State>, ask: ReplicasAsk) -> Result<Response, Refusal> {
    let backend = Arc::clone(&state.backend);
    let told = on_pool(&state.asks, move || backend.replicas(&ask)).await??;
    Ok(json(&told))
}

async fn list(Of(state): Shared) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::List).await
}

async fn key(Of(state): Shared) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::Key).await
}

/// Reads a small body of JSON.
async fn body_of<T: serde::de::DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let body = small(body).await?;
    serde_json::from_slice(&body).map_err(|error| {
        let hint = "docs/interfaces/api.md shows its keys";
        refusal(Code::Usage, format!("the body: {error}"), hint)
    })
}

async fn host_keys(Of(state): Shared, body: Body) -> Result<Response, Refusal> {
    let asked: AddressBody = body_of(body).await?;
    done(&state, ReplicasAsk::HostKeys(asked.address)).await
}

async fn add(Of(state): Shared, body: Body) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::Add(body_of(body).await?)).await
}

async fn remove(Of(state): Shared, Path(name): Path<String>) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::Remove(name)).await
}

async fn sync(Of(state): Shared, Path(name): Path<String>) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::Sync(name)).await
}

async fn pause(Of(state): Shared, Path(name): Path<String>) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::Pause(name)).await
}

async fn resume(Of(state): Shared, Path(name): Path<String>) -> Result<Response, Refusal> {
    done(&state, ReplicasAsk::Resume(name)).await
}

async fn limit(
    Of(state): Shared,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let limit = body_of(body).await?;
    done(&state, ReplicasAsk::Limit(name, limit)).await
}
