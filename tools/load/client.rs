//! A load of deposits over HTTP: so many connections, each with one deposit under way, and what came of them.
//!
//! Written on plain sockets, so that on a small machine the client takes as little as possible from the server it measures.
//! Shared by `tools/load.rs` and `benches/engine.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A deposit of one document.
#[derive(Clone)]
pub struct Deposit {
    /// Its class, or `auto`.
    pub class: &'static str,
    /// Its file name.
    pub name: String,
    /// Metadata given with it; empty, or a JSON object.
    pub metadata: String,
    /// The document.
    pub bytes: Bytes,
}

/// Where to send them.
#[derive(Clone)]
pub struct Target {
    /// Where the server listens.
    pub address: SocketAddr,
    /// A token that may deposit.
    pub token: String,
}

impl Target {
    /// What the `lock` of an archive that is being served says.
    pub fn of_archive(archive: &Path) -> Result<Self, String> {
        let path = archive.join("lock");
        let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let lock: serde_json::Value =
            serde_json::from_slice(&text).map_err(|_| format!("{} says nothing", path.display()))?;
        let address = lock["address"].as_str().and_then(|a| a.strip_prefix("http://")).and_then(|a| a.parse().ok());
        match (address, lock["token"].as_str()) {
            (Some(address), Some(token)) => Ok(Self { address, token: token.to_owned() }),
            _ => Err(format!("{} is not being served", archive.display())),
        }
    }
}

/// What came of a load.
#[derive(Default)]
pub struct Outcome {
    /// Answers by status; 0 stands for no answer at all.
    pub statuses: BTreeMap<u16, usize>,
    /// The first answer that was not 201 or 200, for people.
    pub first_refusal: Option<String>,
    /// Bytes of the documents sent.
    pub bytes: u64,
    /// From the first byte sent to the last answer.
    pub elapsed: Duration,
    /// From a deposit's first byte to its answer, ascending.
    pub waits: Vec<Duration>,
}

impl Outcome {
    /// Deposits answered 201.
    pub fn accepted(&self) -> usize {
        self.statuses.get(&201).copied().unwrap_or_default()
    }

    /// The wait that so many in a hundred did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let at = (self.waits.len() * percent / 100).min(self.waits.len().saturating_sub(1));
        self.waits.get(at).copied().unwrap_or_default()
    }
}

/// Sends all deposits, at most `connections` at a time.
pub async fn run(target: &Target, connections: usize, deposits: Arc<Vec<Deposit>>) -> Outcome {
    let next = Arc::new(AtomicUsize::new(0));
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let started = Instant::now();
    let workers: Vec<_> = (0..connections.max(1))
        .map(|_| {
            let (target, next, deposits, outcome) =
                (target.clone(), Arc::clone(&next), Arc::clone(&deposits), Arc::clone(&outcome));
            tokio::spawn(async move {
                let mut connection = None;
                while let Some(deposit) = deposits.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    let answered = send(&target, &mut connection, deposit).await;
                    let wait = sent.elapsed();
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    let (status, text) = match answered {
                        Ok((status, body)) => (status, body),
                        Err(error) => {
                            connection = None;
                            (0, error.to_string().into_bytes())
                        }
                    };
                    *outcome.statuses.entry(status).or_default() += 1;
                    outcome.bytes += deposit.bytes.len() as u64;
                    outcome.waits.push(wait);
                    if !(200..300).contains(&status) && outcome.first_refusal.is_none() {
                        let text = String::from_utf8_lossy(&text).into_owned();
                        outcome.first_refusal = Some(format!("{} ({}): {status} {text}", deposit.name, deposit.class));
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        let _ = worker.await;
    }
    let mut outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
    outcome.elapsed = started.elapsed();
    outcome.waits.sort();
    outcome
}

type Connection = BufReader<TcpStream>;

async fn send(
    target: &Target,
    connection: &mut Option<Connection>,
    deposit: &Deposit,
) -> std::io::Result<(u16, Vec<u8>)> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(target.address).await?;
            stream.set_nodelay(true)?;
            connection.insert(BufReader::new(stream))
        }
    };
    let name: String = url::form_urlencoded::byte_serialize(deposit.name.as_bytes()).collect();
    let mut head = format!(
        "POST /v1/documents?class={}&name={name} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {}\r\n",
        deposit.class,
        target.address,
        target.token,
        deposit.bytes.len()
    );
    if !deposit.metadata.is_empty() {
        head.push_str(&format!("Custode-Metadata: {}\r\n", deposit.metadata));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&deposit.bytes).await?;
    stream.flush().await?;

    let wrong = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(wrong("no answer"));
    }
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| wrong("no status"))?;
    let mut length = None;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    let mut body = vec![0; length.ok_or_else(|| wrong("an answer without length"))?];
    stream.read_exact(&mut body).await?;
    Ok((status, body))
}
