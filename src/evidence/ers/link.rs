//! `evidence/NNNN.tree` of a time-stamp renewal: the way from the tokens of a chain to the new one (RFC 4998 section 5.2).
//!
//! One new token covers the last tokens of any number of packages through one tree. The standard asks that the new hash tree
//! contain the digest of the token before; ours has in its first list those of all tokens of the chain, as one group, for
//! Bouncy Castle (1.72) looks for each of them there. Format, digests as long as their algorithm's:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `CUSTERS1` |
//! | 1 | 1: tokens (0: groups of objects, see [`super::file`]) |
//! | 1 | digest algorithm: 1 SHA-256, 2 SHA-384, 3 SHA-512 |
//! | 2 | number of tokens in the chain so far, little-endian, then their digests (of the ContentInfo, DER), oldest first |
//! | 1 | number of siblings in the tree of the renewal, then their hashes, nearest first |
//! | digest | root: what the new token covers |
//!
//! Invariant: one encoding; the root is computed again when it is read.

use super::file::{digests, head, push_all, take, take_head, take_siblings};
use super::record::MAX_STAMPS;
use super::tree::{Path, Tree, climb, extend, first_list, group_hash};
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

pub(super) const TOKENS: u8 = 1;

/// The place of a chain's tokens in the tree of its renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    tokens: Vec<Digest>,
    siblings: Vec<Digest>,
}

impl Link {
    /// The place of a chain, by the digests of its tokens, in the tree over all chains that are renewed with it.
    pub fn new(tokens: Vec<Digest>, tree: &Tree) -> Result<Self> {
        let wrong = |what: &str| Error::new(Code::Internal, what);
        let algorithm = tokens.first().map(Digest::algorithm).ok_or_else(|| wrong("a chain without a token"))?;
        let siblings = tree.siblings(group_hash(algorithm, &tokens));
        Ok(Self { tokens, siblings: siblings.ok_or_else(|| wrong("the chain is not in this renewal"))? })
    }

    /// Digests of the chain's tokens, oldest first.
    pub fn tokens(&self) -> &[Digest] {
        &self.tokens
    }

    /// Their algorithm.
    pub fn algorithm(&self) -> Algorithm {
        // There is always one.
        self.tokens.first().map_or(Algorithm::Sha256, Digest::algorithm)
    }

    /// What the new token covers.
    pub fn root(&self) -> Digest {
        climb(group_hash(self.algorithm(), &self.tokens), &self.siblings)
    }

    /// The reduced hash tree from the chain's tokens to the new one; `None` when it covers a single token alone.
    pub fn path(&self) -> Option<Path> {
        let path = extend(first_list(&self.tokens), &self.siblings);
        (path.len() > 1 || path[0].len() > 1).then_some(path)
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = head(TOKENS, self.algorithm());
        bytes.extend((self.tokens.len() as u16).to_le_bytes());
        push_all(&mut bytes, &self.tokens);
        bytes.push(self.siblings.len() as u8);
        push_all(&mut bytes, &self.siblings);
        push_all(&mut bytes, &[self.root()]);
        bytes
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::new(Code::EvidenceAltered, "not the tree of a renewal, or its root is wrong");
        let link = Self::decode(bytes).ok_or_else(wrong)?;
        if link.encode() == bytes { Ok(link) } else { Err(wrong()) }
    }

    fn decode(mut rest: &[u8]) -> Option<Self> {
        let (_, algorithm) = take_head(&mut rest).filter(|(kind, _)| *kind == TOKENS)?;
        let count = usize::from(u16::from_le_bytes(take(&mut rest, 2)?.try_into().ok()?));
        (1..=MAX_STAMPS).contains(&count).then_some(())?;
        let tokens = digests(&mut rest, count, algorithm)?;
        Some(Self { tokens, siblings: take_siblings(&mut rest, algorithm)? })
    }
}
