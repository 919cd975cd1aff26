//! `GET /v1/receipts/{id}` and `GET /v1/refusals/{id}`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::auth::Caller;
use super::{Service, blocking};
use crate::error::Result;

/// The signature of a receipt (RdV) by the manager's or the organisation's certificate: detached CAdES, DER. 404 when receipts
/// are not signed, and before the package is sealed.
#[utoipa::path(get, path = "/v1/receipts/{id}/signature", tag = "deposit", security(("bearer" = [])),
    params(("id" = String, Path, description = "receipt")),
    responses((status = 200, description = "the signature", content_type = "application/pkcs7-signature"), (status = 404)))]
pub async fn signature(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse()?;
    let der = blocking(move || service.archive.receipt_signature(&actor, id)).await?;
    Ok(([(header::CONTENT_TYPE, "application/pkcs7-signature")], der).into_response())
}

/// A receipt (RdV): JSON, or the RdV itself with `Accept: application/xml`.
#[utoipa::path(get, path = "/v1/receipts/{id}", tag = "deposit", security(("bearer" = [])),
    params(("id" = String, Path, description = "receipt")),
    responses((status = 200, description = "the receipt, byte for byte as first given"), (status = 404)))]
pub async fn receipt(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = id.parse()?;
    let xml = headers.get(header::ACCEPT).is_some_and(|v| v.to_str().is_ok_and(|v| v.contains("application/xml")));
    let bytes =
        blocking(
            move || {
                if xml { service.archive.receipt_xml(&actor, id) } else { service.archive.receipt_json(&actor, id) }
            },
        )
        .await?;
    let media = if xml { "application/xml" } else { "application/json" };
    Ok(([(header::CONTENT_TYPE, media)], bytes).into_response())
}

/// A refusal: the negative outcome, with all its controls.
#[utoipa::path(get, path = "/v1/refusals/{id}", tag = "deposit", security(("bearer" = [])),
    params(("id" = String, Path, description = "refusal")),
    responses((status = 200, description = "the refusal"), (status = 404)))]
pub async fn refusal(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse()?;
    let value = blocking(move || service.archive.refusal(&actor, id)).await?;
    Ok(axum::Json(value).into_response())
}
