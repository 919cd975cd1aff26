//! `GET /v1/chain/…`: checkpoint, entries and proofs (C2SP, RFC 6962). Nothing personal is on the chain, so any token may
//! read it.

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::auth::Caller;
use super::{Service, blocking};
use crate::error::Result;

/// The checkpoint with the archive's technical integrity mark (C2SP tlog-checkpoint), as text. Beside it, under
/// `/v1/chain/tile/`, are the tiles (C2SP tlog-tiles).
#[utoipa::path(get, path = "/v1/chain/checkpoint", tag = "chain", security(("bearer" = [])),
    responses((status = 200, description = "signed note", content_type = "text/plain")))]
pub async fn checkpoint(State(service): State<Service>, _caller: Caller) -> Result<Response> {
    let text = service.archive.checkpoint();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// A range of entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    #[serde(default)]
    from: u64,
    to: Option<u64>,
}

/// Entries `from` (included) to `to` (not included), at most 1000; `next` says where to go on.
#[utoipa::path(get, path = "/v1/chain/entries", tag = "chain", security(("bearer" = [])),
    params(("from" = Option<u64>, Query), ("to" = Option<u64>, Query)), responses((status = 200, description = "entries and next")))]
pub async fn entries(State(service): State<Service>, _caller: Caller, Query(range): Query<Range>) -> Result<Response> {
    let page = blocking(move || service.archive.chain_entries(range.from, range.to)).await?;
    Ok(axum::Json(page).into_response())
}

/// Which entry, in a tree of which size.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    entry: u64,
    size: Option<u64>,
}

/// The inclusion proof of an entry.
#[utoipa::path(get, path = "/v1/chain/proof", tag = "chain", security(("bearer" = [])),
    params(("entry" = u64, Query), ("size" = Option<u64>, Query)), responses((status = 200, description = "hashes, leaf to root"), (status = 404)))]
pub async fn proof(
    State(service): State<Service>,
    _caller: Caller,
    Query(wanted): Query<Inclusion>,
) -> Result<Response> {
    let proof = blocking(move || service.archive.chain_proof(wanted.entry, wanted.size)).await?;
    Ok(axum::Json(proof).into_response())
}

/// Between which sizes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    from: u64,
    to: u64,
}

/// The consistency proof between two sizes of the tree.
#[utoipa::path(get, path = "/v1/chain/consistency", tag = "chain", security(("bearer" = [])),
    params(("from" = u64, Query), ("to" = u64, Query)), responses((status = 200, description = "hashes"), (status = 404)))]
pub async fn consistency(
    State(service): State<Service>,
    _caller: Caller,
    Query(sizes): Query<Sizes>,
) -> Result<Response> {
    let proof = blocking(move || service.archive.chain_consistency(sizes.from, sizes.to)).await?;
    Ok(axum::Json(proof).into_response())
}

/// A tile of the chain (C2SP tlog-tiles; the prefix is `/v1/chain`), by its path: `0/000`, `1/000.p/3`, `entries/000.p/41`.
pub async fn tile(State(service): State<Service>, _caller: Caller, Path(path): Path<String>) -> Result<Response> {
    let bytes = blocking(move || service.archive.chain_tile(&path)).await?;
    // What a tile of this width holds never changes.
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "private, immutable")];
    Ok((headers, bytes).into_response())
}
