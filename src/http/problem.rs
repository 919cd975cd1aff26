//! RFC 9457 problems: the one place where an error becomes an HTTP answer.
//!
//! Invariant: `code`, `findings[]` and `hint` are always there; nothing in an answer is a metadata value (see `error`).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::{self, OpenApi, RefOr};

use crate::error::{Code, Error, Finding, Kind, Lang};

/// The media type of a problem.
const PROBLEM: &str = "application/problem+json";

/// Seconds after which a client may try again when the archive is behind.
const RETRY_AFTER: &str = "5";

/// The problem document of an error.
pub fn body(error: &Error) -> Value {
    let status = error.code.kind().http_status();
    json!({
        "type": format!("urn:custode:problem:{}", error.code.as_str()),
        "title": error.code.text(Lang::En),
        "titolo": error.code.text(Lang::It),
        "status": status,
        "code": error.code.as_str(),
        "detail": error.detail,
        "place": error.place,
        "findings": error.findings,
        "hint": error.next_step(Lang::En),
    })
}

/// The error a problem document tells of, for a client that prints it as its own.
pub fn parse(status: u16, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let code: Code = serde_json::from_value(value["code"].clone()).unwrap_or(match status {
        401 => Code::TokenWrong,
        404 => Code::NotFound,
        503 => Code::JournalBehind,
        _ => Code::Internal,
    });
    let findings: Vec<Finding> = serde_json::from_value(value["findings"].clone()).unwrap_or_default();
    let detail = if value.is_object() { text("detail") } else { format!("the server answered {status}") };
    let error = Error::new(code, detail).at(text("place")).with_findings(findings);
    match text("hint") {
        hint if hint.is_empty() => error,
        hint => error.hint(hint),
    }
}

/// Says in the description what every error answer is: a status with words, and a problem document.
pub fn describe(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in [("get", &mut item.get), ("post", &mut item.post), ("delete", &mut item.delete)] {
            let Some(operation) = operation else { continue };
            // Names of handlers repeat from one resource to another; method and path do not.
            let words = path.trim_start_matches("/v1").split(|c: char| !c.is_ascii_alphanumeric());
            let words = std::iter::once(method).chain(words.filter(|word| !word.is_empty()));
            operation.operation_id = Some(words.collect::<Vec<_>>().join("_"));
            let responses = &mut operation.responses.responses;
            if operation.security.is_some() {
                for status in ["401", "403"] {
                    responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(openapi::Response::new("")));
                }
            }
            for (status, response) in responses {
                let (Ok(status), RefOr::T(response)) = (status.parse::<StatusCode>(), response) else { continue };
                if response.description.is_empty() {
                    response.description = status.canonical_reason().unwrap_or("error").to_owned();
                }
                if status.is_client_error() || status.is_server_error() {
                    response.content.entry(PROBLEM.to_owned()).or_insert_with(|| RefOr::T(openapi::Content::default()));
                }
            }
        }
    }
}

/// Whether an early answer may leave some of the request's body unread.
fn body_may_be_left(headers: &HeaderMap) -> bool {
    const SMALL: u64 = 16 * 1024;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length > SMALL)
}

/// Makes a problem of every error answer that is not one yet: what the framework says of a path, a query, a method or a
/// length by itself. Its text goes no further, since it may quote what was sent.
pub async fn only_problems(request: Request, next: Next) -> Response {
    let large = body_may_be_left(request.headers());
    let mut response = next.run(request).await;
    if large && !response.status().is_success() {
        // Whoever still sends must not take this connection for a good one.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    as_problem(response)
}

/// The answer itself, or the problem that an error answer without one becomes.
pub(super) fn as_problem(response: Response) -> Response {
    let status = response.status();
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|v| v == PROBLEM);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodWrong,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaType,
        status if status.is_client_error() => Code::Usage,
        _ => Code::Internal,
    };
    let mut problem = body(&Error::new(code, "").hint("see /openapi.json"));
    problem["status"] = status.as_u16().into();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    Response::from_parts(parts, problem.to_string().into())
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let kind = self.code.kind();
        let status = StatusCode::from_u16(kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() && kind != Kind::Unavailable {
            tracing::error!(code = self.code.as_str(), place = %self.place, detail = %self.detail, "request failed");
        }
        let mut response = (status, body(&self).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        match kind {
            Kind::Unavailable | Kind::Locked => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            Kind::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"custode\""));
            }
            _ => {}
        }
        response
    }
}
