//! `GET /v1/renewals/plan`, `POST /v1/renewals` and `GET /v1/renewals/{id}`: evidence that is about to age.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::renew::RenewRequest;
use crate::error::{Code, Error, Result};

/// What ends when, how long renewing it takes at the speed measured here, and whether that is soon enough.
#[utoipa::path(get, path = "/v1/renewals/plan", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "lines by deadline; `feasible` is false when a deadline cannot be met")))]
pub async fn plan(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    let plan = blocking(move || service.archive.renew_plan(&actor)).await?;
    Ok(axum::Json(plan).into_response())
}

/// Renews what is due; progress and outcome are under the address given.
#[utoipa::path(post, path = "/v1/renewals", tag = "operation", security(("bearer" = [])), request_body = RenewRequest,
    responses((status = 202, description = "started: id and address"), (status = 400)))]
pub async fn start(State(service): State<Service>, Caller(actor): Caller, body: axum::body::Bytes) -> Result<Response> {
    let request: RenewRequest = super::parse_json(&body)?;
    let id = service.archive.begin_renewal(&actor, &request)?;
    let archive = std::sync::Arc::clone(&service.archive);
    service.jobs.start("renewal", id, move |progress| {
        archive.renew(&actor, &request, &|done, total| progress.set(done, total))
    });
    let location = format!("/v1/renewals/{id}");
    Ok((
        StatusCode::ACCEPTED,
        [("location", location.clone())],
        axum::Json(json!({ "renewal": id, "location": location, "state": "running" })),
    )
        .into_response())
}

/// A renewal: its progress while it runs, then what it did. The chain remembers it for ever.
#[utoipa::path(get, path = "/v1/renewals/{id}", tag = "operation", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "progress or outcome"), (status = 404)))]
pub async fn state(State(service): State<Service>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Response> {
    service.archive.may_see_renewals(&actor)?;
    let missing = || Error::new(Code::NotFound, "no such renewal, or no longer").at(&id);
    let known = Uuid::try_parse(&id).ok().and_then(|id| service.jobs.state("renewal", id));
    Ok(axum::Json(known.ok_or_else(missing)??).into_response())
}
