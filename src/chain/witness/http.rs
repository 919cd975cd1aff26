//! A witness over HTTP or HTTPS.
//!
//! Invariant: only the addresses that the operator wrote are reached: no redirect, no proxy; an answer is bounded in size and
//! one exchange in time, however slowly it drips. Clause: C2SP tlog-witness.

use std::io::Read as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use reqwest::header::CONTENT_TYPE;

use super::{AddCheckpoint, Told, Witness};
use crate::chain::note::Verifier;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Largest answer: a checkpoint with every signature it may carry.
const MAX_ANSWER: usize = 64 << 10;

/// A witness at its addresses.
#[derive(Debug)]
pub struct HttpWitness {
    key: Verifier,
    submission: url::Url,
    monitoring: url::Url,
    timeout: Duration,
    client: OnceLock<Client>,
}

impl HttpWitness {
    /// The witness with this key, asked at these prefixes; one exchange may take `timeout`.
    pub fn new(key: Verifier, submission: url::Url, monitoring: url::Url, timeout: Duration) -> Self {
        Self { key, submission, monitoring, timeout, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Whoever started the process may not have chosen a provider; a second choice is refused and does no harm.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .timeout(self.timeout)
            .connect_timeout(self.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("custode/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| self.down(reason(&e)))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn down(&self, why: impl Into<String>) -> Error {
        Error::new(Code::WitnessDown, why).at(self.key.name())
    }

    /// The blocking client may not live on a thread of an asynchronous runtime; one thread an exchange is nothing.
    fn apart<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|_| Err(Error::new(Code::Internal, "the HTTP client panicked")))
    }

    fn text(&self, mut response: Response, deadline: Instant) -> Result<String> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 8 << 10]);
        loop {
            let n = response.read(&mut buffer).map_err(|e| self.down(e.to_string()))?;
            if n == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..n]);
            if bytes.len() > MAX_ANSWER {
                return Err(self.down("the answer is larger than 64 KiB"));
            }
            // The client's own timeout begins anew with every part of the body.
            if Instant::now() > deadline {
                return Err(self.down("timed out"));
            }
        }
        String::from_utf8(bytes).map_err(|_| self.down("the answer is not text"))
    }
}

fn under(prefix: &url::Url, path: &str) -> String {
    format!("{}/{path}", prefix.as_str().trim_end_matches('/'))
}

fn reason(error: &reqwest::Error) -> &'static str {
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => "timed out",
        (_, true) => "no connection",
        _ => "no answer",
    }
}

impl Witness for HttpWitness {
    fn key(&self) -> &Verifier {
        &self.key
    }

    fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Told> {
        self.apart(|| {
            let deadline = Instant::now() + self.timeout;
            let post = self.client()?.post(under(&self.submission, "add-checkpoint")).body(request.render());
            let response = post.send().map_err(|e| self.down(reason(&e)))?;
            let status = response.status().as_u16();
            let of_size = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/x.tlog.size");
            match status {
                200 => self.text(response, deadline).map(Told::Cosigned),
                409 if of_size => {
                    let size = self.text(response, deadline)?.trim_end_matches('\n').parse();
                    size.map(Told::OtherSize).map_err(|_| self.down("409 without a size"))
                }
                status => Ok(Told::Refused(status)),
            }
        })
    }

    fn last(&self, origin: &str) -> Result<Option<String>> {
        let name = Sha256::of(origin.as_bytes());
        self.apart(|| {
            let deadline = Instant::now() + self.timeout;
            let get = self.client()?.get(under(&self.monitoring, &format!("{name}/checkpoint")));
            let response = get.send().map_err(|e| self.down(reason(&e)))?;
            match response.status().as_u16() {
                200 => self.text(response, deadline).map(Some),
                404 => Ok(None),
                status => Err(self.down(format!("HTTP status {status}"))),
            }
        })
    }
}
