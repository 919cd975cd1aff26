//! Hash trees of evidence records: RFC 4998 sections 4.1 to 4.3.
//!
//! A node is the digest of its children's hashes in ascending order, concatenated: no prefixes, no positions (unlike RFC
//! 6962). Our trees are binary, leaves in ascending order, and an odd last node goes up unchanged. Invariant: a path is
//! the reduced hash tree of RFC 4998, lists from leaf to root, that leads from one group to the root; a tree has one digest
//! algorithm.

use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

/// Lists of a reduced hash tree, from leaf to root.
pub type Path = Vec<Vec<Digest>>;

/// Digest of these hashes: ascending, concatenated, hashed. The hashes must be of this algorithm.
pub fn combine(algorithm: Algorithm, hashes: &[Digest]) -> Digest {
    let mut sorted = hashes.to_vec();
    sorted.sort_unstable();
    concatenated(algorithm, &sorted)
}

/// Digest of these hashes in the order given.
pub(super) fn concatenated(algorithm: Algorithm, hashes: &[Digest]) -> Digest {
    let mut hasher = crate::evidence::digest::Hasher::new(algorithm);
    hashes.iter().for_each(|hash| hasher.update(hash.bytes()));
    hasher.finish()
}

/// As [`combine`] of two: most of a binary tree.
fn pair(a: &Digest, b: &Digest) -> Digest {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    a.algorithm().of_parts(&[low.bytes(), high.bytes()])
}

/// Hash of a data-object group: of one member its own hash, of several their combination.
pub fn group_hash(algorithm: Algorithm, members: &[Digest]) -> Digest {
    match members {
        [only] => *only,
        _ => combine(algorithm, members),
    }
}

/// What the hashes next to a leaf on its way up make of it: the root.
pub fn climb(leaf: Digest, siblings: &[Digest]) -> Digest {
    siblings.iter().fold(leaf, |hash, sibling| pair(&hash, sibling))
}

/// All levels of a tree, leaves first, root last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
    root: Digest,
}

impl Tree {
    /// Builds the tree over these leaves, in any order; there must be one, and all of one algorithm.
    pub fn build<D: Into<Digest> + Copy>(leaves: &[D]) -> Result<Self> {
        let mut level: Vec<Digest> = leaves.iter().map(|leaf| (*leaf).into()).collect();
        level.sort_unstable();
        let (Some(first), Some(last)) = (level.first(), level.last()) else {
            return Err(Error::new(Code::Internal, "an evidence tree needs a leaf"));
        };
        if first.algorithm() != last.algorithm() {
            return Err(Error::new(Code::EvidenceMixed, "leaves of one tree with different digest algorithms"));
        }
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).map(|two| if let [a, b] = two { pair(a, b) } else { two[0] }).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        let root = level[0];
        levels.push(level);
        Ok(Self { levels, root })
    }

    /// What the time-stamp, or the run tree, covers.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Leaves first, root last.
    pub fn levels(&self) -> &[Vec<Digest>] {
        &self.levels
    }

    /// The siblings on the way from this leaf to the root, nearest first; empty for a tree of one leaf. `None` when it
    /// is no leaf.
    pub fn siblings(&self, leaf: Digest) -> Option<Vec<Digest>> {
        Some(self.siblings_at(self.levels.first()?.binary_search(&leaf).ok()?))
    }

    /// As [`Tree::siblings`], of the leaf at this position, leaves ascending.
    pub(super) fn siblings_at(&self, mut at: usize) -> Vec<Digest> {
        let mut siblings = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            // An odd last node has no sibling on this level and goes up as it is.
            if let Some(sibling) = level.get(at ^ 1) {
                siblings.push(*sibling);
            }
            at /= 2;
        }
        siblings
    }

    /// The reduced hash tree of a group. Several members are the first list; a single one stands in it with its sibling,
    /// because implementations differ on lists of one.
    pub fn path(&self, members: &[Digest]) -> Option<Path> {
        let leaf = group_hash(self.root.algorithm(), members);
        Some(extend(first_list(members), &self.siblings(leaf)?))
    }
}

/// The first list of a reduced hash tree: a group's members.
pub(super) fn first_list(members: &[Digest]) -> Path {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    vec![sorted]
}

/// Appends the siblings of a tree above (the run tree over packages) to a path.
pub fn extend(mut path: Path, siblings: &[Digest]) -> Path {
    path.reserve(siblings.len());
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
