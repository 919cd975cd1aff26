//! Makes signed data: one signer, canonical DER, signed attributes always present (RFC 5652 sections 5.1 to 5.4).
//!
//! With an RSA key the bytes depend on nothing but the arguments.

use jiff::Timestamp;

use super::Content;
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1::{self, tag};
use crate::evidence::key::SigningKey;
use crate::evidence::x509::Certificate;
use crate::evidence::{Oid, oids};

/// Whatever makes the signature value: a key at hand, or one that never leaves its token.
pub trait Signs: std::fmt::Debug {
    /// DER AlgorithmIdentifier of signatures made with `digest` (RFC 4055, RFC 5758).
    fn identifier(&self, digest: DigestAlgorithm) -> Vec<u8>;
    /// The signature of `message`, digested with `digest`.
    fn value(&self, digest: DigestAlgorithm, message: &[u8]) -> Result<Vec<u8>>;
}

impl Signs for SigningKey {
    fn identifier(&self, digest: DigestAlgorithm) -> Vec<u8> {
        self.algorithm().signature_identifier(digest)
    }

    fn value(&self, digest: DigestAlgorithm, message: &[u8]) -> Result<Vec<u8>> {
        self.sign(digest, message)
    }
}

/// What to sign and how. Start from [`Spec::new`] and change what differs.
#[derive(Debug)]
pub struct Spec<'a> {
    /// Type of the content; id-data unless it is a token.
    pub content_type: Oid,
    /// What is signed: bytes, or the digest of bytes that do not travel inside.
    pub content: Content<'a>,
    /// Whether the content travels inside.
    pub attached: bool,
    /// The key.
    pub signer: &'a dyn Signs,
    /// DER certificate of the key.
    pub certificate: &'a [u8],
    /// Whether `certificate` travels inside (a time-stamp asked for without `certReq` leaves it out).
    pub include_certificate: bool,
    /// Further DER certificates that travel inside.
    pub extra_certificates: &'a [Vec<u8>],
    /// Digest of the content and of the signature.
    pub digest: DigestAlgorithm,
    /// The signing-time attribute: what the signer claims.
    pub signing_time: Option<Timestamp>,
    /// The signing-certificate-v2 attribute (RFC 5035): with it and a signing time this is CAdES-B-B.
    pub signing_certificate_v2: bool,
}

impl<'a> Spec<'a> {
    /// Attached id-data, SHA-256, certificate inside, no signing time, no signing-certificate attribute.
    pub fn new(content: &'a [u8], signer: &'a dyn Signs, certificate: &'a [u8]) -> Self {
        Self {
            content_type: oids::DATA,
            content: Content::Bytes(content),
            attached: true,
            signer,
            certificate,
            include_certificate: true,
            extra_certificates: &[],
            digest: DigestAlgorithm::Sha256,
            signing_time: None,
            signing_certificate_v2: false,
        }
    }

    /// CAdES-B-B: as [`Spec::new`] with signing time and signing certificate (ETSI EN 319 122-1 section 6.3).
    pub fn cades(content: &'a [u8], signer: &'a dyn Signs, certificate: &'a [u8], at: Timestamp) -> Self {
        Self { signing_time: Some(at), signing_certificate_v2: true, ..Self::new(content, signer, certificate) }
    }
}

/// DER ContentInfo holding SignedData.
pub fn sign(spec: &Spec<'_>) -> Result<Vec<u8>> {
    let certificate = Certificate::parse(spec.certificate)?;
    let digest = spec.content.digest(spec.digest);
    let digest = digest.ok_or_else(|| Error::new(Code::Internal, "the digest to be signed was not computed"))?;
    let mut attributes = vec![
        attribute(&oids::CONTENT_TYPE, &asn1::oid(&spec.content_type)),
        attribute(&oids::MESSAGE_DIGEST, &asn1::octets(&digest)),
    ];
    if let Some(at) = spec.signing_time {
        attributes.push(attribute(&oids::SIGNING_TIME, &asn1::time(at)));
    }
    if spec.signing_certificate_v2 {
        attributes.push(attribute(&oids::SIGNING_CERTIFICATE_V2, &ess_certificate_id_v2(&certificate)));
    }
    // The same attributes are signed as SET OF and stored under [0] (RFC 5652 section 5.4).
    let signed = asn1::set_of(tag::SET, attributes.clone());
    let stored = asn1::set_of(tag::constructed(0), attributes);
    let value = spec.signer.value(spec.digest, &signed)?;
    let signer_info = asn1::sequence(&[
        &asn1::small(1),
        &asn1::sequence(&[certificate.issuer(), certificate.serial_element()]),
        &spec.digest.identifier(),
        &stored,
        &spec.signer.identifier(spec.digest),
        &asn1::octets(&value),
    ]);

    let content = match (spec.attached, spec.content) {
        (true, Content::Bytes(bytes)) => asn1::constructed(tag::constructed(0), &[&asn1::octets(bytes)]),
        (true, Content::Digests(_)) => return Err(Error::new(Code::Internal, "a digest cannot travel as content")),
        (false, _) => Vec::new(),
    };
    let mut certificates: Vec<Vec<u8>> = spec.extra_certificates.to_vec();
    if spec.include_certificate {
        certificates.push(spec.certificate.to_vec());
    }
    certificates.sort();
    certificates.dedup();
    let certificates =
        if certificates.is_empty() { Vec::new() } else { asn1::set_of(tag::constructed(0), certificates) };
    let version = if spec.content_type == oids::DATA { 1 } else { 3 };
    let signed_data = asn1::sequence(&[
        &asn1::small(version),
        &asn1::set_of(tag::SET, vec![spec.digest.identifier()]),
        &asn1::sequence(&[&asn1::oid(&spec.content_type), &content]),
        &certificates,
        &asn1::set_of(tag::SET, vec![signer_info]),
    ]);
    Ok(asn1::sequence(&[&asn1::oid(&oids::SIGNED_DATA), &asn1::constructed(tag::constructed(0), &[&signed_data])]))
}

fn attribute(kind: &Oid, value: &[u8]) -> Vec<u8> {
    asn1::sequence(&[&asn1::oid(kind), &asn1::constructed(tag::SET, &[value])])
}

/// SigningCertificateV2 with one ESSCertIDv2: SHA-256 (the default, so not written) and issuerSerial (RFC 5035 section 4).
fn ess_certificate_id_v2(certificate: &Certificate) -> Vec<u8> {
    let hash = asn1::octets(&DigestAlgorithm::Sha256.of(certificate.der()));
    let directory_name = asn1::constructed(tag::constructed(4), &[certificate.issuer()]);
    let issuer_serial = asn1::sequence(&[&asn1::sequence(&[&directory_name]), certificate.serial_element()]);
    asn1::sequence(&[&asn1::sequence(&[&asn1::sequence(&[&hash, &issuer_serial])])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::fixtures::{at, openssl, pem, pki, rsa};
    use crate::evidence::x509::Purposes;

    #[test]
    fn openssl_accepts_attached_and_detached_with_every_digest() {
        if !crate::judges::present(&["openssl"]) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let p = pki(|_| {});
        let own = rsa();
        std::fs::write(dir.path().join("ca.pem"), pem("CERTIFICATE", &p.root)).unwrap();
        std::fs::write(dir.path().join("content"), b"contenuto").unwrap();
        let cades = [
            "cms", "-verify", "-binary", "-inform", "DER", "-cades", "-purpose", "any", "-CAfile", "ca.pem", "-in",
            "signed",
        ];
        let der = sign(&Spec::cades(b"contenuto", &p.leaf_key, &p.leaf, at("2026-11-22T10:00:00Z"))).unwrap();
        std::fs::write(dir.path().join("signed"), &der).unwrap();
        let (good, text) = openssl(dir.path(), &cades);
        assert!(good && text.contains("contenuto"), "{text}");
        for digest in [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256, DigestAlgorithm::Sha384, DigestAlgorithm::Sha512]
        {
            let spec = Spec { attached: false, digest, ..Spec::new(b"contenuto", &own, &p.root) };
            let der = sign(&spec).unwrap();
            assert_eq!(der, sign(&spec).unwrap(), "RSA signatures are deterministic");
            std::fs::write(dir.path().join("signed"), &der).unwrap();
            let detached =
                ["cms", "-verify", "-binary", "-inform", "DER", "-noverify", "-content", "content", "-in", "signed"];
            let (good, text) = openssl(dir.path(), &detached);
            assert!(good, "{digest:?}: {text}");
        }
    }

    #[test]
    fn openssl_sees_the_mail_address_and_purposes_of_a_certificate() {
        if !crate::judges::present(&["openssl"]) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let p = pki(|profile| {
            profile.emails = vec!["posta-certificata@esempio.example".into()];
            profile.purposes = Some(Purposes { critical: true, list: vec![oids::KP_EMAIL_PROTECTION] });
        });
        std::fs::write(dir.path().join("ca.pem"), pem("CERTIFICATE", &p.root)).unwrap();
        std::fs::write(dir.path().join("leaf.pem"), pem("CERTIFICATE", &p.leaf)).unwrap();
        let (good, text) =
            openssl(dir.path(), &["verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", "ca.pem", "leaf.pem"]);
        assert!(good, "{text}");
        let (_, text) = openssl(dir.path(), &["x509", "-in", "leaf.pem", "-noout", "-email"]);
        assert!(text.contains("posta-certificata@esempio.example"), "{text}");
        let parsed = Certificate::parse(&p.leaf).unwrap();
        assert_eq!(parsed.emails().unwrap(), ["posta-certificata@esempio.example"]);
        assert_eq!(parsed.subject_attribute(&oids::COMMON_NAME).as_deref(), Some("Firmatario di prova"));
        parsed.verify_signature(Certificate::parse(&p.root).unwrap().spki()).unwrap();
        assert!(parsed.verify_signature(parsed.spki()).is_err());
    }
}
