//! The HTTP interface (`/v1`, JSON, UTF-8): one file per resource, errors as RFC 9457 problems.
//!
//! Invariant: a handler authenticates, parses, calls one use-case of [`crate::archive`] and renders; who may do what is
//! decided by the use-case, so that no other way in can forget it. `/openapi.json` is generated from these handlers.

pub mod problem;
pub mod related;
pub mod witness;

mod admin;
mod alarms;
mod auth;
mod bundles;
mod chain;
mod checks;
mod connections;
mod content_digest;
mod deposits;
mod documents;
mod health;
mod jobs;
mod keys;
mod metrics;
mod packages;
mod receipts;
mod renewals;
mod repairs;
mod seal;
mod search;
mod server;
mod vaults;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::archive::Archive;
use crate::error::{Code, Error, Result};

pub use auth::Caller;
pub use server::{ServeOptions, Server};

/// Use-cases at work at the same time; more wait. A deposit holds its thread until its batch is synced, so fewer would mean
/// smaller batches; each costs some 100 KB of stack and buffers, so more would cost memory under a thousand clients.
pub const BLOCKING_THREADS: usize = 96;

/// Contents on their way out at the same time: a slow client holds a thread, and deposits must not wait for it.
const STREAMS: usize = 48;

/// Deposits whose bodies are in memory at the same time, some 100 KB each; the others' bodies wait in the system's socket
/// buffers, so memory stays flat whatever the number of clients.
const BODIES: usize = 256;

/// Largest JSON body of anything that is not a deposit.
const MAX_JSON: usize = 1 << 20;

/// Runs a use-case on a thread that may block: none of them is asynchronous, all of them touch the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::new(Code::Internal, "the request panicked")),
    }
}

/// A JSON body; an empty one is the default. An error names line and column, never what stood there.
fn parse_json<T: serde::de::DeserializeOwned + Default>(body: &[u8]) -> Result<T> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|e| {
        Error::new(Code::Usage, format!("the JSON body is not as described ({:?})", e.classify()))
            .at(format!("line {}, column {}", e.line(), e.column()))
            .hint("see /openapi.json")
    })
}

/// What every handler may reach.
#[derive(Clone)]
pub struct Service {
    archive: Arc<Archive>,
    jobs: Arc<jobs::Jobs>,
    /// Deposits that may be under way at once.
    in_flight: Arc<tokio::sync::Semaphore>,
    bodies: Arc<tokio::sync::Semaphore>,
    streams: Arc<tokio::sync::Semaphore>,
    metrics: Option<metrics_exporter_prometheus::PrometheusHandle>,
}

impl Service {
    /// The service of one archive.
    pub fn new(archive: Arc<Archive>) -> Self {
        let most = archive.limits().max_in_flight.min(tokio::sync::Semaphore::MAX_PERMITS);
        let in_flight = Arc::new(tokio::sync::Semaphore::new(most));
        Self {
            archive,
            in_flight,
            jobs: Arc::default(),
            bodies: Arc::new(tokio::sync::Semaphore::new(BODIES)),
            streams: Arc::new(tokio::sync::Semaphore::new(STREAMS)),
            metrics: metrics::handle(),
        }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Custode",
    description = "Long-term archive for digital documents under Italian law (conservazione a norma).",
    license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
))]
struct Description;

fn described() -> (Router<Service>, utoipa::openapi::OpenApi) {
    let streaming = OpenApiRouter::new()
        .routes(routes!(deposits::document))
        .routes(routes!(deposits::validate))
        .routes(routes!(deposits::deposit))
        .layer(DefaultBodyLimit::disable());
    let rest = OpenApiRouter::new()
        .routes(routes!(receipts::receipt))
        .routes(routes!(receipts::signature))
        .routes(routes!(receipts::refusal))
        .routes(routes!(search::search))
        .routes(routes!(search::list))
        .routes(routes!(documents::document))
        .routes(routes!(documents::content))
        .routes(routes!(documents::evidence))
        .routes(routes!(documents::retention))
        .routes(routes!(documents::related))
        .routes(routes!(packages::list))
        .routes(routes!(packages::package))
        .routes(routes!(packages::pindex))
        .routes(routes!(packages::signature))
        .routes(routes!(packages::evidence))
        .routes(routes!(seal::seal))
        .routes(routes!(seal::nightly))
        .routes(routes!(seal::reindex))
        .routes(routes!(seal::restore))
        .routes(routes!(alarms::alarms))
        .routes(routes!(alarms::send))
        .routes(routes!(alarms::test))
        .routes(routes!(vaults::list))
        .routes(routes!(repairs::start))
        .routes(routes!(repairs::state))
        .routes(routes!(vaults::replace))
        .routes(routes!(vaults::derogate))
        .routes(routes!(renewals::plan))
        .routes(routes!(renewals::start))
        .routes(routes!(renewals::state))
        .routes(routes!(checks::start))
        .routes(routes!(checks::report))
        .routes(routes!(bundles::start))
        .routes(routes!(bundles::state))
        .routes(routes!(bundles::content))
        .routes(routes!(chain::checkpoint))
        .routes(routes!(chain::entries))
        .routes(routes!(chain::proof))
        .routes(routes!(chain::consistency))
        .routes(routes!(keys::keys))
        .routes(routes!(keys::rotate))
        .routes(routes!(admin::classes))
        .routes(routes!(admin::class))
        .routes(routes!(admin::adopt_class))
        .routes(routes!(admin::policies))
        .routes(routes!(admin::adopt_policy))
        .routes(routes!(admin::adopt_manual))
        .routes(routes!(admin::persons))
        .routes(routes!(admin::add_person))
        .routes(routes!(admin::tokens))
        .routes(routes!(admin::create_token))
        .routes(routes!(admin::revoke_token))
        .routes(routes!(admin::blocks))
        .routes(routes!(admin::unblock))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    let whole = OpenApiRouter::with_openapi(auth::with_bearer(Description::openapi())).merge(streaming).merge(rest);
    let (router, mut description) = whole.split_for_parts();
    problem::describe(&mut description);
    (router, description)
}

/// The description of the interface, as served at `/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().1
}

/// The router of one archive, for a listener or for a call in memory.
pub fn router(service: Service) -> Router {
    let (router, _) = described();
    router
        .route("/openapi.json", axum::routing::get(|| async { axum::Json(openapi()) }))
        // A path of any depth, which a description cannot say.
        .route("/v1/chain/tile/{*path}", axum::routing::get(chain::tile))
        .route("/docs", axum::routing::get(health::docs))
        .fallback(health::not_found)
        .layer(axum::middleware::from_fn(problem::only_problems))
        .layer(axum::middleware::from_fn(metrics::observe))
        .with_state(service)
}
