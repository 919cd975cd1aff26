//! `evidence/0001.tree`: every hash of a package's evidence tree.
//!
//! From it the record of any document is derived without reading another. Format, integers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `CUSTERS1` |
//! | 4 | number of groups |
//! | per group, ascending by group hash | document id (16; zeros for the index group), number of members (1), the members' SHA-256 (32 each) in the order document, metadata, RdV, manifest, or index, signature |
//! | per level above the leaves | number of nodes (4), their hashes (32 each); the last level is the root |
//! | 1 | number of siblings in the run tree, then their hashes (32 each), nearest first |
//! | 32 | root of the run: what the token covers |
//!
//! Invariant: one encoding, and [`TreeFile::parse`] computes every node and the run's root again.

use uuid::Uuid;

use super::record::Record;
use super::tree::{Path, Tree, combine, extend, group_hash};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

const MAGIC: &[u8; 8] = b"CUSTERS1";
/// Members a group may have; ours have one to four.
const MAX_MEMBERS: usize = 16;
/// Siblings in a run tree: more packages than could ever close at once.
const MAX_SIBLINGS: usize = 64;
/// Largest tree file read: a package of a million documents.
pub const MAX_BYTES: u64 = 400 << 20;

/// A data-object group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The document; `None` for the index group.
    pub document: Option<Uuid>,
    /// Hashes of its members, in the order of the format.
    pub members: Vec<Sha256>,
}

impl Group {
    /// The leaf.
    pub fn hash(&self) -> Sha256 {
        group_hash(&self.members)
    }
}

/// The tree of one package and its place in the run tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    groups: Vec<Group>,
    tree: Tree,
    siblings: Vec<Sha256>,
}

impl TreeFile {
    /// The tree over these groups; alone in its run until [`TreeFile::place`] says otherwise.
    pub fn build(mut groups: Vec<Group>) -> Result<Self> {
        if groups.iter().any(|g| g.members.is_empty() || g.members.len() > MAX_MEMBERS) {
            return Err(Error::new(Code::Internal, "a data-object group needs one to sixteen members"));
        }
        groups.sort_by_cached_key(|group| (group.hash(), group.document));
        let tree = Tree::build(&groups.iter().map(Group::hash).collect::<Vec<_>>())?;
        Ok(Self { groups, tree, siblings: Vec::new() })
    }

    /// Root of the package's tree: its leaf in the run tree.
    pub fn root(&self) -> Sha256 {
        self.tree.root()
    }

    /// Puts the package in the tree of its run, whose leaves are the roots of its packages.
    pub fn place(&mut self, run: &Tree) -> Result<()> {
        let siblings = run.siblings(self.root());
        self.siblings = siblings.ok_or_else(|| Error::new(Code::Internal, "the package is not in this run"))?;
        Ok(())
    }

    /// Root of the run: what the token covers.
    pub fn run_root(&self) -> Sha256 {
        self.siblings.iter().fold(self.root(), |hash, sibling| combine(&[hash, *sibling]))
    }

    /// The groups, ascending by hash.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group of a document, or the index group.
    pub fn group(&self, document: Option<Uuid>) -> Option<&Group> {
        self.groups.iter().find(|group| group.document == document)
    }

    /// The reduced hash tree of a group up to the token.
    pub fn path(&self, document: Option<Uuid>) -> Option<Path> {
        Some(extend(self.tree.path(&self.group(document)?.members)?, &self.siblings))
    }

    /// The record of a document, or of the index group, with the run's token (ContentInfo, DER).
    pub fn record(&self, document: Option<Uuid>, token: &[u8]) -> Result<Record> {
        let path = self.path(document).ok_or_else(|| Error::new(Code::NotFound, "not in this evidence tree"))?;
        Record::new(path, token.to_vec())
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.groups.len() as u32).to_le_bytes());
        for group in &self.groups {
            bytes.extend(group.document.unwrap_or_default().as_bytes());
            bytes.push(group.members.len() as u8);
            bytes.extend(group.members.iter().flat_map(|hash| hash.0));
        }
        for level in &self.tree.levels()[1..] {
            bytes.extend((level.len() as u32).to_le_bytes());
            bytes.extend(level.iter().flat_map(|hash| hash.0));
        }
        bytes.push(self.siblings.len() as u8);
        bytes.extend(self.siblings.iter().flat_map(|hash| hash.0));
        bytes.extend(self.run_root().0);
        bytes
    }

    /// Reads the file and computes all of it again.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::decode(bytes)
            .ok_or_else(|| Error::new(Code::EvidenceAltered, "not an evidence tree, or its nodes are wrong"))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let count = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?) as usize;
        // A group takes at least 49 bytes: nothing is allocated for a count the file cannot hold.
        (count <= rest.len() / 49).then_some(())?;
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let document = Uuid::from_slice(take(&mut rest, 16)?).ok()?;
            let members = usize::from(take(&mut rest, 1)?[0]);
            let document = (!document.is_nil()).then_some(document);
            groups.push(Group { document, members: hashes(&mut rest, members)? });
        }
        // The nodes are derived; the comparison of the whole encoding at the end proves them.
        let mut file = Self::build(groups).ok()?;
        for level in &file.tree.levels()[1..] {
            take(&mut rest, 4 + 32 * level.len())?;
        }
        let count = usize::from(take(&mut rest, 1)?[0]);
        (count <= MAX_SIBLINGS).then_some(())?;
        file.siblings = hashes(&mut rest, count)?;
        (file.encode() == bytes).then_some(file)
    }
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(n)?;
    *rest = after;
    Some(taken)
}

fn hashes(rest: &mut &[u8], n: usize) -> Option<Vec<Sha256>> {
    take(rest, n * 32)?.chunks_exact(32).map(|h| h.try_into().ok().map(Sha256)).collect()
}
