//! A witness over HTTP or HTTPS.
//!
//! Invariant: only the addresses that the operator wrote are reached: no redirect, no proxy. Clause: C2SP tlog-witness.

use std::time::Duration;

use super::{AddCheckpoint, Told, Witness};
use crate::chain::note::Verifier;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::outbound::{Answer, Outbound};

/// Largest answer: a checkpoint with every signature it may carry.
const MAX_ANSWER: usize = 64 << 10;

/// A witness at its addresses.
#[derive(Debug)]
pub struct HttpWitness {
    key: Verifier,
    submission: url::Url,
    monitoring: url::Url,
    client: Outbound,
}

impl HttpWitness {
    /// The witness with this key, asked at these prefixes; one exchange may take `timeout`.
    pub fn new(key: Verifier, submission: url::Url, monitoring: url::Url, timeout: Duration) -> Self {
        Self { key, submission, monitoring, client: Outbound::new(Code::WitnessDown, timeout) }
    }
}

fn text(answer: Answer) -> Result<String> {
    let wrong = |what: &str| Error::new(Code::WitnessDown, what);
    let body = answer.body(MAX_ANSWER)?.ok_or_else(|| wrong("the answer is larger than 64 KiB"))?;
    String::from_utf8(body).map_err(|_| wrong("the answer is not text"))
}

fn under(prefix: &url::Url, path: &str) -> String {
    format!("{}/{path}", prefix.as_str().trim_end_matches('/'))
}

impl Witness for HttpWitness {
    fn key(&self) -> &Verifier {
        &self.key
    }

    fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Told> {
        let url = under(&self.submission, "add-checkpoint");
        let hear = |answer: Answer| match answer.status {
            200 => text(answer).map(Told::Cosigned),
            409 if answer.media_type == "text/x.tlog.size" => {
                let size = text(answer)?.trim_end_matches('\n').parse();
                size.map(Told::OtherSize).map_err(|_| Error::new(Code::WitnessDown, "409 without a size"))
            }
            status => Ok(Told::Refused(status)),
        };
        let told = self.client.exchange(|client| client.post(url).body(request.render()), hear);
        told.map_err(|error| error.at(self.key.name()))
    }

    fn last(&self, origin: &str) -> Result<Option<String>> {
        self.shown(&format!("{}/checkpoint", Sha256::of(origin.as_bytes())))
    }

    fn last_of(&self, origin: &str, key_id: &str) -> Result<Option<String>> {
        self.shown(&format!("{}/checkpoint/{key_id}", Sha256::of(origin.as_bytes())))
    }
}

impl HttpWitness {
    /// What stands at this monitoring address.
    fn shown(&self, path: &str) -> Result<Option<String>> {
        let url = under(&self.monitoring, path);
        let hear = |answer: Answer| match answer.status {
            200 => text(answer).map(Some),
            404 => Ok(None),
            status => Err(Error::new(Code::WitnessDown, format!("HTTP status {status}"))),
        };
        self.client.exchange(|client| client.get(url), hear).map_err(|error| error.at(self.key.name()))
    }
}
