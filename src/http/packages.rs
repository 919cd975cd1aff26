//! `GET /v1/packages…`: the sealed packages, their index and their evidence.

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::auth::Caller;
use super::{Service, blocking};
use crate::error::Result;
use crate::id::PackageRef;

/// Which series, and from where.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    series: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// The sealed packages.
#[utoipa::path(get, path = "/v1/packages", tag = "packages", security(("bearer" = [])),
    params(("series" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<usize>, Query)),
    responses((status = 200, description = "packages and cursor")))]
pub async fn list(
    State(service): State<Service>,
    Caller(actor): Caller,
    Query(which): Query<Which>,
) -> Result<Response> {
    let value = blocking(move || {
        let series = which.series.as_deref().map(str::parse).transpose()?;
        service.archive.packages(&actor, series.as_ref(), which.cursor.as_deref(), which.limit)
    })
    .await?;
    Ok(axum::Json(value).into_response())
}

fn reference(series: &str, number: &str) -> Result<PackageRef> {
    format!("{series}/{number}").parse()
}

/// One package: its entry on the chain.
#[utoipa::path(get, path = "/v1/packages/{series}/{number}", tag = "packages", security(("bearer" = [])),
    params(("series" = String, Path), ("number" = u64, Path)), responses((status = 200, description = "the package"), (status = 404)))]
pub async fn package(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path((series, number)): Path<(String, String)>,
) -> Result<Response> {
    let package = reference(&series, &number)?;
    let value = blocking(move || service.archive.package(&actor, &package)).await?;
    Ok(axum::Json(value).into_response())
}

/// The index of a package (UNI 11386:2020). It names no document's content, but it is read like content: the access is
/// recorded.
#[utoipa::path(get, path = "/v1/packages/{series}/{number}/pindex", tag = "packages", security(("bearer" = [])),
    params(("series" = String, Path), ("number" = u64, Path)), responses((status = 200, description = "PIndex.xml", content_type = "application/xml"), (status = 404)))]
pub async fn pindex(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path((series, number)): Path<(String, String)>,
) -> Result<Response> {
    let package = reference(&series, &number)?;
    let xml = blocking(move || service.archive.pindex(&actor, &package)).await?;
    Ok(([(header::CONTENT_TYPE, "application/xml")], xml).into_response())
}

/// The signature of a package's index: detached CAdES, DER. 404 when the package was sealed without a signer.
#[utoipa::path(get, path = "/v1/packages/{series}/{number}/signature", tag = "packages", security(("bearer" = [])),
    params(("series" = String, Path), ("number" = u64, Path)), responses((status = 200, description = "PIndex.xml.p7s", content_type = "application/pkcs7-signature"), (status = 404)))]
pub async fn signature(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path((series, number)): Path<(String, String)>,
) -> Result<Response> {
    let package = reference(&series, &number)?;
    let der = blocking(move || service.archive.package_signature(&actor, &package)).await?;
    Ok(([(header::CONTENT_TYPE, "application/pkcs7-signature")], der).into_response())
}

/// The RFC 4998 evidence record of a package's index.
#[utoipa::path(get, path = "/v1/packages/{series}/{number}/evidence", tag = "packages", security(("bearer" = [])),
    params(("series" = String, Path), ("number" = u64, Path)), responses((status = 200, description = "DER"), (status = 404)))]
pub async fn evidence(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path((series, number)): Path<(String, String)>,
) -> Result<Response> {
    let package = reference(&series, &number)?;
    let der = blocking(move || service.archive.package_evidence(&actor, &package)).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], der).into_response())
}
