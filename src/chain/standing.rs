//! How a checkpoint that somebody else kept stands to the chain that is here.
//!
//! Invariant: a claim is one that the archive itself signed (the caller has verified it); whoever shows it cannot invent it.
//! A chain that holds the claim continues it; a shorter one is an older state put back; another root at the same size is a
//! second history, which no declaration makes good. Clause: C2SP tlog-witness; formats, "An older state of the whole archive".

use serde::{Deserialize, Serialize};

use super::index::Index;
use crate::hash::Sha256;

/// Size and root that the archive signed some day, and where that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `chain/witness/83175c9f.checkpoint`, or the witness that was asked, or a file that was given.
    pub place: String,
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Sha256,
}

/// What the chain says to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The chain begins with what was claimed.
    Holds,
    /// The claim is of more entries than there are: an older state of the archive.
    Older,
    /// As many entries, and not these.
    Forked,
    /// Of the history that a declared restoration gave up.
    Declared,
}

/// A claim, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Where it was seen.
    pub place: String,
    /// Number of entries claimed.
    pub size: u64,
    /// What the chain says.
    pub standing: Standing,
}

/// Size and root, as an entry of kind `restore` writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Sha256,
}

/// What an entry of kind `restore` says: how far the chain was witnessed, and how far it was when somebody declared the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// What was given up.
    pub witnessed: Tip,
    /// What there was.
    pub found: Tip,
}

impl Restored {
    fn covers(&self, size: u64, root: &Sha256) -> bool {
        (size == self.witnessed.size && *root == self.witnessed.root)
            || (self.found.size < size && size < self.witnessed.size)
    }
}

impl Index {
    /// How this claim stands to the first `size` entries.
    pub(super) fn compare(&self, size: u64, claim: &Claim) -> Standing {
        let here = if claim.size <= size { self.tree.root_at(claim.size) } else { None };
        if here == Some(claim.root) {
            return Standing::Holds;
        }
        if self.restores.iter().any(|restored| restored.covers(claim.size, &claim.root)) {
            return Standing::Declared;
        }
        if claim.size > size { Standing::Older } else { Standing::Forked }
    }
}
