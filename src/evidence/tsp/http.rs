//! An authority over HTTP or HTTPS (RFC 3161 section 3.4).

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::error::{Code, Error, Result};
use crate::evidence::tsp::{Authority, MAX_REPLY, Policy};
use crate::outbound::{Answer, Outbound};

/// An authority at a URL.
pub struct HttpAuthority {
    name: String,
    url: url::Url,
    policy: Option<Policy>,
    login: Option<(String, String)>,
    client: Outbound,
}

impl std::fmt::Debug for HttpAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAuthority").field("url", &self.name).field("client", &self.client).finish_non_exhaustive()
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
        // Authorities are on the open network, where some organisations let nothing through but their proxy.
        let client = Outbound::set_up(Code::TsaDown, timeout, |builder| builder);
        Self { name: shown.into(), url, policy: None, login: None, client }
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
}

fn heard(answer: Answer) -> Result<Vec<u8>> {
    let wrong = |what: String| Error::new(Code::TsaDown, what);
    if answer.status != 200 {
        return Err(wrong(format!("HTTP status {}", answer.status)));
    }
    if answer.media_type != "application/timestamp-reply" {
        let kind: String = answer.media_type.chars().take(60).collect();
        return Err(wrong(format!("the answer is {kind:?}, not a time-stamp reply")));
    }
    answer.body(MAX_REPLY)?.ok_or_else(|| wrong("the answer is larger than 64 KiB".to_owned()))
}

impl Authority for HttpAuthority {
    fn name(&self) -> &str {
        &self.name
    }

    fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    fn stamp(&self, request: &[u8]) -> Result<Vec<u8>> {
        let ask = |client: &reqwest::blocking::Client| {
            let post = client.post(self.url.clone()).header(CONTENT_TYPE, "application/timestamp-query");
            let post = post.header(ACCEPT, "application/timestamp-reply").body(request.to_vec());
            match &self.login {
                Some((user, password)) => post.basic_auth(user, Some(password)),
                None => post,
            }
        };
        self.client.exchange(ask, heard)
    }
}
