//! Asks lists and responders over HTTP and HTTPS, on the hosts that a person listed and on no other.
//!
//! Invariant: nothing is asked of a host that is not listed, not even by a redirect. Addresses come from certificates, which anybody
//! may have written.

use std::fmt;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder};
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::error::{Code, Error, Result};
use crate::outbound::{Answer, Outbound};

/// Largest list asked for.
const MAX_LIST: usize = 32 << 20;
/// Largest answer of a responder.
const MAX_ANSWER: usize = 256 << 10;
/// Redirects followed, among listed hosts: some authorities lead from one name to another of theirs.
const MAX_REDIRECTS: usize = 3;

/// A host that may be asked: with a port, there only; without, at the port of the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Reads `name` or `name:port`; `None` when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let url = url::Url::parse(&format!("http://{text}/")).ok()?;
        let name = url.host_str()?.to_owned();
        let (written, port) = match text.rsplit_once(':') {
            // An IPv6 address is written in brackets.
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok().filter(|port| *port != 0)?)),
            _ => (text, None),
        };
        // Nothing but a host: no path, no user, no pattern, no other spelling of an address.
        let plain = written.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        (plain && written.eq_ignore_ascii_case(&name)).then_some(Self { name, port })
    }

    fn is(&self, url: &url::Url) -> bool {
        let port = match (self.port, url.scheme()) {
            (Some(port), _) => port,
            (None, "https") => 443,
            (None, _) => 80,
        };
        url.host_str().is_some_and(|name| name.eq_ignore_ascii_case(&self.name))
            && url.port_or_known_default() == Some(port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Whether one of these hosts is asked by this address, in the open: HTTP or HTTPS, without user or password.
pub fn is_listed(hosts: &[Host], url: &url::Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && hosts.iter().any(|host| host.is(url))
}

/// Who asks.
#[derive(Debug)]
pub struct Fetcher {
    hosts: Vec<Host>,
    client: Outbound,
}

impl Fetcher {
    /// Asks these hosts; one exchange may take `timeout`.
    pub fn new(hosts: Vec<Host>, timeout: Duration) -> Self {
        let listed = hosts.clone();
        let client = Outbound::set_up(Code::RevocationDown, timeout, move |builder| {
            let listed = listed.clone();
            let redirect = reqwest::redirect::Policy::custom(move |attempt| {
                if attempt.previous().len() > MAX_REDIRECTS || !is_listed(&listed, attempt.url()) {
                    // The redirect itself is then the answer, and no answer.
                    attempt.stop()
                } else {
                    attempt.follow()
                }
            });
            // A proxy would be asked in the place of the hosts that are listed.
            builder.redirect(redirect).no_proxy()
        });
        Self { hosts, client }
    }

    /// Whether nobody may be asked.
    pub fn is_off(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether this address may be asked.
    pub fn may_ask(&self, url: &url::Url) -> bool {
        is_listed(&self.hosts, url)
    }

    /// A list.
    pub fn list(&self, url: &url::Url) -> Result<Vec<u8>> {
        self.exchange(url, MAX_LIST, |client| client.get(url.clone()))
    }

    /// What a responder answers to a request.
    pub fn answer(&self, url: &url::Url, request: Vec<u8>) -> Result<Vec<u8>> {
        self.exchange(url, MAX_ANSWER, |client| {
            let post = client.post(url.clone()).header(CONTENT_TYPE, "application/ocsp-request");
            post.header(ACCEPT, "application/ocsp-response").body(request)
        })
    }

    fn exchange(
        &self,
        url: &url::Url,
        limit: usize,
        ask: impl FnOnce(&Client) -> RequestBuilder + Send,
    ) -> Result<Vec<u8>> {
        if !self.may_ask(url) {
            return Err(Error::new(Code::RevocationHost, "").at(place(url)));
        }
        self.client.exchange(ask, |answer| heard(answer, limit)).map_err(|error| error.at(place(url)))
    }
}

fn heard(answer: Answer, limit: usize) -> Result<Vec<u8>> {
    // Somebody answers there: other questions may go better, and so may other addresses.
    let refused = |why: String| Error::new(Code::RevocationRefused, why);
    if answer.status != 200 {
        return Err(refused(format!("HTTP status {}", answer.status)));
    }
    answer.body(limit)?.ok_or_else(|| refused(format!("the answer is larger than {limit} bytes")))
}

/// Where, for people: without a query, which may name a certificate.
fn place(url: &url::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_hosts_are_asked_at_their_ports() {
        let hosts: Vec<Host> =
            ["crl.example.it", "127.0.0.1:8080", "[::1]:81"].iter().map(|h| Host::parse(h).unwrap()).collect();
        let listed = |text: &str| is_listed(&hosts, &text.parse().unwrap());
        for fine in [
            "http://crl.example.it/a?b",
            "https://CRL.example.it/",
            "http://crl.example.it:80/",
            "http://127.0.0.1:8080/x",
            "http://[::1]:81/",
        ] {
            assert!(listed(fine), "{fine}");
        }
        for not in [
            "http://crl.example.it:8080/",
            "http://crl.example.it.example.org/",
            "http://a.crl.example.it/",
            "http://user@crl.example.it/",
            "http://127.0.0.1/",
            "http://127.0.0.1:8081/",
            "http://localhost:8080/",
            "ftp://crl.example.it/",
            "https://crl.example.it:80/",
        ] {
            assert!(!listed(not), "{not}");
        }
        for wrong in
            ["", "http://crl.example.it", "crl.example.it/", "a b", "u@h", "host:0", "host:99999", "0x7f.1", "*"]
        {
            assert!(Host::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(Host::parse("[::1]:81").unwrap().to_string(), "[::1]:81");
    }
}
