//! Refusals: the negative outcome that the depositor gets, and what is kept of it.
//!
//! Of a refused deposit the id, time, depositor, length and digest are kept with every control and finding; never its
//! content, a name or a value (`reference/conservazione` I-4, I-5). Refusals are counted per agreement and object (the
//! idempotency key, else the content's digest; both only as keyed hash); at the limit the object is blocked until a
//! manager unblocks it with a reason. Refusals take no number of the lane.

mod answer;
mod log;

#[cfg(test)]
mod tests;

pub use answer::{note_text, origin, render, view};
pub use log::{Head, RefusalLog, Verified, verify};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Control, Error, Finding, Result};
use crate::hash::{Blake3, Sha256};
use crate::id::{ClassId, RefusalId};
use crate::intake::manifest::{Channel, Depositor, ReplayKey};

/// The floor of the limit: what the guidelines' draft text asks for.
pub const LEAST_LIMIT: u32 = 3;

/// How many refusals of one object an agreement bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// At least [`LEAST_LIMIT`].
    pub fn new(limit: u32) -> Result<Self> {
        if limit < LEAST_LIMIT {
            return Err(Error::new(Code::ConfigInvalid, format!("a limit of refusals is at least {LEAST_LIMIT}")));
        }
        Ok(Self(limit))
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LEAST_LIMIT)
    }
}

/// What refusals are counted by: a keyed hash, so that it discloses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectKey(Blake3);

impl ObjectKey {
    /// Of the agreement and the idempotency key, else the content's digest.
    pub fn of(key: &ReplayKey, agreement: &str, idempotency: Option<&str>, content: &Sha256) -> Self {
        Self(match idempotency {
            Some(text) => key.hash("refused key", &[agreement.as_bytes(), text.as_bytes()]),
            None => key.hash("refused content", &[agreement.as_bytes(), &content.0]),
        })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A document of a refused deposit, told by its place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedItem {
    /// Length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Sha256,
    /// Recognised from the content, when it came so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Every control made on it.
    pub controls: Vec<Control>,
    /// Everything noticed.
    pub findings: Vec<Finding>,
}

/// What is known of a refused deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The refusal's identifier.
    pub refusal: RefusalId,
    /// When it was refused.
    #[serde(with = "three_decimals")]
    pub refused_at: Timestamp,
    /// When the body had arrived (as far as it did).
    #[serde(with = "three_decimals")]
    pub received_at: Timestamp,
    /// The submission agreement.
    pub agreement: String,
    /// The holder.
    pub holder: String,
    /// The producer.
    pub producer: String,
    /// The account.
    pub depositor: Depositor,
    /// The way it came.
    pub channel: Channel,
    /// The class asked for, when there is such a class, and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<(ClassId, u32)>,
    /// Length of what came.
    pub bytes: u64,
    /// SHA-256 of what came.
    pub sha256: Sha256,
    /// What it is counted by.
    pub object: ObjectKey,
    /// Controls made on the deposit as a whole.
    pub controls: Vec<Control>,
    /// Findings on the deposit as a whole.
    pub findings: Vec<Finding>,
    /// Its documents.
    pub documents: Vec<RefusedItem>,
    /// Version of Custode.
    pub engine: String,
    /// Whether the archive has profile `trial`.
    pub trial: bool,
}

mod three_decimals {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::clock::iso_ms(*at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

impl Refused {
    /// Every finding, the deposit's own first.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.documents.iter().flat_map(|document| &document.findings))
    }

    /// Takes the names of the deposit's files out of every place and message: a refusal keeps no name.
    #[must_use]
    pub fn without_names(mut self, names: &[&str]) -> Self {
        let names: Vec<(usize, &str)> = names.iter().copied().enumerate().filter(|(_, name)| name.len() > 1).collect();
        // All names in one pass over each text: a thousand files have thousands of texts. The longest name wins, so that a
        // name inside another one does not leave the other's rest.
        let all = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .build(names.iter().map(|(_, name)| name));
        let clean = |text: &mut String| match &all {
            Ok(all) if text.is_empty() || !all.is_match(text.as_str()) => {}
            Ok(all) => {
                let mut cleaned = String::with_capacity(text.len());
                all.replace_all_with(text, &mut cleaned, |found, _, out| {
                    out.push_str(&format!("file {}", names[found.pattern().as_usize()].0 + 1));
                    true
                });
                *text = cleaned;
            }
            // More text in names than an automaton holds (gigabytes): no word is kept rather than a name.
            Err(_) => text.clear(),
        };
        let clean_all = |controls: &mut Vec<Control>, findings: &mut Vec<Finding>| {
            controls.iter_mut().for_each(|control| clean(&mut control.place));
            for finding in findings {
                clean(&mut finding.place);
                clean(&mut finding.message);
            }
        };
        clean_all(&mut self.controls, &mut self.findings);
        for document in &mut self.documents {
            clean_all(&mut document.controls, &mut document.findings);
        }
        self
    }
}

/// A refusal as it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What is known.
    pub refused: Refused,
    /// The how-manieth refusal of that object since it was last unblocked.
    pub attempt: u32,
    /// How many the agreement bears.
    pub limit: u32,
    /// The signed note over the negative outcome.
    pub note: String,
}

impl Refusal {
    /// Whether the object is blocked from here on.
    pub fn blocks(&self) -> bool {
        self.attempt >= self.limit
    }
}
