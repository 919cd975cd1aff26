//! `chain/pending`: an append written down whole before anything is changed, so that recovery only ever completes what
//! was already signed.
//!
//! Invariant: recovery never signs. A pending append is completed only when its checkpoint's signature, its entry's
//! `prev` and the root over both hold, and when the record it carries is the one its entry commits.

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::entry::MAX_LINE;
use super::files::{MAX_RECORD, check_record_kind};
use super::index::{Commits, Index};
use super::merkle::leaf;
use super::note::MAX_NOTE;
use super::record;
use super::reign::Reigns;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Largest pending file: entry, record and side file, each escaped once more as JSON text (at worst six bytes for one).
pub(super) const MAX_PENDING: usize = 6 * (2 * MAX_RECORD + MAX_LINE) + MAX_NOTE;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// The line, without its newline.
    pub entry: String,
    /// The record it commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<PendingRecord>,
    /// The signed checkpoint over the chain with the line.
    pub checkpoint: String,
}

/// A record line and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingRecord {
    pub kind: String,
    pub id: String,
    /// Length of the file before.
    pub offset: u64,
    /// The line, without its newline.
    pub line: String,
    /// The personal part's exact text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
}

impl Pending {
    pub fn render(&self) -> String {
        // Two strings and a number: nothing that JSON cannot say.
        serde_json::to_string(self).expect("a pending append is plain text") + "\n"
    }

    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let pending: Self = serde_json::from_slice(bytes).map_err(|_| bad("not readable"))?;
        if pending.render().as_bytes() != bytes {
            return Err(bad("not in its only form"));
        }
        Ok(pending)
    }

    /// Whether this is the signed next step of the chain in `index`; the checkpoint it makes.
    pub fn follows(&self, index: &Index, keys: &Reigns) -> Result<Checkpoint> {
        let checkpoint = self.signed(keys)?;
        let line = index.check(&self.entry).map_err(|e| bad(&e.detail))?;
        if checkpoint.size != index.size() + 1 || checkpoint.root != index.tree.root_with(leaf(self.entry.as_bytes())) {
            return Err(bad("its checkpoint is not that of the chain with its entry"));
        }
        let mut next = Index::with_commits(index.commits.clone());
        next.take(self.entry.as_bytes(), Some(&line)).map_err(|e| bad(&e.detail))?;
        self.check_record(&next)?;
        Ok(checkpoint)
    }

    /// Its checkpoint, when the archive signed it.
    ///
    /// One that covers a change of key is signed by the old key too, so the keys known before it are enough.
    pub fn signed(&self, keys: &Reigns) -> Result<Checkpoint> {
        keys.open_checkpoint(&self.checkpoint).map_err(|e| bad(&e.detail))
    }

    /// Whether its record is the one the chain in `index` commits.
    pub fn check_record(&self, index: &Index) -> Result<()> {
        let Some(pending) = &self.record else { return Ok(()) };
        check_record_kind(&pending.kind).map_err(|_| bad("kind of record"))?;
        let digest = Sha256::of(pending.line.as_bytes());
        let commits = index.commits.get(&pending.kind);
        let committed = commits.and_then(|c: &Commits| c.position(&digest).map(|at| &c.list[at]));
        if committed.is_none_or(|c| c.id != pending.id) || pending.line.contains('\n') {
            return Err(bad("its record is not the one its entry commits"));
        }
        let parsed = record::parse(&pending.kind, &pending.line, 0).map_err(|_| bad("its record is not readable"))?;
        let side = pending.side.as_ref().map(|side| Sha256::of(side.as_bytes()));
        if parsed.side != side || parsed.id.to_string() != pending.id {
            return Err(bad("its personal part is not the one its record names"));
        }
        Ok(())
    }
}

fn bad(detail: &str) -> Error {
    Error::new(Code::ChainAltered, detail.to_owned())
        .at("chain/pending")
        .hint("nothing was signed or written; keep a copy of chain/, then restore chain/ from a copy")
}
