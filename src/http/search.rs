//! `POST /v1/documents/search` (criteria in the body) and `GET /v1/documents` (not for personal fields, which would end
//! up in logs of everything between the client and here).

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::find::Request;
use crate::error::{Code, Error, Result};

/// A search.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Only this class.
    class: Option<String>,
    /// `FIELD=VALUE`, `FIELD^=PREFIX`, `FIELD>=VALUE`, `FIELD<=VALUE`; all must hold.
    #[serde(default)]
    criteria: Vec<String>,
    /// Accepted at this instant or later (RFC 3339).
    from: Option<String>,
    /// Accepted before this instant (RFC 3339).
    to: Option<String>,
    /// At most so many rows (default 100, at most 1000).
    limit: Option<usize>,
    /// Where the last page ended.
    cursor: Option<String>,
    /// Wait until what was acknowledged under this number is found.
    min_sequence: Option<u64>,
}

impl From<Search> for Request {
    fn from(search: Search) -> Self {
        let Search { class, criteria, from, to, limit, cursor, min_sequence } = search;
        Self { class, criteria, from, to, limit, cursor, min_sequence, in_url: false }
    }
}

/// Finds documents by metadata.
#[utoipa::path(post, path = "/v1/documents/search", tag = "documents", security(("bearer" = [])), request_body = Search,
    responses((status = 200, description = "documents, cursor and as_of"), (status = 400)))]
pub async fn search(
    State(service): State<Service>,
    Caller(actor): Caller,
    body: axum::body::Bytes,
) -> Result<Response> {
    let search: Search = super::parse_json(&body)?;
    let page = blocking(move || service.archive.search(&actor, &search.into())).await?;
    Ok(axum::Json(page).into_response())
}

/// Finds documents by metadata given in the address; refused for fields of personal classes.
#[utoipa::path(get, path = "/v1/documents", tag = "documents", security(("bearer" = [])),
    params(("class" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query), ("min_sequence" = Option<u64>, Query)),
    responses((status = 200, description = "documents, cursor and as_of"), (status = 400)))]
pub async fn list(
    State(service): State<Service>,
    Caller(actor): Caller,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response> {
    let mut request = Request { in_url: true, ..Request::default() };
    for (key, value) in pairs {
        match key.as_str() {
            "class" => request.class = Some(value),
            "from" => request.from = Some(value),
            "to" => request.to = Some(value),
            "limit" => request.limit = Some(number(&key, &value)?),
            "cursor" => request.cursor = Some(value),
            "min_sequence" => request.min_sequence = Some(number(&key, &value)?),
            other => match other.strip_prefix("q.") {
                Some(field) => request.criteria.push(format!("{field}={value}")),
                None => return Err(Error::new(Code::QueryInvalid, "unknown parameter").at(other)),
            },
        }
    }
    let page = blocking(move || service.archive.search(&actor, &request)).await?;
    Ok(axum::Json(page).into_response())
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| Error::new(Code::QueryInvalid, "expected a whole number").at(key))
}
