//! The listener: binds, says where it is, serves until told to stop, and stops cleanly.
//!
//! Invariant: while it serves, `lock` holds its address and the local token (0600), so that commands reach it; on the way
//! out open requests are answered, the archive is closed, and nothing acknowledged depends on a clean stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use super::Service;
use super::connections::{self, Bounds};
use crate::archive::Archive;
use crate::error::{AtPlace, Result};

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How long open requests may take after the stop.
    pub grace: Duration,
}

/// Connections that may wait to be taken up: a thousand clients that start together are all heard. With less the kernel
/// resets some of them, and a deposit would fail that nobody refused.
const BACKLOG: u32 = 4096;

pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.at(address)?;
    socket.set_reuseaddr(true).at(address)?;
    socket.bind(address).at(address)?;
    socket.listen(BACKLOG).at(address)
}

/// Descriptors this process may hold, after asking for all it may have. A connection takes one, its body's file another,
/// so half of them are for connections.
fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1 << 20);
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        Ok(()) => usize::try_from(most).unwrap_or(usize::MAX),
        Err(_) => limit.current.map_or(usize::MAX, |now| usize::try_from(now).unwrap_or(usize::MAX)),
    }
}

/// A server that runs.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
    archive: Arc<Archive>,
    grace: Duration,
}

impl Server {
    /// Binds and starts serving; on return requests are answered and `lock` says where.
    pub async fn start(archive: Arc<Archive>, options: &ServeOptions) -> Result<Self> {
        archive.may_listen(options.listen)?;
        archive.copies_are_allowed()?;
        let asking = Arc::clone(&archive);
        super::blocking(move || {
            asking.compare_with_witnesses();
            Ok(())
        })
        .await?;
        let listener = listen(options.listen)?;
        let address = listener.local_addr().at(options.listen)?;
        archive.serve_at(address)?;
        archive.start_background()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = super::router(Service::new(Arc::clone(&archive)));
        let (connections, header_timeout) = archive.connections();
        let connections = connections.min(descriptors() / 2).max(1);
        let task = tokio::spawn(connections::serve(listener, router, Bounds { connections, header_timeout }, stopped));
        Ok(Self { address, stop: Some(stop), task, archive, grace: options.grace })
    }

    /// Stops: no new request, open ones get their answer within the grace, the archive is closed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        match tokio::time::timeout(self.grace, &mut self.task).await {
            Ok(_) => {}
            Err(_) => self.task.abort(),
        }
        let archive = self.archive;
        super::blocking(move || archive.close()).await
    }
}
