//! `POST /v1/repairs` and `GET /v1/repairs/{id}`: bad copies put right from good ones.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::Service;
use super::auth::Caller;
use crate::archive::copies::RepairRequest;
use crate::error::{Code, Error, Result};

/// Repairs; progress and outcome are under the address given.
#[utoipa::path(post, path = "/v1/repairs", tag = "operation", security(("bearer" = [])), request_body = RepairRequest,
    responses((status = 202, description = "started: id and address"), (status = 404)))]
pub async fn start(State(service): State<Service>, Caller(actor): Caller, body: axum::body::Bytes) -> Result<Response> {
    let request: RepairRequest = super::parse_json(&body)?;
    let id = service.archive.begin_repair(&actor, &request)?;
    let archive = std::sync::Arc::clone(&service.archive);
    service.jobs.start("repair", id, move |progress| {
        archive.repair(&actor, id, &request, &|done, total| progress.set(done, total))
    });
    let location = format!("/v1/repairs/{id}");
    Ok((
        StatusCode::ACCEPTED,
        [("location", location.clone())],
        axum::Json(json!({ "repair": id, "location": location, "state": "running" })),
    )
        .into_response())
}

/// A repair: its progress while it runs, then what it did. The chain remembers its acts for ever.
#[utoipa::path(get, path = "/v1/repairs/{id}", tag = "operation", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "progress or outcome"), (status = 404)))]
pub async fn state(State(service): State<Service>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Response> {
    service.archive.may_see_repairs(&actor)?;
    let missing = || Error::new(Code::NotFound, "no such repair, or no longer").at(&id);
    let known = Uuid::try_parse(&id).ok().and_then(|id| service.jobs.state("repair", id));
    Ok(axum::Json(known.ok_or_else(missing)??).into_response())
}
