//! The route by which an operator mutes, resets and freezes: one wish, one answer.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;

use super::routes::{Shared, json, on_pool, refusal, small};
use super::wire::{Code, Refusal};
use crate::anomaly::wish::WishAsked;
use crate::daemon::WishError;

impl From<WishError> for Refusal {
    fn from(error: WishError) -> Refusal {
        let code = match &error {
            WishError::Refused(_) => Code::Usage,
            WishError::Busy => Code::Busy,
            WishError::Stopping => Code::Stopping,
        };
        refusal(code, error, "")
    }
}

/// `POST /v1/anomalies`.
pub(super) async fn wish(
    axum::extract::State(state): Shared,
    body: Body,
) -> Result<Response, Refusal> {
    let body = small(body).await?;
    let asked: WishAsked = serde_json::from_slice(&body).map_err(|error| {
        refusal(Code::Usage, format!("the body: {error}"), "docs/interfaces/api.md shows its keys")
    })?;
    let wish = asked.wish().map_err(|why| refusal(Code::Usage, why, ""))?;
    let backend = Arc::clone(&state.backend);
    let standing = on_pool(&state.asks, move || backend.anomalies(wish)).await??;
    Ok(json(&standing))
}
