//! The witness over HTTP: `POST /add-checkpoint` and `GET /<hex SHA-256 of the origin>/checkpoint`; our own addition is
//! `…/checkpoint/<key id>`, the last one that an older key of the log signed.
//!
//! Invariant: anybody may ask, so what a client can hold is bounded: the length of a body, the time it may take, the number
//! of connections. Status codes are those of C2SP tlog-witness; bodies of errors are problems (RFC 9457), but for 409.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::oneshot;

use super::connections::{self, Bounds};
use super::{health, problem, server};
use crate::chain::witness::{Answer, Keeper, MAX_BODY};
use crate::error::{AtPlace, Code, Error, Result};

/// A request is at most a few packets.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Archives ask a few times an hour; more connections than these are nobody's need.
const BOUNDS: Bounds = Bounds { connections: 256, header_timeout: Duration::from_secs(10) };
/// How long open requests may take after the stop.
const GRACE: Duration = Duration::from_secs(10);

async fn add_checkpoint(State(keeper): State<Arc<Keeper>>, request: Request) -> Result<Response> {
    let body = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(request.into_body(), MAX_BODY));
    let body = match body.await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(Error::new(Code::BodyTooLarge, "or cut short").hint("")),
        Err(_) => return Err(Error::new(Code::WitnessRequest, "the body took too long")),
    };
    Ok(match super::blocking(move || keeper.add_checkpoint(&body)).await? {
        Answer::Cosigned(line) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response(),
        Answer::OtherSize(size) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response()
        }
    })
}

async fn checkpoint(State(keeper): State<Arc<Keeper>>, Path(origin): Path<String>) -> Result<Response> {
    let note = super::blocking(move || keeper.checkpoint(&origin)).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

async fn checkpoint_of(
    State(keeper): State<Arc<Keeper>>,
    Path((origin, key)): Path<(String, String)>,
) -> Result<Response> {
    let note = super::blocking(move || keeper.checkpoint_of(&origin, &key)).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// Keeps the 409 as the standard wants it; every other error becomes a problem.
async fn problems_but_for_sizes(request: Request, next: axum::middleware::Next) -> Response {
    let response = next.run(request).await;
    let size = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/x.tlog.size");
    if size { response } else { problem::as_problem(response) }
}

/// The router of a witness.
pub fn router(keeper: Arc<Keeper>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .route("/{origin}/checkpoint/{key}", get(checkpoint_of))
        .fallback(health::not_found)
        .layer(axum::middleware::from_fn(problems_but_for_sizes))
        .with_state(keeper)
}

/// A witness that serves.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Binds and starts serving; port 0 takes a free one.
    pub async fn start(keeper: Keeper, address: SocketAddr) -> Result<Self> {
        let listener = server::listen(address)?;
        let address = listener.local_addr().at(address)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(connections::serve(listener, router(Arc::new(keeper)), BOUNDS, stopped));
        Ok(Self { address, stop, task })
    }

    /// Stops: no new request, open ones get their answer within the grace.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let mut task = self.task;
        if tokio::time::timeout(GRACE, &mut task).await.is_err() {
            task.abort();
        }
    }
}
