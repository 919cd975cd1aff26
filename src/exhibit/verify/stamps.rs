//! Time-stamps over the chain in a bundle: since when, at the latest, the chain was as the bundle's checkpoint continues it.
//!
//! Invariant: a stamp counts only when its checkpoint is the archive's, the token covers that file, and a consistency proof
//! leads from it to the bundle's own checkpoint. Clauses: RFC 3161; RFC 9162 section 2.1.4.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Serialize;

use super::Run;
use super::trust::Judge;
use crate::chain::Checkpoint;
use crate::chain::merkle::verify_consistency;
use crate::chain::note::Verifier;
use crate::error::{Code, Error, Result};
use crate::exhibit::{CHECKPOINT, MAX_SMALL, STAMPS};
use crate::hash::Sha256;
use crate::package::generation::token_of;

/// A stamp that verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainStamp {
    /// How many entries the chain had.
    pub size: u64,
    /// It had them at the latest then.
    pub at: Timestamp,
}

impl Run {
    pub(super) fn stamps(&mut self, key: &Verifier, judge: &Judge) -> Vec<ChainStamp> {
        let extension = ".checkpoint";
        let stems: Vec<String> = self
            .files
            .names()
            .filter_map(|name| name.strip_prefix(STAMPS)?.strip_suffix(extension).map(str::to_owned))
            .collect();
        let mut stamps = Vec::new();
        for stem in stems {
            let name = |extension: &str| format!("{STAMPS}{stem}{extension}");
            let all: Vec<_> = [extension, ".tsr", ".consistency"]
                .map(name)
                .into_iter()
                .filter(|n| self.expect(n).is_some())
                .collect();
            let [note, reply, proof] = all.as_slice() else { continue };
            let stamp = self.stamp([note, reply, proof], key, judge);
            stamps.extend(self.noted(note, stamp));
        }
        stamps
    }

    fn words(&mut self, name: &str) -> Result<String> {
        let bytes = self.files.read(name, MAX_SMALL)?;
        String::from_utf8(bytes).map_err(|_| Error::new(Code::BundleFileAltered, "not UTF-8"))
    }

    fn stamp(&mut self, [note, reply, proof]: [&str; 3], key: &Verifier, judge: &Judge) -> Result<ChainStamp> {
        let (note, present) = (self.words(note)?, self.words(CHECKPOINT)?);
        let (stamped, present) = (Checkpoint::open(&note, key)?, Checkpoint::open(&present, key)?);
        let mut path = Vec::new();
        for line in self.words(proof)?.lines().take(64) {
            let hash = BASE64.decode(line).ok().and_then(|bytes| bytes.try_into().ok()).map(Sha256);
            path.push(hash.ok_or_else(|| Error::new(Code::ChainAltered, "not a consistency proof"))?);
        }
        if !verify_consistency((stamped.size, &stamped.root), (present.size, &present.root), &path) {
            return Err(Error::new(Code::ChainAltered, "nothing leads from the stamped checkpoint to the bundle's"));
        }
        let token = token_of(&self.files.read(reply, MAX_SMALL)?);
        Ok(ChainStamp { size: stamped.size, at: judge.time(&token, &Sha256::of(note.as_bytes()).into())? })
    }
}
