//! Reigns: which key of the archive signs when. Each key signs from its entry of kind `key` to the next one; the first from
//! the genesis.
//!
//! Invariants: a key is in the list only when the one before it signed for it and it signed back, so that any key of the list
//! leads to all later ones; what an archive signs names a size of its chain, and is its word only when the key that was in force
//! at that size signed it. Clauses: C2SP signed-note and tlog-checkpoint (a log may have several keys); ETSI TS 119 312 (no key
//! serves for ever).

mod change;
mod scan;

pub use change::{Change, Reason, origin};
pub(super) use change::{MAX_CHANGES, entry_of};
pub(super) use scan::of_files;

use std::path::Path;

use super::checkpoint::Checkpoint;
use super::files::{Files, read_bounded};
use super::note::{MAX_NOTE, Note, Verifier, open_note};
use crate::error::{Code, Error, Result};

/// The keys an archive has had, oldest first; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reigns {
    first: Verifier,
    changes: Vec<Change>,
}

impl Reigns {
    /// Of an archive that never changed its key.
    pub fn only(first: Verifier) -> Self {
        Self { first, changes: Vec::new() }
    }

    /// The archive's name, which every one of its keys bears.
    pub fn name(&self) -> &str {
        self.first.name()
    }

    /// The key in force.
    pub fn current(&self) -> &Verifier {
        self.changes.last().map_or(&self.first, |change| &change.new)
    }

    /// The key in force in a chain of this many entries.
    pub fn at(&self, size: u64) -> &Verifier {
        self.changes.iter().rfind(|change| change.seq < size).map_or(&self.first, |change| &change.new)
    }

    /// Every key, oldest first.
    pub fn keys(&self) -> impl Iterator<Item = &Verifier> {
        std::iter::once(&self.first).chain(self.changes.iter().map(|change| &change.new))
    }

    /// Whether the archive ever had this key.
    pub fn holds(&self, key: &Verifier) -> bool {
        self.keys().any(|known| known == key)
    }

    /// Every change, oldest first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The change that ended the reign of the key in force at this size.
    pub fn ended(&self, size: u64) -> Option<&Change> {
        self.changes.iter().find(|change| change.seq >= size)
    }

    /// As the first `size` entries say.
    #[must_use]
    pub fn as_of(&self, size: u64) -> Self {
        let changes = self.changes.iter().filter(|change| change.seq < size).cloned().collect();
        Self { first: self.first.clone(), changes }
    }

    /// Opens a signed checkpoint of the archive. The first one that covers a change bears the signatures of both keys; either is
    /// taken, because a witness that knows one of them keeps only that one's line. Under another key of the archive it is
    /// [`Code::KeyNotInForce`], else [`Code::CheckpointBad`].
    pub fn open_checkpoint(&self, note: &str) -> Result<Checkpoint> {
        let size = super::cosignature::parts(note)
            .and_then(|(text, _)| Checkpoint::parse(text))
            .map_err(|e| Error::new(Code::CheckpointBad, e.detail))?
            .size;
        let mut right = vec![self.at(size).clone()];
        right.extend(self.changes.iter().find(|change| change.seq + 1 == size).map(|change| change.old.clone()));
        let opened = self.open_by(note, &right).map_err(|e| match e.code {
            Code::KeyNotInForce => e,
            _ => Error::new(Code::CheckpointBad, e.detail.clone()).because(e),
        })?;
        let checkpoint = Checkpoint::parse(&opened.text)?;
        if checkpoint.origin != self.name() {
            return Err(Error::new(Code::CheckpointBad, "the origin is not the name of the key"));
        }
        Ok(checkpoint)
    }

    /// Opens a note that the archive signed under this name (`<archive>/receipt`) when its chain had `size` entries. By another
    /// key of the archive it is [`Code::KeyNotInForce`], else [`Code::SignatureInvalid`].
    pub fn open_note(&self, note: &str, name: &str, size: u64) -> Result<Note> {
        self.open_by(note, &[self.at(size).renamed(name)?])
    }

    /// Opens a note by one of these keys, which bear one name; says so when it was another key of the archive.
    fn open_by(&self, note: &str, right: &[Verifier]) -> Result<Note> {
        let refused = match open_note(note, right) {
            Ok(opened) => return Ok(opened),
            Err(e) => e,
        };
        let Some(name) = right.first().map(Verifier::name) else { return Err(refused) };
        for key in self.keys() {
            let key = key.renamed(name)?;
            if !right.contains(&key) && open_note(note, std::slice::from_ref(&key)).is_ok() {
                return Err(Error::new(Code::KeyNotInForce, format!("key {}", key.id())));
            }
        }
        Err(refused)
    }

    /// Of an archive that is only read: as its entries say, if `given` (a key the caller trusts) is among their keys; else that
    /// key alone. Without one, what opens the checkpoint: the entries' keys, else the one in `chain/archive.vkey`. The chain's own
    /// verification says when they differ. `None` when no key can be read.
    pub fn of_archive(archive: &Path, given: Option<&Verifier>) -> Option<Self> {
        Self::read(&Files::of(archive), given).map(|(keys, _)| keys)
    }

    /// As [`Reigns::of_archive`], and whether the entries tell of other keys than these.
    pub(super) fn read(files: &Files, given: Option<&Verifier>) -> Option<(Self, bool)> {
        let read = |name: &str| read_bounded(&files.chain(name), MAX_NOTE).ok().flatten();
        let text = |name: &str| read(name).and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        // Before the entries: what is in force under this checkpoint is among the keys read after it.
        let note = text("checkpoint");
        let scanned = of_files(files).ok().flatten();
        if let Some(given) = given {
            return Some(match scanned {
                Some(keys) if keys.holds(given) => (keys, false),
                other => (Self::only(given.clone()), other.is_some()),
            });
        }
        let stored = text("archive.vkey").trim().parse().ok().map(Self::only);
        let opens = |keys: &&Self| keys.open_checkpoint(&note).is_ok();
        let found = [&scanned, &stored].into_iter().flatten().find(opens).cloned();
        let keys = found.or_else(|| scanned.clone()).or(stored)?;
        let differ = scanned.is_some_and(|scanned| scanned != keys);
        Some((keys, differ))
    }

    /// Notes a change that [`Change::judge`] let through.
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Follows one more entry, given as its exact line: how a bundle shows the changes. [`Code::KeyChangeBad`] when it is not the
    /// next change of these keys.
    pub fn follow(&mut self, line: &[u8]) -> Result<&Change> {
        let bad = |e: Error| Error::new(Code::KeyChangeBad, e.detail);
        let entry = super::Entry::parse(line).map_err(bad)?;
        if entry.kind != super::Kind::Key {
            return Err(Error::new(Code::KeyChangeBad, "not an entry of a change of key"));
        }
        let said = serde_json::Value::Object(entry.object).to_string();
        let change = Change::judge(self, entry.seq, entry.at, &said, None)?;
        self.changes.push(change);
        self.changes.last().ok_or_else(|| Error::new(Code::Internal, "a change was just noted"))
    }

    /// The keys that a list of entries of kind `key` tells, in order, from the old key that the first one names: how a bundle shows
    /// them. Without entries, `only` that key.
    pub fn told(lines: &[Vec<u8>], only: &Verifier) -> Result<Self> {
        let Some(first) = lines.first() else { return Ok(Self::only(only.clone())) };
        let mut keys = Self::only(change::old_key(first)?);
        for line in lines {
            keys.follow(line)?;
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
