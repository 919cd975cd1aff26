//! `GET /v1/alarms`: what somebody must look at now.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::Caller;
use super::{Service, blocking};
use crate::error::Result;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Alarms of a page, at most 1000; 200 when not said.
    limit: Option<usize>,
    /// From the page before.
    cursor: Option<String>,
}

/// What is missing, late or about to be, the gravest first.
#[utoipa::path(get, path = "/v1/alarms", tag = "operation", security(("bearer" = [])), params(Which),
    responses((status = 200, description = "alarms: code, severity, place, since; total and errors count all pages")))]
pub async fn alarms(
    State(service): State<Service>,
    Caller(actor): Caller,
    Query(which): Query<Which>,
) -> Result<Response> {
    let page = blocking(move || service.archive.alarms_page(&actor, which.limit, which.cursor.as_deref())).await?;
    Ok(axum::Json(page).into_response())
}

/// Works alarms out now and tells whoever is named in `[alarms]` what they do not know yet.
#[utoipa::path(post, path = "/v1/alarms/send", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "targets: each that was told, or was not, and why")))]
pub async fn send(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    let told = blocking(move || service.archive.send_alarms(&actor)).await?;
    Ok(axum::Json(told).into_response())
}

/// Tells everybody who is named in `[alarms]` that this is a test.
#[utoipa::path(post, path = "/v1/alarms/test", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "targets: each that was told, or was not, and why")))]
pub async fn test(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    let told = blocking(move || service.archive.test_alarms(&actor)).await?;
    Ok(axum::Json(told).into_response())
}
