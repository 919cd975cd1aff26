//! Passwords to keys, and keys to plain bytes: what protects a PKCS#12 file (RFC 8018, RFC 7292 appendix B, RFC 9579).
//!
//! Read are PBES2 with AES-CBC, which every program writes today, and MACs with any SHA. The ciphers of the nineties (RC2,
//! triple DES) are not: a file that uses them is told apart, and how to renew it is said.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, pbkdf2};

use crate::error::{Code, Error, Result};
use crate::evidence::Oid;
use crate::evidence::algorithm::{DigestAlgorithm, parse_identifier};
use crate::evidence::asn1::{Reader, Tlv, malformed, tag};

pub(super) const PBMAC1: Oid = Oid::new_unwrap("1.2.840.113549.1.5.14");
const PBES2: Oid = Oid::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: Oid = Oid::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_SHA1: Oid = Oid::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA256: Oid = Oid::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA384: Oid = Oid::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: Oid = Oid::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.1.42");
/// pkcs-12PbeIds: RC4, triple DES and RC2 under SHA-1.
const OLD: &str = "1.2.840.113549.1.12.1.";

/// A few seconds of derivation: files have some thousands.
const MAX_ITERATIONS: u32 = 10_000_000;

/// A file of a kind that is not read.
pub(super) fn unsupported(what: &str) -> Error {
    Error::new(Code::SignerKey, what)
        .hint("make it anew with today's ciphers: `openssl pkcs12 -legacy -in OLD.p12 -nodes -out both.pem`, then `openssl pkcs12 -export -in both.pem -out NEW.p12`, and destroy both.pem")
}

/// The digest of an HMAC.
pub(super) fn hash_of_hmac(oid: &Oid) -> Result<DigestAlgorithm> {
    match *oid {
        HMAC_SHA1 => Ok(DigestAlgorithm::Sha1),
        HMAC_SHA256 => Ok(DigestAlgorithm::Sha256),
        HMAC_SHA384 => Ok(DigestAlgorithm::Sha384),
        HMAC_SHA512 => Ok(DigestAlgorithm::Sha512),
        _ => Err(unsupported("derived with a hash function that is not read")),
    }
}

/// Whether the HMAC of these bytes is this one; compared in constant time.
pub(super) fn hmac_is(hash: DigestAlgorithm, key: &[u8], bytes: &[u8], expected: &[u8]) -> bool {
    let algorithm = match hash {
        DigestAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        DigestAlgorithm::Sha256 => hmac::HMAC_SHA256,
        DigestAlgorithm::Sha384 => hmac::HMAC_SHA384,
        DigestAlgorithm::Sha512 => hmac::HMAC_SHA512,
        DigestAlgorithm::Md5 => return false,
    };
    hmac::verify(&hmac::Key::new(algorithm, key), bytes, expected).is_ok()
}

/// The key of the MAC (RFC 7292 appendix B.2, with ID 3): it is as long as one output of the hash, so one block is enough.
pub(super) fn mac_key(hash: DigestAlgorithm, password: &str, salt: &[u8], iterations: u32) -> Result<Vec<u8>> {
    if !(1..=MAX_ITERATIONS).contains(&iterations) || salt.is_empty() || hash == DigestAlgorithm::Md5 {
        return Err(malformed("the MAC of the file is not one that is read"));
    }
    let block = if matches!(hash, DigestAlgorithm::Sha384 | DigestAlgorithm::Sha512) { 128 } else { 64 };
    // BMPString with its closing zero.
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let filled =
        |part: &[u8]| -> Vec<u8> { part.iter().copied().cycle().take(part.len().div_ceil(block) * block).collect() };
    let mut key = [vec![3; block], filled(salt), filled(&password)].concat();
    for _ in 0..iterations {
        key = hash.of(&key);
    }
    Ok(key)
}

/// PBKDF2 with these parameters (RFC 8018 appendix A.2); `length` is that of the cipher, when it has one.
pub(super) fn pbkdf2(derivation: &Tlv<'_>, length: Option<usize>, password: &str) -> Result<Vec<u8>> {
    let (oid, parameters) = parse_identifier(derivation)?;
    if oid != PBKDF2 {
        return Err(unsupported("its key is derived by something else than PBKDF2"));
    }
    let mut parts = parameters.ok_or_else(|| malformed("PBKDF2 without parameters"))?.inside();
    let salt = parts.expect(tag::OCTET_STRING)?.value;
    let iterations = parts.expect(tag::INTEGER)?.small()?;
    let named = parts.optional(tag::INTEGER)?.map(|n| n.small()).transpose()?;
    let hash = match parts.optional(tag::SEQUENCE)? {
        Some(prf) => hash_of_hmac(&parse_identifier(&prf)?.0)?,
        None => DigestAlgorithm::Sha1,
    };
    let named = named.and_then(|n| usize::try_from(n).ok());
    let length = length.or(named).filter(|n| (16..=64).contains(n)).ok_or_else(|| malformed("the length of a key"))?;
    if named.is_some_and(|named| named != length) {
        return Err(malformed("the length of a key is not that of its cipher"));
    }
    let algorithm = match hash {
        DigestAlgorithm::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        DigestAlgorithm::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        DigestAlgorithm::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => pbkdf2::PBKDF2_HMAC_SHA1,
    };
    let iterations = NonZeroU32::new(iterations).filter(|n| n.get() <= MAX_ITERATIONS);
    let iterations = iterations.ok_or_else(|| malformed("a count of iterations that nobody uses"))?;
    let mut key = vec![0; length];
    pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut key);
    Ok(key)
}

/// Plain bytes. The MAC was verified before: what does not decrypt is a file with two passwords, or one that lies.
pub(super) fn decrypt(algorithm: &Tlv<'_>, mut bytes: Vec<u8>, password: &str) -> Result<Vec<u8>> {
    let (oid, parameters) = parse_identifier(algorithm)?;
    if oid.to_string().starts_with(OLD) {
        return Err(unsupported("encrypted with a cipher of the nineties (RC2, RC4 or triple DES), which is not read"));
    }
    if oid != PBES2 {
        return Err(unsupported("encrypted in a way that is not read"));
    }
    let mut parts = parameters.ok_or_else(|| malformed("PBES2 without parameters"))?.inside();
    let (derivation, scheme) = (parts.expect(tag::SEQUENCE)?, parts.expect(tag::SEQUENCE)?);
    let (cipher, iv) = parse_identifier(&scheme)?;
    let (cipher, length) = match cipher {
        AES_128_CBC => (&AES_128, 16),
        AES_192_CBC => (&AES_192, 24),
        AES_256_CBC => (&AES_256, 32),
        _ => return Err(unsupported("encrypted with something else than AES-CBC")),
    };
    let iv = iv.filter(|iv| iv.tag == tag::OCTET_STRING).and_then(|iv| <[u8; 16]>::try_from(iv.value).ok());
    let iv = iv.ok_or_else(|| malformed("AES without its vector"))?;
    let key = pbkdf2(&derivation, Some(length), password)?;
    let wrong = |_| Error::new(Code::SignerPin, "the password does not decrypt what is inside");
    let key = UnboundCipherKey::new(cipher, &key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7).map_err(wrong)?;
    let length = key.decrypt(&mut bytes, DecryptionContext::Iv128(FixedLength::from(iv))).map_err(wrong)?.len();
    bytes.truncate(length);
    // Bytes that unpad by chance are not DER.
    Reader::only(&bytes, tag::SEQUENCE)
        .map_err(|_| Error::new(Code::SignerPin, "the password does not decrypt what is inside"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivation that other programs publish for the password "smeg" (BMPString), of the tests of RFC 7292's
    /// implementations: ID 3, SHA-1.
    #[test]
    fn the_key_of_the_mac_is_that_of_the_published_vector() {
        let salt = hex::decode("3D83C0E4546AC140").unwrap();
        let key = mac_key(DigestAlgorithm::Sha1, "smeg", &salt, 1).unwrap();
        assert_eq!(hex::encode_upper(key), "8D967D88F6CAA9D714800AB3D48051D63F73A312");
        assert!(mac_key(DigestAlgorithm::Sha1, "smeg", &salt, 0).is_err());
        assert!(mac_key(DigestAlgorithm::Sha1, "smeg", &salt, MAX_ITERATIONS + 1).is_err());
    }
}
