//! `GET /v1/keys` and `POST /v1/keys/rotation`: the keys that the archive signs with, and changing the one in force.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Service, blocking};
use crate::error::Result;

/// Every key that the archive has had, oldest first, each with its reign in sizes of the chain.
#[utoipa::path(get, path = "/v1/keys", tag = "chain", security(("bearer" = [])), responses((status = 200, description = "public keys and their reigns")))]
pub async fn keys(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(service.archive.keys(&actor)?).into_response())
}

/// Why the key is changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// `routine`, or `compromised`: somebody else may have the old key.
    reason: String,
}

/// Makes a new key and puts it in force; the old one signs for it on the chain.
#[utoipa::path(post, path = "/v1/keys/rotation", tag = "operation", security(("bearer" = [])), request_body = Rotation,
    responses((status = 200, description = "changed: entry, old and new key"), (status = 400)))]
pub async fn rotate(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let wanted: Rotation = super::parse_json(&body)?;
    let reason = wanted.reason.parse()?;
    let done = blocking(move || service.archive.rotate_key(&actor, reason)).await?;
    Ok(axum::Json(done).into_response())
}
