//! `/v1/classes`, `/v1/policies`, `/v1/manuals`, `/v1/persons`, `/v1/tokens`, `/v1/intake/blocks`: what people decide about
//! the archive itself.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::manage::{NewPerson, NewToken};
use crate::error::Result;

/// The adopted metadata classes.
#[utoipa::path(get, path = "/v1/classes", tag = "administration", security(("bearer" = [])), responses((status = 200, description = "classes")))]
pub async fn classes(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(service.archive.classes(&actor)?).into_response())
}

/// One class: its JSON Schema with our annotations, in the version in force.
#[utoipa::path(get, path = "/v1/classes/{id}", tag = "administration", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "JSON Schema"), (status = 404)))]
pub async fn class(State(service): State<Service>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Response> {
    Ok(axum::Json(service.archive.class(&actor, &id.parse()?)?).into_response())
}

/// Adopts a class, or a new version of one; the body is its file.
#[utoipa::path(post, path = "/v1/classes", tag = "administration", security(("bearer" = [])),
    request_body(content_type = "application/json", description = "the class file", content = String),
    responses((status = 201, description = "adopted"), (status = 422)))]
pub async fn adopt_class(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let adopted = blocking(move || service.archive.adopt_class(&actor, &body)).await?;
    Ok((StatusCode::CREATED, axum::Json(adopted)).into_response())
}

/// The adopted policies.
#[utoipa::path(get, path = "/v1/policies", tag = "administration", security(("bearer" = [])), responses((status = 200, description = "policies")))]
pub async fn policies(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(service.archive.policies(&actor)?).into_response())
}

/// Adopts a policy, or a new version of one; the body is its file.
#[utoipa::path(post, path = "/v1/policies", tag = "administration", security(("bearer" = [])),
    request_body(content_type = "application/toml", description = "the policy file", content = String),
    responses((status = 201, description = "adopted"), (status = 422)))]
pub async fn adopt_policy(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let adopted = blocking(move || service.archive.adopt_policy(&actor, &body)).await?;
    Ok((StatusCode::CREATED, axum::Json(adopted)).into_response())
}

/// A manual of conservation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Manual {
    /// Its version, as its cover says.
    version: String,
    /// In force from this day (`2026-01-01`).
    from: String,
    /// SHA-256 of the file.
    sha256: String,
}

/// Adopts a manual of conservation: receipts and indexes cite it from its day on.
#[utoipa::path(post, path = "/v1/manuals", tag = "administration", security(("bearer" = [])), request_body = Manual,
    responses((status = 201, description = "adopted")))]
pub async fn adopt_manual(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let manual: Manual = super::parse_json(&body)?;
    let adopted = blocking(move || {
        let sha256 = manual.sha256.to_ascii_lowercase().parse()?;
        service.archive.adopt_manual(&actor, &manual.version, &manual.from, sha256)
    })
    .await?;
    Ok((StatusCode::CREATED, axum::Json(adopted)).into_response())
}

/// Persons and systems.
#[utoipa::path(get, path = "/v1/persons", tag = "administration", security(("bearer" = [])), responses((status = 200, description = "persons")))]
pub async fn persons(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(service.archive.persons(&actor)?).into_response())
}

/// Adds a person or a system.
#[utoipa::path(post, path = "/v1/persons", tag = "administration", security(("bearer" = [])), request_body = NewPerson,
    responses((status = 201, description = "added")))]
pub async fn add_person(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let person: NewPerson = super::parse_json(&body)?;
    let added = blocking(move || service.archive.add_person(&actor, &person)).await?;
    Ok((StatusCode::CREATED, axum::Json(added)).into_response())
}

/// Tokens, without their secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "administration", security(("bearer" = [])), responses((status = 200, description = "tokens")))]
pub async fn tokens(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(service.archive.tokens(&actor)?).into_response())
}

/// Creates a token; its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/tokens", tag = "administration", security(("bearer" = [])), request_body = NewToken,
    responses((status = 201, description = "the token, once")))]
pub async fn create_token(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let token: NewToken = super::parse_json(&body)?;
    let created = blocking(move || service.archive.create_token(&actor, &token)).await?;
    Ok((StatusCode::CREATED, axum::Json(created)).into_response())
}

/// Revokes a token.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "administration", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "revoked"), (status = 404)))]
pub async fn revoke_token(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse()?;
    let revoked = blocking(move || service.archive.revoke_token(&actor, id)).await?;
    Ok(axum::Json(revoked).into_response())
}

/// Objects refused so often that they are blocked.
#[utoipa::path(get, path = "/v1/intake/blocks", tag = "administration", security(("bearer" = [])), responses((status = 200, description = "blocked objects")))]
pub async fn blocks(State(service): State<Service>, Caller(actor): Caller) -> Result<Response> {
    Ok(axum::Json(service.archive.blocks(&actor)?).into_response())
}

/// Which object, and why it may be tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unblock {
    /// The last refusal of the object, as the list of blocks shows it.
    refusal: String,
    /// Why.
    reason: String,
}

/// Unblocks an object; a manager's act, with a reason.
#[utoipa::path(post, path = "/v1/intake/unblock", tag = "administration", security(("bearer" = [])), request_body = Unblock,
    responses((status = 200, description = "unblocked"), (status = 404)))]
pub async fn unblock(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let wanted: Unblock = super::parse_json(&body)?;
    let refusal = wanted.refusal.parse()?;
    let done = blocking(move || service.archive.unblock(&actor, refusal, &wanted.reason)).await?;
    Ok(axum::Json(done).into_response())
}
