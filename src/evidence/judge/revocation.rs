//! Whether a certificate of the chain was revoked at the time of reference: by what a person brought, what was gathered, and what
//! travels with the signature (SignedData.crls, RFC 5652 section 5.1 and RFC 5940; revocation-values, RFC 5126 section 6.3.4).
//!
//! Invariant I7: every certificate of the chain but the anchor must be spoken of; one that nothing speaks of makes the whole "not
//! known", and only an issuer that leads to an anchor may speak.

use jiff::Timestamp;

use super::{Judge, Purpose};
use crate::error::Code;
use crate::evidence::cms::SignedData;
use crate::evidence::cms::read::SignerInfo;
use crate::evidence::cms::revocation::values;
use crate::evidence::revocation::{Material, Status, look};
use crate::evidence::trust::{self, Chain};
use crate::evidence::verdict::{Aspect, AspectVerdict, Outcome, SignatureReport};
use crate::evidence::x509::Certificate;

/// What travels with a signature; what cannot be read of it is as if it were not there.
pub(super) fn embedded(data: &SignedData, signer: &SignerInfo) -> Material {
    let mut material = Material::default();
    for der in data.revocation.iter().chain(&values(signer)) {
        let _ = material.add(der);
    }
    material
}

/// Adds the verdict, the path it is about, and the lists and answers it rests on. The reference must be there.
pub(super) fn judge(
    judge: &Judge<'_>,
    report: &mut SignatureReport,
    certificate: Option<&Certificate>,
    bag: &[Certificate],
    purpose: Purpose,
    embedded: &Material,
) {
    let purpose = match purpose {
        Purpose::Pec => trust::Purpose::Pec,
        Purpose::Signature => trust::Purpose::Signature,
    };
    let path = certificate.zip(report.reference).and_then(|(certificate, at)| {
        match judge.trust.chain(certificate, bag, purpose, at.at) {
            Chain::Path(path) => Some((path, at.at)),
            _ => None,
        }
    });
    let Some((path, at)) = path else { return report.verdicts.push(not_checked()) };
    let all = [judge.trust.revocation(), embedded];
    let materials: Vec<&Material> = all.into_iter().chain(judge.gathered).filter(|one| !one.is_empty()).collect();
    let verdict = if materials.is_empty() { not_checked() } else { look_at(report, &path, &materials, at) };
    report.verdicts.push(verdict);
    report.path = Some(path);
}

fn look_at(
    report: &mut SignatureReport,
    path: &[Certificate],
    materials: &[&Material],
    at: Timestamp,
) -> AspectVerdict {
    let aspect = Aspect::Revocation;
    let mut unknown = None;
    let mut sources = Vec::new();
    for (n, pair) in path.windows(2).enumerate() {
        let [certificate, issuer] = pair else { continue };
        let (status, source) = look(certificate, issuer, materials, at);
        sources.extend(source.map(|item| item.sha256()));
        match status {
            Status::Good(_) => {}
            Status::Revoked(_) => {
                report.sources = sources;
                let why = if n == 0 { "revoked by its issuer" } else { "an authority of the chain was revoked" };
                return AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureRevoked, why);
            }
            Status::Unknown => unknown = unknown.or(Some(n)),
        }
    }
    report.sources = sources;
    let why = match (unknown, path.len()) {
        // An anchor that signs: nobody could revoke it but the person who configured it.
        (None, 1) => return not_checked(),
        (None, _) => return AspectVerdict::good(aspect, "not revoked, says its issuer"),
        (Some(0), _) => "no revocation data at hand speak of it at that time",
        (Some(_), _) => "no revocation data at hand speak of an authority of the chain at that time",
    };
    AspectVerdict::new(aspect, Outcome::Absent, Code::RevocationMissing, why)
}

/// Nothing to look at: there is no network at intake.
pub(super) fn not_checked() -> AspectVerdict {
    AspectVerdict::new(Aspect::Revocation, Outcome::NotChecked, Code::RevocationMissing, "no revocation data at hand")
}
