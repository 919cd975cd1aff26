//! A time-stamp that is asked for once, because tokens cost money (RFC 3161).
//!
//! Invariants: the request is durable before it is sent and the reply before anything rests on it, so that after a stop the
//! same request is finished and a stored reply is used. What is stored must be of what is to be stamped: whoever may write
//! to the disk must not choose what the archive asks for, nor what it believes.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::Archive;
use super::state::unpoisoned;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::tsp::{self, Token};

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
        let request = durable::read_plain(&self.request)?;
        Ok(tsp::Query::parse(&request).and_then(|query| query.digest()).ok().map(|digest| digest.algorithm()))
    }

    /// What is left of one that was used goes, the reply first: without its request it would be nobody's.
    pub fn clear(&self) -> Result<()> {
        [&self.reply, &self.request].into_iter().try_for_each(|path| durable::remove_file(path))
    }
}

impl Archive {
    /// The token over this digest: the stored one, or a new one asked for with the stored request. [`Code::TsaDown`] when no
    /// authority answers well, and the same request is sent the next time; [`Code::StagingAltered`] when what is stored is
    /// of something else.
    pub(super) fn token_once(&self, once: &Once, over: Digest) -> Result<Stamped> {
        if !once.request.exists() {
            durable::write_new(&once.request, &tsp::new_request(over)?, durable::MODE_PLAIN)?;
        }
        let request = durable::read_plain(&once.request)?;
        if !tsp::Query::parse(&request).and_then(|query| query.digest()).is_ok_and(|digest| digest == over) {
            return Err(altered(&once.request, "the stored request is of something else"));
        }
        if once.reply.exists() {
            let reply = durable::read_plain(&once.reply)?;
            // Judged at its own time: the stop may have lasted longer than the window for fresh tokens.
            let judged = tsp::token_of_reply(&reply)
                .and_then(|token| tsp::verify_token(&token, over, self.authorities.anchors()));
            return match judged {
                Ok(token) => Ok(Stamped { reply, token, offset: None }),
                // The anchors were changed meanwhile: the reply is as it was.
                Err(error) if error.code == Code::TokenUntrusted => Err(error.at(once.reply.display())),
                // It verified before it was stored.
                Err(error) => Err(altered(&once.reply, &format!("{}: {}", error.code.as_str(), error.detail))),
            };
        }
        let stamped = self.authorities.stamp(&request, self.clock.as_ref())?;
        durable::write_new(&once.reply, &stamped.reply, durable::MODE_PLAIN)?;
        Ok(Stamped { reply: stamped.reply, token: stamped.token, offset: Some(stamped.offset) })
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

fn altered(path: &Path, detail: &str) -> Error {
    let hint = "move this file out of the archive and keep it as evidence: a time-stamp is asked for again";
    Error::new(Code::StagingAltered, detail).at(path.display()).hint(hint)
}
