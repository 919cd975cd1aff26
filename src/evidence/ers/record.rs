//! The evidence record itself: RFC 4998 section 3, DER.
//!
//! ```text
//! EvidenceRecord   ::= SEQUENCE { version INTEGER (1), digestAlgorithms SEQUENCE OF AlgorithmIdentifier,
//!                        cryptoInfos [0] OPTIONAL, encryptionInfo [1] OPTIONAL, archiveTimeStampSequence }
//! ArchiveTimeStampSequence ::= SEQUENCE OF ArchiveTimeStampChain
//! ArchiveTimeStampChain    ::= SEQUENCE OF ArchiveTimeStamp
//! ```
//! Invariant: a record has a chain, a chain has a time-stamp; what was read keeps its bytes; nothing is believed here.

use super::der::{INTEGER, NULL, OID, Reader, SEQUENCE, concat, malformed, tlv};
use super::stamp::ArchiveTimeStamp;
use super::tree::Path;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

const CRYPTO_INFOS: u8 = 0xa0;
const ENCRYPTION_INFO: u8 = 0xa1;
/// Largest record read: a token is a few KiB, a path some 40 lists; many renewals fit.
pub const MAX_BYTES: usize = 16 << 20;
/// Time-stamps of one record: one a year for a thousand years.
pub const MAX_STAMPS: usize = 1024;

/// An evidence record: chains of archive time-stamps, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Every digest algorithm used, in the order of first use.
    pub algorithms: Vec<Algorithm>,
    /// A chain has one digest algorithm; renewals with the same one stand in the same chain.
    pub chains: Vec<Vec<ArchiveTimeStamp>>,
}

impl Record {
    /// A first record: this token (ContentInfo, DER) covers the root that this path leads to.
    pub fn new(algorithm: Algorithm, path: Path, token: Vec<u8>) -> Result<Self> {
        let stamp = ArchiveTimeStamp::new(Some(path), token)?;
        Ok(Self { algorithms: vec![algorithm], chains: vec![vec![stamp]] })
    }

    /// Appends a time-stamp renewal: a token over the last token, alone or in a tree of renewed tokens (section 5.2).
    pub fn renew(&mut self, path: Option<Path>, token: Vec<u8>) -> Result<()> {
        let stamp = ArchiveTimeStamp::new(path, token)?;
        match self.chains.last_mut() {
            Some(chain) => chain.push(stamp),
            None => return Err(Error::new(Code::Internal, "a record without a chain")),
        }
        Ok(())
    }

    /// Starts a chain: a hash-tree renewal (section 5.3). The path starts from hashes made by [`bind`].
    pub fn rehash(&mut self, algorithm: Algorithm, path: Path, token: Vec<u8>) -> Result<()> {
        self.chains.push(vec![ArchiveTimeStamp::new(Some(path), token)?]);
        if !self.algorithms.contains(&algorithm) {
            self.algorithms.push(algorithm);
        }
        Ok(())
    }

    /// What a hash-tree renewal with this algorithm binds every object to: the digest of all chains there are.
    pub fn before(&self, algorithm: Algorithm) -> Digest {
        algorithm.of(&sequence_der(&self.chains))
    }

    /// The record, DER.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithms = tlv(SEQUENCE, &concat(self.algorithms.iter().map(|algorithm| algorithm.identifier())));
        tlv(SEQUENCE, &concat([tlv(INTEGER, &[1]), algorithms, sequence_der(&self.chains)]))
    }

    /// Reads a record, our own or anybody's. What is not DER, or not a record, has a code for each way of being wrong.
    pub fn parse(der: &[u8]) -> Result<Self> {
        if der.len() > MAX_BYTES {
            return Err(Error::new(Code::EvidenceLarge, "more than 16 MiB"));
        }
        let mut outer = Reader(der);
        let mut reader = Reader(outer.expect(SEQUENCE)?);
        outer.finish()?;
        if reader.expect(INTEGER)? != [1] {
            return Err(malformed("another version than 1"));
        }
        let algorithms = algorithms(Reader(reader.expect(SEQUENCE)?))?;
        // What the objects were encrypted with, and for whom: nothing that proves or disproves.
        reader.optional(CRYPTO_INFOS)?;
        reader.optional(ENCRYPTION_INFO)?;
        let mut sequence = Reader(reader.expect(SEQUENCE)?);
        reader.finish()?;
        let (mut chains, mut stamps) = (Vec::new(), 0);
        while !sequence.is_empty() {
            let (mut members, mut chain) = (Reader(sequence.expect(SEQUENCE)?), Vec::new());
            while !members.is_empty() {
                stamps += 1;
                if stamps > MAX_STAMPS {
                    return Err(Error::new(Code::EvidenceLarge, format!("more than {MAX_STAMPS} time-stamps")));
                }
                chain.push(ArchiveTimeStamp::parse(members.next()?.whole)?);
            }
            if chain.is_empty() {
                return Err(malformed("a chain without a time-stamp"));
            }
            chains.push(chain);
        }
        if chains.is_empty() {
            return Err(malformed("no chain"));
        }
        Ok(Self { algorithms, chains })
    }
}

/// The list may name more than what is used, and what is not known here: what is used is judged where it stands.
fn algorithms(mut list: Reader<'_>) -> Result<Vec<Algorithm>> {
    let mut known = Vec::new();
    while !list.is_empty() {
        let contents = list.expect(SEQUENCE)?;
        let mut reader = Reader(contents);
        reader.expect(OID)?;
        reader.optional(NULL)?;
        match super::stamp::identifier(Reader(contents)) {
            Ok(algorithm) if !known.contains(&algorithm) => known.push(algorithm),
            Ok(_) => {}
            Err(error) if error.code == Code::EvidenceAlgorithm => {}
            Err(error) => return Err(error),
        }
    }
    Ok(known)
}

/// The hash of an object in a hash-tree renewal: its own digest, then that of the chains before, in this order (RFC 4998
/// section 5.3 step 4).
pub fn bind(object: &Digest, before: &Digest) -> Digest {
    object.algorithm().of_parts(&[object.bytes(), before.bytes()])
}

/// `ArchiveTimeStampSequence` of these chains, DER.
pub(super) fn sequence_der(chains: &[Vec<ArchiveTimeStamp>]) -> Vec<u8> {
    let chain = |stamps: &Vec<ArchiveTimeStamp>| tlv(SEQUENCE, &concat(stamps.iter().map(ArchiveTimeStamp::der)));
    tlv(SEQUENCE, &concat(chains.iter().map(chain)))
}
