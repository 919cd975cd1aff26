use std::sync::Arc;

use super::*;
use crate::evidence::fixtures::{at, openssl, pem, pki, rsa};
use crate::evidence::sign::twin::{Fault, Twin};
use crate::evidence::x509::Certificate;

const NOW: &str = "2026-11-22T10:00:00Z";
const CONTENT: &[u8] = b"<PIndex/>";

fn now() -> Timestamp {
    at(NOW)
}

/// A signer with an RSA key.
#[derive(Debug)]
struct Rsa(Certificate);

impl Signer for Rsa {
    fn credential(&self) -> Result<Arc<Credential>> {
        Credential::new(self.0.clone(), &[]).map(Arc::new)
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        rsa().sign(DigestAlgorithm::Sha256, message)
    }
}

fn rsa_signer() -> (Rsa, Vec<u8>) {
    use crate::evidence::x509::{Dn, Issuer, Profile, issue};
    let key = rsa();
    let spki = key.spki_der().unwrap();
    let p = pki(|_| {});
    let issuer = Issuer::Authority { key: &p.root_key, certificate: &p.root };
    let name = Dn::new().country("IT").common_name("Firma RSA");
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let der = issue(&Profile::leaf(name, &spki, issuer, 5, from, to)).unwrap();
    (Rsa(Certificate::parse(&der).unwrap()), p.root)
}

#[test]
fn openssl_accepts_them_with_rsa_and_p256_and_nothing_else_under_them() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let twin = Twin::new();
    let (rsa, root) = rsa_signer();
    let signers: [(&dyn Signer, &[u8]); 2] = [(&twin, &twin.pki.root), (&rsa, &root)];
    for (signer, root) in signers {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        let der = sign(signer, Sha256::of(CONTENT), now()).unwrap();
        write("ca.pem", pem("CERTIFICATE", root).as_bytes());
        write("content", CONTENT);
        write("p7s", &der);
        let at = now().as_second().to_string();
        let verify = [
            "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-purpose", "any", "-CAfile", "ca.pem", "-attime",
            &at, "-content", "content", "-in", "p7s", "-out", "read",
        ];
        let (good, said) = openssl(dir.path(), &verify);
        assert!(good && said.contains("CAdES Verification successful"), "{said}");
        assert_eq!(std::fs::read(dir.path().join("read")).unwrap(), CONTENT);
        write("content", b"<PIndex />");
        assert!(!openssl(dir.path(), &verify).0, "another content");
        write("content", CONTENT);
        // Whatever is bent, OpenSSL or this archive notices: left over are versions and lists of algorithms outside what is
        // signed, on which nothing here relies.
        let mut lenient = Vec::new();
        for at in (0..der.len()).step_by(7) {
            let mut bent = der.clone();
            bent[at] ^= 0x10;
            write("p7s", &bent);
            let ours = must_verify(&bent, Sha256::of(CONTENT), &signer.credential().unwrap()).is_ok();
            if ours && !openssl(dir.path(), &verify).0 {
                lenient.push(at);
            }
        }
        assert!(lenient.len() <= 4, "good here, refused by OpenSSL: {lenient:?}");
        // Structure, as another reader sees it.
        write("p7s", &der);
        let (_, text) = openssl(dir.path(), &["cms", "-cmsout", "-print", "-inform", "DER", "-in", "p7s"]);
        for part in ["id-smime-aa-signingCertificateV2", "signingTime", "eContent: <ABSENT>", "messageDigest"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_signer_that_signs_something_else_or_fails_gives_no_signature() {
    let twin = Twin::new();
    let digest = Sha256::of(CONTENT);
    for (fault, code) in
        [(Fault::Down, Code::SignerDown), (Fault::Pin, Code::SignerPin), (Fault::Lies, Code::SignerKey)]
    {
        twin.fail(fault);
        let error = sign(&twin, digest, now()).unwrap_err();
        assert!(error.code == code && super::super::is_waiting(error.code), "{error}");
    }
    twin.work();
    for early_or_late in ["2025-12-31T23:59:59Z", "2036-01-01T00:00:01Z"] {
        assert_eq!(sign(&twin, digest, at(early_or_late)).unwrap_err().code, Code::SignerExpired);
    }
    let der = sign(&twin, digest, now()).unwrap();
    let credential = twin.credential().unwrap();
    must_verify(&der, digest, &credential).unwrap();
    assert!(must_verify(&der, Sha256::of(b"else"), &credential).is_err());
    assert!(must_verify(&der, digest, &rsa_signer().0.credential().unwrap()).is_err());
    assert!(must_verify(&[&der[..], b"x"].concat(), digest, &credential).is_err());
    assert!(must_verify(b"", digest, &credential).is_err());
}

#[test]
fn numbers_side_by_side_become_der() {
    let mut raw = [0; 64];
    raw[31] = 1;
    raw[32] = 0x80;
    let der = ecdsa_der(&raw).unwrap();
    assert_eq!(&der[..7], [0x30, 38, 2, 1, 1, 2, 33]);
    assert_eq!(der[7], 0);
    assert!(ecdsa_der(&raw[..63]).is_err() && ecdsa_der(&[]).is_err());
}

#[test]
fn what_cannot_sign_is_no_credential() {
    use crate::evidence::x509::KeyUsage;
    let refused = |change: fn(&mut crate::evidence::x509::Profile<'_>)| {
        let p = pki(change);
        Credential::new(Certificate::parse(&p.leaf).unwrap(), &[]).unwrap_err().code
    };
    assert_eq!(refused(|profile| profile.key_usage = vec![KeyUsage::KeyEncipherment]), Code::SignerKey);
    assert_eq!(refused(|profile| profile.ca = true), Code::SignerKey);
    assert!(
        Credential::new(
            Certificate::parse(&pki(|p| p.key_usage = vec![KeyUsage::ContentCommitment]).leaf).unwrap(),
            &[]
        )
        .is_ok()
    );
}
