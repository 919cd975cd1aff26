//! The signatures of a package, in the legal sense: of its index and of the receipts in it.
//!
//! Invariant: judged at the time of the package's token; what leads to no configured anchor is unchecked, never good. ETSI
//! EN 319 122-1; AgID guidelines 4.2 and 4.7.

use super::package::Look;
use super::report::{Finding, Outcome};
use crate::error::Severity;
use crate::evidence::sign::cades;
use crate::hash::Sha256;
use crate::package::PINDEX_SIGNATURE;
use crate::package::pindex::agents::Agent;
use crate::package::reader::Package;
use crate::package::signed;

/// Verifies the signature of the index, where the chain names one. `agents`: the index's AuthorizedSigners.
pub(super) fn verify(look: &mut Look<'_>, package: &Package, agents: &[Agent]) {
    if look.sealed.file(PINDEX_SIGNATURE).is_none() {
        return;
    }
    match package.read_file(PINDEX_SIGNATURE, cades::MAX_BYTES) {
        Ok(p7s) => judge(look, &p7s, look.sealed.object.pindex, agents, PINDEX_SIGNATURE, ""),
        Err(error) => look.stopped(&error, PINDEX_SIGNATURE),
    }
}

/// Judges one signature and tells what was found, in this file and of that member.
pub(super) fn judge(look: &mut Look<'_>, p7s: &[u8], sha256: Sha256, agents: &[Agent], file: &str, member: &str) {
    // Token and chain entry were held against each other with the evidence.
    let at = look.sealed.object.stamped_at.unwrap_or(look.sealed.at);
    let judged = signed::judge(p7s, sha256, at, Some(agents), look.subject.trust);
    look.signed();
    for found in judged.findings {
        let outcome = match found.severity {
            Severity::Error => Outcome::Bad,
            _ => Outcome::Unchecked,
        };
        let place = look.place.in_file(file);
        let mut finding = Finding::new(found.code, place, "");
        finding.outcome = outcome;
        finding.message = if member.is_empty() { found.message } else { format!("{member}: {}", found.message) };
        look.say(finding);
    }
}
