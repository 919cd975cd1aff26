//! The evidence record itself: RFC 4998 section 3, DER.
//!
//! ```text
//! EvidenceRecord   ::= SEQUENCE { version INTEGER (1), digestAlgorithms SEQUENCE OF AlgorithmIdentifier,
//!                        cryptoInfos [0] OPTIONAL, encryptionInfo [1] OPTIONAL, archiveTimeStampSequence }
//! ArchiveTimeStamp ::= SEQUENCE { digestAlgorithm [0] OPTIONAL, attributes [1] OPTIONAL,
//!                        reducedHashtree [2] SEQUENCE OF SEQUENCE OF OCTET STRING OPTIONAL, timeStamp ContentInfo }
//! ```
//! Invariant: [`verify`] says yes only when every archive time-stamp of every chain was looked at: first one over the
//! documents, each next one over the one before, times strictly increasing.

use jiff::Timestamp;

use super::der::{INTEGER, NULL, OCTETS, OID, Reader, SEQUENCE, concat, tlv};
use super::tree::{Path, combine, group_hash};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

const SHA256_OID: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const DIGEST_ALGORITHM: u8 = 0xa0;
const ATTRIBUTES: u8 = 0xa1;
const REDUCED_TREE: u8 = 0xa2;
/// Largest record read: a token is a few KiB, a path some 40 lists; many renewals fit.
pub const MAX_BYTES: usize = 16 << 20;

/// One archive time-stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveTimeStamp {
    /// Reduced hash tree; `None` when the token covers the hash itself.
    pub path: Option<Path>,
    /// The token (ContentInfo), DER.
    pub token: Vec<u8>,
}

/// An evidence record: chains of archive time-stamps, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// A chain has one digest algorithm; renewals with the same one stand in the same chain.
    pub chains: Vec<Vec<ArchiveTimeStamp>>,
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Time of each token, oldest first: the documents existed at the latest at the first.
    pub times: Vec<Timestamp>,
}

fn algorithm() -> Vec<u8> {
    tlv(SEQUENCE, &tlv(OID, &SHA256_OID))
}

impl ArchiveTimeStamp {
    fn to_der(&self) -> Vec<u8> {
        let tree = self.path.as_ref().map(|path| {
            let lists = path.iter().map(|list| tlv(SEQUENCE, &concat(list.iter().map(|hash| tlv(OCTETS, &hash.0)))));
            tlv(REDUCED_TREE, &concat(lists))
        });
        tlv(SEQUENCE, &concat([tree.unwrap_or_default(), self.token.clone()]))
    }

    fn parse(contents: &[u8]) -> Option<Self> {
        let mut reader = Reader(contents);
        if let Some(mut own) = reader.optional(DIGEST_ALGORITHM).map(Reader) {
            is_sha256(&mut own).then_some(())?;
        }
        if let Some(attributes) = reader.optional(ATTRIBUTES) {
            // None is defined that changes the verification; critical ones cannot be expressed.
            let _ = attributes;
        }
        let path = match reader.optional(REDUCED_TREE) {
            None => None,
            Some(contents) => {
                let (mut lists, mut path) = (Reader(contents), Vec::new());
                while !lists.is_empty() {
                    let (mut hashes, mut list) = (Reader(lists.expect(SEQUENCE)?), Vec::new());
                    while !hashes.is_empty() {
                        list.push(Sha256(hashes.expect(OCTETS)?.try_into().ok()?));
                    }
                    (!list.is_empty()).then_some(())?;
                    path.push(list);
                }
                (!path.is_empty()).then_some(path)
            }
        };
        let (tag, _, token) = reader.next()?;
        (tag == SEQUENCE && reader.is_empty()).then(|| Self { path, token: token.to_vec() })
    }

    /// The hash its token must cover, when it covers these members of one group; `None` when it does not cover them.
    fn imprint(&self, members: &[Sha256]) -> Option<Sha256> {
        let Some(path) = &self.path else {
            return (members.len() == 1).then(|| members[0]);
        };
        let first = path.first()?;
        let covered = match members {
            // A list of siblings proves each of them; RFC 4998 section 4.3.
            [only] => first.contains(only),
            // A group is proved as a whole: its members, all of them and nothing else.
            _ => {
                let (mut a, mut b) = (first.clone(), members.to_vec());
                a.sort_unstable();
                b.sort_unstable();
                a == b
            }
        };
        covered.then_some(())?;
        let start = group_hash(first);
        Some(path[1..].iter().fold(start, |hash, list| {
            let mut all = list.clone();
            all.push(hash);
            combine(&all)
        }))
    }
}

/// AlgorithmIdentifier of SHA-256, with or without the NULL that RFC 5754 lets readers accept.
fn is_sha256(contents: &mut Reader<'_>) -> bool {
    contents.expect(OID) == Some(&SHA256_OID)
        && (contents.is_empty() || contents.expect(NULL) == Some(&[]))
        && contents.is_empty()
}

fn chain_der(chain: &[ArchiveTimeStamp]) -> Vec<u8> {
    tlv(SEQUENCE, &concat(chain.iter().map(ArchiveTimeStamp::to_der)))
}

fn sequence_der(chains: &[Vec<ArchiveTimeStamp>]) -> Vec<u8> {
    tlv(SEQUENCE, &concat(chains.iter().map(|chain| chain_der(chain))))
}

impl Record {
    /// A first record: this path, this token (ContentInfo, DER).
    pub fn new(path: Path, token: Vec<u8>) -> Result<Self> {
        let mut reader = Reader(&token);
        let whole = reader.next().is_some_and(|(tag, _, _)| tag == SEQUENCE) && reader.is_empty();
        if !whole {
            return Err(Error::new(Code::TokenInvalid, "not one DER value"));
        }
        // The token covers a lone hash directly.
        let alone = path.len() == 1 && path[0].len() == 1;
        Ok(Self { chains: vec![vec![ArchiveTimeStamp { path: (!alone).then_some(path), token }]] })
    }

    /// Appends a time-stamp renewal: a token over the last token, alone or in a tree of renewed tokens.
    pub fn renew(&mut self, path: Option<Path>, token: Vec<u8>) {
        if let Some(chain) = self.chains.last_mut() {
            chain.push(ArchiveTimeStamp { path, token });
        }
    }

    /// What a time-stamp renewal covers: SHA-256 of the last token.
    pub fn renewal_hash(&self) -> Option<Sha256> {
        self.chains.last()?.last().map(|last| Sha256::of(&last.token))
    }

    /// The record, DER.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithms = tlv(SEQUENCE, &algorithm());
        tlv(SEQUENCE, &concat([tlv(INTEGER, &[1]), algorithms, sequence_der(&self.chains)]))
    }

    /// Reads a record. Only SHA-256, no encryption info.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let wrong = || Error::new(Code::EvidenceAltered, "not an RFC 4998 record in DER with SHA-256");
        if der.len() > MAX_BYTES {
            return Err(wrong());
        }
        let record = Self::decode(der).ok_or_else(wrong)?;
        Ok(record)
    }

    fn decode(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut reader = Reader(outer.expect(SEQUENCE)?);
        (outer.is_empty() && reader.expect(INTEGER)? == [1]).then_some(())?;
        let mut algorithms = Reader(reader.expect(SEQUENCE)?);
        while !algorithms.is_empty() {
            // The list may name more than what is used; what is used must be SHA-256 and is checked where it stands.
            algorithms.expect(SEQUENCE)?;
        }
        let mut sequence = Reader(reader.expect(SEQUENCE)?);
        reader.is_empty().then_some(())?;
        let mut chains = Vec::new();
        while !sequence.is_empty() {
            let (mut stamps, mut chain) = (Reader(sequence.expect(SEQUENCE)?), Vec::new());
            while !stamps.is_empty() {
                chain.push(ArchiveTimeStamp::parse(stamps.expect(SEQUENCE)?)?);
            }
            (!chain.is_empty()).then_some(())?;
            chains.push(chain);
        }
        (!chains.is_empty()).then_some(Self { chains })
    }
}

/// Judges a token: does it cover this imprint, and when was it made. The judge owns anchors and policy.
pub type Judge<'a> = dyn Fn(&[u8], Sha256) -> Result<Timestamp> + 'a;

/// Verifies a record over the members of one data-object group (one hash, or document, metadata, RdV and manifest).
/// Errors of the judge come through unchanged; everything else is [`Code::EvidenceAltered`].
pub fn verify(der: &[u8], members: &[Sha256], judge: &Judge<'_>) -> Result<Verified> {
    let record = Record::parse(der)?;
    let wrong = |what: &str| Error::new(Code::EvidenceAltered, what);
    if members.is_empty() {
        return Err(wrong("no hash given"));
    }
    let mut times: Vec<Timestamp> = Vec::new();
    for (n, chain) in record.chains.iter().enumerate() {
        // From the second chain on, each member is bound to all chains before: section 5.2, hash-tree renewal.
        let before = (n > 0).then(|| Sha256::of(&sequence_der(&record.chains[..n])));
        let mut covered: Vec<Sha256> = match before {
            None => members.to_vec(),
            Some(before) => members.iter().map(|m| Sha256::of_parts(&[&m.0, &before.0])).collect(),
        };
        for stamp in chain {
            let imprint = stamp.imprint(&covered).ok_or_else(|| wrong("its hash tree does not cover these bytes"))?;
            let time = judge(&stamp.token, imprint)?;
            if times.last().is_some_and(|last| *last >= time) {
                return Err(wrong("times of the tokens do not increase"));
            }
            times.push(time);
            covered = vec![Sha256::of(&stamp.token)];
        }
    }
    Ok(Verified { times })
}

#[cfg(test)]
pub(super) fn tests_sequence(record: &Record) -> Vec<u8> {
    sequence_der(&record.chains)
}
