//! A signature of a package, judged: who signed, with what right, whether it held when the package was time-stamped.
//!
//! Invariant (I7): one finding for each thing that is wrong (an error) and for each that could not be judged (a warning); no
//! finding means that digest, signature, certificate, chain and right to sign were all looked at. What is never looked at
//! here, whether the certificate was revoked when no revocation data are at hand, the callers say once. AgID guidelines 4.2.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pindex::agents::Agent;
use super::pindex::authorised;
use crate::clock::iso_seconds;
use crate::error::{Code, Finding};
use crate::evidence::asn1::{Reader, tag};
use crate::evidence::cms::{Content, DigestSet, Form, Opened, SignedData, open};
use crate::evidence::judge::{Judge, Purpose};
use crate::evidence::trust::Trust;
use crate::evidence::verdict::{Aspect, Outcome, Reference, Role, SignatureReport, TimeReference};
use crate::evidence::x509::{Certificate, name};
use crate::hash::Sha256;

/// What was found of a signature. Findings have no place: the caller knows the file.
#[derive(Debug)]
#[must_use]
pub struct Judged {
    /// Errors: it is wrong. Warnings: not everything could be judged.
    pub findings: Vec<Finding>,
    /// The signer's certificate, and the anchor that it leads to, when there are any.
    pub signer: Option<(Certificate, Option<Certificate>)>,
}

/// Judges a detached signature of the bytes with this SHA-256, at the time of the package's token. `agents` are the index's
/// AuthorizedSigners; none are asked for when they are not at hand.
pub fn judge(p7s: &[u8], sha256: Sha256, at: Timestamp, agents: Option<&[Agent]>, trust: &Trust) -> Judged {
    let mut judged = Judged { findings: Vec::new(), signer: None };
    let opened = match open(p7s) {
        Ok(opened) => opened,
        Err(error) => {
            judged.bad(Code::SignatureInvalid, &format!("{}: {}", error.code.as_str(), error.detail));
            return judged;
        }
    };
    let data = &opened.data;
    // What people send is read with blanks around it; ours has none, so that no byte can be added to it.
    let exact = opened.form == Form::Der && Reader::only(p7s, tag::SEQUENCE).is_ok();
    if !exact || data.content.is_some() || data.signers.len() != 1 {
        judged.bad(Code::SignatureInvalid, "not a detached signature of one signer, in DER");
        return judged;
    }
    judged.signature(&opened, sha256, at, trust);
    if let (Some(certificate), Some(agents)) = (certificate(data), agents)
        && authorised::holder(agents, certificate).is_none()
    {
        judged.bad(Code::SignatureStranger, &authorised::described(agents, certificate));
    }
    judged
}

fn certificate(data: &SignedData) -> Option<&Certificate> {
    data.signers.first()?.certificate(&data.certificates)
}

impl Judged {
    fn bad(&mut self, code: Code, detail: &str) {
        self.findings.push(Finding::error(code, "", detail));
    }

    fn signature(&mut self, opened: &Opened, sha256: Sha256, at: Timestamp, trust: &Trust) {
        let reference = Some(TimeReference { kind: Reference::PackageToken, at });
        let judge = Judge { trust, reference, received_at: at, gathered: None };
        let digests = DigestSet::sha256(sha256);
        let reports = judge.opened(opened, Some(Content::Digests(&digests)), Purpose::Signature, "");
        let report = match reports.map(|reports| reports.into_iter().find(|report| report.role == Role::Signature)) {
            Ok(Some(report)) => report,
            Ok(None) => return self.bad(Code::SignatureInvalid, "nobody signed"),
            Err(error) => return self.bad(Code::SignatureInvalid, &error.detail),
        };
        for aspect in [Aspect::Digest, Aspect::Signature, Aspect::SigningCertificate, Aspect::Profile] {
            let verdict = report.verdict(aspect);
            if verdict.outcome != Outcome::Good {
                self.bad(Code::SignatureInvalid, &format!("{}: {}", aspect.as_str(), verdict.detail));
            }
        }
        for aspect in [Aspect::Chain, Aspect::Time, Aspect::Revocation] {
            self.of_trust(&report, aspect);
        }
        let anchor = report.path.as_ref().and_then(|path| path.last().cloned());
        self.signer = certificate(&opened.data).map(|certificate| (certificate.clone(), anchor));
    }

    /// What depends on whom the reader believes: wrong is wrong, not known is not judged.
    fn of_trust(&mut self, report: &SignatureReport, aspect: Aspect) {
        let verdict = report.verdict(aspect);
        let detail = format!("{}: {}", aspect.as_str(), verdict.detail);
        match (verdict.outcome, verdict.code) {
            (Outcome::Good | Outcome::Weak, _) => {}
            (Outcome::Bad, code) => self.bad(code.unwrap_or(Code::SignatureInvalid), &detail),
            // Without revocation data at hand nothing is known, and nothing was promised.
            (Outcome::Absent | Outcome::NotChecked, _) if aspect == Aspect::Revocation => {}
            (Outcome::Absent | Outcome::NotChecked, code) => {
                let code = code.unwrap_or(Code::SignatureChainNotChecked);
                self.findings.push(Finding::warning(code, "", &detail));
            }
        }
    }
}

/// Whether a signature says to be by this certificate; nothing is verified here.
pub fn is_by(p7s: &[u8], sha256: &Sha256) -> bool {
    open(p7s).is_ok_and(|opened| certificate(&opened.data).is_some_and(|found| Sha256::of(found.der()) == *sha256))
}

/// Who signed, for people and programs: what the certificate says and what the signer claims; nothing is verified here.
pub fn facts(p7s: &[u8]) -> Option<Value> {
    let opened = open(p7s).ok()?;
    let certificate = certificate(&opened.data)?;
    let claimed = opened.data.signers.first().and_then(|signer| signer.claimed_time());
    Some(json!({
        "format": "CAdES-B-B",
        "subject": name::text(certificate.subject()),
        "issuer": name::text(certificate.issuer()),
        "signing_time": claimed.map(iso_seconds),
        "certificate_sha256": Sha256::of(certificate.der()),
        "not_before": iso_seconds(certificate.not_before),
        "not_after": iso_seconds(certificate.not_after),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Severity;
    use crate::evidence::anchors::Anchors;
    use crate::evidence::fixtures::{at, pki};
    use crate::evidence::sign::cades;
    use crate::evidence::sign::twin::Twin;
    use crate::evidence::trust;
    use crate::package::pindex::agents::AgentName;

    const NOW: &str = "2026-11-22T10:00:00Z";

    fn agent(first: &str, last: &str) -> Agent {
        let name = AgentName::Natural { first: first.into(), last: last.into() };
        Agent { name, id: None, documents: Vec::new() }
    }

    fn trusting(roots: Vec<Vec<u8>>) -> Trust {
        Trust::empty().with(trust::Purpose::Signature, Anchors::from_der(roots).unwrap())
    }

    #[test]
    fn each_thing_that_is_wrong_or_unknown_is_told() {
        let twin = Twin::new();
        let digest = Sha256::of(b"index");
        let der = cades::sign(&twin, digest, at(NOW)).unwrap();
        let own = trusting(vec![twin.pki.root.clone()]);
        // The twin's certificate is of "Firmatario di prova".
        let authorised = [agent("altro", "nome"), agent("Firmatario", "di prova")];
        let told = |der: &[u8], digest, when: &str, agents: Option<&[Agent]>, trust: &Trust| -> Vec<(Code, Severity)> {
            judge(der, digest, at(when), agents, trust).findings.iter().map(|f| (f.code, f.severity)).collect()
        };
        let agents = Some(&authorised[..]);
        assert_eq!(told(&der, digest, NOW, agents, &own), vec![]);
        assert_eq!(told(&der, digest, NOW, None, &own), vec![]);
        let judged = judge(&der, digest, at(NOW), agents, &own);
        let (certificate, anchor) = judged.signer.unwrap();
        assert_eq!((certificate.der(), anchor.unwrap().der()), (&twin.pki.leaf[..], &twin.pki.root[..]));
        assert_eq!(told(&der, Sha256::of(b"other"), NOW, agents, &own), [(Code::SignatureInvalid, Severity::Error)]);
        assert_eq!(told(&der, digest, NOW, Some(&authorised[..1]), &own), [(Code::SignatureStranger, Severity::Error)]);
        let nobody = Trust::empty();
        let chain = [(Code::SignatureChainNotChecked, Severity::Warning)];
        assert_eq!(told(&der, digest, NOW, agents, &nobody), chain);
        let others = trusting(vec![pki(|_| {}).leaf]);
        assert_eq!(told(&der, digest, NOW, agents, &others)[0].1, Severity::Warning);
        // Stamped before the certificate was valid; and long after, when only the signer says that it was.
        assert_eq!(
            told(&der, digest, "2025-01-01T00:00:00Z", agents, &own)[0],
            (Code::SignatureNotYetValid, Severity::Error)
        );
        assert_eq!(
            told(&der, digest, "2040-01-01T00:00:00Z", agents, &own),
            [(Code::SignatureTimeNotProved, Severity::Warning)]
        );
        assert_eq!(told(b"", digest, NOW, agents, &own), [(Code::SignatureInvalid, Severity::Error)]);
        assert_eq!(
            told(&[&der[..], b"x"].concat(), digest, NOW, agents, &own),
            [(Code::SignatureInvalid, Severity::Error)]
        );
        let facts = facts(&der).unwrap();
        assert_eq!(facts["signing_time"], NOW);
        assert!(facts["subject"].as_str().unwrap().contains("CN=Firmatario di prova"), "{facts}");
    }
}
