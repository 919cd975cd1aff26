//! `POST /v1/documents` (one document), `POST /v1/deposits` (many, all or nothing) and the dry run.
//!
//! Bodies stream: they are hashed on the way and spooled, so memory stays flat whatever the size. A body that ends early,
//! is too large or does not match what was declared changes nothing.

use std::time::Duration;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::auth::Caller;
use super::{Service, blocking, content_digest};
use crate::archive::deposit::{Answer, Channel, ClientManifest, Deposit, File, Unpacked};
use crate::document::{Metadata, json};
use crate::error::{Code, Error, Result};
use crate::hash::{Hasher, Sha256};
use crate::intake::spool::{MEMORY_LIMIT, Spool, Spooled};

/// Longest manifest of a deposit of many documents.
const MAX_MANIFEST: usize = 16 << 20;
/// Bytes of a multipart body that may have come without belonging to a part: what the reader buffers, and the headers of
/// all parts. The reader itself has no limit on headers.
const MAX_BETWEEN: u64 = 16 << 20;

/// Deposits one document: the body is the document.
#[utoipa::path(post, path = "/v1/documents", tag = "deposit", security(("bearer" = [])),
    params(
        ("class" = Option<String>, Query, description = "class, or auto"),
        ("name" = Option<String>, Query, description = "file name"),
        ("duplicate" = Option<String>, Query, description = "`allow` with a new key deposits the same content anew"),
        ("Idempotency-Key" = Option<String>, Header), ("Content-Digest" = Option<String>, Header, description = "RFC 9530, sha-256"),
        ("Custode-Metadata" = Option<String>, Header, description = "metadata as JSON; for classes that are not personal also `m.KEY=VALUE` in the query")),
    request_body(content_type = "application/octet-stream", description = "the document"),
    responses((status = 201, description = "receipt"), (status = 200, description = "the same receipt as before"), (status = 409), (status = 413),
        (status = 422, description = "refusal with all findings"), (status = 503)))]
pub async fn document(
    State(service): State<Service>,
    Caller(actor): Caller,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    one(service, actor, query, headers, body, false).await
}

/// Dry run: the same answer, nothing kept.
#[utoipa::path(post, path = "/v1/documents/validate", tag = "deposit", security(("bearer" = [])),
    params(("class" = Option<String>, Query), ("name" = Option<String>, Query), ("Custode-Metadata" = Option<String>, Header)),
    request_body(content_type = "application/octet-stream", description = "the document"),
    responses((status = 200, description = "would be accepted"), (status = 422, description = "would be refused")))]
pub async fn validate(
    State(service): State<Service>,
    Caller(actor): Caller,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    one(service, actor, query, headers, body, true).await
}

async fn one(
    service: Service,
    actor: crate::archive::access::Actor,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Body,
    dry_run: bool,
) -> Result<Response> {
    let mut class = None;
    let mut name = None;
    let mut metadata = Metadata::new();
    let mut duplicate = false;
    let mut in_url = false;
    for (key, value) in query {
        match key.as_str() {
            "class" => class = Some(value),
            "name" => name = Some(value),
            "duplicate" => duplicate = value == "allow",
            other => match other.strip_prefix("m.") {
                Some(field) => {
                    in_url = true;
                    if metadata.insert(field.to_owned(), serde_json::Value::String(value)).is_some() {
                        return Err(Error::new(Code::Usage, "given twice").at(other));
                    }
                }
                None => return Err(Error::new(Code::Usage, "unknown parameter").at(other)),
            },
        }
    }
    if let Some(value) = headers.get("custode-metadata") {
        let given = metadata_header(value.as_bytes())?;
        if let Some(twice) = given.keys().find(|field| metadata.contains_key(*field)) {
            return Err(Error::new(Code::Usage, "given in the query and in Custode-Metadata").at(format!("m.{twice}")));
        }
        metadata.extend(given);
    }
    let declared = content_digest::declared(&headers)?;
    service.archive.may_deposit(&actor, class.as_deref())?;
    let _admitted = admit(&service)?;
    let announced = content_length(&headers)?;
    let bodies = std::sync::Arc::clone(&service.bodies);
    let _turn = bodies.acquire().await.map_err(|_| Error::new(Code::Internal, "the server is closing"))?;
    let spooled = spool(&service, announced, body).await?;
    let whole = *spooled.digests();
    let deposit = Deposit {
        channel: Channel::Http,
        class,
        idempotency_key: header_text(&headers, "idempotency-key")?,
        duplicate,
        dry_run,
        metadata_in_url: in_url,
        body: whole,
        client_manifest: None,
        files: vec![File {
            name: name.unwrap_or_default(),
            spooled,
            metadata,
            declared,
            relations: Vec::new(),
            unpacked: Unpacked::No,
        }],
        findings: Vec::new(),
    };
    answer(blocking(move || service.archive.deposit(&actor, deposit)).await?)
}

/// Deposits many documents at once: part `manifest` first, then the files; all or nothing.
#[utoipa::path(post, path = "/v1/deposits", tag = "deposit", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header), ("dry_run" = Option<bool>, Query)),
    request_body(content_type = "multipart/form-data", description = "part `manifest` (JSON: class, idempotency_key, metadata, files[name, sha256, metadata, relations]), then the files"),
    responses((status = 201, description = "receipt"), (status = 200, description = "the same receipt as before"), (status = 409), (status = 413),
        (status = 415), (status = 422, description = "refusal with all findings"), (status = 503)))]
pub async fn deposit(
    State(service): State<Service>,
    Caller(actor): Caller,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return Err(Error::new(Code::MediaType, "").at("Content-Type"));
    };
    let flag = |name: &str| query.iter().any(|(k, v)| k == name && (v == "true" || v == "allow"));
    service.archive.may_deposit(&actor, None)?;
    let _admitted = admit(&service)?;
    let limits = service.archive.limits();
    let bodies = std::sync::Arc::clone(&service.bodies);
    let _turn = bodies.acquire().await.map_err(|_| Error::new(Code::Internal, "the server is closing"))?;
    // The body as received is hashed beneath the multipart reader: parts are slices of it.
    let whole = std::sync::Arc::new(std::sync::Mutex::new(Hasher::new()));
    let observed = std::sync::Arc::clone(&whole);
    let between = std::sync::Arc::new(AtomicU64::new(0));
    let behind = std::sync::Arc::clone(&between);
    let stream = patient(body, limits.idle_timeout).map(move |chunk| {
        let bytes = chunk?;
        observed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(&bytes);
        let length = bytes.len() as u64;
        if behind.fetch_add(length, Ordering::Relaxed) + length > MAX_BETWEEN {
            return Err(std::io::Error::other("too much that belongs to no part"));
        }
        Ok(bytes)
    });
    // What a part gives is no longer between parts.
    let taken = |bytes: &[u8]| {
        between.fetch_sub(bytes.len() as u64, Ordering::Relaxed);
    };
    let mut parts = multer::Multipart::new(Box::pin(stream), boundary);
    let mut manifest = None;
    let mut files: Vec<File> = Vec::new();
    let mut findings = Vec::new();
    let (limit, most_files) = (limits.max_deposit, usize::try_from(limits.max_files).unwrap_or(usize::MAX));
    let mut total = 0_u64;
    while let Some(mut part) = parts.next_field().await.map_err(cut)? {
        if part.name() == Some("manifest") {
            if manifest.is_some() {
                return Err(Error::new(Code::ManifestInvalid, "there are two").at("manifest"));
            }
            if !files.is_empty() {
                return Err(Error::new(Code::ManifestInvalid, "it comes after the files; it must be the first part")
                    .at("manifest"));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(cut)? {
                taken(&chunk);
                if bytes.len() + chunk.len() > MAX_MANIFEST {
                    return Err(Error::new(Code::BodyTooLarge, format!("a manifest has at most {MAX_MANIFEST} bytes"))
                        .at("manifest"));
                }
                bytes.extend_from_slice(&chunk);
            }
            manifest = Some(bytes);
            continue;
        }
        if files.len() >= most_files {
            return Err(Error::new(Code::BodyTooLarge, format!("a deposit has at most {most_files} files"))
                .at(format!("part {}", files.len() + 1))
                .hint("see intake.max_files in custode.toml"));
        }
        let name = part.file_name().or(part.name()).unwrap_or_default().to_owned();
        let mut taking = Taking::of(service.archive.spool(None)?);
        while let Some(chunk) = part.chunk().await.map_err(cut)? {
            taken(&chunk);
            total += chunk.len() as u64;
            if total > limit {
                return Err(Error::new(Code::BodyTooLarge, format!("a deposit has at most {limit} bytes"))
                    .at(format!("part {}", files.len() + 1))
                    .hint("see intake.max_deposit in custode.toml"));
            }
            taking.take(&chunk).await?;
        }
        files.push(File {
            name,
            spooled: taking.finish().await?,
            metadata: Metadata::new(),
            declared: None,
            relations: Vec::new(),
            unpacked: Unpacked::No,
        });
    }
    let Some(bytes) = manifest else {
        return Err(Error::new(Code::ManifestInvalid, "the first part must be `manifest`").at("manifest"));
    };
    let key = header_text(&headers, "idempotency-key")?;
    let (duplicate, dry_run) = (flag("duplicate"), flag("dry_run"));
    let body = whole.lock().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
    let answered = blocking(move || {
        let manifest = ClientManifest::parse(&bytes)?;
        let deposit = Deposit {
            channel: Channel::Http,
            class: Some(manifest.class.clone()),
            idempotency_key: key.or_else(|| manifest.idempotency_key.clone()),
            duplicate,
            dry_run,
            metadata_in_url: false,
            body,
            client_manifest: Some(Sha256::of(&bytes)),
            files: manifest.join(files, &mut findings),
            findings,
        };
        service.archive.deposit(&actor, deposit)
    });
    answer(answered.await?)
}

fn answer(answer: Answer) -> Result<Response> {
    let status = StatusCode::from_u16(answer.status).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    let media = if status.is_success() { "application/json" } else { "application/problem+json" };
    let mut response = (status, [(header::CONTENT_TYPE, media)], answer.body).into_response();
    if let Some(location) = answer.location.and_then(|l| l.parse().ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The body's chunks; one that breaks off, or stands still for too long, ends in an error.
fn patient(body: Body, idle: Duration) -> impl Stream<Item = std::io::Result<Bytes>> {
    let broken = || std::io::Error::other("the connection broke off");
    futures_util::stream::unfold(Some(body.into_data_stream()), move |stream| async move {
        let mut stream = stream?;
        match tokio::time::timeout(idle, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(stream))),
            Ok(Some(Err(_))) => Some((Err(broken()), None)),
            Err(_) => Some((Err(std::io::Error::other(format!("nothing came for {} s", idle.as_secs()))), None)),
        }
    })
}

/// The right to work on one more deposit.
fn admit(service: &Service) -> Result<tokio::sync::OwnedSemaphorePermit> {
    let permit = std::sync::Arc::clone(&service.in_flight).try_acquire_owned();
    permit.map_err(|_| Error::new(Code::JournalBehind, "too many deposits under way; see intake.max_in_flight"))
}

/// Streams the body to memory or disk. A body that ends before its announced length, or breaks off, is an error.
async fn spool(service: &Service, announced: Option<u64>, body: Body) -> Result<Spooled> {
    let limit = service.archive.limits().max_document;
    if announced.is_some_and(|length| length > limit) {
        return Err(
            Error::new(Code::BodyTooLarge, format!("a document has at most {limit} bytes")).at("Content-Length")
        );
    }
    let mut taking = Taking::of(service.archive.spool(announced)?);
    let mut stream = std::pin::pin!(patient(body, service.archive.limits().idle_timeout));
    let mut came = 0_u64;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| Error::new(Code::BodyCut, e.to_string()).at(format!("byte {came}")))?;
        came += chunk.len() as u64;
        taking.take(&chunk).await?;
    }
    if announced.is_some_and(|length| length != came) {
        return Err(Error::new(Code::BodyCut, "").at(format!("byte {came}")));
    }
    taking.finish().await
}

/// Bytes of a large body that are hashed and written in one go: enough that handing them over costs nothing, few enough
/// that many large bodies at once stay small.
const BLOCK: usize = 256 * 1024;

/// A body on its way in. One that stays in memory is taken where it arrives; a larger one goes to the disk, and neither
/// that nor its hashing may hold up the threads that serve all connections.
struct Taking {
    /// `None` only while the pool has it, or after an error.
    spool: Option<Spool>,
    waiting: Vec<u8>,
}

impl Taking {
    fn of(spool: Spool) -> Self {
        Self { spool: Some(spool), waiting: Vec::new() }
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if self.waiting.is_empty()
            && let Some(spool) = &mut self.spool
            && spool.bytes() + bytes.len() as u64 <= MEMORY_LIMIT as u64
        {
            return spool.write(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= BLOCK { self.pass_on().await } else { Ok(()) }
    }

    /// Gives what waits to the pool of threads that may block.
    async fn pass_on(&mut self) -> Result<()> {
        let mut spool = self.spool.take().ok_or_else(|| Error::new(Code::Internal, "the body was given up"))?;
        let mut waiting = std::mem::take(&mut self.waiting);
        let (spool, waiting) = blocking(move || {
            spool.write(&waiting)?;
            waiting.clear();
            Ok((spool, waiting))
        })
        .await?;
        (self.spool, self.waiting) = (Some(spool), waiting);
        Ok(())
    }

    async fn finish(mut self) -> Result<Spooled> {
        if !self.waiting.is_empty() {
            self.pass_on().await?;
        }
        self.spool.ok_or_else(|| Error::new(Code::Internal, "the body was given up"))?.finish()
    }
}

fn cut(error: multer::Error) -> Error {
    match error {
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteStream
        | multer::Error::StreamReadFailed(_) => Error::new(Code::BodyCut, "the multipart body ended early").at("body"),
        other => Error::new(Code::ManifestInvalid, other.to_string()).at("body"),
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|v| v.parse().ok());
    length.map(Some).ok_or_else(|| Error::new(Code::Usage, "not a number").at("Content-Length"))
}

fn header_text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Error::new(Code::Usage, "not UTF-8").at(name))?;
    if text.is_empty() || text.len() > 255 {
        return Err(Error::new(Code::Usage, "1 to 255 characters").at(name));
    }
    Ok(Some(text.to_owned()))
}

fn metadata_header(bytes: &[u8]) -> Result<Metadata> {
    json::strict(bytes).map_err(|e| {
        let twice = json::is_duplicate(&e);
        let what = if twice { "a field is given twice" } else { "a JSON object is expected" };
        Error::new(Code::MetadataNotJson, what).at(format!("Custode-Metadata, column {}", e.column()))
    })
}
