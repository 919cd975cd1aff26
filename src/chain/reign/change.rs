//! One change of key: what its entry says, how it is made, and the one judgement of it.
//!
//! Invariant: the entry carries a note that both keys signed over number, place in the chain, root of the chain before it, both
//! keys and the reason; so no change can be invented without the old key, left out, put elsewhere, or bound to another history.
//! Nothing personal is in it. Clause: C2SP signed-note.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Reigns;
use crate::chain::entry::{Entry, Kind};
use crate::chain::note::{Signer, Verifier, open_note};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Most changes of one archive: one a week for twenty years. A bundle of a stranger's must not decide our time.
pub(in crate::chain) const MAX_CHANGES: u64 = 1_000;

/// Why a key was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// By plan, or from prudence: all that the old key signed in its reign stands.
    Routine,
    /// Somebody else may have the old key: what only its signature proves is not proved any more.
    Compromised,
}

impl Reason {
    /// The word on the wire and on the chain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Compromised => "compromised",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let known = [Self::Routine, Self::Compromised].into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| Error::new(Code::Usage, "the reason for a change of key is `routine` or `compromised`"))
    }
}

/// A change of key that was judged good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// 1 for the first change.
    pub number: u64,
    /// Its entry: the new key signs from the checkpoint that covers it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The key until then.
    pub old: Verifier,
    /// The key from then on.
    pub new: Verifier,
}

/// The name under which an archive signs its changes of key.
pub fn origin(archive: &str) -> String {
    format!("{archive}/key")
}

/// The object of an entry of kind `key`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    number: u64,
    old: String,
    new: String,
    reason: Reason,
    note: String,
}

fn bad(what: impl Into<String>) -> Error {
    Error::new(Code::KeyChangeBad, what)
}

/// The text that both keys sign: origin, number, entry, root of the chain before it, old key, new key, reason; one a line.
fn text(name: &str, number: u64, seq: u64, root: &Sha256, old: &Verifier, new: &Verifier, reason: Reason) -> String {
    format!("{}\n{number}\n{seq}\n{}\n{old}\n{new}\n{reason}\n", origin(name), BASE64.encode(root.0))
}

/// The object of the entry that changes the key of a chain of `size` entries with this root from `old` to `new`.
pub(in crate::chain) fn entry_of(
    keys: &Reigns,
    (size, root): (u64, &Sha256),
    (old, new): (&Signer, &Signer),
    reason: Reason,
) -> Result<Map<String, Value>> {
    let number = keys.changes().len() as u64 + 1;
    let (old_key, new_key) = (old.verifier(), new.verifier());
    let name = origin(keys.name());
    let note = old.renamed(&name)?.sign_note(&text(keys.name(), number, size, root, &old_key, &new_key, reason))?;
    let note = new.renamed(&name)?.countersign(&note)?;
    let said = Said { number, old: old_key.to_string(), new: new_key.to_string(), reason, note };
    match serde_json::to_value(&said) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Error::new(Code::Internal, "a change of key is an object")),
    }
}

/// The key that an entry says was in force before it; unverified.
pub(super) fn old_key(line: &[u8]) -> Result<Verifier> {
    let entry = Entry::parse(line).map_err(|e| bad(e.detail))?;
    let old = entry.object.get("old").and_then(Value::as_str).filter(|_| entry.kind == Kind::Key);
    old.and_then(|text| text.parse().ok()).ok_or_else(|| bad("not an entry of a change of key"))
}

impl Change {
    /// Judges the object of entry `seq`: whether it is the next change of these keys, signed by both. With `before`, the root of
    /// the chain without it, also whether it was made for this chain; a bundle has no chain to hold it against, but a proof that
    /// the entry is in it.
    pub(in crate::chain) fn judge(
        keys: &Reigns,
        seq: u64,
        at: Timestamp,
        object: &str,
        before: Option<&Sha256>,
    ) -> Result<Self> {
        let said: Said = serde_json::from_str(object).map_err(|_| bad("not the object of a change of key"))?;
        let number = keys.changes().len() as u64 + 1;
        if said.number != number {
            return Err(bad(format!(
                "change number {}, expected {number}: one is missing, or out of order",
                said.number
            )));
        }
        if number > MAX_CHANGES {
            return Err(bad(format!("more than {MAX_CHANGES} changes")));
        }
        let key = |text: &str| text.parse::<Verifier>().map_err(|e| bad(e.detail));
        let (old, new) = (key(&said.old)?, key(&said.new)?);
        if old != *keys.current() {
            return Err(bad("the old key it names is not the one in force"));
        }
        if new.is_witness() || new.name() != keys.name() || keys.holds(&new) {
            return Err(bad("the new key is of another name or kind, or was in force before"));
        }
        let name = origin(keys.name());
        for (who, key) in [("old", &old), ("new", &new)] {
            open_note(&said.note, &[key.renamed(&name)?])
                .map_err(|e| bad(format!("the {who} key did not sign: {}", e.detail)))?;
        }
        let (signed, _) = crate::chain::cosignature::parts(&said.note).map_err(|e| bad(e.detail))?;
        let root = signed.split('\n').nth(3).and_then(|line| BASE64.decode(line).ok()?.try_into().ok()).map(Sha256);
        let root = root.ok_or_else(|| bad("the signed note is of something else"))?;
        if signed != text(keys.name(), number, seq, &root, &old, &new, said.reason) {
            return Err(bad("the signed note is of another change, or of another place in the chain"));
        }
        if before.is_some_and(|before| *before != root) {
            return Err(bad("the signed note is of another chain"));
        }
        Ok(Self { number, seq, at, reason: said.reason, old, new })
    }
}
