//! The time a signature is judged at, and the chain at that time.
//!
//! Best first: a verified time-stamp of the signature, what the caller could verify (daticert, notification, package token), the
//! reception by this archive. The signer's own word counts for nothing but this: a chain that has expired meanwhile is judged at
//! it, and then the conclusion is at most "mathematically valid, time not proved".

use jiff::{SignedDuration, Timestamp};

use super::{Judge, Purpose};
use crate::error::{Code, Severity};
use crate::evidence::algorithm;
use crate::evidence::trust::{self, Chain};
use crate::evidence::verdict::{Aspect, AspectVerdict, Outcome, Reference, Role, SignatureReport, TimeReference};
use crate::evidence::x509::Certificate;

/// Clocks of signers and receivers differ by this much without meaning anything.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Adds the verdicts on chain and time, the reference, and what is noticed of the signing time. The verdicts on digest, signature and
/// certificate must be there.
pub(super) fn judge(
    judge: &Judge<'_>,
    report: &mut SignatureReport,
    certificate: Option<&Certificate>,
    bag: &[Certificate],
    purpose: Purpose,
    stamp: Option<Timestamp>,
) {
    let proof = proof(judge, report, purpose, stamp);
    signing_time(judge, report, purpose, proof);
    report.reference = Some(proof);
    let Some(certificate) = certificate else {
        let why = "no certificate";
        report.verdicts.push(AspectVerdict { detail: why.into(), ..AspectVerdict::not_asked(Aspect::Chain) });
        report.verdicts.push(AspectVerdict { detail: why.into(), ..AspectVerdict::not_asked(Aspect::Time) });
        return;
    };
    let anchors = match purpose {
        Purpose::Pec => trust::Purpose::Pec,
        Purpose::Signature => trust::Purpose::Signature,
    };
    let at = |instant| chain(judge, certificate, bag, anchors, instant);
    let mut verdict = at(proof.at);
    let claimed = report.signing_time.filter(|claimed| *claimed < proof.at);
    if verdict.code == Some(Code::SignatureExpired)
        && let Some(claimed) = claimed
    {
        let then = at(claimed);
        if then.outcome != Outcome::Bad {
            // What was valid when the signer says to have signed, and has expired since.
            report.reference = Some(TimeReference { kind: Reference::SigningTime, at: claimed });
            report.verdicts.push(then);
            let why =
                format!("expired at the best proof of time ({}); judged when the signer says", proof.kind.as_str());
            report.verdicts.push(AspectVerdict::new(Aspect::Time, Outcome::Absent, Code::SignatureTimeNotProved, why));
            return;
        }
        verdict = then;
        report.reference = Some(TimeReference { kind: Reference::SigningTime, at: claimed });
    }
    // The daticert is signed by this very signature: its date is as good as the trust in it.
    let own_word = proof.kind == Reference::Daticert && purpose == Purpose::Pec;
    let trusted = matches!(verdict.outcome, Outcome::Good | Outcome::Weak);
    report.verdicts.push(verdict);
    report.verdicts.push(if own_word && !trusted {
        let why = "the date is that of a daticert whose signer is not trusted";
        AspectVerdict::new(Aspect::Time, Outcome::NotChecked, Code::SignatureTimeNotProved, why)
    } else {
        AspectVerdict::good(Aspect::Time, format!("judged at: {}", proof.kind.as_str()))
    });
}

/// The best proof of time.
fn proof(judge: &Judge<'_>, report: &SignatureReport, purpose: Purpose, stamp: Option<Timestamp>) -> TimeReference {
    if let Some(at) = stamp {
        return TimeReference { kind: Reference::SignatureTimestamp, at };
    }
    let receipt = TimeReference { kind: Reference::Receipt, at: judge.received_at };
    let passed = |aspect| {
        let verdict = report.verdicts.iter().find(|verdict| verdict.aspect == aspect);
        verdict.is_some_and(|verdict| matches!(verdict.outcome, Outcome::Good | Outcome::Weak))
    };
    match judge.reference {
        Some(given) if given.kind == Reference::SigningTime => receipt,
        // The date of a daticert that this signature does not cover is nobody's word.
        Some(given) if purpose == Purpose::Pec && given.kind == Reference::Daticert => {
            if passed(Aspect::Digest) && passed(Aspect::Signature) { given } else { receipt }
        }
        Some(given) => given,
        None => receipt,
    }
}

/// SdI 00103 and 00105.
fn signing_time(judge: &Judge<'_>, report: &mut SignatureReport, purpose: Purpose, proof: TimeReference) {
    let Some(claimed) = report.signing_time else {
        // RFC 5652 does not ask for it, CAdES and XAdES do; a counter-signature is not the document's.
        if purpose == Purpose::Signature && report.role == Role::Signature {
            report.noticed.push((Code::SignatureTimeAbsent, Severity::Warning));
        }
        return;
    };
    // A provider signs its daticert after the date it writes in it.
    let limit = if purpose == Purpose::Pec { judge.received_at } else { proof.at.min(judge.received_at) };
    if claimed.duration_since(limit) > SKEW {
        report.noticed.push((Code::SignatureTimeLate, Severity::Warning));
    }
}

/// The verdict on the chain at an instant.
pub(super) fn chain(
    judge: &Judge<'_>,
    certificate: &Certificate,
    bag: &[Certificate],
    purpose: trust::Purpose,
    at: Timestamp,
) -> AspectVerdict {
    let aspect = Aspect::Chain;
    // Known without any anchor, and worth more than "not checked".
    let outside = if at > certificate.not_after {
        Some((Code::SignatureExpired, "the signer's certificate had expired"))
    } else if at < certificate.not_before {
        Some((Code::SignatureNotYetValid, "the signer's certificate was not valid yet"))
    } else {
        None
    };
    if let Some((code, why)) = outside {
        return AspectVerdict::new(aspect, Outcome::Bad, code, why);
    }
    match judge.trust.chain(certificate, bag, purpose, at) {
        Chain::Path(path) => {
            // The anchor's own signature proves nothing and is not looked at.
            let judged = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
            if judged.iter().any(Certificate::is_signed_weakly) {
                let why = "a certificate of the chain is signed with SHA-1";
                return AspectVerdict::new(aspect, Outcome::Weak, Code::SignatureWeak, why);
            }
            if path.iter().skip(1).any(|c| algorithm::rsa_bits(c.spki()).ok().flatten().is_some_and(|bits| bits < 2048))
            {
                let why = "an authority of the chain has an RSA key shorter than 2048 bits";
                return AspectVerdict::new(aspect, Outcome::Weak, Code::SignatureWeakKey, why);
            }
            let listed = purpose == trust::Purpose::Signature && judge.trust.is_qualified(&path, at);
            AspectVerdict::good(aspect, if listed { "to a service granted then in a trusted list" } else { "" })
        }
        Chain::NoAnchors => {
            let why = "no anchors are configured for this use";
            AspectVerdict::new(aspect, Outcome::NotChecked, Code::SignatureChainNotChecked, why)
        }
        Chain::Untrusted => {
            AspectVerdict::new(aspect, Outcome::Absent, Code::SignatureUntrusted, "it ends at nobody configured")
        }
        Chain::IssuerMissing => {
            let why = "an issuer is neither with the signature nor configured";
            AspectVerdict::new(aspect, Outcome::Absent, Code::SignatureIssuerMissing, why)
        }
        Chain::Broken(code, detail) => AspectVerdict::new(aspect, Outcome::Bad, code, detail),
    }
}
