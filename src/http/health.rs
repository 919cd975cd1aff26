//! `/healthz`, `/readyz`, `/docs`, and the answer for addresses that do not exist.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::{Service, blocking};
use crate::error::{Code, Error};

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "alive")))]
pub async fn healthz() -> Response {
    axum::Json(json!({ "status": "alive" })).into_response()
}

/// The archive accepts deposits: the journal is open and not behind.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "ready"), (status = 503, description = "why not")))]
pub async fn readyz(State(service): State<Service>) -> Response {
    match blocking(move || service.archive.ready()).await {
        Ok(facts) => axum::Json(facts).into_response(),
        Err(error) => {
            let mut response = error.into_response();
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
            response
        }
    }
}

/// A page that lists the calls; the description itself is `/openapi.json`.
pub async fn docs() -> Html<String> {
    let description = super::openapi();
    let mut rows = String::new();
    for (path, item) in &description.paths.paths {
        let calls = [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)];
        for (method, operation) in calls {
            let Some(operation) = operation else { continue };
            let text = operation.summary.clone().or_else(|| operation.description.clone()).unwrap_or_default();
            rows.push_str(&format!("<tr><td>{method}</td><td><code>{path}</code></td><td>{text}</td></tr>\n"));
        }
    }
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Custode</title>\
         <h1>Custode</h1><p>Machine-readable description: <a href=\"/openapi.json\">/openapi.json</a></p>\
         <table>{rows}</table></html>"
    ))
}

/// No such address.
pub async fn not_found(uri: axum::http::Uri) -> Response {
    // Only the path: what follows the question mark may be somebody's name.
    Error::new(Code::NotFound, "no such address").at(uri.path()).hint("see /openapi.json").into_response()
}
