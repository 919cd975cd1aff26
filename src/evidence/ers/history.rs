//! All evidence of a package, from its sealing through every renewal: what the record of any document is derived from.
//!
//! Generation 1 is made at sealing; each renewal adds one (`evidence/NNNN.tree` and `.tsr`). Invariant: a generation is
//! taken only when its tree fits the one before: a time-stamp renewal stands over the tokens of the last chain, with its
//! algorithm, a hash-tree renewal binds every group to the evidence that group had. No time-stamp is judged here.

use uuid::Uuid;

use super::file::{TreeFile, take_head};
use super::link::{Link, TOKENS};
use super::record::Record;
use super::tree::group_hash;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

/// What the token of a generation covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covers {
    /// The package's objects.
    Groups(TreeFile),
    /// The tokens of the chain before.
    Token(Link),
}

/// One generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// What its token covers.
    pub covers: Covers,
    /// Its token (ContentInfo, DER).
    pub token: Vec<u8>,
}

impl Generation {
    /// What its token has to cover.
    pub fn root(&self) -> Digest {
        match &self.covers {
            Covers::Groups(tree) => tree.run_root(),
            Covers::Token(link) => link.root(),
        }
    }
}

/// The generations of one package, oldest first; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History(Vec<Generation>);

impl History {
    /// A package as sealed: its tree and its run's token.
    pub fn new(tree: TreeFile, token: Vec<u8>) -> Self {
        Self(vec![Generation { covers: Covers::Groups(tree), token }])
    }

    /// The generations, oldest first.
    pub fn generations(&self) -> &[Generation] {
        &self.0
    }

    /// The first tree: what was sealed.
    pub fn sealed(&self) -> Option<&TreeFile> {
        self.0.iter().find_map(groups)
    }

    /// The last tree over the package's objects.
    pub fn groups(&self) -> Option<&TreeFile> {
        self.0.iter().rev().find_map(groups)
    }

    /// The digest algorithm of the last chain.
    pub fn algorithm(&self) -> Algorithm {
        self.groups().map_or(Algorithm::Sha256, TreeFile::algorithm)
    }

    /// The token that proves all before it.
    pub fn last_token(&self) -> &[u8] {
        self.0.last().map(|generation| generation.token.as_slice()).unwrap_or_default()
    }

    /// The tokens of the last chain, as their digests with its algorithm, oldest first: what a time-stamp renewal covers.
    pub fn renewal_tokens(&self) -> Vec<Digest> {
        let algorithm = self.algorithm();
        let chain = self.0.iter().rposition(|generation| groups(generation).is_some()).unwrap_or(0);
        self.0[chain..].iter().map(|generation| algorithm.of(&generation.token)).collect()
    }

    /// Their place among the leaves of a renewal's tree.
    pub fn renewal_leaf(&self) -> Digest {
        group_hash(self.algorithm(), &self.renewal_tokens())
    }

    /// Reads the tree of a hash-tree renewal of this evidence, which no token may cover yet.
    pub fn parse_next(&self, tree: &[u8]) -> Result<TreeFile> {
        let before = |document, algorithm| match self.before(document, algorithm) {
            Err(error) if error.code == Code::NotFound => {
                Err(Error::new(Code::EvidenceAltered, "it has groups that the evidence before has not"))
            }
            other => other.map(Some),
        };
        TreeFile::parse_bound(tree, &before)
    }

    /// Takes the next generation: its tree file and its token.
    pub fn push(&mut self, tree: &[u8], token: Vec<u8>) -> Result<()> {
        let kind = take_head(&mut &tree[..]).map(|(kind, _)| kind);
        let covers = if kind == Some(TOKENS) {
            let link = Link::parse(tree)?;
            if link.tokens() != self.renewal_tokens() {
                return Err(Error::new(Code::EvidenceAltered, "the renewal is of other tokens"));
            }
            Covers::Token(link)
        } else {
            Covers::Groups(self.parse_next(tree)?)
        };
        self.add(covers, token);
        Ok(())
    }

    /// Takes the next generation, made here.
    pub fn add(&mut self, covers: Covers, token: Vec<u8>) {
        self.0.push(Generation { covers, token });
    }

    /// What a hash-tree renewal with this algorithm binds the objects of a document's group to, or of the index group.
    pub fn before(&self, document: Option<Uuid>, algorithm: Algorithm) -> Result<Digest> {
        Ok(self.record(document)?.before(algorithm))
    }

    /// The whole record of a document, or of the index group, with all its chains.
    pub fn record(&self, document: Option<Uuid>) -> Result<Record> {
        self.record_of(document, self.0.len())
    }

    /// The record as it was with this many generations: what `evidence/NNNN.ers` of that one holds for the index.
    pub fn record_of(&self, document: Option<Uuid>, generations: usize) -> Result<Record> {
        let missing = || Error::new(Code::NotFound, "not in this evidence tree");
        let mut record: Option<Record> = None;
        for generation in self.0.iter().take(generations) {
            let token = generation.token.clone();
            match (&generation.covers, &mut record) {
                (Covers::Groups(tree), None) => record = Some(tree.record(document, &token)?),
                (Covers::Groups(tree), Some(record)) => {
                    record.rehash(tree.algorithm(), tree.path(document).ok_or_else(missing)?, token)?;
                }
                (Covers::Token(link), Some(record)) => record.renew(link.path(), token)?,
                (Covers::Token(_), None) => return Err(missing()),
            }
        }
        record.ok_or_else(missing)
    }
}

fn groups(generation: &Generation) -> Option<&TreeFile> {
    match &generation.covers {
        Covers::Groups(tree) => Some(tree),
        Covers::Token(_) => None,
    }
}
