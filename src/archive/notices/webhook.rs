//! A web server that takes notices: one POST of JSON, marked, and an answer of 200 to 299.
//!
//! Invariant: the mark covers every byte of the body: HMAC-SHA-256 with a secret that both know, over the time and the body; without a
//! secret the archive's own mark (a signed note). No redirect is followed, and nothing of the answer but its status is read.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::notice::Notice;
use super::{Target, failed};
use crate::archive::config::{Secret, Webhook as Settings};
use crate::error::{Code, Error, Result};
use crate::outbound::Outbound;

pub(super) struct Webhook {
    name: String,
    url: url::Url,
    secret: Option<Secret>,
    client: Outbound,
}

impl Webhook {
    pub fn new(number: usize, settings: &Settings) -> Self {
        Self {
            // The path of an address may be a secret in itself.
            name: format!("webhook {number}, {}", settings.url.host_str().unwrap_or_default()),
            url: settings.url.clone(),
            secret: settings.secret.clone(),
            client: Outbound::new(Code::NoticeFailed, settings.timeout.std()),
        }
    }

    /// The header that marks a body.
    fn mark(&self, notice: &Notice<'_>, body: &[u8]) -> Result<(&'static str, String)> {
        let Some(secret) = &self.secret else {
            return Ok(("custode-note", BASE64.encode(notice.mark(body)?)));
        };
        let secret =
            secret.read().map_err(|e: Error| failed(format!("its secret: {}: {}", e.code.as_str(), e.detail)))?;
        let time = notice.at().as_second();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &[format!("{time}.").as_bytes(), body].concat());
        Ok(("custode-signature", format!("t={time},sha256={}", hex::encode(tag.as_ref()))))
    }
}

impl Target for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn tell(&self, notice: &Notice<'_>) -> Result<()> {
        let body = serde_json::to_vec(&notice.json()).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let (header, mark) = self.mark(notice, &body)?;
        let number = notice.number();
        let ask = |client: &reqwest::blocking::Client| {
            let request = client.post(self.url.clone()).header("content-type", "application/json");
            request.header("custode-notice", number).header(header, mark).body(body)
        };
        self.client.exchange(ask, |answer| match answer.status {
            200..=299 => Ok(()),
            status => Err(failed(format!("HTTP status {status}"))),
        })
    }
}
