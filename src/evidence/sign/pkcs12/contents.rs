//! What is in a PKCS#12 file (RFC 7292 section 4): keys and certificates, each in a bag, the bags in safes.
//!
//! The file may be BER, as some programs write it. Invariant: nothing inside is believed before the MAC over all of it was
//! verified with the password; lengths, depth, counts and iterations are bounded.

use super::cipher::{self, hash_of_hmac, unsupported};
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm;
use crate::evidence::asn1::{Reader, Tlv, malformed, tag};
use crate::evidence::cms::unwrap::ber_to_der;
use crate::evidence::key::SigningKey;
use crate::evidence::sign::Credential;
use crate::evidence::x509::Certificate;
use crate::evidence::{Oid, oids};

/// Bags looked at.
const MAX_BAGS: usize = 64;
/// Safes inside safes.
const MAX_DEPTH: usize = 4;

/// Keys and certificates of a file.
#[derive(Debug, Default)]
pub struct Contents {
    /// Keys that can sign here, in their order.
    pub keys: Vec<SigningKey>,
    /// Certificates, in their order.
    pub certificates: Vec<Certificate>,
    /// Keys of other kinds, or too short.
    unfit: Vec<String>,
}

impl Contents {
    /// The key that has a certificate, and that certificate with the others and `more` as its chain. [`Code::SignerKey`]
    /// when there is no such key, or more than one.
    pub fn signer(mut self, more: &[Certificate]) -> Result<(SigningKey, Credential)> {
        let certificate_of = |key: &SigningKey| -> Result<Option<Certificate>> {
            let spki = key.spki_der()?;
            Ok(self.certificates.iter().find(|certificate| certificate.spki() == spki).cloned())
        };
        let mut found = Vec::new();
        for (at, key) in self.keys.iter().enumerate() {
            found.extend(certificate_of(key)?.map(|certificate| (at, certificate)));
        }
        let wrong = |what: String| Err(Error::new(Code::SignerKey, what));
        match found.len() {
            1 => {}
            0 if self.keys.is_empty() && self.unfit.is_empty() => return wrong("it holds no key".to_owned()),
            0 if self.keys.is_empty() => return wrong(format!("its key cannot sign here: {}", self.unfit.join("; "))),
            0 => return wrong("its key has no certificate in it".to_owned()),
            n => return wrong(format!("it holds {n} keys with certificates; one is expected")),
        }
        let (at, certificate) = found.swap_remove(0);
        let credential = Credential::new(certificate, &[&self.certificates[..], more].concat())?;
        Ok((self.keys.swap_remove(at), credential))
    }
}

/// Opens a file. [`Code::SignerPin`] when the password does not open it, [`Code::SignerKey`] when it is not a PKCS#12 file or
/// one of a kind that is not read.
pub fn parse(bytes: &[u8], password: &str) -> Result<Contents> {
    let unreadable = |error: Error| match error.code {
        Code::SignerPin | Code::SignerKey => error,
        _ => Error::new(Code::SignerKey, format!("not a readable PKCS#12 file: {}", error.detail)),
    };
    read(bytes, password).map_err(unreadable)
}

fn read(bytes: &[u8], password: &str) -> Result<Contents> {
    let (der, _) = ber_to_der(bytes)?;
    let mut pfx = Reader::only(&der, tag::SEQUENCE)?.inside();
    if pfx.expect(tag::INTEGER)?.small()? != 3 {
        return Err(malformed("not version 3"));
    }
    let (kind, safe) = content_info(&pfx.expect(tag::SEQUENCE)?)?;
    let mac = pfx.optional(tag::SEQUENCE)?;
    pfx.finish()?;
    if kind != oids::DATA {
        return Err(unsupported("protected by a public key instead of a password"));
    }
    let safe = safe.ok_or_else(|| malformed("nothing in it"))?;
    let safe = Reader::only(safe.value, tag::OCTET_STRING)?.value;
    let mac = mac.ok_or_else(|| unsupported("without a MAC: nothing says that it is whole"))?;
    verify_mac(&mac, safe, password)?;

    let mut contents = Contents::default();
    let mut bags = MAX_BAGS;
    for element in Reader::only(safe, tag::SEQUENCE)?.inside().all()? {
        let (kind, content) = content_info(&element)?;
        let content = content.ok_or_else(|| malformed("an empty safe"))?;
        match kind {
            oids::DATA => {
                let bytes = Reader::only(content.value, tag::OCTET_STRING)?.value;
                contents.safe(bytes, password, &mut bags, 0)?;
            }
            oids::ENCRYPTED_DATA => {
                let bytes = encrypted(&content, password)?;
                contents.safe(&bytes, password, &mut bags, 0)?;
            }
            _ => return Err(unsupported("a safe protected by a public key")),
        }
    }
    Ok(contents)
}

/// ContentInfo: type, and the element under `[0]`.
fn content_info<'a>(element: &Tlv<'a>) -> Result<(Oid, Option<Tlv<'a>>)> {
    let mut reader = element.inside();
    let kind = reader.next()?.oid()?;
    let content = reader.optional(tag::constructed(0))?;
    reader.finish()?;
    Ok((kind, content))
}

/// EncryptedData (RFC 5652 section 8), decrypted.
fn encrypted(content: &Tlv<'_>, password: &str) -> Result<Vec<u8>> {
    let mut reader = Reader::only(content.value, tag::SEQUENCE)?.inside();
    reader.expect(tag::INTEGER)?;
    let mut info = reader.expect(tag::SEQUENCE)?.inside();
    info.next()?.oid()?;
    let algorithm = info.expect(tag::SEQUENCE)?;
    let mut bytes = Vec::new();
    match info.peek() {
        Some(primitive) if primitive == tag::context(0) => bytes.extend_from_slice(info.next()?.value),
        // In pieces, as streaming writers leave it.
        _ => {
            for piece in info.expect(tag::constructed(0))?.inside().all()? {
                bytes.extend_from_slice(piece.value);
            }
        }
    }
    cipher::decrypt(&algorithm, bytes, password)
}

/// MacData (RFC 7292 appendix A), with the old derivation or PBMAC1 (RFC 9579).
fn verify_mac(mac: &Tlv<'_>, bytes: &[u8], password: &str) -> Result<()> {
    let mut reader = mac.inside();
    let mut info = reader.expect(tag::SEQUENCE)?.inside();
    let algorithm = info.expect(tag::SEQUENCE)?;
    let digest = info.expect(tag::OCTET_STRING)?.value;
    let salt = reader.expect(tag::OCTET_STRING)?.value;
    let iterations = reader.optional(tag::INTEGER)?.map_or(Ok(1), |n| n.small())?;
    let (oid, parameters) = algorithm::parse_identifier(&algorithm)?;
    let right = if oid == cipher::PBMAC1 {
        let parameters = parameters.ok_or_else(|| malformed("PBMAC1 without parameters"))?;
        let mut parts = parameters.inside();
        let (derivation, scheme) = (parts.expect(tag::SEQUENCE)?, parts.expect(tag::SEQUENCE)?);
        let hash = hash_of_hmac(&algorithm::parse_identifier(&scheme)?.0)?;
        let key = cipher::pbkdf2(&derivation, None, password)?;
        cipher::hmac_is(hash, &key, bytes, digest)
    } else {
        let hash = algorithm::DigestAlgorithm::from_oid(&oid)?;
        let key = cipher::mac_key(hash, password, salt, iterations)?;
        cipher::hmac_is(hash, &key, bytes, digest)
    };
    if right { Ok(()) } else { Err(Error::new(Code::SignerPin, "the password does not open it, or it is damaged")) }
}

const KEY_BAG: Oid = Oid::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: Oid = Oid::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: Oid = Oid::new_unwrap("1.2.840.113549.1.12.10.1.3");
const SAFE_BAG: Oid = Oid::new_unwrap("1.2.840.113549.1.12.10.1.6");
const X509_CERTIFICATE: Oid = Oid::new_unwrap("1.2.840.113549.1.9.22.1");

impl Contents {
    fn safe(&mut self, bytes: &[u8], password: &str, bags: &mut usize, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed("safes nested too deeply"));
        }
        for bag in Reader::only(bytes, tag::SEQUENCE)?.inside().all()? {
            *bags = bags.checked_sub(1).ok_or_else(|| malformed("more bags than any signer has"))?;
            let mut reader = bag.inside();
            let kind = reader.next()?.oid()?;
            let value = reader.expect(tag::constructed(0))?.value;
            match kind {
                KEY_BAG => self.key(value),
                SHROUDED_KEY_BAG => {
                    let mut parts = Reader::only(value, tag::SEQUENCE)?.inside();
                    let algorithm = parts.expect(tag::SEQUENCE)?;
                    let bytes = parts.expect(tag::OCTET_STRING)?.value.to_vec();
                    self.key(&cipher::decrypt(&algorithm, bytes, password)?);
                }
                CERTIFICATE_BAG => {
                    let mut parts = Reader::only(value, tag::SEQUENCE)?.inside();
                    if parts.next()?.oid()? == X509_CERTIFICATE {
                        let der = Reader::only(parts.expect(tag::constructed(0))?.value, tag::OCTET_STRING)?.value;
                        self.certificates.push(Certificate::parse(der)?);
                    }
                }
                SAFE_BAG => self.safe(value, password, bags, depth + 1)?,
                // Revocation lists and secrets are nothing to a signer.
                _ => {}
            }
        }
        Ok(())
    }

    fn key(&mut self, pkcs8: &[u8]) {
        match SigningKey::from_pkcs8_der(pkcs8) {
            Ok(key) => self.keys.push(key),
            Err(error) => self.unfit.push(error.detail),
        }
    }
}
