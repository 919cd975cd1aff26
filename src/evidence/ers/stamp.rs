//! One archive time-stamp: RFC 4998 section 4.
//!
//! ```text
//! ArchiveTimeStamp ::= SEQUENCE { digestAlgorithm [0] AlgorithmIdentifier OPTIONAL, attributes [1] OPTIONAL,
//!                        reducedHashtree [2] SEQUENCE OF SEQUENCE OF OCTET STRING OPTIONAL, timeStamp ContentInfo }
//! ```
//! Invariant: its own bytes are kept, for later hash trees cover them as they stand, attributes and all.

use super::der::{NULL, OCTETS, OID, Reader, SEQUENCE, malformed, push_head, size};
use super::tree::{Path, combine, concatenated, group_hash};
use crate::error::{Code, Error, Result};
use crate::evidence::Oid;
use crate::evidence::digest::{Algorithm, Digest};

const DIGEST_ALGORITHM: u8 = 0xa0;
const ATTRIBUTES: u8 = 0xa1;
const REDUCED_TREE: u8 = 0xa2;
/// Lists of a reduced hash tree: a binary tree over a tree over all that could ever be kept has some hundred.
pub const MAX_LISTS: usize = 256;
/// Hashes of one list: trees of other makers may be flat, over many documents.
pub const MAX_HASHES: usize = 65_536;

/// One archive time-stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveTimeStamp {
    /// Digest algorithm of its tree, when it says so; else that of the token's imprint.
    pub algorithm: Option<Algorithm>,
    /// Reduced hash tree; `None` when the token covers the hash itself.
    pub path: Option<Path>,
    /// The token (ContentInfo), DER.
    pub token: Vec<u8>,
    /// All of it, DER.
    der: Vec<u8>,
}

impl ArchiveTimeStamp {
    /// A token (ContentInfo, DER) over the root that this path leads to.
    pub fn new(path: Option<Path>, token: Vec<u8>) -> Result<Self> {
        let mut reader = Reader(&token);
        let whole = reader.next().is_ok_and(|value| value.tag == SEQUENCE) && reader.is_empty();
        if !whole {
            return Err(Error::new(Code::TokenInvalid, "not one DER value"));
        }
        // The token covers a lone hash directly.
        let path = path.filter(|path| !matches!(&path[..], [only] if only.len() == 1));
        let der = encode(path.as_deref(), &token);
        Ok(Self { algorithm: None, path, token, der })
    }

    /// All of it, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Reads one; `whole` is its SEQUENCE.
    pub(super) fn parse(whole: &[u8]) -> Result<Self> {
        let mut reader = Reader(Reader(whole).expect(SEQUENCE)?);
        let algorithm = reader.optional(DIGEST_ALGORITHM)?.map(|own| identifier(Reader(own))).transpose()?;
        // Attributes: none is defined that changes the verification; critical ones cannot be expressed.
        reader.optional(ATTRIBUTES)?;
        let path = reader.optional(REDUCED_TREE)?.map(|contents| path(Reader(contents))).transpose()?;
        let token = reader.next()?;
        if token.tag != SEQUENCE {
            return Err(malformed("no time-stamp token where one was expected"));
        }
        reader.finish()?;
        Ok(Self { algorithm, path, token: token.whole.to_vec(), der: whole.to_vec() })
    }

    /// Whether every hash of its tree is of this algorithm.
    pub(super) fn is_of(&self, algorithm: Algorithm) -> bool {
        self.path.iter().flatten().flatten().all(|hash| hash.algorithm() == algorithm)
    }

    /// The hashes its token may cover when it covers these members of one group; none when it does not cover them. There
    /// are two when the first list has one hash, which RFC 4998 section 4.3 can be read to hash again and not to.
    pub(super) fn imprints(&self, algorithm: Algorithm, members: &[Digest]) -> Vec<Digest> {
        let Some(path) = &self.path else {
            return if let [only] = members { vec![*only] } else { Vec::new() };
        };
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        if !covers(first, members) {
            return Vec::new();
        }
        let mut starts = vec![group_hash(algorithm, first)];
        if first.len() == 1 {
            starts.push(combine(algorithm, first));
        }
        let climb = |start: Digest| {
            rest.iter().fold(start, |hash, list| {
                let mut all = list.clone();
                all.push(hash);
                combine(algorithm, &all)
            })
        };
        starts.into_iter().map(climb).collect()
    }

    /// The hashes that the token would cover if hashes were taken in the order they stand, instead of in ascending order:
    /// only to tell what is wrong.
    pub(super) fn unsorted(&self, algorithm: Algorithm) -> [Digest; 2] {
        let path = self.path.as_deref().unwrap_or_default();
        let Some((first, rest)) = path.split_first() else { return [algorithm.of(b""); 2] };
        let start = if first.len() == 1 { first[0] } else { concatenated(algorithm, first) };
        let climb = |before: bool| {
            rest.iter().fold(start, |hash, list| {
                let all = if before { [&[hash][..], list].concat() } else { [list, &[hash][..]].concat() };
                concatenated(algorithm, &all)
            })
        };
        [climb(true), climb(false)]
    }
}

/// All of it, written once from the outermost length inwards.
fn encode(path: Option<&[Vec<Digest>]>, token: &[u8]) -> Vec<u8> {
    let list_size = |list: &Vec<Digest>| list.iter().map(|hash| size(hash.bytes().len())).sum::<usize>();
    let tree_size = path.map(|path| path.iter().map(|list| size(list_size(list))).sum::<usize>());
    let length = tree_size.map_or(0, size) + token.len();
    let mut der = Vec::with_capacity(size(length));
    push_head(&mut der, SEQUENCE, length);
    if let (Some(path), Some(tree_size)) = (path, tree_size) {
        push_head(&mut der, REDUCED_TREE, tree_size);
        for list in path {
            push_head(&mut der, SEQUENCE, list_size(list));
            for hash in list {
                push_head(&mut der, OCTETS, hash.bytes().len());
                der.extend_from_slice(hash.bytes());
            }
        }
    }
    der.extend_from_slice(token);
    der
}

/// Whether the first list of a path stands for these members of one group.
fn covers(first: &[Digest], members: &[Digest]) -> bool {
    match members {
        // A list of siblings proves each of them; RFC 4998 section 4.3.
        [only] => first.contains(only),
        // A group is proved as a whole: its members, all of them and nothing else.
        _ => {
            let (mut a, mut b) = (first.to_vec(), members.to_vec());
            a.sort_unstable();
            b.sort_unstable();
            a == b
        }
    }
}

/// The contents of an AlgorithmIdentifier, with or without the NULL that RFC 5754 lets readers accept.
pub(super) fn identifier(mut reader: Reader<'_>) -> Result<Algorithm> {
    let value = reader.expect(OID)?;
    if let Some(parameters) = reader.optional(NULL)?
        && !parameters.is_empty()
    {
        return Err(malformed("a NULL with something in it"));
    }
    if !reader.is_empty() {
        return Err(malformed("a digest algorithm with parameters"));
    }
    Algorithm::from_oid(&Oid::from_bytes(value).map_err(|_| malformed("object identifier"))?)
}

fn path(mut lists: Reader<'_>) -> Result<Path> {
    let mut path: Path = Vec::new();
    while !lists.is_empty() {
        if path.len() >= MAX_LISTS {
            return Err(Error::new(Code::EvidenceDeep, format!("more than {MAX_LISTS} levels")));
        }
        let (mut hashes, mut list) = (Reader(lists.expect(SEQUENCE)?), Vec::new());
        while !hashes.is_empty() {
            if list.len() >= MAX_HASHES {
                return Err(Error::new(Code::EvidenceLarge, format!("more than {MAX_HASHES} hashes in a list")));
            }
            let octets = hashes.expect(OCTETS)?;
            let unknown = || Error::new(Code::EvidenceAlgorithm, format!("a digest of {} octets", octets.len()));
            list.push(Digest::from_bytes(octets).ok_or_else(unknown)?);
        }
        if list.is_empty() {
            return Err(malformed("an empty list of hashes"));
        }
        path.push(list);
    }
    let Some(first) = path.first() else { return Err(malformed("an empty hash tree")) };
    let algorithm = first[0].algorithm();
    if path.iter().flatten().any(|hash| hash.algorithm() != algorithm) {
        return Err(Error::new(Code::EvidenceMixed, "digests of different lengths in one hash tree"));
    }
    Ok(path)
}
