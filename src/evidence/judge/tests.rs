//! Signatures as they come: intact, edited, signed by another, weak, out of time; each aspect apart.

use super::*;
use crate::error::Code;
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::anchors::Anchors;
use crate::evidence::asn1;
use crate::evidence::cms::{Digester, Spec, sign};
use crate::evidence::fixtures::{Pki, at, pki};
use crate::evidence::oids;
use crate::evidence::trust;
use crate::evidence::verdict::{Aspect, Conclusion, Outcome, Reference};
use crate::evidence::x509::{Extension, Profile, Purposes};

mod attributes;

const PART: &[u8] = b"Content-Type: text/plain\r\n\r\nRicevuta di accettazione\r\n";
const FROM: &str = "posta-certificata@pec.example.it";
const SIGNED: &str = "2026-03-10T09:00:00Z";
const RECEIVED: &str = "2026-03-10T09:05:00Z";

/// As the technical rules want a provider's certificate.
pub(super) fn provider(profile: &mut Profile<'_>) {
    profile.emails = vec![FROM.to_owned()];
    profile.purposes = Some(Purposes { critical: false, list: vec![oids::KP_EMAIL_PROTECTION] });
}

fn trusting(pki: &Pki) -> Trust {
    Trust::empty().with(trust::Purpose::Pec, Anchors::from_der(vec![pki.root.clone()]).unwrap())
}

fn detached(pki: &Pki) -> Vec<u8> {
    let spec = Spec { attached: false, signing_time: Some(at(SIGNED)), ..Spec::new(PART, &pki.leaf_key, &pki.leaf) };
    sign(&spec).unwrap()
}

/// Judges the signature of a PEC message from this address.
fn pec(
    judge: &Judge<'_>,
    p7s: &[u8],
    part: Content<'_>,
    from: Option<&str>,
    place: &str,
) -> Result<Vec<SignatureReport>> {
    let senders = Senders { from: from.unwrap_or_default(), sender: "", doubt: "" };
    judge.mail(&open(p7s)?, Some(part), Purpose::Pec, senders, place)
}

fn judge_at<'a>(trust: &'a Trust, received: &str) -> Judge<'a> {
    Judge { trust, reference: None, received_at: at(received), gathered: None }
}

fn outcome(report: &SignatureReport, aspect: Aspect) -> (Outcome, Option<Code>) {
    let verdict = report.verdict(aspect);
    (verdict.outcome, verdict.code)
}

#[test]
fn an_intact_pec_is_good_in_every_aspect_that_was_looked_at() {
    let pki = pki(provider);
    let trust = trusting(&pki);
    let reference = Some(TimeReference { kind: Reference::Daticert, at: at("2026-03-10T08:59:58Z") });
    let judge = Judge { reference, ..judge_at(&trust, RECEIVED) };
    let reports =
        pec(&judge, &detached(&pki), Content::Bytes(PART), Some("Posta-Certificata@PEC.example.it"), "p7s").unwrap();
    let [report] = reports.as_slice() else { panic!("one signer") };
    for aspect in Aspect::ALL {
        let expected = match aspect {
            Aspect::SigningCertificate => (Outcome::NotChecked, None),
            Aspect::Revocation => (Outcome::NotChecked, Some(Code::RevocationMissing)),
            _ => (Outcome::Good, None),
        };
        assert_eq!(outcome(report, aspect), expected, "{aspect:?}: {:?}", report.verdict(aspect));
    }
    assert_eq!(report.conclusion(), Conclusion::Indeterminate);
    assert_eq!(report.reference, reference);
    assert_eq!(report.place, "p7s/signer 1");
    assert_eq!(report.signing_time, Some(at(SIGNED)));
    let signer = report.signer.as_ref().unwrap();
    assert_eq!(signer.emails, [FROM]);
    assert_eq!(signer.subject, "CN=Firmatario di prova,O=Esempio,C=IT");
    assert!(report.noticed.is_empty());
    // The same by digests that were computed while the message went by.
    let mut digester = Digester::new(&[DigestAlgorithm::Sha1, DigestAlgorithm::Sha256]);
    PART.chunks(7).for_each(|chunk| digester.update(chunk));
    let digests = digester.finish();
    assert_eq!(pec(&judge, &detached(&pki), Content::Digests(&digests), Some(FROM), "p7s").unwrap(), reports);
    let other = Digester::new(&[DigestAlgorithm::Sha1]).finish();
    let blind = &pec(&judge, &detached(&pki), Content::Digests(&other), Some(FROM), "p7s").unwrap()[0];
    assert_eq!(outcome(blind, Aspect::Digest), (Outcome::NotChecked, Some(Code::NotLookedAt)));
}

#[test]
fn each_defect_changes_its_own_aspect() {
    let pki = pki(provider);
    let trust = trusting(&pki);
    let judge = judge_at(&trust, RECEIVED);
    let signature = detached(&pki);
    let edited = [PART, b"x"].concat();
    let report = &pec(&judge, &signature, Content::Bytes(&edited), Some(FROM), "p7s").unwrap()[0];
    assert_eq!(outcome(report, Aspect::Digest), (Outcome::Bad, Some(Code::SignatureDigest)));
    assert_eq!(outcome(report, Aspect::Signature).0, Outcome::Good, "the attributes are still the signer's");
    assert_eq!(report.conclusion(), Conclusion::Invalid);
    let report = &pec(&judge, &signature, Content::Bytes(PART), Some("altro@pec.example.it"), "p7s").unwrap()[0];
    assert_eq!(outcome(report, Aspect::Address), (Outcome::Bad, Some(Code::SignatureAddress)));
    let report = &pec(&judge, &signature, Content::Bytes(PART), None, "p7s").unwrap()[0];
    assert_eq!(outcome(report, Aspect::Address).0, Outcome::Absent);
    // The last byte of the signature value.
    let mut broken = signature.clone();
    *broken.last_mut().unwrap() ^= 1;
    let report = &pec(&judge, &broken, Content::Bytes(PART), Some(FROM), "p7s").unwrap()[0];
    assert_eq!(outcome(report, Aspect::Signature), (Outcome::Bad, Some(Code::SignatureMath)));
    assert_eq!(outcome(report, Aspect::Digest).0, Outcome::Good);
    // Without its certificate nothing can be said of the mathematics.
    let spec = Spec { attached: false, include_certificate: false, ..Spec::new(PART, &pki.leaf_key, &pki.leaf) };
    let report = &pec(&judge, &sign(&spec).unwrap(), Content::Bytes(PART), Some(FROM), "p7s").unwrap()[0];
    assert_eq!(outcome(report, Aspect::Signature), (Outcome::NotChecked, Some(Code::SignatureNoCertificate)));
    assert_eq!(report.conclusion(), Conclusion::Indeterminate);
    assert_eq!(judge.cms(&signature, None, Purpose::Pec, "p7s").unwrap_err().code, Code::P7mDetached);
}

#[test]
fn sha1_is_weak_and_not_refused() {
    let pki = pki(provider);
    let root = crate::evidence::fixtures::rsa();
    let spec = Spec { attached: false, digest: DigestAlgorithm::Sha1, ..Spec::new(PART, &root, &pki.root) };
    let trust = trusting(&pki);
    let report = &pec(&judge_at(&trust, RECEIVED), &sign(&spec).unwrap(), Content::Bytes(PART), None, "p").unwrap()[0];
    assert_eq!(outcome(report, Aspect::Digest), (Outcome::Weak, Some(Code::SignatureWeak)));
    assert_eq!(outcome(report, Aspect::Signature).0, Outcome::Good);
    assert_eq!(outcome(report, Aspect::Profile), (Outcome::Bad, Some(Code::SignatureProfile)), "an authority's");
}

#[test]
fn the_profile_of_a_provider_is_held_against_the_rules() {
    let judged = |change: fn(&mut Profile<'_>)| {
        let pki = pki(|profile| {
            provider(profile);
            change(profile);
        });
        let trust = trusting(&pki);
        let reports = pec(&judge_at(&trust, RECEIVED), &detached(&pki), Content::Bytes(PART), Some(FROM), "p");
        reports.unwrap()[0].verdict(Aspect::Profile).clone()
    };
    assert_eq!(judged(|_| {}).outcome, Outcome::Good);
    let no_mail = judged(|p| p.purposes = Some(Purposes { critical: false, list: vec![oids::KP_TIME_STAMPING] }));
    assert!(no_mail.detail.contains("does not allow mail"), "{}", no_mail.detail);
    assert!(judged(|p| p.emails.clear()).detail.contains("no subjectAltName"));
    assert!(judged(|p| p.key_usage.clear()).detail.contains("no keyUsage"));
    let old = judged(|p| {
        let value = asn1::sequence(&[]);
        p.more.push(Extension { id: oids::BASIC_CONSTRAINTS, critical: false, value });
    });
    assert_eq!(old.outcome, Outcome::Good);
    assert!(old.detail.contains("old certificates"));
}

#[test]
fn untrusted_missing_expired_and_not_yet_valid_are_told_apart() {
    let pki = pki(provider);
    let chain = |trust: &Trust, signature: &[u8], received: &str| {
        let report =
            pec(&judge_at(trust, received), signature, Content::Bytes(PART), Some(FROM), "p").unwrap().remove(0);
        (outcome(&report, Aspect::Chain), outcome(&report, Aspect::Time), report.conclusion())
    };
    let signature = detached(&pki);
    let with_root = {
        let extra = [pki.root.clone()];
        let spec = Spec { attached: false, extra_certificates: &extra, ..Spec::new(PART, &pki.leaf_key, &pki.leaf) };
        sign(&spec).unwrap()
    };
    let own = trusting(&pki);
    let nobody = Trust::empty();
    assert_eq!(chain(&nobody, &signature, RECEIVED).0, (Outcome::NotChecked, Some(Code::SignatureChainNotChecked)));
    let foreign = {
        let key = crate::evidence::key::SigningKey::generate_p256().unwrap().0;
        let spki = key.spki_der().unwrap();
        let name = crate::evidence::x509::Dn::new().common_name("Un'altra radice");
        let issuer = crate::evidence::x509::Issuer::Own(&key);
        let profile =
            Profile::authority(name, &spki, issuer, 9, at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
        let root = crate::evidence::x509::issue(&profile).unwrap();
        Trust::empty().with(trust::Purpose::Pec, Anchors::from_der(vec![root]).unwrap())
    };
    assert_eq!(chain(&foreign, &with_root, RECEIVED).0, (Outcome::Absent, Some(Code::SignatureUntrusted)));
    assert_eq!(chain(&foreign, &signature, RECEIVED).0, (Outcome::Absent, Some(Code::SignatureIssuerMissing)));
    assert_eq!(chain(&own, &with_root, RECEIVED).0, (Outcome::Good, None));
    // Expired when it was received, valid when the signer says to have signed.
    let (chained, time, conclusion) = chain(&own, &signature, "2040-01-01T00:00:00Z");
    assert_eq!((chained.0, time), (Outcome::Good, (Outcome::Absent, Some(Code::SignatureTimeNotProved))));
    assert_eq!(conclusion, Conclusion::Indeterminate, "revocation was not looked at");
    // Without a signing time there is nothing to fall back to.
    let silent = sign(&Spec { attached: false, ..Spec::new(PART, &pki.leaf_key, &pki.leaf) }).unwrap();
    assert_eq!(chain(&own, &silent, "2040-01-01T00:00:00Z").0, (Outcome::Bad, Some(Code::SignatureExpired)));
    assert_eq!(chain(&own, &silent, "2025-01-01T00:00:00Z").0, (Outcome::Bad, Some(Code::SignatureNotYetValid)));
}

#[test]
fn a_signature_of_a_document_asks_for_the_signing_certificate_and_the_signing_time() {
    let pki = pki(|_| {});
    let trust = Trust::empty().with(trust::Purpose::Signature, Anchors::from_der(vec![pki.root.clone()]).unwrap());
    let judge = judge_at(&trust, RECEIVED);
    let cades = sign(&Spec::cades(b"<a/>", &pki.leaf_key, &pki.leaf, at(SIGNED))).unwrap();
    let report = judge.cms(&cades, None, Purpose::Signature, "layer 1").unwrap().remove(0);
    assert_eq!(outcome(&report, Aspect::SigningCertificate).0, Outcome::Good);
    assert_eq!(outcome(&report, Aspect::Chain).0, Outcome::Good);
    assert!(report.noticed.is_empty());
    let plain = sign(&Spec::new(b"<a/>", &pki.leaf_key, &pki.leaf)).unwrap();
    let report = judge.cms(&plain, None, Purpose::Signature, "layer 1").unwrap().remove(0);
    assert_eq!(outcome(&report, Aspect::SigningCertificate), (Outcome::Absent, Some(Code::SignatureNotCades)));
    assert_eq!(report.noticed, [(Code::SignatureTimeAbsent, crate::error::Severity::Warning)]);
    let late = sign(&Spec::cades(b"<a/>", &pki.leaf_key, &pki.leaf, at("2026-03-10T10:00:00Z"))).unwrap();
    let report = judge.cms(&[&late[..], b"coda"].concat(), None, Purpose::Signature, "layer 1").unwrap().remove(0);
    let codes: Vec<Code> = report.findings().iter().map(|finding| finding.code).collect();
    for expected in [Code::SignatureTimeLate, Code::SignatureTrailing] {
        assert!(codes.contains(&expected), "{codes:?}");
    }
}

#[test]
fn a_provider_is_from_and_sender_and_a_person_is_one_of_them() {
    let named = pki(provider);
    let nameless = pki(|_| {});
    let (trust, none) = (Trust::empty(), "");
    let other = "altri@pec.example.it";
    let judged = |pki: &Pki, purpose, from, sender| {
        let opened = open(&detached(pki)).unwrap();
        let senders = Senders { from, sender, doubt: "" };
        let reports = judge_at(&trust, RECEIVED).mail(&opened, Some(Content::Bytes(PART)), purpose, senders, "p");
        outcome(&reports.unwrap()[0], Aspect::Address).0
    };
    for (from, sender, as_provider, as_person) in [
        (FROM, none, Outcome::Good, Outcome::Good),
        (FROM, FROM, Outcome::Good, Outcome::Good),
        (FROM, other, Outcome::Bad, Outcome::Good),
        (other, FROM, Outcome::Bad, Outcome::Good),
        (other, none, Outcome::Bad, Outcome::Bad),
        (none, none, Outcome::Absent, Outcome::Absent),
        (none, FROM, Outcome::Absent, Outcome::Good),
    ] {
        assert_eq!(judged(&named, Purpose::Pec, from, sender), as_provider, "provider {from:?} {sender:?}");
        assert_eq!(judged(&named, Purpose::Signature, from, sender), as_person, "person {from:?} {sender:?}");
    }
    assert_eq!(judged(&nameless, Purpose::Pec, FROM, none), Outcome::Bad);
    assert_eq!(judged(&nameless, Purpose::Signature, FROM, none), Outcome::NotChecked);
}
