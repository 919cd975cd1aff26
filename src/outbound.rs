//! Exchanges with servers of others over HTTP and HTTPS: time-stamping authorities, witnesses, sources of revocation data.
//!
//! Invariant: an answer is bounded in size and one exchange in time, however slowly it drips; no redirect is followed unless
//! the caller set up its client so. Which addresses may be asked, and what an answer says, is the caller's to judge.

use std::fmt;
use std::io::Read as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, ClientBuilder, RequestBuilder, Response};
use reqwest::header::CONTENT_TYPE;

use crate::error::{Code, Error, Result};

/// Longest time to make a connection; the rest of the timeout is the server's.
const CONNECT: Duration = Duration::from_secs(10);

/// What a caller adds to its client.
type SetUp = Box<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// Asks servers.
pub struct Outbound {
    down: Code,
    timeout: Duration,
    set_up: SetUp,
    client: OnceLock<Client>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// An answer whose body was not read yet.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Media type without its parameters, lower case; empty when the answer has none.
    pub media_type: String,
    response: Response,
    deadline: Instant,
    down: Code,
}

impl Outbound {
    /// One exchange may take `timeout`; a server that does not answer well is an error of the code `down`. No proxy is asked.
    pub fn new(down: Code, timeout: Duration) -> Self {
        Self::set_up(down, timeout, ClientBuilder::no_proxy)
    }

    /// As [`Outbound::new`], with a client of the caller's making; a proxy of the environment is used unless that says not to.
    pub fn set_up(
        down: Code,
        timeout: Duration,
        set_up: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        Self { down, timeout, set_up: Box::new(set_up), client: OnceLock::new() }
    }

    /// Sends what `ask` makes and gives what `hear` makes of the answer. Blocks; any thread may call it.
    pub fn exchange<T: Send>(
        &self,
        ask: impl FnOnce(&Client) -> RequestBuilder + Send,
        hear: impl FnOnce(Answer) -> Result<T> + Send,
    ) -> Result<T> {
        let talk = || {
            let deadline = Instant::now() + self.timeout;
            let response = ask(self.client()?).send().map_err(|e| self.failed(&e))?;
            let kind = response.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
            let kind = String::from_utf8_lossy(kind).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let status = response.status().as_u16();
            hear(Answer { status, media_type: kind, response, deadline, down: self.down })
        };
        // The blocking client may not live on a thread of an asynchronous runtime; one thread an exchange is nothing.
        std::thread::scope(|scope| scope.spawn(talk).join())
            .unwrap_or_else(|_| Err(Error::new(Code::Internal, "the HTTP client panicked")))
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Whoever started the process may not have chosen a provider; a second choice is refused and does no harm.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = Client::builder()
            .timeout(self.timeout)
            .connect_timeout(CONNECT.min(self.timeout))
            // Where to send a request is the operator's choice, not the network's; and a redirected POST becomes a GET.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("custode/", env!("CARGO_PKG_VERSION")));
        let client = (self.set_up)(builder).build().map_err(|e| self.failed(&e))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// What went wrong, without the address, which may hold credentials or name a certificate.
    fn failed(&self, error: &reqwest::Error) -> Error {
        use std::error::Error as _;
        let kind = match (error.is_timeout(), error.is_connect()) {
            (true, _) => "timed out",
            (_, true) => "no connection",
            _ => "no answer",
        };
        let mut cause: Option<&dyn std::error::Error> = error.source();
        while let Some(deeper) = cause.and_then(|cause| cause.source()) {
            cause = Some(deeper);
        }
        Error::new(self.down, cause.map_or_else(|| kind.to_owned(), |cause| format!("{kind}: {cause}")))
    }
}

impl Answer {
    /// The whole body; `None` when it is longer than `limit` bytes.
    pub fn body(mut self, limit: usize) -> Result<Option<Vec<u8>>> {
        let down = |why: String| Error::new(self.down, why);
        let (mut body, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let n = self.response.read(&mut buffer).map_err(|e| down(e.to_string()))?;
            if n == 0 {
                return Ok(Some(body));
            }
            body.extend_from_slice(&buffer[..n]);
            if body.len() > limit {
                return Ok(None);
            }
            // The client's own timeout begins anew with every part of the body.
            if Instant::now() > self.deadline {
                return Err(down("timed out: the answer drips".to_owned()));
            }
        }
    }
}
