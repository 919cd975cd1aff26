//! Time-stamps over the chain in a bundle: since when, at the latest, the chain was as the bundle's checkpoint continues it.
//!
//! Invariant: a stamp counts only when its checkpoint is the archive's, the token covers that file, and a consistency proof
//! leads from it to the bundle's own checkpoint; one that was renewed through its whole record. Clauses: RFC 3161; RFC 4998;
//! RFC 9162 section 2.1.4.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Serialize;

use super::Run;
use super::trust::Judge;
use crate::chain::Reigns;
use crate::chain::merkle::verify_consistency;
use crate::error::{Code, Error, Result};
use crate::evidence::ers::{Record, Verified};
use crate::exhibit::{CHECKPOINT, MAX_SMALL, STAMPS};
use crate::hash::Sha256;
use crate::package::generation::token_of;

/// A stamp that verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainStamp {
    /// How many entries the chain had.
    pub size: u64,
    /// It had them at the latest then: the time of the first token that leads to an anchor.
    pub at: Timestamp,
    /// Times of all its tokens, renewals included, oldest first.
    pub stamped_at: Vec<Timestamp>,
}

impl Run {
    pub(super) fn stamps(&mut self, keys: &Reigns, judge: &Judge) -> Vec<ChainStamp> {
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
            let (record, stamp) = (name(".ers"), self.stamp([note, reply, proof], keys));
            let Some((size, token)) = self.noted(note, stamp) else { continue };
            let verified = if self.files.contains(&record) {
                let verified = self.renewed(&record, note, &token, judge);
                self.noted(&record, verified)
            } else {
                let alone = self.alone(note, token, judge);
                self.noted(note, alone)
            };
            self.gaps(note, verified.as_ref());
            stamps.extend(verified.map(|v| ChainStamp { size, at: v.since(), stamped_at: v.times() }));
        }
        stamps
    }

    fn words(&mut self, name: &str) -> Result<String> {
        let bytes = self.files.read(name, MAX_SMALL)?;
        String::from_utf8(bytes).map_err(|_| Error::new(Code::BundleFileAltered, "not UTF-8"))
    }

    /// The size of a stamp's checkpoint, which leads to the bundle's, and its token, not judged yet.
    fn stamp(&mut self, [note, reply, proof]: [&str; 3], keys: &Reigns) -> Result<(u64, Vec<u8>)> {
        let (note, present) = (self.words(note)?, self.words(CHECKPOINT)?);
        let (stamped, present) = (keys.open_checkpoint(&note)?, keys.open_checkpoint(&present)?);
        let mut path = Vec::new();
        for line in self.words(proof)?.lines().take(64) {
            let hash = BASE64.decode(line).ok().and_then(|bytes| bytes.try_into().ok()).map(Sha256);
            path.push(hash.ok_or_else(|| Error::new(Code::ChainAltered, "not a consistency proof"))?);
        }
        if !verify_consistency((stamped.size, &stamped.root), (present.size, &present.root), &path) {
            return Err(Error::new(Code::ChainAltered, "nothing leads from the stamped checkpoint to the bundle's"));
        }
        Ok((stamped.size, token_of(&self.files.read(reply, MAX_SMALL)?)))
    }

    /// A stamp that was never renewed: a record of its token alone.
    fn alone(&mut self, note: &str, token: Vec<u8>, judge: &Judge) -> Result<Verified> {
        let record = Record::alone(self.words(note)?.as_bytes(), token)?;
        self.verify_record(&record.to_der(), &[note], judge)
    }

    /// The record of a renewed stamp, which begins with its token.
    fn renewed(&mut self, record: &str, note: &str, token: &[u8], judge: &Judge) -> Result<Verified> {
        self.expect(record);
        let der = self.files.read(record, MAX_SMALL)?;
        let first = Record::parse(&der)?.chains.swap_remove(0).swap_remove(0);
        if first.token != token {
            return Err(Error::new(Code::EvidenceAltered, "it does not begin with the time-stamp beside it"));
        }
        self.verify_record(&der, &[note], judge)
    }
}
