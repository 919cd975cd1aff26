//! What stands around a signature and is not signed by it: counter-signatures, time-stamps, revocation data; and several signers of
//! one content. OpenSSL keeps the books of the authority.

use std::sync::Arc;

use super::*;
use crate::clock::ManualClock;
use crate::evidence::asn1::{Reader, tag};
use crate::evidence::cms::unwrap::pem_blocks;
use crate::evidence::fixtures::{openssl, pem};
use crate::evidence::key::SigningKey;
use crate::evidence::tsp::{Authority as _, DevelopmentAuthority, new_request, token_of_reply};
use crate::evidence::verdict::Role;
use crate::evidence::x509::{Dn, Issuer, issue};
use crate::hash::Sha256;

const CONTENT: &[u8] = b"<fattura/>";
const STAMPED: &str = "2026-03-10T09:02:00Z";

fn trust(pki: &Pki) -> Trust {
    Trust::empty().with(trust::Purpose::Signature, Anchors::from_der(vec![pki.root.clone()]).unwrap())
}

/// The bytes of the only SignerInfo of signed data, and its signature value.
fn signer_info(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut outer = Reader::only(der, tag::SEQUENCE).unwrap().inside();
    outer.next().unwrap();
    let wrapper = outer.expect(tag::constructed(0)).unwrap();
    let last = Reader::only(wrapper.value, tag::SEQUENCE).unwrap().inside().all().unwrap().pop().unwrap();
    let value = crate::evidence::cms::SignedData::parse(der).unwrap().signers[0].signature().to_vec();
    (last.value.to_vec(), value)
}

/// The same SignerInfo with one unsigned attribute.
fn with_attribute(info: &[u8], kind: &crate::evidence::Oid, value: &[u8]) -> Vec<u8> {
    let inside = Reader::only(info, tag::SEQUENCE).unwrap().value;
    let attribute = asn1::sequence(&[&asn1::oid(kind), &asn1::constructed(tag::SET, &[value])]);
    asn1::sequence(&[inside, &asn1::constructed(tag::constructed(1), &[&attribute])])
}

/// Signed data of these signers, certificates and revocation data (already in their choices).
fn assemble(signers: Vec<Vec<u8>>, certificates: &[&[u8]], revocation: &[&[u8]]) -> Vec<u8> {
    let content = asn1::constructed(tag::constructed(0), &[&asn1::octets(CONTENT)]);
    let lists = if revocation.is_empty() { Vec::new() } else { asn1::constructed(tag::constructed(1), revocation) };
    let data = asn1::sequence(&[
        &asn1::small(1),
        &asn1::set_of(tag::SET, vec![DigestAlgorithm::Sha256.identifier()]),
        &asn1::sequence(&[&asn1::oid(&oids::DATA), &content]),
        &asn1::constructed(tag::constructed(0), certificates),
        &lists,
        &asn1::constructed(tag::SET, &signers.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    ]);
    asn1::sequence(&[&asn1::oid(&oids::SIGNED_DATA), &asn1::constructed(tag::constructed(0), &[&data])])
}

/// Another end entity of the same authority.
fn second(pki: &Pki) -> (SigningKey, Vec<u8>) {
    let key = SigningKey::generate_p256().unwrap().0;
    let spki = key.spki_der().unwrap();
    let issuer = Issuer::Authority { key: &pki.root_key, certificate: &pki.root };
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let leaf = issue(&Profile::leaf(Dn::new().common_name("Un altro"), &spki, issuer, 3, from, to)).unwrap();
    (key, leaf)
}

fn judged(trust: &Trust, der: &[u8], received: &str) -> Vec<SignatureReport> {
    judge_at(trust, received).cms(der, None, Purpose::Signature, "p").unwrap()
}

#[test]
fn a_counter_signature_has_its_own_verdicts_over_the_signature_it_signs() {
    let pki = pki(|_| {});
    let (key, leaf) = second(&pki);
    let trust = trust(&pki);
    let (info, value) = signer_info(&sign(&Spec::cades(CONTENT, &pki.leaf_key, &pki.leaf, at(SIGNED))).unwrap());
    let countered = |over: &[u8]| {
        let counter = Spec { attached: false, ..Spec::cades(over, &key, &leaf, at(STAMPED)) };
        let counter = signer_info(&sign(&counter).unwrap()).0;
        let info = with_attribute(&info, &oids::COUNTER_SIGNATURE, &counter);
        judged(&trust, &assemble(vec![info], &[&pki.leaf, &leaf], &[]), RECEIVED)
    };
    let reports = countered(&value);
    let [signature, counter] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!((signature.role, counter.role), (Role::Signature, Role::CounterSignature));
    assert_eq!(counter.place, "p/signer 1/counter-signature 1");
    assert!(counter.signer.as_ref().unwrap().subject.contains("Un altro"));
    for report in &reports {
        assert!(report.is_intact(), "{report:?}");
        assert_eq!(outcome(report, Aspect::Chain).0, Outcome::Good);
    }
    // One that was taken from another signature.
    let reports = countered(b"another signature value");
    assert!(reports[0].is_intact());
    assert_eq!(outcome(&reports[1], Aspect::Digest), (Outcome::Bad, Some(Code::SignatureDigest)));
    assert_eq!(SignatureReport::worst(&reports), "invalid");
    // What is no SignerInfo is passed over.
    let bent = with_attribute(&info, &oids::COUNTER_SIGNATURE, &asn1::sequence(&[&asn1::null()]));
    assert_eq!(judged(&trust, &assemble(vec![bent], &[&pki.leaf], &[]), RECEIVED).len(), 1);
}

#[test]
fn of_two_signers_side_by_side_each_has_its_own_verdicts() {
    let pki = pki(|_| {});
    let (key, leaf) = second(&pki);
    let good = signer_info(&sign(&Spec::cades(CONTENT, &pki.leaf_key, &pki.leaf, at(SIGNED))).unwrap()).0;
    let other = signer_info(&sign(&Spec::cades(b"<altra/>", &key, &leaf, at(SIGNED))).unwrap()).0;
    for (order, bad) in [(vec![good.clone(), other.clone()], 1), (vec![other, good], 0)] {
        let reports = judged(&trust(&pki), &assemble(order, &[&pki.leaf, &leaf], &[]), RECEIVED);
        assert_eq!(reports.len(), 2);
        assert_eq!(outcome(&reports[bad], Aspect::Digest), (Outcome::Bad, Some(Code::SignatureDigest)));
        assert_eq!(outcome(&reports[bad], Aspect::Signature).0, Outcome::Good, "its attributes are its own");
        assert_eq!(outcome(&reports[1 - bad], Aspect::Digest).0, Outcome::Good);
        assert_eq!(reports[1 - bad].conclusion(), Conclusion::Indeterminate, "revocation was not looked at");
        assert_eq!(SignatureReport::worst(&reports), "invalid");
    }
}

#[test]
fn a_time_stamp_of_the_signature_is_the_reference_when_it_verifies_by_an_anchor() {
    let pki = pki(|_| {});
    let authority = DevelopmentAuthority::create(Arc::new(ManualClock::at(at(STAMPED)))).unwrap();
    let own = trust(&pki);
    let believing = trust(&pki).with(trust::Purpose::TimeStamp, authority.anchors().unwrap());
    let (info, value) = signer_info(&sign(&Spec::cades(CONTENT, &pki.leaf_key, &pki.leaf, at(SIGNED))).unwrap());
    let stamped = |over: &[u8]| {
        let reply = authority.stamp(&new_request(Sha256::of(over)).unwrap()).unwrap();
        let token = token_of_reply(&reply).unwrap();
        assemble(vec![with_attribute(&info, &oids::SIGNATURE_TIME_STAMP, &token)], &[&pki.leaf], &[])
    };
    // Received long after everything expired: the time-stamp says that it was signed before.
    let late = "2040-01-01T00:00:00Z";
    let reports = judged(&believing, &stamped(&value), late);
    let [signature, stamp] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(stamp.role, Role::TimeStamp);
    let reference = signature.reference.unwrap();
    assert_eq!((reference.kind, reference.at), (Reference::SignatureTimestamp, at(STAMPED)));
    assert_eq!(
        (outcome(signature, Aspect::Chain).0, outcome(signature, Aspect::Time).0),
        (Outcome::Good, Outcome::Good)
    );
    // By nobody's word, or of another signature: then the receipt is the best there is.
    let unbelieved = judged(&own, &stamped(&value), RECEIVED);
    assert_eq!(unbelieved[0].reference.unwrap().kind, Reference::Receipt);
    assert_eq!(outcome(&unbelieved[1], Aspect::Chain), (Outcome::NotChecked, Some(Code::SignatureChainNotChecked)));
    let foreign = judged(&believing, &stamped(b"another signature value"), RECEIVED);
    assert_eq!(foreign[0].reference.unwrap().kind, Reference::Receipt);
    assert_eq!(outcome(&foreign[1], Aspect::Signature), (Outcome::Bad, Some(Code::SignatureStamp)));
}

#[test]
fn md5_is_weak_in_a_signature_and_not_believed_in_a_certificate() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let (good, text) = openssl(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert!(good, "{text}");
    };
    std::fs::write(folder.path().join("content"), CONTENT).unwrap();
    run("req -x509 -md5 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=Antico");
    let pem = std::fs::read(folder.path().join("cert.pem")).unwrap();
    let certificate =
        crate::evidence::x509::Certificate::parse(&pem_blocks(&pem, &["CERTIFICATE"]).unwrap()[0]).unwrap();
    assert!(certificate.verify_signature(certificate.spki()).is_err());
    // With attributes and without.
    for more in ["", " -noattr"] {
        run(&format!(
            "cms -sign -md md5 -binary -nodetach -outform DER -signer cert.pem -inkey key.pem -in content -out signed{more}"
        ));
        let signed = std::fs::read(folder.path().join("signed")).unwrap();
        let report = &judged(Trust::nobody(), &signed, "2026-11-22T10:00:00Z")[0];
        assert_eq!(outcome(report, Aspect::Digest), (Outcome::Weak, Some(Code::SignatureWeak)));
        assert_eq!(outcome(report, Aspect::Signature).0, Outcome::Good);
        assert_eq!(report.digest_algorithm.as_deref(), Some("MD5"));
        // Over digests of content that went by.
        let opened = open(&signed).unwrap();
        let mut digester = Digester::new(&digests_needed(&opened));
        CONTENT.chunks(3).for_each(|chunk| digester.update(chunk));
        let digests = digester.finish();
        let mut detached = opened.clone();
        detached.data.content = None;
        let judge = judge_at(Trust::nobody(), "2026-11-22T10:00:00Z");
        let again = judge.opened(&detached, Some(Content::Digests(&digests)), Purpose::Signature, "p").unwrap();
        assert_eq!(again[0].verdicts, report.verdicts);
        // The last byte of the signature value.
        let mut bent = signed.clone();
        *bent.last_mut().unwrap() ^= 1;
        let bad = &judged(Trust::nobody(), &bent, "2026-11-22T10:00:00Z")[0];
        assert_eq!(outcome(bad, Aspect::Signature), (Outcome::Bad, Some(Code::SignatureMath)));
    }
}

#[test]
fn an_rsa_key_of_1024_bits_is_weak_and_not_refused() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let (good, text) = openssl(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert!(good, "{text}");
    };
    std::fs::write(folder.path().join("content"), CONTENT).unwrap();
    run("req -x509 -newkey rsa:1024 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=Debole");
    run("cms -sign -cades -binary -nodetach -outform DER -signer cert.pem -inkey key.pem -in content -out signed");
    let signed = std::fs::read(folder.path().join("signed")).unwrap();
    let report = &judged(Trust::nobody(), &signed, "2026-11-22T10:00:00Z")[0];
    let verdict = report.verdict(Aspect::Signature);
    assert_eq!((verdict.outcome, verdict.code), (Outcome::Weak, Some(Code::SignatureWeakKey)));
    assert!(verdict.detail.contains("1024"), "{}", verdict.detail);
    assert!(report.is_intact());
}

#[test]
fn revocation_data_that_travel_with_the_signature_are_used() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let pki = pki(|_| {});
    let (_, stranger) = second(&pki);
    let trust = trust(&pki);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("root.pem", pem("CERTIFICATE", &pki.root).as_bytes());
    write("leaf.pem", pem("CERTIFICATE", &pki.leaf).as_bytes());
    write("stranger.pem", pem("CERTIFICATE", &stranger).as_bytes());
    write("root.key", include_bytes!("../../fixtures/rsa.pem"));
    write("number", b"01\n");
    write("ca.cnf", b"[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ncertificate = root.pem\nprivate_key = root.key\ndefault_md = sha256\n");
    // The books: the second certificate was revoked in February or is in order.
    let made = |line: &str| {
        write("index.txt", format!("{line}\t02\tunknown\t/CN=x\n").as_bytes());
        let dates = "-crl_lastupdate 20260310000000Z -crl_nextupdate 20260410000000Z";
        for arguments in [
            format!("ca -config ca.cnf -gencrl {dates} -out crl.pem"),
            "ocsp -index index.txt -CA root.pem -rsigner root.pem -rkey root.key -issuer root.pem -cert leaf.pem -noverify -respout answer -ndays 7".to_owned(),
        ] {
            let (good, text) = openssl(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
            assert!(good, "{text}");
        }
        let list = pem_blocks(&std::fs::read(folder.path().join("crl.pem")).unwrap(), &["X509 CRL"]).unwrap().remove(0);
        (list, std::fs::read(folder.path().join("answer")).unwrap())
    };
    let (list, answer) = made("V\t360101000000Z\t");
    let (revoking, revoked_answer) = made("R\t360101000000Z\t260201000000Z");
    let info = signer_info(&sign(&Spec::cades(CONTENT, &pki.leaf_key, &pki.leaf, at(SIGNED))).unwrap()).0;
    let verdict = |info: &[u8], inside: &[&[u8]]| {
        let report = judged(&trust, &assemble(vec![info.to_vec()], &[&pki.leaf], inside), RECEIVED).remove(0);
        (outcome(&report, Aspect::Revocation), report.conclusion(), report.sources)
    };
    // OtherRevocationInfoFormat, and the attribute of CAdES with answers out of their dress.
    let other = |answer: &[u8]| asn1::constructed(tag::constructed(1), &[&asn1::oid(&oids::RI_OCSP_RESPONSE), answer]);
    let basic = |answer: &[u8]| {
        let bytes = Reader::only(answer, tag::SEQUENCE).unwrap().inside().all().unwrap()[1].inside().next().unwrap();
        bytes.inside().all().unwrap()[1].value.to_vec()
    };
    let values = |number: u8, item: &[u8]| {
        asn1::sequence(&[&asn1::constructed(tag::constructed(number), &[&asn1::sequence(&[item])])])
    };
    let attribute = |value: &[u8]| with_attribute(&info, &oids::REVOCATION_VALUES, value);
    assert_eq!(verdict(&info, &[]).0, (Outcome::NotChecked, Some(Code::RevocationMissing)));
    let good = [
        (info.clone(), vec![list.clone()], list.as_slice()),
        (info.clone(), vec![other(&answer)], &answer),
        (attribute(&values(0, &list)), vec![], &list),
        (attribute(&values(1, &basic(&answer))), vec![], &answer),
    ];
    for (n, (info, inside, source)) in good.iter().enumerate() {
        let inside: Vec<&[u8]> = inside.iter().map(Vec::as_slice).collect();
        let expected = ((Outcome::Good, None), Conclusion::Valid, vec![Sha256::of(source)]);
        assert_eq!(verdict(info, &inside), expected, "{n}");
    }
    for (info, inside) in [
        (info.clone(), vec![revoking.clone()]),
        (info.clone(), vec![other(&revoked_answer)]),
        (attribute(&values(0, &revoking)), vec![]),
        (attribute(&values(1, &basic(&revoked_answer))), vec![list.clone()]),
    ] {
        let inside: Vec<&[u8]> = inside.iter().map(Vec::as_slice).collect();
        let (found, conclusion, _) = verdict(&info, &inside);
        assert_eq!((found, conclusion), ((Outcome::Bad, Some(Code::SignatureRevoked)), Conclusion::Invalid));
    }
    // A list with somebody else's signature says nothing, and bent ones never panic.
    let mut forged = list.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(verdict(&info, &[&forged]).0, (Outcome::Absent, Some(Code::RevocationMissing)));
    for at in (0..answer.len()).step_by(7) {
        let mut bent = answer.clone();
        bent[at] ^= 0x20;
        let signed = assemble(vec![info.clone()], &[&pki.leaf], &[&other(&bent)]);
        let _ = judge_at(&trust, RECEIVED).cms(&signed, None, Purpose::Signature, "p");
    }
    // What may be kept of the network: of now, about this certificate, by its issuer.
    let parsed = |der: &[u8]| crate::evidence::x509::Certificate::parse(der).unwrap();
    let (leaf, root, stranger) = (parsed(&pki.leaf), parsed(&pki.root), parsed(&stranger));
    let accept = |bytes: &[u8], certificate, issuer, now: &str| {
        let accepted = crate::evidence::revocation::accept::accept(bytes, certificate, issuer, at(now));
        accepted.map(|accepted| accepted.fresh_until).map_err(|error| error.code)
    };
    let refused = Err(Code::RevocationRefused);
    let until = at("2026-04-10T00:00:00Z");
    assert_eq!(accept(&list, &leaf, &root, "2026-03-15T00:00:00Z"), Ok(until));
    let armoured = std::fs::read(folder.path().join("crl.pem")).unwrap();
    assert_eq!(accept(&armoured, &leaf, &root, "2026-03-15T00:00:00Z"), Ok(until), "a list in PEM");
    assert_eq!(accept(&list, &leaf, &root, "2026-04-11T00:00:00Z"), refused, "expired");
    assert_eq!(accept(&list, &leaf, &root, "2026-03-09T00:00:00Z"), refused, "made later than now");
    assert_eq!(accept(&list, &leaf, &leaf, "2026-03-15T00:00:00Z"), refused, "not its issuer");
    assert_eq!(accept(&forged, &leaf, &root, "2026-03-15T00:00:00Z"), refused, "wrong signer");
    let now = crate::clock::iso_ms(Timestamp::now());
    assert!(accept(&answer, &leaf, &root, &now).is_ok());
    assert_eq!(accept(&answer, &stranger, &root, &now), refused, "about another");
    for other in [&b""[..], b"<html>", &pki.leaf] {
        assert!(accept(other, &leaf, &root, &now).is_err());
    }
}

#[test]
fn every_certificate_of_the_chain_must_be_spoken_of() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let pki = pki(|_| {});
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let (middle_key, middle_pkcs8) = SigningKey::generate_p256().unwrap();
    let spki = middle_key.spki_der().unwrap();
    let issuer = Issuer::Authority { key: &pki.root_key, certificate: &pki.root };
    let middle = Profile::authority(Dn::new().common_name("Intermedia"), &spki, issuer, 5, from, to);
    let middle = issue(&middle).unwrap();
    let spki = pki.leaf_key.spki_der().unwrap();
    let issuer = Issuer::Authority { key: &middle_key, certificate: &middle };
    let leaf = issue(&Profile::leaf(Dn::new().common_name("Firmatario"), &spki, issuer, 6, from, to)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("root.pem", pem("CERTIFICATE", &pki.root).as_bytes());
    write("root.key", include_bytes!("../../fixtures/rsa.pem"));
    write("middle.pem", pem("CERTIFICATE", &middle).as_bytes());
    write("middle.key", pem("PRIVATE KEY", &middle_pkcs8).as_bytes());
    write("number", b"01\n");
    let list = |who: &str, books: &str| {
        write("index.txt", books.as_bytes());
        let settings = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ncertificate = {who}.pem\nprivate_key = {who}.key\ndefault_md = sha256\n"
        );
        write("ca.cnf", settings.as_bytes());
        let dates = "-crl_lastupdate 20260310000000Z -crl_nextupdate 20260410000000Z";
        let arguments = format!("ca -config ca.cnf -gencrl {dates} -out crl.pem");
        let (good, text) = openssl(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert!(good, "{text}");
        pem_blocks(&std::fs::read(folder.path().join("crl.pem")).unwrap(), &["X509 CRL"]).unwrap().remove(0)
    };
    let (of_leaf, of_middle) = (list("middle", ""), list("root", ""));
    let against_middle = list("root", "R\t360101000000Z\t260201000000Z\t05\tunknown\t/CN=x\n");
    let info = signer_info(&sign(&Spec::cades(CONTENT, &pki.leaf_key, &leaf, at(SIGNED))).unwrap()).0;
    let verdict = |inside: &[&[u8]]| {
        let signed = assemble(vec![info.clone()], &[&leaf, &middle], inside);
        outcome(&judged(&trust(&pki), &signed, RECEIVED)[0], Aspect::Revocation)
    };
    let missing = (Outcome::Absent, Some(Code::RevocationMissing));
    assert_eq!(verdict(&[&of_leaf]), missing, "nobody speaks of the intermediate authority");
    assert_eq!(verdict(&[&of_middle]), missing, "nobody speaks of the signer");
    assert_eq!(verdict(&[&of_leaf, &of_middle]), (Outcome::Good, None));
    assert_eq!(verdict(&[&of_leaf, &against_middle]), (Outcome::Bad, Some(Code::SignatureRevoked)));
}
