//! `POST /v1/seal`, `POST /v1/nightly`, `POST /v1/reindex`, `POST /v1/restorations`: what an operator sets off.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Service, blocking};
use crate::error::Result;

/// What to close.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Only this class.
    class: Option<String>,
}

/// Closes open packages now.
#[utoipa::path(post, path = "/v1/seal", tag = "operation", security(("bearer" = [])), request_body = Seal,
    responses((status = 200, description = "the packages sealed, and what could not be"), (status = 503)))]
pub async fn seal(State(service): State<Service>, Caller(actor): Caller, body: axum::body::Bytes) -> Result<Response> {
    let wanted: Seal = super::parse_json(&body)?;
    let class = wanted.class.as_deref().map(str::parse).transpose()?;
    let report = blocking(move || service.archive.seal(&actor, class.as_ref())).await?;
    Ok(axum::Json(report).into_response())
}

/// What must happen every night: seal what is due, check, report.
#[utoipa::path(post, path = "/v1/nightly", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "what was sealed and the check report")))]
pub async fn nightly(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    let report = blocking(move || service.archive.nightly(&actor)).await?;
    Ok(axum::Json(report).into_response())
}

/// Rebuilds the catalog from the plain files.
#[utoipa::path(post, path = "/v1/reindex", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "packages and documents read")))]
pub async fn reindex(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    let report = blocking(move || service.archive.reindex(&actor)).await?;
    Ok(axum::Json(report).into_response())
}

/// Why an older state is the archive from now on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// What happened.
    reason: String,
}

/// Declares that what was witnessed beyond this copy of the archive is lost; from then on it takes deposits again.
#[utoipa::path(post, path = "/v1/restorations", tag = "operation", security(("bearer" = [])), request_body = Restoration,
    responses((status = 201, description = "declared: what was witnessed and what was found"), (status = 409)))]
pub async fn restore(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let wanted: Restoration = super::parse_json(&body)?;
    let done = blocking(move || service.archive.declare_restoration(&actor, &wanted.reason)).await?;
    Ok((axum::http::StatusCode::CREATED, axum::Json(done)).into_response())
}
