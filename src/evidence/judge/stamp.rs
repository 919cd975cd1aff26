//! Time-stamps of a signature (CAdES-T: unsigned attribute 1.2.840.113549.1.9.16.2.14, RFC 5126 section 6.1.1): they cover the
//! signature value, and when one verifies by a configured authority it is the best proof of time there is.

use jiff::Timestamp;

use super::Judge;
use crate::error::Code;
use crate::evidence::asn1::Reader;
use crate::evidence::cms::SignedData;
use crate::evidence::cms::read::SignerInfo;
use crate::evidence::judge::{certificate, revocation};
use crate::evidence::oids;
use crate::evidence::trust::Purpose;
use crate::evidence::tsp;
use crate::evidence::verdict::{
    Aspect, AspectVerdict, Outcome, Reference, Role, SignatureKind, SignatureReport, TimeReference,
};

/// Time-stamps looked at of one signature.
const MAX_STAMPS: usize = 8;

/// What was found.
pub(super) struct Stamps {
    /// The earliest time proved.
    pub best: Option<Timestamp>,
    pub reports: Vec<SignatureReport>,
}

pub(super) fn judge(judge: &Judge<'_>, signer: &SignerInfo, place: &str) -> Stamps {
    let mut stamps = Stamps { best: None, reports: Vec::new() };
    for (_, values) in signer.unsigned.iter().filter(|(kind, _)| *kind == oids::SIGNATURE_TIME_STAMP) {
        let mut reader = Reader::new(values);
        while stamps.reports.len() < MAX_STAMPS
            && let Ok(token) = reader.next()
        {
            let place = format!("{place}/time-stamp {}", stamps.reports.len() + 1);
            let (report, proved) = one(judge, token.raw, signer.signature(), place);
            stamps.reports.push(report);
            stamps.best = match (stamps.best, proved) {
                (Some(known), Some(proved)) => Some(known.min(proved)),
                (known, proved) => known.or(proved),
            };
        }
    }
    stamps
}

/// Judges one token over what it stamps; its time when everything about it is right.
pub(super) fn one(
    judge: &Judge<'_>,
    token: &[u8],
    stamped: &[u8],
    place: String,
) -> (SignatureReport, Option<Timestamp>) {
    let anchors = judge.trust.anchors(Purpose::TimeStamp);
    let verified = tsp::verify_stamp(token, stamped, anchors);
    let mut report = SignatureReport {
        kind: SignatureKind::Cades,
        role: Role::TimeStamp,
        place,
        signer: signer(token),
        digest_algorithm: None,
        signature_algorithm: None,
        signing_time: None,
        reference: None,
        verdicts: Aspect::ALL.into_iter().map(AspectVerdict::not_asked).collect(),
        noticed: Vec::new(),
        path: None,
        sources: Vec::new(),
    };
    let mathematics = [Aspect::Digest, Aspect::Signature, Aspect::SigningCertificate, Aspect::Profile];
    let mut proved = None;
    match verified {
        Ok(token) => {
            proved = Some(token.gen_time());
            report.reference = Some(TimeReference { kind: Reference::SignatureTimestamp, at: token.gen_time() });
            for aspect in mathematics.into_iter().chain([Aspect::Chain, Aspect::Time]) {
                report.set(AspectVerdict::good(aspect, ""));
            }
            report.set(revocation::not_checked());
        }
        // The chain is looked at last: all the rest is right.
        Err(error) if error.code == Code::TokenUntrusted => {
            for aspect in mathematics {
                report.set(AspectVerdict::good(aspect, ""));
            }
            let (outcome, code) = if anchors.is_empty() {
                (Outcome::NotChecked, Code::SignatureChainNotChecked)
            } else {
                (Outcome::Absent, Code::SignatureUntrusted)
            };
            report.set(AspectVerdict::new(Aspect::Chain, outcome, code, "its authority is not configured"));
        }
        Err(error) => {
            report.set(AspectVerdict::new(Aspect::Signature, Outcome::Bad, Code::SignatureStamp, error.detail));
        }
    }
    (report, proved)
}

fn signer(token: &[u8]) -> Option<crate::evidence::verdict::SignerFacts> {
    let data = SignedData::parse(token).ok()?;
    let found = data.signers.first()?.certificate(&data.certificates)?;
    Some(certificate::facts(found))
}
