//! `POST /v1/checks` and `GET /v1/checks/{id}`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::inspect::CheckRequest;
use crate::error::{Code, Error, Result};
use crate::id::CheckId;

/// Starts a check; its progress and report are under the address given.
#[utoipa::path(post, path = "/v1/checks", tag = "operation", security(("bearer" = [])), request_body = CheckRequest,
    responses((status = 202, description = "started: id and address"), (status = 400),
        (status = 409, description = "another check is running")))]
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

/// A check: its progress while it runs, then its report: JSON, or as text or a page when `Accept` asks for `text/plain` or
/// `text/html`.
#[utoipa::path(get, path = "/v1/checks/{id}", tag = "operation", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "progress or report"), (status = 404)))]
pub async fn report(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let id: CheckId = id.parse()?;
    let wanted = wanted(&headers);
    if let Some(state) = service.jobs.state("check", id.0) {
        service.archive.may_see_checks(&actor)?;
        let state = state?;
        if wanted.is_none() || state["state"] == "running" {
            return Ok(axum::Json(state).into_response());
        }
    }
    let (extension, media_type) = wanted.unwrap_or(("json", "application/json"));
    let report = blocking(move || service.archive.check_report_as(&actor, id, extension)).await?;
    match report {
        Some(report) => Ok(([(header::CONTENT_TYPE, media_type)], report).into_response()),
        None => Err(Error::new(Code::NotFound, "no such check").at(id)),
    }
}

/// The form that is asked for, when it is not JSON: the first of those we have.
fn wanted(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    let accept = headers.get(header::ACCEPT)?.to_str().ok()?;
    accept.split(',').find_map(|one| match one.split(';').next().unwrap_or_default().trim() {
        "text/html" => Some(Some(("html", "text/html; charset=utf-8"))),
        "text/plain" => Some(Some(("txt", "text/plain; charset=utf-8"))),
        "application/json" | "*/*" => Some(None),
        _ => None,
    })?
}
