//! Hash trees of evidence records: RFC 4998 sections 4.1 to 4.3, SHA-256.
//!
//! A node is the digest of its children's hashes in ascending order, concatenated: no prefixes, no positions (unlike RFC
//! 6962). Our trees are binary, leaves in ascending order, and an odd last node goes up unchanged. Invariant: a path is
//! the reduced hash tree of RFC 4998, lists from leaf to root, that leads from one group to the root.

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Lists of a reduced hash tree, from leaf to root.
pub type Path = Vec<Vec<Sha256>>;

/// Digest of these hashes: ascending, concatenated, hashed.
pub fn combine(hashes: &[Sha256]) -> Sha256 {
    let mut sorted = hashes.to_vec();
    sorted.sort_unstable();
    let parts: Vec<&[u8]> = sorted.iter().map(|h| &h.0[..]).collect();
    Sha256::of_parts(&parts)
}

/// Hash of a data-object group: of one member its own hash, of several their combination.
pub fn group_hash(members: &[Sha256]) -> Sha256 {
    match members {
        [only] => *only,
        _ => combine(members),
    }
}

/// All levels of a tree, leaves first, root last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(Vec<Vec<Sha256>>);

impl Tree {
    /// Builds the tree over these leaves, in any order; there must be one.
    pub fn build(leaves: &[Sha256]) -> Result<Self> {
        let mut level = leaves.to_vec();
        level.sort_unstable();
        if level.is_empty() {
            return Err(Error::new(Code::Internal, "an evidence tree needs a leaf"));
        }
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).map(group_hash).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Ok(Self(levels))
    }

    /// What the time-stamp, or the run tree, covers.
    pub fn root(&self) -> Sha256 {
        self.0.last().and_then(|top| top.first()).copied().unwrap_or(Sha256::ZERO)
    }

    /// Leaves first, root last.
    pub fn levels(&self) -> &[Vec<Sha256>] {
        &self.0
    }

    /// The siblings on the way from this leaf to the root, nearest first; empty for a tree of one leaf. `None` when it
    /// is no leaf.
    pub fn siblings(&self, leaf: Sha256) -> Option<Vec<Sha256>> {
        let mut at = self.0.first()?.binary_search(&leaf).ok()?;
        let mut siblings = Vec::new();
        for level in &self.0 {
            // An odd last node has no sibling on this level and goes up as it is.
            if let Some(sibling) = level.get(at ^ 1) {
                siblings.push(*sibling);
            }
            at /= 2;
        }
        Some(siblings)
    }

    /// The reduced hash tree of a group. Several members are the first list; a single one stands in it with its sibling,
    /// because implementations differ on lists of one.
    pub fn path(&self, members: &[Sha256]) -> Option<Path> {
        let siblings = self.siblings(group_hash(members))?;
        Some(extend(first_list(members), &siblings))
    }
}

fn first_list(members: &[Sha256]) -> Path {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    vec![sorted]
}

/// Appends the siblings of a tree above (the run tree over packages) to a path.
pub fn extend(mut path: Path, siblings: &[Sha256]) -> Path {
    for sibling in siblings {
        match &mut path[..] {
            // A single member and its first sibling are one list.
            [first] if first.len() == 1 => {
                first.push(*sibling);
                first.sort_unstable();
            }
            _ => path.push(vec![*sibling]),
        }
    }
    path
}
