//! An authority over HTTP or HTTPS (RFC 3161 section 3.4).

use std::io::Read as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use crate::error::{Code, Error, Result};
use crate::evidence::tsp::{Authority, MAX_REPLY, Policy};

/// Longest time to make a connection; the rest of the timeout is the authority's.
const CONNECT: Duration = Duration::from_secs(10);

/// An authority at a URL.
pub struct HttpAuthority {
    name: String,
    url: url::Url,
    policy: Option<Policy>,
    login: Option<(String, String)>,
    timeout: Duration,
    client: OnceLock<Client>,
}

impl std::fmt::Debug for HttpAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAuthority").field("url", &self.name).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl HttpAuthority {
    /// The authority at this URL; one try may take `timeout`.
    pub fn new(url: url::Url, timeout: Duration) -> Self {
        let mut shown = url.clone();
        // A name goes into logs and reports: no credentials, no query (some providers put an account there).
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        Self { name: shown.into(), url, policy: None, login: None, timeout, client: OnceLock::new() }
    }

    /// Basic authentication (RFC 7617).
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// Tokens must name this policy.
    #[must_use]
    pub fn require_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Whoever started the process may not have chosen a provider; a second choice is refused and does no harm.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .timeout(self.timeout)
            .connect_timeout(CONNECT.min(self.timeout))
            // A redirected POST becomes a GET; and where to send a request is the operator's choice, not the network's.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("custode/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| failed(&e))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn exchange(&self, request: &[u8]) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        let mut post = self.client()?.post(self.url.clone());
        post = post.header(CONTENT_TYPE, "application/timestamp-query").header("Accept", "application/timestamp-reply");
        if let Some((user, password)) = &self.login {
            post = post.basic_auth(user, Some(password));
        }
        let mut response = post.body(request.to_vec()).send().map_err(|e| failed(&e))?;
        if response.status() != 200 {
            return Err(Error::new(Code::TsaDown, format!("HTTP status {}", response.status().as_u16())));
        }
        let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let kind = String::from_utf8_lossy(kind).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind != "application/timestamp-reply" {
            let kind: String = kind.chars().take(60).collect();
            return Err(Error::new(Code::TsaDown, format!("the answer is {kind:?}, not a time-stamp reply")));
        }
        let (mut reply, mut buffer) = (Vec::new(), vec![0; 8 << 10]);
        loop {
            let n = response.read(&mut buffer).map_err(|e| Error::new(Code::TsaDown, e.to_string()))?;
            if n == 0 {
                return Ok(reply);
            }
            reply.extend_from_slice(&buffer[..n]);
            if reply.len() > MAX_REPLY {
                return Err(Error::new(Code::TsaDown, "the answer is larger than 64 KiB"));
            }
            // The client's own timeout begins anew with every part of the body.
            if Instant::now() > deadline {
                return Err(Error::new(Code::TsaDown, "timed out: the answer drips"));
            }
        }
    }
}

fn failed(error: &reqwest::Error) -> Error {
    use std::error::Error as _;
    let kind = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    let mut cause: Option<&dyn std::error::Error> = error.source();
    while let Some(deeper) = cause.and_then(|c| c.source()) {
        cause = Some(deeper);
    }
    Error::new(Code::TsaDown, cause.map_or_else(|| kind.to_owned(), |cause| format!("{kind}: {cause}")))
}

impl Authority for HttpAuthority {
    fn name(&self) -> &str {
        &self.name
    }

    fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    fn stamp(&self, request: &[u8]) -> Result<Vec<u8>> {
        // The blocking client may not live on a thread of an asynchronous runtime; one thread a time-stamp is nothing.
        std::thread::scope(|scope| scope.spawn(|| self.exchange(request)).join())
            .unwrap_or_else(|_| Err(Error::new(Code::Internal, "the HTTP client panicked")))
    }
}
