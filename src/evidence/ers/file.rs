//! `evidence/NNNN.tree` of a first evidence or a hash-tree renewal: every hash of a package's evidence tree.
//!
//! From it, and the generations before, the record of any document is derived without reading another. Format, integers
//! little-endian, digests as long as their algorithm's:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `CUSTERS1` |
//! | 1 | 0: groups of objects (1: tokens, see [`super::link`]) |
//! | 1 | digest algorithm: 1 SHA-256, 2 SHA-384, 3 SHA-512 |
//! | 4 | number of groups |
//! | per group, ascending by leaf | document id (16; zeros for the index group), number of members (1), the members' digests in the order document, metadata, RdV, manifest, or index, signature |
//! | per level above the leaves | number of nodes (4), their hashes; the last level is the root |
//! | 1 | number of siblings in the run tree, then their hashes, nearest first |
//! | digest | root of the run: what the token covers |
//!
//! The leaf of a group is its members' hash; in a renewal each member is first bound to the group's evidence before (RFC
//! 4998 section 5.3). Invariant: one encoding, and [`TreeFile::parse`] computes every node and the run's root again.

use uuid::Uuid;

use super::record::{Record, bind};
use super::tree::{Path, Tree, climb, extend, first_list, group_hash};
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

pub(super) const MAGIC: &[u8; 8] = b"CUSTERS1";
const GROUPS: u8 = 0;
/// Members a group may have; ours have one to four.
const MAX_MEMBERS: usize = 16;
/// Siblings in a run tree: more packages than could ever close at once.
const MAX_SIBLINGS: usize = 64;
/// Largest tree file read: a package of a million documents, with the longest digests.
pub const MAX_BYTES: u64 = 800 << 20;

/// A data-object group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The document; `None` for the index group.
    pub document: Option<Uuid>,
    /// Digests of its members, in the order of the format.
    pub members: Vec<Digest>,
    /// In a hash-tree renewal: the digest of the group's evidence before, to which each member is bound.
    pub before: Option<Digest>,
}

impl Group {
    /// A group of a first evidence.
    pub fn new<D: Into<Digest>>(document: Option<Uuid>, members: impl IntoIterator<Item = D>) -> Self {
        Self { document, members: members.into_iter().map(Into::into).collect(), before: None }
    }

    /// What stands in the hash tree for the members: their digests, bound to the evidence before when there is one.
    pub fn covered(&self) -> Vec<Digest> {
        match &self.before {
            None => self.members.clone(),
            Some(before) => self.members.iter().map(|member| bind(member, before)).collect(),
        }
    }

    fn leaf(&self, algorithm: Algorithm) -> Digest {
        group_hash(algorithm, &self.covered())
    }
}

/// The tree of one package and its place in the run tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    groups: Vec<Group>,
    /// Positions in `groups`, ascending by document.
    by_document: Vec<usize>,
    tree: Tree,
    siblings: Vec<Digest>,
}

impl TreeFile {
    /// The tree over these groups; alone in its run until [`TreeFile::place`] says otherwise.
    pub fn build(groups: Vec<Group>) -> Result<Self> {
        let Some(algorithm) = groups.first().and_then(|group| group.members.first()).map(Digest::algorithm) else {
            return Err(Error::new(Code::Internal, "an evidence tree needs a group"));
        };
        for group in &groups {
            if group.members.is_empty() || group.members.len() > MAX_MEMBERS {
                return Err(Error::new(Code::Internal, "a data-object group needs one to sixteen members"));
            }
            if group.members.iter().chain(&group.before).any(|member| member.algorithm() != algorithm) {
                return Err(Error::new(Code::EvidenceMixed, "digests of different algorithms in one tree"));
            }
        }
        let mut keyed: Vec<(Digest, Group)> = groups.into_iter().map(|group| (group.leaf(algorithm), group)).collect();
        keyed.sort_by(|(a, x), (b, y)| (a, x.document).cmp(&(b, y.document)));
        let leaves: Vec<Digest> = keyed.iter().map(|(leaf, _)| *leaf).collect();
        let groups: Vec<Group> = keyed.into_iter().map(|(_, group)| group).collect();
        let mut by_document: Vec<usize> = (0..groups.len()).collect();
        by_document.sort_by_key(|at| groups[*at].document);
        let tree = Tree::build(&leaves)?;
        Ok(Self { groups, by_document, tree, siblings: Vec::new() })
    }

    /// Its digest algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.root().algorithm()
    }

    /// Root of the package's tree: its leaf in the run tree.
    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Puts the package in the tree of its run, whose leaves are the roots of its packages.
    pub fn place(&mut self, run: &Tree) -> Result<()> {
        let siblings = run.siblings(self.root());
        self.siblings = siblings.ok_or_else(|| Error::new(Code::Internal, "the package is not in this run"))?;
        Ok(())
    }

    /// Root of the run: what the token covers.
    pub fn run_root(&self) -> Digest {
        climb(self.root(), &self.siblings)
    }

    /// The groups, ascending by leaf.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group of a document, or the index group.
    pub fn group(&self, document: Option<Uuid>) -> Option<&Group> {
        self.position(document).map(|at| &self.groups[at])
    }

    /// Its position among the groups, which are in the order of the leaves.
    fn position(&self, document: Option<Uuid>) -> Option<usize> {
        let found = self.by_document.binary_search_by_key(&document, |at| self.groups[*at].document).ok()?;
        Some(self.by_document[found])
    }

    /// The reduced hash tree of a group up to the token.
    pub fn path(&self, document: Option<Uuid>) -> Option<Path> {
        let at = self.position(document)?;
        let mut siblings = self.tree.siblings_at(at);
        siblings.extend_from_slice(&self.siblings);
        Some(extend(first_list(&self.groups[at].covered()), &siblings))
    }

    /// The first record of a document, or of the index group, with the run's token (ContentInfo, DER).
    pub fn record(&self, document: Option<Uuid>, token: &[u8]) -> Result<Record> {
        let path = self.path(document).ok_or_else(|| Error::new(Code::NotFound, "not in this evidence tree"))?;
        Record::new(self.algorithm(), path, token.to_vec())
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = head(GROUPS, self.algorithm());
        bytes.extend((self.groups.len() as u32).to_le_bytes());
        for group in &self.groups {
            bytes.extend(group.document.unwrap_or_default().as_bytes());
            bytes.push(group.members.len() as u8);
            push_all(&mut bytes, &group.members);
        }
        for level in &self.tree.levels()[1..] {
            bytes.extend((level.len() as u32).to_le_bytes());
            push_all(&mut bytes, level);
        }
        bytes.push(self.siblings.len() as u8);
        push_all(&mut bytes, &self.siblings);
        push_all(&mut bytes, &[self.run_root()]);
        bytes
    }

    /// Reads the file of a first evidence and computes all of it again.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::parse_bound(bytes, &|_, _| Ok(None))
    }

    /// As [`TreeFile::parse`]; `before` gives what a hash-tree renewal with this algorithm binds a group to.
    pub(super) fn parse_bound(bytes: &[u8], before: &Before<'_>) -> Result<Self> {
        let wrong = || Error::new(Code::EvidenceAltered, "not an evidence tree, or its nodes are wrong");
        let mut rest = bytes;
        let (kind, algorithm) = take_head(&mut rest).ok_or_else(wrong)?;
        if kind != GROUPS {
            return Err(wrong());
        }
        let mut groups = Self::decode_groups(&mut rest, algorithm).ok_or_else(wrong)?;
        for group in &mut groups {
            group.before = before(group.document, algorithm)?;
        }
        // The nodes are derived; the comparison of the whole encoding at the end proves them.
        let mut file = Self::build(groups).map_err(|_| wrong())?;
        let siblings = file.decode_siblings(&mut rest).ok_or_else(wrong)?;
        file.siblings = siblings;
        if file.encode() == bytes { Ok(file) } else { Err(wrong()) }
    }

    fn decode_groups(rest: &mut &[u8], algorithm: Algorithm) -> Option<Vec<Group>> {
        let count = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?) as usize;
        // A group takes at least its id, a count and a digest: nothing is allocated for a count the file cannot hold.
        (count <= rest.len() / (17 + algorithm.length())).then_some(())?;
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let document = Uuid::from_slice(take(rest, 16)?).ok()?;
            let members = usize::from(take(rest, 1)?[0]);
            let document = (!document.is_nil()).then_some(document);
            groups.push(Group { document, members: digests(rest, members, algorithm)?, before: None });
        }
        Some(groups)
    }

    fn decode_siblings(&self, rest: &mut &[u8]) -> Option<Vec<Digest>> {
        for level in &self.tree.levels()[1..] {
            take(rest, 4 + self.algorithm().length() * level.len())?;
        }
        take_siblings(rest, self.algorithm())
    }
}

/// What a hash-tree renewal binds a group to; `None` in a first evidence.
pub(super) type Before<'a> = dyn Fn(Option<Uuid>, Algorithm) -> Result<Option<Digest>> + 'a;

pub(super) fn head(kind: u8, algorithm: Algorithm) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(kind);
    bytes.push(match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha384 => 2,
        Algorithm::Sha512 => 3,
    });
    bytes
}

pub(super) fn take_head(rest: &mut &[u8]) -> Option<(u8, Algorithm)> {
    *rest = rest.strip_prefix(MAGIC)?;
    let [kind, algorithm] = take(rest, 2)? else { return None };
    let algorithm = match algorithm {
        1 => Algorithm::Sha256,
        2 => Algorithm::Sha384,
        3 => Algorithm::Sha512,
        _ => return None,
    };
    Some((*kind, algorithm))
}

pub(super) fn push_all(bytes: &mut Vec<u8>, digests: &[Digest]) {
    digests.iter().for_each(|digest| bytes.extend_from_slice(digest.bytes()));
}

pub(super) fn take_siblings(rest: &mut &[u8], algorithm: Algorithm) -> Option<Vec<Digest>> {
    let count = usize::from(take(rest, 1)?[0]);
    (count <= MAX_SIBLINGS).then_some(())?;
    digests(rest, count, algorithm)
}

pub(super) fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(n)?;
    *rest = after;
    Some(taken)
}

pub(super) fn digests(rest: &mut &[u8], n: usize, algorithm: Algorithm) -> Option<Vec<Digest>> {
    let length = algorithm.length();
    take(rest, n * length)?.chunks_exact(length).map(Digest::from_bytes).collect()
}
