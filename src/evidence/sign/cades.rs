//! Detached CAdES-BES (ETSI EN 319 122-1 section 6.3, level B-B): signed attributes content-type, message-digest, signing-time
//! and signing-certificate-v2 with issuerSerial (RFC 5035); certificate and chain inside; DER.
//!
//! Invariant: a signature leaves here only after it was verified, attribute by attribute, with the certificate it was to be
//! made with: a token that signs with another key, or something else, gives an error.

use jiff::Timestamp;

use super::{Credential, Signer};
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1::tag;
use crate::evidence::cms::{Content, DigestSet, Form, Signs, Spec, Verdict, open, sign as build};
use crate::evidence::oids;
use crate::evidence::x509::Certificate;
use crate::hash::Sha256;

/// Largest detached signature read: certificates and, some day, time-stamps.
pub const MAX_BYTES: u64 = 1 << 20;

/// A signer as the key of a CMS signature.
#[derive(Debug)]
struct Outside<'a> {
    signer: &'a dyn Signer,
    credential: &'a Credential,
}

impl Signs for Outside<'_> {
    fn identifier(&self, digest: DigestAlgorithm) -> Vec<u8> {
        self.credential.algorithm.signature_identifier(digest)
    }

    fn value(&self, _: DigestAlgorithm, message: &[u8]) -> Result<Vec<u8>> {
        self.signer.sign(message)
    }
}

/// Signs the bytes with this SHA-256, with `at` as the time the signer claims. DER. Errors: those of the signer, and
/// [`Code::SignerExpired`] when its certificate is not valid at `at`.
pub fn sign(signer: &dyn Signer, sha256: Sha256, at: Timestamp) -> Result<Vec<u8>> {
    let credential = signer.credential()?;
    credential.must_be_valid(at)?;
    let digests = DigestSet::sha256(sha256);
    let chain: Vec<Vec<u8>> = credential.chain.iter().map(|certificate| certificate.der().to_vec()).collect();
    let outside = Outside { signer, credential: &credential };
    let spec = Spec {
        content: Content::Digests(&digests),
        attached: false,
        extra_certificates: &chain,
        ..Spec::cades(&[], &outside, credential.certificate.der(), at)
    };
    let der = build(&spec)?;
    must_verify(&der, sha256, &credential)?;
    Ok(der)
}

/// Whether these are signatures of ours: DER, detached, one signer with this very certificate, every attribute right.
/// [`Code::SignerKey`] when not.
pub fn must_verify(der: &[u8], sha256: Sha256, credential: &Credential) -> Result<()> {
    let wrong = |what: String| Error::new(Code::SignerKey, what).at(credential.subject());
    let opened = open(der).map_err(|e| wrong(e.detail))?;
    let data = &opened.data;
    let [signer] = &data.signers[..] else { return Err(wrong("not one signer".to_owned())) };
    if opened.form != Form::Der || opened.trailing > 0 || data.content.is_some() || data.content_type != oids::DATA {
        return Err(wrong("not a detached signature in DER".to_owned()));
    }
    if signer.certificate(&data.certificates) != Some(&credential.certificate) {
        return Err(wrong("made with another certificate".to_owned()));
    }
    let known = |found: &Certificate| *found == credential.certificate || credential.chain.contains(found);
    if data.certificates.len() != 1 + credential.chain.len() || !data.certificates.iter().all(known) {
        return Err(wrong("with other certificates than those of its chain".to_owned()));
    }
    let digests = DigestSet::sha256(sha256);
    let content = Content::Digests(&digests);
    let found = signer.verify_content(Some(oids::DATA), content, Some(credential.certificate.clone()));
    let verdicts = [&found.digest, &found.content_type, &found.signature, &found.signing_certificate];
    for verdict in verdicts {
        match verdict {
            Verdict::Good => {}
            Verdict::Bad(why) | Verdict::Absent(why) | Verdict::Unknown(why) => {
                return Err(wrong(format!("what it signed is wrong: {why}")));
            }
        }
    }
    if found.signing_time.is_none() || found.reordered {
        return Err(wrong("its signed attributes are not those of CAdES in DER".to_owned()));
    }
    Ok(())
}

/// DER of ECDSA-Sig-Value from the two numbers side by side, as tokens give them (PKCS#11 section 6.3.1, RFC 3279 section
/// 2.2.3).
pub fn ecdsa_der(raw: &[u8]) -> Result<Vec<u8>> {
    use crate::evidence::asn1;
    if raw.len() != 64 {
        return Err(Error::new(Code::SignerKey, format!("a P-256 signature of {} bytes instead of 64", raw.len())));
    }
    let (r, s) = raw.split_at(32);
    Ok(asn1::tlv(tag::SEQUENCE, &[asn1::unsigned(r), asn1::unsigned(s)].concat()))
}

#[cfg(test)]
mod tests;
