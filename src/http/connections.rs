//! The accept loop: whoever connects has a bounded time to say what they want, and only so many may be connected.
//!
//! Invariant: what a client without a token can hold is bounded: a connection whose request head does not arrive in
//! `http.header_timeout` is cut (an idle one between two requests too), and beyond `http.max_connections` the others wait
//! in the system's listen queue, unread. A stop lets open requests end; what is open when its grace is over is cut.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

/// How long accepting rests after an error that is the system's (no descriptors left): at once would be a busy loop.
const REST: Duration = Duration::from_millis(250);

/// What one client, or all of them, may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connections open at once.
    pub connections: usize,
    /// How long a request's head may take from the moment it may come.
    pub header_timeout: Duration,
}

/// The next connection. One that broke before it was taken up is its client's matter; anything else rests and tries again.
async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(e) => match e.kind() {
                io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset => {}
                _ => {
                    tracing::error!("no connection could be taken up: {e}");
                    tokio::time::sleep(REST).await;
                }
            },
        }
    }
}

/// Serves until told to stop, then until every open request has its answer. Dropping the future cuts all connections.
pub(super) async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stopped: oneshot::Receiver<()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.header_timeout);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(bounds.connections));
    let mut open = JoinSet::new();
    tokio::pin!(stopped);
    loop {
        let room = Arc::clone(&room);
        // The place is taken before the connection is: one that is accepted and not served would hold a descriptor.
        let taken = async {
            let place = room.acquire_owned().await.expect("the semaphore is never closed");
            (next(&listener).await, place)
        };
        let (stream, place) = tokio::select! {
            taken = taken => taken,
            _ = &mut stopped => break,
        };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        open.spawn(async move {
            // Errors here are the client's: it went away, or its head did not come in time or could not be read.
            if let Err(e) = connection.await {
                tracing::trace!("connection: {e}");
            }
            drop(place);
        });
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    graceful.shutdown().await;
    while open.join_next().await.is_some() {}
}
