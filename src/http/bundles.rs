//! `POST /v1/bundles` and `GET /v1/bundles/{id}`: evidence bundles (PdD), made in the background.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::bundle::BundleRequest;
use crate::error::{AtPath, Code, Error, Result};
use crate::id::BundleId;

/// Starts a bundle; its progress is under the address given, its bytes under `…/content`.
#[utoipa::path(post, path = "/v1/bundles", tag = "bundles", security(("bearer" = [])), request_body = BundleRequest,
    responses((status = 202, description = "started: id and address"), (status = 400), (status = 404)))]
pub async fn start(State(service): State<Service>, Caller(actor): Caller, body: axum::body::Bytes) -> Result<Response> {
    let request: BundleRequest = super::parse_json(&body)?;
    let id = service.archive.begin_bundle(&actor, &request)?;
    let archive = std::sync::Arc::clone(&service.archive);
    service.jobs.start("bundle", id.0, move |progress| {
        archive.bundle(&actor, id, &request, &|done, total| progress.set(done, total))
    });
    let location = format!("/v1/bundles/{id}");
    let body = axum::Json(json!({ "bundle": id, "location": location, "state": "running" }));
    Ok((StatusCode::ACCEPTED, [("location", location)], body).into_response())
}

/// A bundle: its progress while it is made, then its facts.
#[utoipa::path(get, path = "/v1/bundles/{id}", tag = "bundles", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "progress or facts"), (status = 404)))]
pub async fn state(State(service): State<Service>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Response> {
    let id: BundleId = id.parse()?;
    service.archive.may_export(&actor)?;
    match service.jobs.state("bundle", id.0) {
        Some(state) => Ok(axum::Json(state?).into_response()),
        None => Err(Error::new(Code::NotFound, "no such bundle").at(id)),
    }
}

/// The bundle itself, a zip.
#[utoipa::path(get, path = "/v1/bundles/{id}/content", tag = "bundles", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "zip", content_type = "application/zip"), (status = 404)))]
pub async fn content(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id: BundleId = id.parse()?;
    let (file, length) = blocking(move || {
        let path = service.archive.bundle_file(&actor, id)?;
        let file = crate::durable::open_plain(&path)?;
        let length = file.metadata().at_path(&path)?.len();
        Ok((tokio::fs::File::from_std(file), length))
    })
    .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.zip\"")),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}
