//! `GET /v1/documents/{id}` and what hangs from it: content (with ranges), evidence, retention, related.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use super::auth::Caller;
use super::{Service, blocking};
use crate::archive::read::ByteRange;
use crate::archive::related::Part;
use crate::error::{Code, Error, Result};

/// Everything known of a document. `metadata` and `findings` say what was known at deposit; `at_sealing`, what was found of its
/// signatures when it was sealed (`signature_verdict`, the worst, and a line a signature), null before that.
#[utoipa::path(get, path = "/v1/documents/{id}", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "the document"), (status = 404), (status = 410)))]
pub async fn document(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse()?;
    let value = blocking(move || service.archive.document(&actor, id)).await?;
    Ok(axum::Json(value).into_response())
}

/// Why the content is wanted.
#[derive(Debug, Default, Deserialize)]
pub struct Why {
    reason: Option<String>,
}

/// The exact bytes of a document. The access is recorded, durably, before the first byte leaves.
#[utoipa::path(get, path = "/v1/documents/{id}/content", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Path), ("reason" = Option<String>, Query, description = "why; needed for some classes")),
    responses((status = 200, description = "the bytes; ETag is their SHA-256"), (status = 206), (status = 304), (status = 404), (status = 410), (status = 416)))]
pub async fn content(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(why): Query<Why>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = id.parse()?;
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let streams = std::sync::Arc::clone(&service.streams);
    let content = blocking(move || {
        let facts = service.archive.content_facts(&actor, id)?;
        if known.is_some_and(|tags| tags.split(',').any(|t| t.trim() == format!("\"{}\"", facts.sha256))) {
            return Ok((facts, None));
        }
        let range = match range.map(|text| parse_range(&text, facts.bytes)).transpose() {
            Ok(range) => range.flatten(),
            Err(error) => return Ok((facts, Some(Err(error)))),
        };
        let reader = service.archive.content(&actor, id, range, why.reason.as_deref())?;
        Ok((facts, Some(Ok((reader, range)))))
    })
    .await?;
    let (facts, opened) = content;
    let etag = format!("\"{}\"", facts.sha256);
    let (reader, range) = match opened {
        None => return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response()),
        Some(Err(error)) => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{}", facts.bytes))];
            return Ok((whole, error).into_response());
        }
        Some(Ok(opened)) => opened,
    };
    // The reader is blocking; a task of its own feeds the body through a small pipe so that memory stays flat.
    let (mut sink, source) = tokio::io::duplex(256 * 1024);
    let turn = std::sync::Arc::clone(&streams).acquire_owned().await;
    let turn = turn.map_err(|_| Error::new(Code::Internal, "the server is closing"))?;
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut reader = reader;
        let runtime = tokio::runtime::Handle::current();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match std::io::Read::read(&mut reader, &mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    if runtime.block_on(tokio::io::AsyncWriteExt::write_all(&mut sink, &buffer[..n])).is_err() {
                        break;
                    }
                }
                Err(e) => {
                    // Content-Length was announced: ending early tells the client that the answer is not whole.
                    tracing::error!(document = %id, cause = %e, "reading content failed");
                    break;
                }
            }
        }
    });
    let (status, length) = match range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.length),
        None => (StatusCode::OK, facts.bytes),
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, facts.media_type.as_str())
        .header(header::CONTENT_LENGTH, length)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        // Bytes from outside: a browser must neither guess a type nor run anything.
        .header("x-content-type-options", "nosniff")
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.{}\"", facts.extension));
    if let Some(range) = range {
        let last = range.start + range.length - 1;
        response = response.header(header::CONTENT_RANGE, format!("bytes {}-{last}/{}", range.start, facts.bytes));
    }
    response.body(Body::from_stream(ReaderStream::new(source))).map_err(|e| Error::new(Code::Internal, e.to_string()))
}

/// One byte range (RFC 9110, 14.1.2). `None`: a form we do not serve in parts, answered in full.
fn parse_range(text: &str, length: u64) -> Result<Option<ByteRange>> {
    let Some(spec) = text.strip_prefix("bytes=") else { return Ok(None) };
    if spec.contains(',') {
        return Ok(None);
    }
    let unsatisfiable = || Error::new(Code::RangeInvalid, format!("the document has {length} bytes")).at("Range");
    let Some((first, last)) = spec.trim().split_once('-') else { return Ok(None) };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(length.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, length.saturating_sub(1)),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => {
            (length.saturating_sub(suffix), length.saturating_sub(1))
        }
        _ => return Err(unsatisfiable()),
    };
    if start >= length {
        return Err(unsatisfiable());
    }
    Ok(Some(ByteRange { start, length: end - start + 1 }))
}

/// The RFC 4998 evidence record of a document's group.
#[utoipa::path(get, path = "/v1/documents/{id}/evidence", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "DER"), (status = 404)))]
pub async fn evidence(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse()?;
    let der = blocking(move || service.archive.document_evidence(&actor, id)).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], der).into_response())
}

/// Until when, and why, a document is kept.
#[utoipa::path(get, path = "/v1/documents/{id}/retention", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, description = "expiry, policy, reasons"), (status = 404)))]
pub async fn retention(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = id.parse()?;
    let value = blocking(move || service.archive.document_retention(&actor, id)).await?;
    Ok(axum::Json(value).into_response())
}

/// Which part of a long answer.
#[derive(Debug, Default, Deserialize)]
pub struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Everything related to a document: the same deposit, what shares an identifier with it, its conversation with the state of
/// every recipient, what SdI answered, its aggregations. Documents that the caller may not read are counted in `not_shown`.
#[utoipa::path(get, path = "/v1/documents/{id}/related", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Path), ("limit" = Option<usize>, Query, description = "linked documents of one page, 1 to 1000"),
        ("cursor" = Option<String>, Query, description = "from the page before")),
    responses((status = 200, description = "related documents", body = crate::http::related::Related), (status = 400), (status = 404)))]
pub async fn related(
    State(service): State<Service>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response> {
    let id = id.parse()?;
    let part = Part { limit: page.limit, cursor: page.cursor };
    let value = blocking(move || service.archive.related(&actor, id, &part)).await?;
    Ok(axum::Json(value).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Option<(u64, u64)> {
        parse_range(text, 100).unwrap().map(|r| (r.start, r.length))
    }

    #[test]
    fn ranges_as_in_rfc_9110() {
        assert_eq!(range("bytes=0-9"), Some((0, 10)));
        assert_eq!(range("bytes=90-"), Some((90, 10)));
        assert_eq!(range("bytes=-5"), Some((95, 5)));
        assert_eq!(range("bytes=50-1000"), Some((50, 50)));
        assert_eq!(range("bytes=0-1,5-6"), None);
        assert_eq!(range("lines=0-1"), None);
        for bad in ["bytes=100-", "bytes=5-2", "bytes=x-y", "bytes=-0"] {
            assert_eq!(parse_range(bad, 100).unwrap_err().code, Code::RangeInvalid, "{bad}");
        }
    }
}
