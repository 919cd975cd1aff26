//! `POST /v1/checks` and `GET /v1/checks/{id}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::inspect::CheckRequest;
use crate::error::{Code, Error, Result};
use crate::id::CheckId;

/// Starts a check; its progress and report are under the address given.
#[utoipa::path(post, path = "/v1/checks", tag = "operation", security(("bearer" = [])), request_body = CheckRequest,
    responses((status = 202, description = "started: id and address"), (status = 400)))]
pub async fn start(State(service): State<Service>, Caller(actor): Caller, body: axum::body::Bytes) -> Result<Response> {
    let request: CheckRequest = super::parse_json(&body)?;
    let id = service.archive.begin_check(&actor, &request)?;
    let archive = std::sync::Arc::clone(&service.archive);
    service.jobs.start("check", id.0, move |progress| {
        archive.check(&actor, id, &request, &|done, total| progress.set(done, total))
    });
    let location = format!("/v1/checks/{id}");
    Ok((
        StatusCode::ACCEPTED,
        [("location", location.clone())],
        axum::Json(json!({ "check": id, "location": location, "state": "running" })),
    )
        .into_response())
}

/// A check: its progress while it runs, then its report.
#[utoipa::path(get, path = "/v1/checks/{id}", tag = "operation", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "progress or report"), (status = 404)))]
pub async fn report(State(service): State<Service>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Response> {
    let id: CheckId = id.parse()?;
    if let Some(state) = service.jobs.state("check", id.0) {
        service.archive.may_see_checks(&actor)?;
        return Ok(axum::Json(state?).into_response());
    }
    let report = blocking(move || service.archive.check_report(&actor, id)).await?;
    match report {
        Some(report) => Ok(axum::Json(report).into_response()),
        None => Err(Error::new(Code::NotFound, "no such check").at(id)),
    }
}
