//! One test a line of the checklist, each with tokens that are right but for that line.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::error::Error;
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1::{self, Reader, tag};
use crate::evidence::cms::build::{Spec, sign};
use crate::evidence::fixtures::{Pki, pki, rsa};
use crate::evidence::key::SigningKey;
use crate::evidence::oids;
use crate::evidence::x509::{Certificate, Dn, Issuer, Profile, Purposes, issue};

fn tsa_with(change: impl FnOnce(&mut Profile<'_>)) -> Pki {
    pki(|profile| {
        profile.purposes = Some(Purposes { critical: true, list: vec![oids::KP_TIME_STAMPING] });
        change(profile);
    })
}

fn tsa() -> Pki {
    tsa_with(|_| {})
}

fn anchors(pki: &Pki) -> Anchors {
    Anchors::from_der(vec![pki.root.clone()]).unwrap()
}

fn info() -> TstInfo {
    TstInfo {
        policy: "1.2.3.4".parse().unwrap(),
        algorithm: oids::SHA256,
        imprint: imprint().as_bytes().to_vec(),
        serial: vec![7],
        gen_time: at(NOW),
        accuracy: None,
        ordering: false,
        nonce: Some(vec![5; 8]),
    }
}

fn sent() -> Vec<u8> {
    request(imprint(), Some(&[5; 8]))
}

fn token(pki: &Pki, info: &TstInfo) -> Vec<u8> {
    token_with(pki, &info.to_der(Certificate::parse(&pki.leaf).unwrap().subject()), |_| {})
}

fn token_with<'a>(pki: &'a Pki, content: &'a [u8], change: impl FnOnce(&mut Spec<'a>)) -> Vec<u8> {
    let mut spec = Spec {
        content_type: oids::TST_INFO,
        signing_certificate_v2: true,
        ..Spec::new(content, &pki.leaf_key, &pki.leaf)
    };
    change(&mut spec);
    sign(&spec).unwrap()
}

fn content(pki: &Pki) -> Vec<u8> {
    info().to_der(Certificate::parse(&pki.leaf).unwrap().subject())
}

fn judged(pki: &Pki, token: &[u8]) -> Result<Token> {
    verify_reply(&sent(), &reply::granted(token), &anchors(pki), at(NOW))
}

#[track_caller]
fn refused(result: Result<Token>, why: &str) {
    let error: Error = result.map(|token| token.info().clone()).unwrap_err();
    assert!(error.code.as_str().starts_with("timestamp"), "{error}");
    assert!(error.detail.contains(why), "{why:?} expected: {error}");
}

#[test]
fn the_token_all_others_differ_from_is_good() {
    let p = tsa();
    let token = token(&p, &info());
    assert_eq!(judged(&p, &token).unwrap().info(), &info());
    assert_eq!(verify_token(&token, imprint(), &anchors(&p)).unwrap().path().len(), 2);
}

#[test]
fn line_1_not_granted_or_no_token() {
    let p = tsa();
    let status = |n: u32| asn1::sequence(&[&asn1::small(n)]);
    let verify = |reply: &[u8]| verify_reply(&sent(), reply, &anchors(&p), at(NOW));
    refused(verify(&asn1::sequence(&[&status(0)])), "without a token");
    let with_token = asn1::sequence(&[&status(2), &token(&p, &info())]);
    assert_eq!(verify(&with_token).unwrap_err().code, Code::TsaRefused, "status 2 wins over a token");
    assert!(verify(&asn1::sequence(&[&status(1), &token(&p, &info())])).is_ok(), "grantedWithMods");
    assert_eq!(verify(&asn1::sequence(&[&status(3)])).unwrap_err().code, Code::TsaRefused);
    refused(verify(&vec![0x30; MAX_REPLY + 1]), "64 KiB");
}

#[test]
fn line_2_other_content_or_other_than_one_signer() {
    let p = tsa();
    refused(judged(&p, &token_with(&p, &content(&p), |spec| spec.content_type = oids::DATA)), "not a time-stamp token");
    refused(judged(&p, &token_with(&p, &content(&p), |spec| spec.attached = false)), "not a time-stamp token");
    refused(judged(&p, &two_signers(&token(&p, &info()))), "2 signers");
}

/// The same SignerInfo twice.
fn two_signers(token: &[u8]) -> Vec<u8> {
    let mut outer = Reader::only(token, tag::SEQUENCE).unwrap().inside();
    let kind = outer.next().unwrap();
    let data = outer.next().unwrap().inside().next().unwrap().inside().all().unwrap();
    let (signers, rest) = data.split_last().unwrap();
    let rest: Vec<u8> = rest.iter().flat_map(|element| element.raw.to_vec()).collect();
    let twice = asn1::constructed(tag::SET, &[signers.value, signers.value]);
    let data = asn1::constructed(tag::SEQUENCE, &[&rest, &twice]);
    asn1::sequence(&[kind.raw, &asn1::constructed(tag::constructed(0), &[&data])])
}

#[test]
fn line_3_digest_or_signature_wrong_or_weak() {
    let p = tsa();
    let good = token(&p, &info());
    let place = good.windows(32).position(|w| w == imprint().as_bytes()).unwrap();
    let mut edited = good.clone();
    edited[place] ^= 1;
    refused(judged(&p, &edited), "digest");
    let mut edited = good.clone();
    *edited.last_mut().unwrap() ^= 1;
    refused(judged(&p, &edited), "signature");
    // An RSA authority that still uses SHA-1.
    let own = rsa();
    let spki = own.spki_der().unwrap();
    let purposes = Some(Purposes { critical: true, list: vec![oids::KP_TIME_STAMPING] });
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let issuer = Issuer::Authority { key: &p.root_key, certificate: &p.root };
    let leaf =
        issue(&Profile { purposes, ..Profile::leaf(Dn::new().common_name("x"), &spki, issuer, 9, from, to) }).unwrap();
    let p = Pki { leaf, leaf_key: own, ..p };
    assert!(judged(&p, &token(&p, &info())).is_ok());
    let weak = token_with(&p, &content(&p), |spec| spec.digest = DigestAlgorithm::Sha1);
    refused(judged(&p, &weak), "no longer acceptable");
}

#[test]
fn line_4_certificate_missing_or_not_the_one_named() {
    let p = tsa();
    let bare = token_with(&p, &content(&p), |spec| spec.include_certificate = false);
    refused(judged(&p, &bare), "not there");
    refused(
        judged(&p, &token_with(&p, &content(&p), |spec| spec.signing_certificate_v2 = false)),
        "signing certificate",
    );
    // Same key, issuer and serial number, another certificate in its place.
    let good = token(&p, &info());
    let spki = p.leaf_key.spki_der().unwrap();
    let issuer = Issuer::Authority { key: &p.root_key, certificate: &p.root };
    let purposes = Some(Purposes { critical: true, list: vec![oids::KP_TIME_STAMPING] });
    let (from, to) = (at("2025-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let twin = issue(&Profile { purposes, ..Profile::leaf(Dn::new().common_name("twin"), &spki, issuer, 2, from, to) })
        .unwrap();
    let swapped = swap_certificate(&good, &twin);
    refused(judged(&p, &swapped), "names another certificate");
}

fn swap_certificate(token: &[u8], certificate: &[u8]) -> Vec<u8> {
    let mut outer = Reader::only(token, tag::SEQUENCE).unwrap().inside();
    let kind = outer.next().unwrap();
    let data = outer.next().unwrap().inside().next().unwrap().inside().all().unwrap();
    let parts: Vec<Vec<u8>> = data
        .iter()
        .map(|e| if e.tag == tag::constructed(0) { asn1::tlv(e.tag, certificate) } else { e.raw.to_vec() })
        .collect();
    let data = asn1::tlv(tag::SEQUENCE, &parts.concat());
    asn1::sequence(&[kind.raw, &asn1::constructed(tag::constructed(0), &[&data])])
}

#[test]
fn line_5_purpose_absent_not_critical_or_not_alone() {
    let only = vec![oids::KP_TIME_STAMPING];
    let both = vec![oids::KP_TIME_STAMPING, oids::KP_EMAIL_PROTECTION];
    for purposes in [
        None,
        Some(Purposes { critical: false, list: only }),
        Some(Purposes { critical: true, list: both }),
        Some(Purposes { critical: true, list: vec![oids::KP_EMAIL_PROTECTION] }),
    ] {
        let p = tsa_with(|profile| profile.purposes = purposes);
        refused(judged(&p, &token(&p, &info())), "extended key usage");
    }
    let p = tsa_with(|profile| profile.key_usage = vec![crate::evidence::x509::KeyUsage::KeyEncipherment]);
    refused(judged(&p, &token(&p, &info())), "key usage");
}

#[test]
fn line_6_imprint_of_something_else() {
    let p = tsa();
    refused(judged(&p, &token(&p, &TstInfo { imprint: vec![1; 32], ..info() })), "something else");
    refused(judged(&p, &token(&p, &TstInfo { algorithm: oids::SHA1, imprint: vec![1; 20], ..info() })), "weak");
    refused(judged(&p, &token(&p, &TstInfo { algorithm: oids::SHA512, ..info() })), "length");
    assert!(verify_token(&token(&p, &info()), Sha256::of(b"x"), &anchors(&p)).is_err());
}

#[test]
fn line_7_nonce_absent_or_other() {
    let p = tsa();
    refused(judged(&p, &token(&p, &TstInfo { nonce: None, ..info() })), "nonce");
    refused(judged(&p, &token(&p, &TstInfo { nonce: Some(vec![6; 8]), ..info() })), "nonce");
}

#[test]
fn line_8_policy_not_asked_for_or_not_allowed() {
    let p = tsa();
    let reply = reply::granted(&token(&p, &info()));
    let asked = Query { policy: Some("1.2.3.5".parse().unwrap()), nonce: Some(vec![5; 8]), ..Query::new(imprint()) };
    refused(verify_reply(&asked.to_der(), &reply, &anchors(&p), at(NOW)), "policy 1.2.3.4");
    let allow = |policy: &str| Rules { policies: vec![policy.parse().unwrap()], ..Rules::default() };
    refused(allow("1.2.3.5").verify_reply(&sent(), &reply, &anchors(&p), Some(at(NOW))), "policy 1.2.3.4");
    assert!(allow("1.2.3.4").verify_reply(&sent(), &reply, &anchors(&p), Some(at(NOW))).is_ok());
}

#[test]
fn line_9_chain_to_no_anchor_or_broken_at_that_time() {
    let p = tsa();
    let good = token(&p, &info());
    let untrusted = |anchors: &Anchors| verify_token(&good, imprint(), anchors).unwrap_err().code;
    assert_eq!(untrusted(&Anchors::default()), Code::TokenUntrusted);
    // A stranger with the same name but another key, and the same authority's other branch.
    assert_eq!(untrusted(&anchors(&stranger())), Code::TokenUntrusted);

    // Made after the certificate had ended, or before it began; judged at genTime, not now.
    let late = TstInfo { gen_time: at("2036-06-01T00:00:00Z"), ..info() };
    refused(verify_token(&token(&p, &late), imprint(), &anchors(&p)), "2036-06-01");
    let early = TstInfo { gen_time: at("2025-12-31T23:59:59Z"), ..info() };
    refused(verify_token(&token(&p, &early), imprint(), &anchors(&p)), "certificate path");
    let ended = tsa_with(|profile| profile.not_after = at("2026-11-23T00:00:00Z"));
    assert!(verify_token(&token(&ended, &info()), imprint(), &anchors(&ended)).is_ok(), "expired since, valid then");
}

fn stranger() -> Pki {
    let p = tsa();
    let (key, _) = SigningKey::generate_p256().unwrap();
    let spki = key.spki_der().unwrap();
    let name = Dn::new().country("IT").organization("Esempio").common_name("Radice di prova");
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let root = issue(&Profile::authority(name, &spki, Issuer::Own(&key), 1, from, to)).unwrap();
    Pki { root, ..p }
}

/// root → middle → leaf, the middle changed before it is issued.
fn three(change: impl FnOnce(&mut Profile<'_>)) -> (Pki, Vec<u8>) {
    let p = tsa();
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let (middle_key, _) = SigningKey::generate_p256().unwrap();
    let spki = middle_key.spki_der().unwrap();
    let issuer = Issuer::Authority { key: &p.root_key, certificate: &p.root };
    let mut profile = Profile::authority(Dn::new().common_name("Intermedia"), &spki, issuer, 3, from, to);
    change(&mut profile);
    let middle = issue(&profile).unwrap();
    let spki = p.leaf_key.spki_der().unwrap();
    let issuer = Issuer::Authority { key: &middle_key, certificate: &middle };
    let purposes = Some(Purposes { critical: true, list: vec![oids::KP_TIME_STAMPING] });
    let profile = Profile { purposes, ..Profile::leaf(Dn::new().common_name("Foglia"), &spki, issuer, 4, from, to) };
    let leaf = issue(&profile).unwrap();
    (Pki { leaf, ..p }, middle)
}

#[test]
fn line_9_intermediates_must_be_authorities() {
    let through = |change: fn(&mut Profile<'_>), at_time: Timestamp| {
        let (p, middle) = three(change);
        let info = TstInfo { gen_time: at_time, ..info() };
        let content = info.to_der(Certificate::parse(&p.leaf).unwrap().subject());
        let extra = [middle];
        let token = token_with(&p, &content, |spec| spec.extra_certificates = &extra);
        verify_token(&token, imprint(), &anchors(&p))
    };
    assert_eq!(through(|_| {}, at(NOW)).unwrap().path().len(), 3);
    refused(through(|profile| profile.ca = false, at(NOW)), "MissingBasicConstraints");
    let no_sign = |profile: &mut Profile<'_>| profile.key_usage = vec![crate::evidence::x509::KeyUsage::CrlSign];
    refused(through(no_sign, at(NOW)), "InvalidKeyUsage");
    let ended = |profile: &mut Profile<'_>| profile.not_after = at("2026-02-01T00:00:00Z");
    refused(through(ended, at(NOW)), "certificate path");
    assert!(through(ended, at("2026-01-15T00:00:00Z")).is_ok());
    let unknown = |profile: &mut Profile<'_>| {
        let id = "1.2.3.4.5".parse().unwrap();
        profile.more.push(crate::evidence::x509::Extension { id, critical: true, value: asn1::null() });
    };
    refused(through(unknown, at(NOW)), "UnprocessedCriticalExtension");
    let sha1 = |profile: &mut Profile<'_>| profile.digest = DigestAlgorithm::Sha1;
    refused(through(sha1, at(NOW)), "SignatureVerificationFailure");
    // Only for mail and invoices of past years.
    let (p, middle) = three(sha1);
    let bag = [Certificate::parse(&middle).unwrap()];
    let leaf = Certificate::parse(&p.leaf).unwrap();
    let legacy = crate::evidence::x509::path::Rfc5280 { legacy: true };
    assert!(crate::evidence::x509::path::find(&leaf, &bag, &anchors(&p), at(NOW), &legacy).is_ok());
    // An end entity that was configured as an anchor issues nothing.
    let (p, middle) = three(|profile| profile.ca = false);
    let anchors_of_middle = Anchors::from_der(vec![middle]).unwrap();
    let by_leaf = token(&p, &info());
    assert_eq!(verify_token(&by_leaf, imprint(), &anchors_of_middle).unwrap_err().code, Code::TokenUntrusted);
    let (p, _) = three(|_| {});
    let alone = token(&p, &TstInfo { ..info() });
    assert_eq!(verify_token(&alone, imprint(), &anchors(&p)).unwrap_err().code, Code::TokenUntrusted);
}

#[test]
fn line_10_time_implausible_or_accuracy_insufficient() {
    let p = tsa();
    let minutes = |n: i64| TstInfo { gen_time: at(NOW) + SignedDuration::from_mins(n), ..info() };
    refused(judged(&p, &token(&p, &minutes(6))), "future");
    refused(judged(&p, &token(&p, &minutes(-6))), "before it was asked");
    assert!(judged(&p, &token(&p, &minutes(4))).is_ok() && judged(&p, &token(&p, &minutes(-4))).is_ok());
    let vague = TstInfo { accuracy: Some(Accuracy { seconds: 1, millis: 1, micros: 0 }), ..info() };
    refused(judged(&p, &token(&p, &vague)), "accuracy");
    // A reply stored earlier is not measured by today's clock.
    let reply = reply::granted(&token(&p, &minutes(-600)));
    assert!(Rules::default().verify_reply(&sent(), &reply, &anchors(&p), None).is_ok());
}

/// Gives these replies one after the other.
struct Canned(std::sync::Mutex<Vec<Vec<u8>>>);

impl Authority for Canned {
    fn name(&self) -> &str {
        "canned"
    }

    fn stamp(&self, _: &[u8]) -> Result<Vec<u8>> {
        Ok(self.0.lock().unwrap().remove(0))
    }
}

#[test]
fn line_11_serial_number_used_twice() {
    let p = tsa();
    let first = reply::granted(&token(&p, &info()));
    let other = reply::granted(&token(
        &p,
        &TstInfo { accuracy: Some(Accuracy { seconds: 1, ..Default::default() }), ..info() },
    ));
    let canned = Canned(std::sync::Mutex::new(vec![first.clone(), first, other.clone(), other]));
    let authorities = Authorities::new(vec![Box::new(canned)], anchors(&p), Rules::default()).pause(Default::default());
    let clock = ManualClock::at(at(NOW));
    assert!(authorities.stamp(&sent(), &clock).is_ok());
    assert!(authorities.stamp(&sent(), &clock).is_ok(), "the very same token again");
    let error = authorities.stamp(&sent(), &clock).unwrap_err();
    assert!(error.code == Code::TsaDown && error.detail.contains("serial number"), "{error}");
}

#[test]
fn extensions_of_the_token_that_are_critical_are_refused() {
    let p = tsa();
    let content = content(&p);
    let body = Reader::only(&content, tag::SEQUENCE).unwrap().value;
    let id = asn1::oid(&"0.4.0.19422.1.1".parse().unwrap());
    let plain = asn1::sequence(&[&id, &asn1::octets(&[5, 0])]);
    let critical = asn1::sequence(&[&id, &asn1::true_(), &asn1::octets(&[5, 0])]);
    let with = |extension: &[u8]| {
        let list = asn1::constructed(tag::constructed(1), &[extension]);
        token_with(&p, &asn1::sequence(&[body, &list]), |_| {})
    };
    assert!(judged(&p, &with(&plain)).is_ok());
    refused(judged(&p, &with(&critical)), "critical extension");
    refused(judged(&p, &token_with(&p, &asn1::sequence(&[body, &[0, 0]]), |_| {})), "der/malformed");
}
