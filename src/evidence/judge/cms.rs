//! Every signer of signed data, its counter-signatures and its time-stamps (RFC 5652 sections 5 and 11.4, RFC 5126).

use super::{Judge, Purpose, certificate, revocation, stamp, time};
use crate::error::{Code, Error, Result, Severity};
use crate::evidence::algorithm::{self, DigestAlgorithm};
use crate::evidence::asn1::{Reader, tag};
use crate::evidence::cms::read::{SignerInfo, SignerReport, Verdict};
use crate::evidence::cms::{Content, DigestSet, Opened, SignedData};
use crate::evidence::verdict::{Aspect, AspectVerdict, Outcome, Role, SignatureKind, SignatureReport};
use crate::evidence::x509::Certificate;
use crate::evidence::{Oid, oids};

/// Reports made of one file: signers, counter-signatures and time-stamps together. More is hostile.
const MAX_REPORTS: usize = 64;

/// Signatures of signatures of signatures.
const MAX_COUNTER_DEPTH: usize = 4;

/// RSA keys shorter than this are weak today (ETSI TS 119 312).
const RSA_WEAK_BELOW: usize = 2048;

pub(super) fn judge(
    judge: &Judge<'_>,
    opened: &Opened,
    detached: Option<Content<'_>>,
    purpose: Purpose,
    place: &str,
) -> Result<Vec<SignatureReport>> {
    let data = &opened.data;
    // Each algorithm once, however many signers there are. A signer without attributes needs the digest too.
    let own;
    let content = match (&data.content, detached) {
        (Some(bytes), _) => {
            own = DigestSet::of(bytes, data.signers.iter().filter_map(SignerInfo::digest_algorithm));
            Content::Digests(&own)
        }
        (None, Some(detached)) => detached,
        (None, None) => return Err(Error::new(Code::P7mDetached, "the signed content is not there")),
    };
    let mut walk = Walk { judge, data, purpose, reports: Vec::new() };
    for (at, signer) in data.signers.iter().enumerate() {
        let place = format!("{place}/signer {}", at + 1);
        let kind = Some(data.content_type);
        walk.signer(signer, Covered { content, kind, role: Role::Signature }, &place, 0);
    }
    let mut reports = walk.reports;
    if let Some(first) = reports.first_mut() {
        if opened.trailing > 0 {
            first.noticed.push((Code::SignatureTrailing, Severity::Warning));
        }
        if purpose == Purpose::Pec && data.signers.len() > 1 {
            first.noticed.push((Code::SignatureSeveral, Severity::Warning));
        }
    }
    Ok(reports)
}

/// What one signer covers.
struct Covered<'a> {
    content: Content<'a>,
    kind: Option<Oid>,
    role: Role,
}

struct Walk<'a> {
    judge: &'a Judge<'a>,
    data: &'a SignedData,
    purpose: Purpose,
    reports: Vec<SignatureReport>,
}

impl Walk<'_> {
    fn signer(&mut self, signer: &SignerInfo, covered: Covered<'_>, place: &str, depth: usize) {
        if self.reports.len() >= MAX_REPORTS {
            return;
        }
        let certificate = signer.certificate(&self.data.certificates).cloned();
        let found = signer.verify_content(covered.kind, covered.content, certificate);
        let mut report = SignatureReport {
            kind: if self.purpose == Purpose::Pec { SignatureKind::Smime } else { SignatureKind::Cades },
            role: covered.role,
            place: place.to_owned(),
            signer: found.certificate.as_ref().map(certificate::facts),
            digest_algorithm: found.algorithm.map(|algorithm| algorithm.name().to_owned()),
            signature_algorithm: signer
                .signature_algorithm()
                .ok()
                .map(|oid| algorithm::signature_name(&oid).map_or_else(|| oid.to_string(), str::to_owned)),
            signing_time: found.signing_time,
            reference: None,
            verdicts: Vec::with_capacity(Aspect::ALL.len()),
            noticed: Vec::new(),
            path: None,
            sources: Vec::new(),
        };
        if found.reordered {
            report.noticed.push((Code::SignatureAttributeOrder, Severity::Info));
        }
        report.verdicts.push(digest(&found, covered.kind.is_some()));
        report.verdicts.push(signature(&found, signer));
        report.verdicts.push(signing_certificate(&found, self.purpose));
        report.verdicts.push(AspectVerdict::not_asked(Aspect::Address));
        report.verdicts.push(certificate::profile(self.judge, found.certificate.as_ref(), self.purpose));
        let stamps = stamp::judge(self.judge, signer, place);
        let bag = &self.data.certificates;
        time::judge(self.judge, &mut report, found.certificate.as_ref(), bag, self.purpose, stamps.best);
        let embedded = revocation::embedded(self.data, signer);
        revocation::judge(self.judge, &mut report, found.certificate.as_ref(), bag, self.purpose, &embedded);
        report.verdicts.sort_by_key(|verdict| verdict.aspect);
        self.reports.push(report);
        let room = MAX_REPORTS - self.reports.len();
        self.reports.extend(stamps.reports.into_iter().take(room));
        if depth < MAX_COUNTER_DEPTH {
            self.counter_signatures(signer, place, depth);
        }
    }

    fn counter_signatures(&mut self, signer: &SignerInfo, place: &str, depth: usize) {
        let attributes = signer.unsigned.iter().filter(|(kind, _)| *kind == oids::COUNTER_SIGNATURE);
        let mut number = 0;
        for (_, values) in attributes {
            let mut reader = Reader::new(values);
            while !reader.is_empty() && self.reports.len() < MAX_REPORTS {
                number += 1;
                let place = format!("{place}/counter-signature {number}");
                let Ok(element) = reader.next() else { return };
                let Some(counter) = (element.tag == tag::SEQUENCE).then(|| SignerInfo::parse(&element).ok()).flatten()
                else {
                    continue;
                };
                let content = Content::Bytes(signer.signature());
                self.signer(&counter, Covered { content, kind: None, role: Role::CounterSignature }, &place, depth + 1);
            }
        }
    }
}

fn digest(found: &SignerReport, has_kind: bool) -> AspectVerdict {
    let aspect = Aspect::Digest;
    let Some(algorithm) = found.algorithm else {
        return AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureAlgorithm, "digest algorithm not known");
    };
    match (&found.digest, &found.content_type) {
        (Verdict::Bad(why), _) => AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureDigest, why.as_str()),
        (Verdict::Absent(why), _) => AspectVerdict::new(aspect, Outcome::NotChecked, Code::NotLookedAt, why.as_str()),
        (Verdict::Unknown(why), _) => {
            AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureAlgorithm, why.as_str())
        }
        (_, Verdict::Bad(why) | Verdict::Absent(why)) if has_kind => {
            AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureDigest, why.as_str())
        }
        _ if algorithm.is_weak() => {
            AspectVerdict::new(aspect, Outcome::Weak, Code::SignatureWeak, format!("{} is weak", algorithm.name()))
        }
        _ => AspectVerdict::good(aspect, ""),
    }
}

fn signature(found: &SignerReport, signer: &SignerInfo) -> AspectVerdict {
    let aspect = Aspect::Signature;
    let known = signer.signature_algorithm().is_ok_and(|oid| algorithm::signature_name(&oid).is_some());
    if !known || found.algorithm.is_none() {
        let why = "signature or digest algorithm not known";
        return AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureAlgorithm, why);
    }
    match &found.signature {
        // The digest verdict tells it, unless the two algorithms differ.
        Verdict::Good if !found.is_weak() && signed_weakly(signer) => {
            AspectVerdict::new(aspect, Outcome::Weak, Code::SignatureWeak, "the signature itself is over a weak digest")
        }
        Verdict::Good => match &found.certificate {
            Some(certificate) => weak_key(certificate).unwrap_or_else(|| AspectVerdict::good(aspect, "")),
            None => AspectVerdict::good(aspect, ""),
        },
        Verdict::Bad(why) => AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureMath, why.as_str()),
        Verdict::Unknown(why) => {
            AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureAlgorithm, why.as_str())
        }
        Verdict::Absent(why) => {
            AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureNoCertificate, why.as_str())
        }
    }
}

fn signed_weakly(signer: &SignerInfo) -> bool {
    signer.signature_algorithm().is_ok_and(|oid| matches!(oid, oids::RSA_MD5 | oids::RSA_SHA1))
}

/// The verdict on a signature that is right, made with a key too short for today.
pub(super) fn weak_key(certificate: &Certificate) -> Option<AspectVerdict> {
    let bits = algorithm::rsa_bits(certificate.spki()).ok().flatten().filter(|bits| *bits < RSA_WEAK_BELOW)?;
    let why = format!("RSA key of {bits} bits");
    Some(AspectVerdict::new(Aspect::Signature, Outcome::Weak, Code::SignatureWeakKey, why))
}

fn signing_certificate(found: &SignerReport, purpose: Purpose) -> AspectVerdict {
    let aspect = Aspect::SigningCertificate;
    match (&found.signing_certificate, &found.certificate) {
        (Verdict::Good, _) => AspectVerdict::good(aspect, ""),
        (Verdict::Bad(why), _) => {
            AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureOtherCertificate, why.as_str())
        }
        (Verdict::Unknown(why), _) => {
            AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureAlgorithm, why.as_str())
        }
        // The signature verdict tells it.
        (Verdict::Absent(why), None) => {
            AspectVerdict { outcome: Outcome::Absent, detail: why.clone(), ..AspectVerdict::not_asked(aspect) }
        }
        // S/MIME does not ask for it.
        (Verdict::Absent(_), Some(_)) if purpose == Purpose::Pec => AspectVerdict::not_asked(aspect),
        (Verdict::Absent(why), Some(_)) => {
            AspectVerdict::new(aspect, Outcome::Absent, Code::SignatureNotCades, why.as_str())
        }
    }
}

/// Digest algorithms that a signature needs of content that streams by; empty when it cannot be opened.
pub fn digests_needed(opened: &Opened) -> Vec<DigestAlgorithm> {
    let mut needed: Vec<DigestAlgorithm> = Vec::new();
    for algorithm in opened.data.signers.iter().filter_map(SignerInfo::digest_algorithm) {
        if !needed.contains(&algorithm) {
            needed.push(algorithm);
        }
    }
    needed
}
