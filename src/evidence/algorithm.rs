//! Digest and signature algorithms, by their identifiers.
//!
//! Invariant: an algorithm that is not listed here is an error that names it, never a silent success. SHA-1 is known because
//! it stands in mail and invoices of past years; callers mark it as weak ([`DigestAlgorithm::is_weak`]), and time-stamps refuse it. MD5
//! is known for still older signatures, and in signatures only: a certificate, list or answer signed with it may be anybody's (a false
//! authority was made so in 2008), and is not believed.

use aws_lc_rs::{digest, signature};
use md5::Digest as _;

use crate::error::{Code, Error, Result};
use crate::evidence::asn1::{self, Reader, malformed, tag};
use crate::evidence::cms::Content;
use crate::evidence::{Oid, oids};

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// MD5: very old signatures only.
    Md5,
    /// SHA-1: old signatures only.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// All that are known here.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Its object identifier.
    pub fn oid(self) -> Oid {
        match self {
            Self::Md5 => oids::MD5,
            Self::Sha1 => oids::SHA1,
            Self::Sha256 => oids::SHA256,
            Self::Sha384 => oids::SHA384,
            Self::Sha512 => oids::SHA512,
        }
    }

    /// The algorithm of this identifier.
    pub fn from_oid(oid: &Oid) -> Result<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.oid() == *oid).ok_or_else(|| unsupported("digest", oid))
    }

    /// Length of its value in octets.
    pub fn length(self) -> usize {
        self.implementation().map_or(16, digest::Algorithm::output_len)
    }

    /// Too weak for anything new.
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }

    /// Digest of these bytes.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self.implementation() {
            Some(known) => digest::digest(known, bytes).as_ref().to_vec(),
            None => md5::Md5::digest(bytes).to_vec(),
        }
    }

    /// `AlgorithmIdentifier` without parameters (RFC 5754 section 2).
    pub fn identifier(self) -> Vec<u8> {
        asn1::sequence(&[&asn1::oid(&self.oid())])
    }

    /// That of the cryptographic library; it has no MD5.
    pub(crate) fn implementation(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::Md5 => None,
            Self::Sha1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => Some(&digest::SHA256),
            Self::Sha384 => Some(&digest::SHA384),
            Self::Sha512 => Some(&digest::SHA512),
        }
    }
}

fn unsupported(what: &str, oid: &Oid) -> Error {
    Error::new(Code::SignatureAlgorithm, format!("{what} algorithm {oid} is not supported"))
}

/// Object identifier and parameters of an `AlgorithmIdentifier` (`element` is the whole SEQUENCE).
pub(crate) fn parse_identifier<'a>(element: &asn1::Tlv<'a>) -> Result<(Oid, Option<asn1::Tlv<'a>>)> {
    if element.tag != tag::SEQUENCE {
        return Err(malformed("expected an AlgorithmIdentifier"));
    }
    let mut reader = element.inside();
    let oid = reader.next()?.oid()?;
    let parameters = if reader.is_empty() { None } else { Some(reader.next()?) };
    reader.finish()?;
    Ok((oid, parameters))
}

/// Digest of an `AlgorithmIdentifier`; parameters must be absent or NULL.
pub(crate) fn parse_digest(element: &asn1::Tlv<'_>) -> Result<DigestAlgorithm> {
    let (oid, parameters) = parse_identifier(element)?;
    match parameters {
        Some(p) if p.tag != tag::NULL => Err(malformed("digest algorithm with parameters")),
        _ => DigestAlgorithm::from_oid(&oid),
    }
}

/// Verifies `signature` over `message` with the key of `spki` (DER SubjectPublicKeyInfo).
///
/// `identifier` is the AlgorithmIdentifier that goes with the signature; a bare `rsaEncryption` or `ecPublicKey`, common in
/// CMS, is completed with `digest` (that of the SignerInfo). MD5 is not accepted: what is verified here is believed.
pub fn verify(
    spki: &[u8],
    identifier: &[u8],
    digest: Option<DigestAlgorithm>,
    message: &[u8],
    signature: &[u8],
) -> Result<()> {
    let (oid, _) = parse_identifier(&Reader::only(identifier, tag::SEQUENCE)?)?;
    if oid == oids::RSA_MD5 || digest == Some(DigestAlgorithm::Md5) {
        return Err(unsupported("signature", &oid));
    }
    verify_content(spki, identifier, digest, Content::Bytes(message), signature)
}

/// The same over a message that may be known by its digests only, for signatures of documents: MD5 verifies, and its signer's report
/// says that it is weak.
pub(crate) fn verify_content(
    spki: &[u8],
    identifier: &[u8],
    digest: Option<DigestAlgorithm>,
    message: Content<'_>,
    signature: &[u8],
) -> Result<()> {
    let element = Reader::only(identifier, tag::SEQUENCE)?;
    let (oid, parameters) = parse_identifier(&element)?;
    let key = PublicKey::parse(spki)?;
    let needs_digest = || digest.ok_or_else(|| unsupported("bare key as signature", &oid));
    let bad = || Error::new(Code::SignatureInvalid, "the signature does not match the signed bytes");
    let rsa = |digest| match key.kind {
        KeyKind::Rsa => {
            let Some(parameters) = pkcs1(digest) else { return verify_md5(key.bits, message, signature) };
            check(parameters, digest, key.bits, message, signature)?.then_some(()).ok_or_else(bad)
        }
        KeyKind::Ec(_) => Err(mismatch()),
    };
    let ecdsa = |digest| match &key.kind {
        KeyKind::Ec(curve) => {
            let parameters = ecdsa_on(curve, digest)?;
            check(parameters, digest, key.bits, message, signature)?.then_some(()).ok_or_else(bad)
        }
        KeyKind::Rsa => Err(mismatch()),
    };
    match oid {
        oids::RSA => rsa(needs_digest()?),
        oids::RSA_MD5 => rsa(DigestAlgorithm::Md5),
        oids::RSA_SHA1 => rsa(DigestAlgorithm::Sha1),
        oids::RSA_SHA256 => rsa(DigestAlgorithm::Sha256),
        oids::RSA_SHA384 => rsa(DigestAlgorithm::Sha384),
        oids::RSA_SHA512 => rsa(DigestAlgorithm::Sha512),
        oids::ECDSA_SHA256 => ecdsa(DigestAlgorithm::Sha256),
        oids::ECDSA_SHA384 => ecdsa(DigestAlgorithm::Sha384),
        oids::ECDSA_SHA512 => ecdsa(DigestAlgorithm::Sha512),
        oids::EC_PUBLIC_KEY => ecdsa(needs_digest()?),
        oids::RSA_PSS => match key.kind {
            KeyKind::Rsa => verify_pss(parameters, key.bits, message, signature),
            KeyKind::Ec(_) => Err(mismatch()),
        },
        other => Err(unsupported("signature", &other)),
    }
}

/// What people call a signature algorithm; `None` when it is not known here.
pub fn signature_name(oid: &Oid) -> Option<&'static str> {
    Some(match *oid {
        oids::RSA => "RSA",
        oids::RSA_MD5 => "RSA with MD5",
        oids::RSA_SHA1 => "RSA with SHA-1",
        oids::RSA_SHA256 => "RSA with SHA-256",
        oids::RSA_SHA384 => "RSA with SHA-384",
        oids::RSA_SHA512 => "RSA with SHA-512",
        oids::RSA_PSS => "RSA-PSS",
        oids::EC_PUBLIC_KEY => "ECDSA",
        oids::ECDSA_SHA256 => "ECDSA with SHA-256",
        oids::ECDSA_SHA384 => "ECDSA with SHA-384",
        oids::ECDSA_SHA512 => "ECDSA with SHA-512",
        _ => return None,
    })
}

/// Bits of the modulus of an RSA key; `None` for other keys.
pub fn rsa_bits(spki: &[u8]) -> Result<Option<usize>> {
    let key = PublicKey::parse(spki)?;
    if !matches!(key.kind, KeyKind::Rsa) {
        return Ok(None);
    }
    let modulus = Reader::only(key.bits, tag::SEQUENCE)?.inside().expect(tag::INTEGER)?.unsigned()?;
    let leading = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
    Ok(Some(modulus.len() * 8 - leading))
}

/// How strong a signing key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStrength {
    /// Bits of the modulus.
    Rsa(usize),
    /// Bits of the curve's field.
    Ec(usize),
}

impl std::fmt::Display for KeyStrength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::Ec(bits) => write!(f, "ECDSA P-{bits}"),
        }
    }
}

/// Strength of the key of `spki` (DER SubjectPublicKeyInfo).
pub fn key_strength(spki: &[u8]) -> Result<KeyStrength> {
    if let Some(bits) = rsa_bits(spki)? {
        return Ok(KeyStrength::Rsa(bits));
    }
    match PublicKey::parse(spki)?.kind {
        KeyKind::Ec(oids::P256) => Ok(KeyStrength::Ec(256)),
        KeyKind::Ec(oids::P384) => Ok(KeyStrength::Ec(384)),
        KeyKind::Ec(oids::P521) => Ok(KeyStrength::Ec(521)),
        KeyKind::Ec(other) => Err(unsupported("curve", &other)),
        KeyKind::Rsa => Err(mismatch()),
    }
}

fn mismatch() -> Error {
    Error::new(Code::SignatureInvalid, "signature algorithm and key are of different kinds")
}

enum KeyKind {
    Rsa,
    Ec(Oid),
}

struct PublicKey<'a> {
    kind: KeyKind,
    bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    fn parse(spki: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::only(spki, tag::SEQUENCE)?.inside();
        let (oid, parameters) = parse_identifier(&reader.next()?)?;
        let bits = reader.next()?.whole_bits()?;
        reader.finish()?;
        let kind = match oid {
            oids::RSA | oids::RSA_PSS => KeyKind::Rsa,
            oids::EC_PUBLIC_KEY => {
                KeyKind::Ec(parameters.ok_or_else(|| malformed("elliptic key without its curve"))?.oid()?)
            }
            other => return Err(unsupported("key", &other)),
        };
        Ok(Self { kind, bits })
    }
}

/// Whether the signature verifies; an error when the message's digest is needed and not known.
fn check(
    parameters: &'static dyn signature::VerificationAlgorithm,
    algorithm: DigestAlgorithm,
    key: &[u8],
    message: Content<'_>,
    value: &[u8],
) -> Result<bool> {
    let key = signature::UnparsedPublicKey::new(parameters, key);
    Ok(match message {
        Content::Bytes(message) => key.verify(message, value).is_ok(),
        Content::Digests(_) => {
            let known = message.digest(algorithm).ok_or_else(|| not_computed(algorithm))?;
            let implementation = algorithm.implementation().ok_or_else(|| not_computed(algorithm))?;
            let digest = digest::Digest::import_less_safe(&known, implementation);
            digest.is_ok_and(|digest| key.verify_digest(&digest, value).is_ok())
        }
    })
}

fn not_computed(algorithm: DigestAlgorithm) -> Error {
    Error::new(Code::NotLookedAt, format!("the {} of the content was not computed", algorithm.name()))
}

/// DigestInfo of MD5 up to the digest itself (RFC 8017 section 9.2).
const MD5_INFO: [u8; 18] =
    [0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10];

/// RFC 8017 section 8.2.2 with MD5, which the `rsa` crate still verifies when it is told how.
fn verify_md5(key: &[u8], message: Content<'_>, value: &[u8]) -> Result<()> {
    let digest = message.digest(DigestAlgorithm::Md5).ok_or_else(|| not_computed(DigestAlgorithm::Md5))?;
    let scheme = rsa::Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: MD5_INFO.into() };
    let bad = |_| Error::new(Code::SignatureInvalid, "the signature does not match the signed bytes");
    rsa_key(key)?.verify(scheme, &digest, value).map_err(bad)
}

fn rsa_key(key: &[u8]) -> Result<rsa::RsaPublicKey> {
    use rsa::pkcs1::DecodeRsaPublicKey as _;
    rsa::RsaPublicKey::from_pkcs1_der(key).map_err(|e| malformed(format!("RSA key: {e}")))
}

/// How the cryptographic library verifies with this digest; it has no MD5.
fn pkcs1(digest: DigestAlgorithm) -> Option<&'static dyn signature::VerificationAlgorithm> {
    // 1024 bits are read because PEC providers and invoices of past years used them; length is judged by the caller.
    Some(match digest {
        DigestAlgorithm::Md5 => return None,
        DigestAlgorithm::Sha1 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        DigestAlgorithm::Sha256 => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        DigestAlgorithm::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        DigestAlgorithm::Sha512 => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    })
}

fn ecdsa_on(curve: &Oid, digest: DigestAlgorithm) -> Result<&'static dyn signature::VerificationAlgorithm> {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    Ok(match (*curve, digest) {
        (oids::P256, Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (oids::P256, Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (oids::P256, Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
        (oids::P384, Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (oids::P384, Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (oids::P384, Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
        (oids::P521, Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
        (oids::P521, Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
        (oids::P521, Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        (other, _) => return Err(unsupported("curve or digest of", &other)),
    })
}

/// RFC 4055 section 3.1; the salt may have any length, so the `rsa` crate does it (verification only).
fn verify_pss(parameters: Option<asn1::Tlv<'_>>, key: &[u8], message: Content<'_>, value: &[u8]) -> Result<()> {
    let (mut hash, mut mask, mut salt) = (DigestAlgorithm::Sha1, DigestAlgorithm::Sha1, 20usize);
    if let Some(parameters) = parameters {
        let mut reader = parameters.inside();
        if let Some(field) = reader.optional(tag::constructed(0))? {
            hash = parse_digest(&field.inside().next()?)?;
        }
        if let Some(field) = reader.optional(tag::constructed(1))? {
            let (oid, inner) = parse_identifier(&field.inside().next()?)?;
            if oid != oids::MGF1 {
                return Err(unsupported("mask", &oid));
            }
            mask = parse_digest(&inner.ok_or_else(|| malformed("MGF1 without its digest"))?)?;
        }
        if let Some(field) = reader.optional(tag::constructed(2))? {
            salt = field.inside().next()?.small()? as usize;
        }
    }
    if hash != mask || hash.is_weak() {
        return Err(unsupported("PSS parameters of", &hash.oid()));
    }
    let bad = || Error::new(Code::SignatureInvalid, "the signature does not match the signed bytes");
    let key = rsa_key(key)?;
    let digest = message.digest(hash).ok_or_else(|| not_computed(hash))?;
    let verified = match hash {
        DigestAlgorithm::Sha256 => key.verify(rsa::Pss::<sha2::Sha256>::new_with_salt(salt), &digest, value),
        DigestAlgorithm::Sha384 => key.verify(rsa::Pss::<sha2::Sha384>::new_with_salt(salt), &digest, value),
        _ => key.verify(rsa::Pss::<sha2::Sha512>::new_with_salt(salt), &digest, value),
    };
    verified.map_err(|_| bad())
}
