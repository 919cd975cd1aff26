//! `/v1/vaults` and `/v1/derogations`: where copies are kept, a new disk in the place of a lost one, and the manager's leave to
//! have fewer.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::copies::NewDerogation;
use crate::error::Result;

/// Every vault: whether it is there, what it lacks, where it is.
#[utoipa::path(get, path = "/v1/vaults", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "vaults; how many copies at how many sites")))]
pub async fn list(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(blocking(move || service.archive.vaults(&actor)).await?).into_response())
}

/// Binds a new, empty disk in the place of a vault that is lost; it catches up once the archive is opened again.
#[utoipa::path(post, path = "/v1/vaults/{name}/replacement", tag = "operation", security(("bearer" = [])),
    params(("name" = String, Path)), responses((status = 201, description = "bound: its new id"), (status = 404)))]
pub async fn replace(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Response> {
    let done = blocking(move || service.archive.replace_vault(&actor, &name)).await?;
    Ok((StatusCode::CREATED, axum::Json(done)).into_response())
}

/// Records that fewer copies than a production archive must have are enough until a day; a manager's act.
#[utoipa::path(post, path = "/v1/derogations", tag = "administration", security(("bearer" = [])), request_body = NewDerogation,
    responses((status = 201, description = "recorded")))]
pub async fn derogate(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let wanted: NewDerogation = super::parse_json(&body)?;
    let done = blocking(move || service.archive.derogate_copies(&actor, &wanted)).await?;
    Ok((StatusCode::CREATED, axum::Json(done)).into_response())
}
