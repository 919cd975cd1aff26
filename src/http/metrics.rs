//! `/metrics` (Prometheus text format). Labels are method, route template and status: never an identifier or a value.

use std::sync::LazyLock;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::Service;
use crate::error::{Code, Error};

/// The recorder of this process; `None` when another library already installed one.
pub fn handle() -> Option<PrometheusHandle> {
    // One recorder a process is how the `metrics` crate works; archives are told apart by their gauges' label.
    static HANDLE: LazyLock<Option<PrometheusHandle>> =
        LazyLock::new(|| PrometheusBuilder::new().install_recorder().ok());
    HANDLE.clone()
}

/// Counts and times every request by its route.
pub async fn observe(request: Request, next: Next) -> Response {
    // A method is any word a client likes: only the known ones become a label.
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |p| p.as_str().to_owned());
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    let labels = [("method", method), ("route", route), ("status", status)];
    metrics::counter!("custode_http_requests_total", &labels).increment(1);
    metrics::histogram!("custode_http_request_seconds", &labels[..2]).record(started.elapsed().as_secs_f64());
    response
}

/// Counters and gauges in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Prometheus text", content_type = "text/plain")))]
pub async fn metrics(State(service): State<Service>) -> Response {
    let Some(handle) = &service.metrics else {
        return Error::new(Code::Internal, "no metrics recorder in this process").into_response();
    };
    service.archive.gauge();
    metrics::gauge!("custode_jobs_running").set(service.jobs.running() as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}
