//! Renewing what was time-stamped each by itself: one generation over any number of single objects and their tokens.
//!
//! An object with a token of its own has a record of one archive time-stamp without a hash tree. A renewal puts all of them
//! into one tree, and its root among the leaves of a renewal run (RFC 4998 sections 5.2 and 5.3), so that one new token covers
//! them all; this is the file of that generation, from which, with those before, the record of any of them is derived.
//! Format, integers little-endian, digests as long as their algorithm's:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `CUSTERS1` |
//! | 1 | 2: single objects, a time-stamp renewal; 3: single objects, a hash-tree renewal (0 and 1: see [`super::file`], [`super::link`]) |
//! | 1 | digest algorithm: 1 SHA-256, 2 SHA-384, 3 SHA-512 |
//! | 4 | number of objects |
//! | per object, ascending by number | its number (8), its leaf |
//! | 1 | number of siblings in the run tree, then their hashes, nearest first |
//! | digest | root of the run: what the token covers |
//!
//! The leaf is the hash of the tokens of the object's last chain, or its digest bound to its evidence before. Invariant: one
//! encoding; an object's leaf is computed again before its record is renewed, and the run's root when the file is read.

use super::file::{digests, head, push_all, take, take_head, take_siblings};
use super::judge::stamped;
use super::record::{Record, bind};
use super::tree::{Tree, climb, extend, first_list, group_hash};
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

const STAMPED: u8 = 2;
const REHASHED: u8 = 3;
/// Largest file read: a stamp a day for some thousand years.
pub const MAX_BYTES: u64 = 64 << 20;

/// What a renewal covers of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The tokens of its last chain.
    Tokens,
    /// The object again, with the new algorithm, and all its evidence.
    Object,
}

/// One generation; see the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roll {
    over: Over,
    /// Ascending by number.
    leaves: Vec<(u64, Digest)>,
    tree: Tree,
    siblings: Vec<Digest>,
}

impl Record {
    /// A first record of what has a token of its own: nothing but this token over the object's digest, with the token's algorithm.
    pub fn alone(object: &[u8], token: Vec<u8>) -> Result<Self> {
        let algorithm = match stamped(&token) {
            Ok(digest) => digest.algorithm(),
            Err(error) if error.code == Code::EvidenceAlgorithm => return Err(error),
            Err(error) => return Err(Error::new(Code::TokenInvalid, error.detail)),
        };
        Self::new(algorithm, vec![vec![algorithm.of(object)]], token)
    }

    /// The tokens of the last chain as digests, oldest first: what a time-stamp renewal covers.
    fn last_tokens(&self, algorithm: Algorithm) -> Vec<Digest> {
        self.chains.last().into_iter().flatten().map(|stamp| algorithm.of(&stamp.token)).collect()
    }
}

/// The leaf of an object with this record. `object` is its digest in the algorithm of the renewal: that of its last chain
/// when tokens are covered.
pub fn leaf(over: Over, record: &Record, object: &Digest) -> Digest {
    match over {
        Over::Tokens => group_hash(object.algorithm(), &record.last_tokens(object.algorithm())),
        Over::Object => bind(object, &record.before(object.algorithm())),
    }
}

impl Roll {
    /// The tree over these objects, each by its number; alone in its run until [`Roll::place`] says otherwise.
    pub fn build(over: Over, mut leaves: Vec<(u64, Digest)>) -> Result<Self> {
        leaves.sort_unstable();
        if leaves.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(Error::new(Code::Internal, "an object twice in a renewal"));
        }
        let tree = Tree::build(&leaves.iter().map(|(_, leaf)| *leaf).collect::<Vec<_>>())?;
        Ok(Self { over, leaves, tree, siblings: Vec::new() })
    }

    /// What it covers.
    pub fn over(&self) -> Over {
        self.over
    }

    /// Its digest algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.root().algorithm()
    }

    /// Root of its own tree: its leaf in the run tree.
    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Puts it in the tree of its run.
    pub fn place(&mut self, run: &Tree) -> Result<()> {
        let siblings = run.siblings(self.root());
        self.siblings = siblings.ok_or_else(|| Error::new(Code::Internal, "it is not in this run"))?;
        Ok(())
    }

    /// Root of the run: what the token covers.
    pub fn run_root(&self) -> Digest {
        climb(self.root(), &self.siblings)
    }

    /// The numbers of its objects, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.leaves.iter().map(|(number, _)| *number)
    }

    /// Whether it renews this object.
    pub fn holds(&self, number: u64) -> bool {
        self.leaves.binary_search_by_key(&number, |(number, _)| *number).is_ok()
    }

    /// Appends this generation and its token to the record of an object, whose digest in the algorithm of this generation is
    /// `object`. [`Code::EvidenceAltered`] when it renews other evidence than that.
    pub fn renew(&self, number: u64, record: &mut Record, object: &Digest, token: Vec<u8>) -> Result<()> {
        let wrong = |what: &str| Error::new(Code::EvidenceAltered, what);
        let at = self.leaves.binary_search_by_key(&number, |(number, _)| *number);
        let (_, own) = self.leaves[at.map_err(|_| wrong("it is not in this renewal"))?];
        if object.algorithm() != self.algorithm() || leaf(self.over, record, object) != own {
            return Err(wrong("the renewal is of other evidence"));
        }
        let mut siblings = self.tree.siblings(own).ok_or_else(|| wrong("it is not in this renewal"))?;
        siblings.extend_from_slice(&self.siblings);
        match self.over {
            Over::Tokens => {
                let path = extend(first_list(&record.last_tokens(self.algorithm())), &siblings);
                record.renew(Some(path), token)
            }
            Over::Object => record.rehash(self.algorithm(), extend(first_list(&[own]), &siblings), token),
        }
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self.over {
            Over::Tokens => STAMPED,
            Over::Object => REHASHED,
        };
        let mut bytes = head(kind, self.algorithm());
        bytes.extend((self.leaves.len() as u32).to_le_bytes());
        for (number, leaf) in &self.leaves {
            bytes.extend(number.to_le_bytes());
            bytes.extend_from_slice(leaf.bytes());
        }
        bytes.push(self.siblings.len() as u8);
        push_all(&mut bytes, &self.siblings);
        push_all(&mut bytes, &[self.run_root()]);
        bytes
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::new(Code::EvidenceAltered, "not the tree of a renewal, or its root is wrong");
        let roll = Self::decode(bytes).ok_or_else(wrong)?;
        if roll.encode() == bytes { Ok(roll) } else { Err(wrong()) }
    }

    fn decode(mut rest: &[u8]) -> Option<Self> {
        let (kind, algorithm) = take_head(&mut rest)?;
        let over = match kind {
            STAMPED => Over::Tokens,
            REHASHED => Over::Object,
            _ => return None,
        };
        let count = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?) as usize;
        // Nothing is allocated for a count that the file cannot hold.
        (count <= rest.len() / (8 + algorithm.length())).then_some(())?;
        let mut leaves = Vec::with_capacity(count);
        for _ in 0..count {
            let number = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
            leaves.push((number, digests(&mut rest, 1, algorithm)?[0]));
        }
        let mut roll = Self::build(over, leaves).ok()?;
        roll.siblings = take_siblings(&mut rest, algorithm)?;
        Some(roll)
    }
}
