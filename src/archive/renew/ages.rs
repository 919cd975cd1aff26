//! What the newest evidence of every package and of every stamp of the chain rests on: its token, the certificate that signed
//! it, the digest it covers.
//!
//! Invariant: a token is read once and remembered by its digest; it never changes, and neither do the anchors of an open
//! archive. A token that does not verify has no age: it is an error of what it is for, never an early or a late end.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::archive::Archive;
use crate::archive::state::unpoisoned;
use crate::catalog::PackageState;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::algorithm::{KeyStrength, key_strength};
use crate::evidence::digest::Algorithm;
use crate::evidence::ers::judge::stamped;
use crate::evidence::tsp::{self, TstInfo};
use crate::hash::Sha256;
use crate::id::PackageRef;
use crate::package::generation::{token_name, token_of};

/// What a token rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Its time.
    pub made: Timestamp,
    /// Digest algorithm of its imprint, which is that of the tree or chain below it.
    pub algorithm: Algorithm,
    /// Who signed it, and until when the certificates hold; `None` when it leads to no anchor.
    pub signed: Option<Signed>,
}

/// A key whose certificate leads to an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    /// When the first certificate on the path ends.
    pub until: Timestamp,
    /// How strong its key is.
    pub key: KeyStrength,
}

/// What has evidence that ages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A package.
    Package(PackageRef),
    /// A time-stamp over the chain, by the size of its checkpoint.
    Stamp(u64),
}

impl Subject {
    /// Where it is, for people.
    pub fn place(&self) -> String {
        match self {
            Self::Package(package) => format!("package {package}"),
            Self::Stamp(size) => format!("chain/stamps/{size:08}.tsr"),
        }
    }
}

/// Evidence and its newest token.
#[derive(Debug, Clone)]
pub(super) struct Aging {
    pub subject: Subject,
    /// Its newest generation.
    pub generation: u32,
    /// SHA-256 of the file of that generation's token.
    pub tsr: Sha256,
    pub documents: u64,
    /// Bytes of its documents.
    pub bytes: u64,
    /// Its documents are there to be read.
    pub whole: bool,
    pub token: Arc<Token>,
}

/// What the ages follow from: the size of the chain, how far the catalog knows it, and how many renewals were noted.
type AsOf = (u64, u64, u64);

/// What was learned before: of a package at a generation, and of a token; and all of it, as long as nothing was appended.
#[derive(Default)]
pub(super) struct Known {
    all: Option<(AsOf, Vec<Aging>)>,
    packages: HashMap<PackageRef, (u32, Sha256)>,
    tokens: HashMap<Sha256, Arc<Token>>,
}

impl Archive {
    /// Every package and every stamp with its newest token; one whose token cannot be read or does not verify is a finding.
    /// Asked every night and by whoever looks at the alarms, it is worked out anew only when the chain has gone on.
    pub(super) fn ages(&self, findings: &mut Vec<Finding>) -> Result<Vec<Aging>> {
        let mut known = unpoisoned(self.renewals.known.lock());
        let as_of = (self.ledger.head().size, self.catalog.watermark()?, self.renewals.noted());
        if let Some((of, ages)) = &known.all
            && *of == as_of
        {
            return Ok(ages.clone());
        }
        let mut ages = Vec::new();
        let found = findings.len();
        for row in self.catalog.packages(None)? {
            if row.state == PackageState::Transferred {
                continue;
            }
            let generation = self.renewals.of(&row.package).len() as u32 + 1;
            match self.newest_token(&row.package, generation, &mut known) {
                Ok((tsr, token)) => ages.push(Aging {
                    generation,
                    tsr,
                    documents: row.documents,
                    bytes: row.bytes,
                    // What is left of a disposed package is its evidence: tokens over tokens are all it can get.
                    whole: row.state == PackageState::Sealed || row.state == PackageState::Regrouped,
                    token,
                    subject: Subject::Package(row.package),
                }),
                Err(error) => {
                    let place = format!("package {}", row.package);
                    findings.push(Finding::error(error.code, place, error.detail));
                }
            }
        }
        for newest in self.newest_of_stamps(findings)? {
            let place = newest.subject.place();
            let token = match known.tokens.get(&newest.tsr) {
                Some(token) => Ok(Arc::clone(token)),
                None => newest.read().and_then(|stored| self.look_at(&token_of(&stored))).map(Arc::new),
            };
            match token {
                Ok(token) => {
                    known.tokens.insert(newest.tsr, Arc::clone(&token));
                    ages.push(Aging {
                        subject: newest.subject,
                        generation: newest.generation,
                        tsr: newest.tsr,
                        documents: 0,
                        bytes: 0,
                        whole: true,
                        token,
                    });
                }
                Err(error) => findings.push(Finding::error(error.code, place, error.detail)),
            }
        }
        // What was found is said every time: somebody may have mended it.
        known.all = (findings.len() == found).then(|| (as_of, ages.clone()));
        Ok(ages)
    }

    fn newest_token(&self, package: &PackageRef, generation: u32, known: &mut Known) -> Result<(Sha256, Arc<Token>)> {
        let name = token_name(generation);
        let tsr = match known.packages.get(package) {
            Some((at, tsr)) if *at == generation => *tsr,
            _ => {
                let committed = self.committed_files(package)?;
                let missing = || Error::new(Code::PackageFileMissing, "not on the chain").at(&name);
                let tsr = committed.file(&name).ok_or_else(missing)?.sha256;
                known.packages.insert(package.clone(), (generation, tsr));
                tsr
            }
        };
        if let Some(token) = known.tokens.get(&tsr) {
            return Ok((tsr, Arc::clone(token)));
        }
        let committed = self.committed_files(package)?;
        let stored = self.with_package(&self.package_entry(package)?, package, |reader| {
            committed.read(reader, package, &name, tsp::MAX_REPLY as u64)
        })?;
        let token = Arc::new(self.look_at(&token_of(&stored))?);
        known.tokens.insert(tsr, Arc::clone(&token));
        Ok((tsr, token))
    }

    fn look_at(&self, token: &[u8]) -> Result<Token> {
        let imprint = stamped(token)?;
        let made = TstInfo::of_token(token)?.gen_time;
        let signed = match tsp::verify_token(token, imprint, self.authorities.anchors()) {
            Ok(token) => Some(Signed { until: token.valid_until(), key: key_strength(token.signer().spki())? }),
            Err(error) if error.code == Code::TokenUntrusted => None,
            Err(error) => return Err(error),
        };
        Ok(Token { made, algorithm: imprint.algorithm(), signed })
    }
}
