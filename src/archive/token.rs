//! A time-stamp that is asked for once, because tokens cost money (RFC 3161).
//!
//! Invariants: the request is durable before it is sent and the reply before anything rests on it, so that after a stop the
//! same request is finished and a stored reply is used. What is stored must be of what is to be stamped, and a reply bears the
//! archive's mark: whoever may write to the disk must not choose what the archive asks for, nor what it believes. What somebody
//! else put there goes to `quarantine/` and is told; it neither is believed nor holds anything up.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::Archive;
use super::state::unpoisoned;
use crate::durable;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::tsp::{self, Token};
use crate::id::new_uuid;

/// Where a request and its reply are kept, under `staging/`.
pub(super) struct Once {
    request: PathBuf,
    reply: PathBuf,
}

/// A token, verified over what it was asked for.
pub(super) struct Stamped {
    /// The reply as received: what is kept.
    pub reply: Vec<u8>,
    /// Its token.
    pub token: Token,
    /// How far the authority's clock was from ours; `None` when the reply had been stored before a stop.
    pub offset: Option<SignedDuration>,
    /// What was found in its place and set aside.
    pub findings: Vec<Finding>,
}

impl Once {
    /// In these files of a folder.
    pub fn new(folder: &Path, request: &str, reply: &str) -> Self {
        Self { request: folder.join(request), reply: folder.join(reply) }
    }

    /// The digest algorithm of the request that a stop left, when it left one.
    pub fn algorithm(&self) -> Result<Option<Algorithm>> {
        if !self.request.exists() {
            return Ok(None);
        }
        let request = match durable::read_plain(&self.request) {
            // Not ours: it is set aside when the token is asked for.
            Err(error) if error.code == Code::FileNotPlain => return Ok(None),
            other => other?,
        };
        Ok(tsp::Query::parse(&request).and_then(|query| query.digest()).ok().map(|digest| digest.algorithm()))
    }

    /// What is left of one that was used goes, the reply first: without its request it would be nobody's.
    pub fn clear(&self) -> Result<()> {
        [&self.reply, &self.request].into_iter().try_for_each(|path| durable::remove_file(path))
    }
}

impl Archive {
    /// The token over this digest: the stored one, or a new one asked for with the stored request. [`Code::TsaDown`] when no
    /// authority answers well, and the same request is sent the next time; [`Code::TokenUntrusted`] when the archive no longer
    /// believes the authority of the stored one.
    pub(super) fn token_once(&self, once: &Once, over: Digest) -> Result<Stamped> {
        let mut findings = Vec::new();
        let of_this = |bytes: &[u8]| {
            let query = tsp::Query::parse(bytes).and_then(|query| query.digest());
            query.is_ok_and(|digest| digest == over).then(|| bytes.to_vec())
        };
        let request = match self.own_or_aside(&once.request, of_this, &mut findings)? {
            Some(request) => request,
            None => {
                let request = tsp::new_request(over)?;
                durable::write_new(&once.request, &request, durable::MODE_PLAIN)?;
                request
            }
        };
        let place = format!("the reply over {over}");
        let ours = |bytes: &[u8]| self.staging_key.unmarked(&place, bytes).map(<[u8]>::to_vec);
        if let Some(reply) = self.own_or_aside(&once.reply, ours, &mut findings)? {
            // Judged at its own time: the stop may have lasted longer than the window for fresh tokens. It verified before it was
            // stored: only the anchors can have changed meanwhile.
            let judged = tsp::token_of_reply(&reply)
                .and_then(|token| tsp::verify_token(&token, over, self.authorities.anchors()));
            let token = judged.map_err(|error| error.at(once.reply.display()))?;
            return Ok(Stamped { reply, token, offset: None, findings });
        }
        let stamped = self.authorities.stamp(&request, self.clock.as_ref())?;
        let marked = self.staging_key.marked(&place, stamped.reply.clone());
        durable::write_new(&once.reply, &marked, durable::MODE_PLAIN)?;
        Ok(Stamped { reply: stamped.reply, token: stamped.token, offset: Some(stamped.offset), findings })
    }

    /// What stands under this name, when it is ours; what is not is kept in `quarantine/`, durably, and told.
    fn own_or_aside(
        &self,
        path: &Path,
        ours: impl Fn(&[u8]) -> Option<Vec<u8>>,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Vec<u8>>> {
        // A link that leads nowhere is in the way as well.
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        match durable::read_plain(path) {
            Ok(bytes) => {
                if let Some(own) = ours(&bytes) {
                    return Ok(Some(own));
                }
            }
            Err(error) if error.code == Code::FileNotPlain => {}
            Err(error) => return Err(error),
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = format!("{name}-{}", new_uuid(self.clock.now()));
        durable::rename(path, &self.layout.quarantine().join(&aside))?;
        let detail =
            format!("somebody else put it there; kept as quarantine/{aside}, and what is needed is asked for anew");
        tracing::error!(code = Code::StagingAltered.as_str(), place = %path.display(), "{detail}");
        findings.push(Finding::warning(Code::StagingAltered, path.display().to_string(), detail));
        Ok(None)
    }
}

impl Archive {
    /// The digest algorithm of evidence that is made now, as the table of algorithms in force says.
    pub(super) fn digest_for_new(&self) -> Result<Algorithm> {
        let now = self.clock.now();
        let found = unpoisoned(self.policies.read()).algorithms()?.for_new(now);
        // A table whose digests all have an end is never adopted.
        found.ok_or_else(|| Error::new(Code::Internal, "every digest of the table ends").at("policies"))
    }
}
