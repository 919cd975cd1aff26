//! Enveloped XML signatures, judged as those in CMS are.

use jiff::Timestamp;

use super::cms::weak_key;
use super::{Judge, Purpose, certificate, revocation, stamp, time};
use crate::error::{Code, Result, Severity};
use crate::evidence::revocation::Material;
use crate::evidence::verdict::{Aspect, AspectVerdict, Outcome, Role, SignatureKind, SignatureReport};
use crate::evidence::xades::{self, Coverage, Verified};

pub(super) fn judge(judge: &Judge<'_>, xml: &[u8], place: &str) -> Result<Vec<SignatureReport>> {
    if !xades::mentions_signature(xml) {
        return Ok(Vec::new());
    }
    let mut reports = Vec::new();
    let found = xades::verify(xml)?;
    for (at, verified) in found.verified.into_iter().enumerate() {
        one(judge, verified, &format!("{place}/signature {}", at + 1), &mut reports);
    }
    if found.more {
        reports.push(unread(
            &format!("{place}/others"),
            Code::SignatureUnsupported,
            "more signatures than are looked at",
        ));
    }
    if found.elsewhere {
        let why = "a signature that stands elsewhere than in the root";
        reports.push(unread(&format!("{place}/elsewhere"), Code::SignatureReference, why));
    }
    Ok(reports)
}

/// A report on what is there and was not looked at: never taken for no signature at all (invariant I7).
pub fn unread(place: &str, code: Code, why: &str) -> SignatureReport {
    let mut verdicts: Vec<AspectVerdict> = Aspect::ALL.into_iter().map(AspectVerdict::not_asked).collect();
    for verdict in &mut verdicts {
        verdict.detail = why.to_owned();
    }
    SignatureReport {
        kind: SignatureKind::Xades,
        role: Role::Signature,
        place: place.to_owned(),
        signer: None,
        digest_algorithm: None,
        signature_algorithm: None,
        signing_time: None,
        reference: None,
        verdicts,
        noticed: vec![(code, Severity::Warning)],
        path: None,
        sources: Vec::new(),
    }
}

fn one(judge: &Judge<'_>, verified: Verified, place: &str, reports: &mut Vec<SignatureReport>) {
    let mut report = SignatureReport {
        kind: SignatureKind::Xades,
        role: Role::Signature,
        place: place.to_owned(),
        signer: verified.certificate.as_ref().map(certificate::facts),
        digest_algorithm: match verified.coverage {
            Coverage::Whole(algorithm) => Some(algorithm.name().to_owned()),
            _ => None,
        },
        signature_algorithm: verified.algorithm.map(str::to_owned),
        signing_time: verified.properties.as_ref().and_then(|properties| properties.signing_time),
        reference: None,
        verdicts: vec![digest(verified.coverage), signature(&verified), signing_certificate(&verified)],
        noticed: Vec::new(),
        path: None,
        sources: Vec::new(),
    };
    report.verdicts.push(AspectVerdict::not_asked(Aspect::Address));
    report.verdicts.push(certificate::profile(judge, verified.certificate.as_ref(), Purpose::Signature));
    let mut best: Option<Timestamp> = None;
    let mut stamps = Vec::new();
    for (at, (token, stamped)) in verified.stamps.iter().enumerate() {
        let (stamp, proved) = stamp::one(judge, token, stamped, format!("{place}/time-stamp {}", at + 1));
        stamps.push(stamp);
        best = match (best, proved) {
            (Some(known), Some(proved)) => Some(known.min(proved)),
            (known, proved) => known.or(proved),
        };
    }
    let (certificate, bag) = (verified.certificate.as_ref(), &verified.certificates);
    time::judge(judge, &mut report, certificate, bag, Purpose::Signature, best);
    revocation::judge(judge, &mut report, certificate, bag, Purpose::Signature, &Material::default());
    report.verdicts.sort_by_key(|verdict| verdict.aspect);
    reports.push(report);
    reports.append(&mut stamps);
}

fn digest(coverage: Coverage) -> AspectVerdict {
    let aspect = Aspect::Digest;
    match coverage {
        Coverage::Whole(algorithm) if algorithm.is_weak() => {
            AspectVerdict::new(aspect, Outcome::Weak, Code::SignatureWeak, format!("{} is weak", algorithm.name()))
        }
        Coverage::Whole(_) => AspectVerdict::good(aspect, ""),
        Coverage::Altered => AspectVerdict::new(
            aspect,
            Outcome::Bad,
            Code::SignatureDigest,
            "what a reference covers is not what was signed",
        ),
        Coverage::Elsewhere => {
            AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureReference, "no reference covers the whole document")
        }
        Coverage::Unsupported => AspectVerdict::new(
            aspect,
            Outcome::NotChecked,
            Code::SignatureUnsupported,
            "a reference of a kind not read here",
        ),
    }
}

fn signature(verified: &Verified) -> AspectVerdict {
    let aspect = Aspect::Signature;
    match (verified.signature, &verified.certificate) {
        (_, None) => {
            AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureNoCertificate, "no certificate in KeyInfo")
        }
        (None, _) => AspectVerdict::new(
            aspect,
            Outcome::NotChecked,
            Code::SignatureAlgorithm,
            "an algorithm that is not known here",
        ),
        (Some(false), _) => {
            AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureMath, "the signature does not match SignedInfo")
        }
        (Some(true), Some(certificate)) => weak_key(certificate).unwrap_or_else(|| AspectVerdict::good(aspect, "")),
    }
}

fn signing_certificate(verified: &Verified) -> AspectVerdict {
    let aspect = Aspect::SigningCertificate;
    let named = verified.certificate.as_ref().and_then(|c| verified.properties.as_ref().and_then(|p| p.names(c)));
    match named {
        Some(true) => AspectVerdict::good(aspect, ""),
        Some(false) => AspectVerdict::new(
            aspect,
            Outcome::Bad,
            Code::SignatureOtherCertificate,
            "SigningCertificate names another certificate",
        ),
        None => AspectVerdict::new(
            aspect,
            Outcome::Absent,
            Code::SignatureNotCades,
            "no signed property names the certificate: plain XML signature, not XAdES",
        ),
    }
}
