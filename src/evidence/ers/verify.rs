//! Verifying a record, whoever made it: RFC 4998 sections 4.3, 5.3 and 5.4.
//!
//! Invariant: [`verify`] says yes only when every archive time-stamp of every chain was looked at: the first one over the
//! documents, each next one over the one before, the first of a later chain over the documents and all chains before, one
//! digest algorithm a chain, times strictly increasing. A token that leads to no anchor proves nothing by itself; a later
//! one that does proves what it covers, from its own time on and not from an earlier one.

use jiff::Timestamp;

use super::judge::{Judge, Judged};
use super::record::{Record, bind, sequence_der};
use super::stamp::ArchiveTimeStamp;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};

/// The digests of one data-object group (document, metadata, RdV and manifest; or a single object) with the algorithm
/// asked for: a record renewed with another one needs the objects again. An error ends the verification as it is.
pub type Members<'a> = dyn Fn(Algorithm) -> Result<Vec<Digest>> + 'a;

/// Members whose digests are known with one algorithm only. With another asked for it is [`Code::EvidenceAlgorithm`].
pub fn known<D: Into<Digest> + Copy>(digests: &[D]) -> impl Fn(Algorithm) -> Result<Vec<Digest>> + use<D> {
    let digests: Vec<Digest> = digests.iter().map(|digest| (*digest).into()).collect();
    move |algorithm| {
        if digests.iter().all(|digest| digest.algorithm() == algorithm) {
            return Ok(digests.clone());
        }
        Err(Error::new(Code::EvidenceAlgorithm, format!("the {algorithm} digests of the objects are needed")))
    }
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Every token, oldest first.
    pub stamps: Vec<Judged>,
    /// The digest algorithm of the last chain.
    pub algorithm: Algorithm,
}

impl Verified {
    /// Time of each token, oldest first.
    pub fn times(&self) -> Vec<Timestamp> {
        self.stamps.iter().map(|stamp| stamp.time).collect()
    }

    /// The objects existed at the latest at this time: that of the first token that leads to an anchor.
    pub fn since(&self) -> Timestamp {
        let proving = self.stamps.iter().find(|stamp| stamp.untrusted.is_none());
        // `verify` gives nothing without one.
        proving.map_or(Timestamp::MAX, |stamp| stamp.time)
    }

    /// Renewals that came after the certificate of the token before had ended (RFC 4998 section 5.4 wants none): when that
    /// certificate ended, and when the renewal came.
    pub fn gaps(&self) -> Vec<(Timestamp, Timestamp)> {
        let pairs = self.stamps.windows(2);
        pairs
            .filter_map(|two| two[0].until.filter(|until| *until < two[1].time).map(|until| (until, two[1].time)))
            .collect()
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Code::EvidenceAltered, what)
}

/// Verifies a record over the members of one data-object group.
///
/// [`Code::EvidenceAltered`] when it does not cover them; [`Code::TokenUntrusted`] when none of its tokens leads to an
/// anchor; codes of their own for what is malformed, mixed, out of order or in an algorithm not known here. Errors of the
/// judge come through unchanged.
pub fn verify(der: &[u8], members: &Members<'_>, judge: &dyn Judge) -> Result<Verified> {
    let record = Record::parse(der)?;
    let mut stamps: Vec<Judged> = Vec::new();
    let mut last = None;
    for (n, chain) in record.chains.iter().enumerate() {
        let mut of_chain = None;
        for (at, stamp) in chain.iter().enumerate() {
            let stamped = judge.stamped(&stamp.token)?;
            let algorithm = one_algorithm(stamp, &stamped, of_chain)?;
            of_chain = Some(algorithm);
            let covered = match at {
                0 => objects(members, algorithm, &record.chains[..n])?,
                _ => vec![algorithm.of(&chain[at - 1].token)],
            };
            let judged = judge_one(stamp, &stamped, algorithm, &covered, judge)?;
            if stamps.last().is_some_and(|before| before.time >= judged.time) {
                return Err(Error::new(Code::EvidenceTimes, "the times of the tokens do not increase"));
            }
            stamps.push(judged);
        }
        last = of_chain;
    }
    if let Some(untrusted) = stamps.last().and_then(|stamp| stamp.untrusted.clone())
        && stamps.iter().all(|stamp| stamp.untrusted.is_some())
    {
        return Err(Error::new(Code::TokenUntrusted, untrusted));
    }
    let algorithm = last.ok_or_else(|| wrong("no time-stamp"))?;
    Ok(Verified { stamps, algorithm })
}

/// The digest algorithm of a time-stamp: one for its tree, its token's imprint, and its whole chain.
fn one_algorithm(stamp: &ArchiveTimeStamp, stamped: &Digest, of_chain: Option<Algorithm>) -> Result<Algorithm> {
    let algorithm = stamp.algorithm.unwrap_or(stamped.algorithm());
    let mixed = |what: &str| Err(Error::new(Code::EvidenceMixed, what));
    if stamped.algorithm() != algorithm {
        return mixed("the token's imprint is of another algorithm than the time-stamp says");
    }
    if !stamp.is_of(algorithm) {
        return mixed("the hash tree is of another algorithm than the token's imprint");
    }
    if of_chain.is_some_and(|of_chain| of_chain != algorithm) {
        return mixed("another algorithm than that of the chain");
    }
    Ok(algorithm)
}

/// What the first time-stamp of a chain covers: the members, from the second chain on each bound to all chains before.
fn objects(members: &Members<'_>, algorithm: Algorithm, before: &[Vec<ArchiveTimeStamp>]) -> Result<Vec<Digest>> {
    let members = members(algorithm)?;
    if members.is_empty() {
        return Err(wrong("no hash given"));
    }
    if before.is_empty() {
        return Ok(members);
    }
    let before = algorithm.of(&sequence_der(before));
    Ok(members.iter().map(|member| bind(member, &before)).collect())
}

fn judge_one(
    stamp: &ArchiveTimeStamp,
    stamped: &Digest,
    algorithm: Algorithm,
    covered: &[Digest],
    judge: &dyn Judge,
) -> Result<Judged> {
    let imprints = stamp.imprints(algorithm, covered);
    let Some(first) = imprints.first() else {
        return Err(wrong("its hash tree does not cover these bytes"));
    };
    if imprints.contains(stamped) {
        return judge.judge(&stamp.token, stamped);
    }
    if stamp.unsorted(algorithm).contains(stamped) {
        return Err(Error::new(Code::EvidenceUnsorted, "the token covers the hashes in another order than ascending"));
    }
    judge.judge(&stamp.token, first)?;
    Err(wrong("its token covers another hash tree"))
}
