use super::*;
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::fixtures::{at, openssl, pem, pki, rsa};
use crate::evidence::x509::Certificate;
use crate::evidence::{asn1, oids};

fn cades() -> Vec<u8> {
    let p = pki(|_| {});
    sign(&Spec::cades(b"contenuto", &p.leaf_key, &p.leaf, at("2026-11-22T10:00:00Z"))).unwrap()
}

#[test]
fn the_four_verdicts_are_separate() {
    let p = pki(|_| {});
    let der = sign(&Spec::cades(b"contenuto", &p.leaf_key, &p.leaf, at("2026-11-22T10:00:00Z"))).unwrap();
    let data = SignedData::parse(&der).unwrap();
    assert_eq!(data.content.as_deref(), Some(&b"contenuto"[..]));
    let report = data.verify(None).unwrap().remove(0);
    assert!(report.is_good() && report.signing_certificate.is_good() && !report.is_weak());
    assert_eq!(report.signing_time, Some(at("2026-11-22T10:00:00Z")));

    // Content edited: the digest is wrong, the signature (over the attributes) still right.
    let mut edited = data.clone();
    edited.content = Some(b"Contenuto".to_vec());
    let report = edited.verify(None).unwrap().remove(0);
    assert!(matches!(report.digest, Verdict::Bad(_)) && report.signature.is_good() && !report.is_good());

    // Another certificate with the same issuer and serial number: signature and ESS are wrong, the digest right.
    let other = pki(|_| {});
    let mut swapped = data.clone();
    swapped.certificates = vec![Certificate::parse(&other.leaf).unwrap()];
    let report = swapped.verify(None).unwrap().remove(0);
    assert!(report.digest.is_good());
    assert!(matches!(report.signature, Verdict::Bad(_)) && matches!(report.signing_certificate, Verdict::Bad(_)));

    // No certificate at all.
    swapped.certificates.clear();
    let report = swapped.verify(None).unwrap().remove(0);
    assert!(matches!(report.signature, Verdict::Absent(_)) && !report.is_good());

    // Plain CMS, weak digest, detached.
    let own = rsa();
    let spec = Spec { attached: false, digest: DigestAlgorithm::Sha1, ..Spec::new(b"contenuto", &own, &p.root) };
    let data = SignedData::parse(&sign(&spec).unwrap()).unwrap();
    assert!(data.verify(None).is_err());
    let report = data.verify(Some(b"contenuto")).unwrap().remove(0);
    assert!(report.is_good() && report.is_weak() && matches!(report.signing_certificate, Verdict::Absent(_)));
    assert!(!data.verify(Some(b"contenutO")).unwrap()[0].is_good());
}

#[test]
fn what_openssl_signs_in_ber_and_der_is_read_and_verified() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let p = pki(|_| {});
    std::fs::write(dir.path().join("key.pem"), include_str!("../fixtures/rsa.pem")).unwrap();
    std::fs::write(dir.path().join("cert.pem"), pem("CERTIFICATE", &p.root)).unwrap();
    let content = vec![b'x'; 20_000];
    std::fs::write(dir.path().join("content"), &content).unwrap();
    let base = ["cms", "-sign", "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-out", "out"];
    for extra in [
        &["-outform", "DER", "-nodetach"][..],
        &["-outform", "DER", "-nodetach", "-stream", "-indef"],
        &["-outform", "PEM", "-nodetach", "-cades"],
        &["-outform", "DER", "-nodetach", "-keyid", "-md", "sha512"],
        &["-outform", "DER", "-nodetach", "-noattr"],
        &["-outform", "DER"],
        &["-outform", "DER", "-nodetach", "-keyopt", "rsa_padding_mode:pss"],
        &["-outform", "DER", "-nodetach", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:17"],
    ] {
        let (good, text) = openssl(dir.path(), &[&base[..], extra].concat());
        assert!(good, "{extra:?}: {text}");
        let raw = std::fs::read(dir.path().join("out")).unwrap();
        if extra.contains(&"-indef") {
            assert_eq!(raw[1], 0x80, "openssl was to write BER");
        }
        let data = SignedData::parse(&unwrap(&raw).unwrap()).unwrap();
        assert_eq!(data.content.is_none(), !extra.contains(&"-nodetach"));
        let report = data.verify(Some(&content)).unwrap().remove(0);
        assert!(report.is_good(), "{extra:?}: {report:?}");
        assert_eq!(report.signing_certificate.is_good(), extra.contains(&"-cades"));
        let mut other = content.clone();
        other[7] ^= 1;
        let mut data = data;
        data.content = None;
        assert!(!data.verify(Some(&other)).unwrap()[0].is_good(), "{extra:?}");
    }
}

#[test]
fn attributes_out_of_order_are_verified_in_der_order() {
    let der = cades();
    let mut data = SignedData::parse(&der).unwrap();
    data.signers[0].reverse_attributes();
    assert!(data.verify(None).unwrap()[0].is_good());
}

#[test]
fn truncated_and_flipped_signatures_are_never_good_and_never_panic() {
    let der = cades();
    let good = SignedData::parse(&der).unwrap();
    for cut in 0..der.len() {
        assert!(unwrap(&der[..cut]).and_then(|d| SignedData::parse(&d)).is_err(), "cut at {cut}");
    }
    // Certificate bytes that no verdict covers can flip unseen here only if every verdict still refers to the same signer, content and
    // certificate; ESS hashes the whole certificate.
    for byte in 0..der.len() {
        for bit in [0, 3, 7] {
            let mut flipped = der.clone();
            flipped[byte] ^= 1 << bit;
            let Ok(data) = unwrap(&flipped).and_then(|d| SignedData::parse(&d)) else { continue };
            let Ok(reports) = data.verify(None) else { continue };
            if reports[0].is_good() && reports[0].signing_certificate.is_good() {
                assert_eq!(data.content, good.content, "byte {byte} bit {bit}");
                assert_eq!(reports[0].certificate, Some(good.certificates[0].clone()), "byte {byte} bit {bit}");
            }
        }
    }
}

#[test]
fn a_wrong_content_type_attribute_is_seen() {
    let p = pki(|_| {});
    let der = sign(&Spec { content_type: oids::TST_INFO, ..Spec::new(b"x", &p.leaf_key, &p.leaf) }).unwrap();
    let mut data = SignedData::parse(&der).unwrap();
    assert!(data.verify(None).unwrap()[0].is_good());
    data.content_type = oids::DATA;
    let report = data.verify(None).unwrap().remove(0);
    assert!(matches!(report.content_type, Verdict::Bad(_)) && report.signature.is_good());
    assert!(SignedData::parse(&asn1::sequence(&[&asn1::oid(&oids::DATA)])).is_err());
}
