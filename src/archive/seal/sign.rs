//! The signature of a package: a step between its index and its evidence, which may have to wait.
//!
//! Invariant: a package that is to be signed goes no further until it is, and neither does any after it in its series, for
//! the chain knows them in order; what it has been stamped as stays so: a package whose run is fixed is not signed any more.
//! After the first failure of a closing run the signer is left alone until the next. Nothing of this touches the journal.

use std::collections::BTreeSet;

use super::{Archive, Report};
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::sign::is_waiting;
use crate::id::{ClassId, PackageRef, SeriesId};
use crate::package::writer::Staging;
use crate::package::{PINDEX, PINDEX_SIGNATURE};

/// What waits for a signature in a closing run.
#[derive(Default)]
pub(super) struct Unsigned {
    series: BTreeSet<SeriesId>,
    told: BTreeSet<PackageRef>,
    /// The signer's first failure of this run.
    failed: Option<Error>,
}

impl Unsigned {
    /// Whether a package has to wait for one before it.
    pub fn holds(&self, package: &PackageRef) -> bool {
        self.series.contains(&package.series)
    }

    /// Whether the signer has failed in this run: whatever is made now would only wait.
    pub fn signer_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// A package waits; said once a run.
    pub fn wait(&mut self, package: &PackageRef, error: Error, report: &mut Report) {
        self.series.insert(package.series.clone());
        if self.told.insert(package.clone()) {
            tracing::warn!(code = error.code.as_str(), %package, detail = %error.detail, "its signature waits");
            report.findings.push(Finding::error(error.code, package.to_string(), &error.detail));
        }
        // What only one class lacks does not keep the others from their signatures.
        if error.code != Code::SignatureRequired && self.failed.is_none() {
            self.failed = Some(error);
        }
    }

    /// The signer's failure.
    pub fn into_failure(self) -> Option<Error> {
        self.failed
    }
}

impl Archive {
    /// The signatures of a package's receipts, where they are to be signed: before its content is packed, which holds them.
    /// Each is durable before the next is asked for. `false` when the package has to wait.
    pub(super) fn sign_receipts(
        &self,
        staging: &Staging,
        unsigned: &mut Unsigned,
        report: &mut Report,
    ) -> Result<bool> {
        // What the content was made of is settled.
        if !self.signing.receipts || staging.is_packed()? {
            return Ok(true);
        }
        for receipt in &staging.plan().receipts {
            if staging.kept_signature(receipt.id)?.is_some() {
                continue;
            }
            let signed = match &unsigned.failed {
                Some(earlier) => Some(Err(Error::new(earlier.code, earlier.detail.clone()))),
                None => self.signed(receipt.rdv_sha256),
            };
            match signed {
                Some(Ok(der)) => staging.keep_signature(receipt.id, der)?,
                Some(Err(error)) if is_waiting(error.code) => {
                    unsigned.wait(&staging.plan().package, error, report);
                    return Ok(false);
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(true),
            }
        }
        Ok(true)
    }

    /// The signature of a package's index, where there is to be one; `false` when the package has to wait for it.
    pub(super) fn sign_index(&self, staging: &Staging, unsigned: &mut Unsigned, report: &mut Report) -> Result<bool> {
        let package = &staging.plan().package;
        if staging.done(PINDEX_SIGNATURE)?.is_some() {
            return Ok(true);
        }
        let signed = match &unsigned.failed {
            Some(earlier) => Some(Err(Error::new(earlier.code, earlier.detail.clone()))),
            None => self.signed(staging.fact(PINDEX)?.sha256),
        };
        match signed {
            Some(Ok(der)) => staging.signature(&der).map(|_| true),
            Some(Err(error)) if is_waiting(error.code) => {
                unsigned.wait(package, error, report);
                Ok(false)
            }
            Some(Err(error)) => Err(error),
            None if self.requires_signature(&staging.plan().class, staging.plan().class_version) => {
                unsigned.wait(package, Error::new(Code::SignatureRequired, "no [signer]"), report);
                Ok(false)
            }
            None => Ok(true),
        }
    }
}

impl Archive {
    /// Whether packages of a class may be sealed only when they are signed.
    pub(in crate::archive) fn requires_signature(&self, class: &ClassId, version: u32) -> bool {
        self.closing_of(class, version).is_some_and(|rule| rule.signature)
    }
}
