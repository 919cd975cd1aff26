//! Private keys that sign: RSA (2048 bits or more) and P-256.
//!
//! Invariant: key material leaves only as the PKCS#8 it came from, never in an error or a log. RSA signatures are
//! PKCS#1 v1.5, so the same key and bytes always give the same signature.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair};

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1;
use crate::evidence::oids;

/// RSA keys shorter than this are refused for signing (ETSI TS 119 312).
pub const RSA_MINIMUM_BITS: usize = 2048;

/// What sort of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA, PKCS#1 v1.5.
    Rsa,
    /// ECDSA on P-256; signs with SHA-256 only.
    P256,
}

impl KeyAlgorithm {
    /// DER AlgorithmIdentifier of signatures made with `digest` (RFC 4055, RFC 5758).
    pub fn signature_identifier(self, digest: DigestAlgorithm) -> Vec<u8> {
        let oid = match (self, digest) {
            (Self::P256, _) => return asn1::sequence(&[&asn1::oid(&oids::ECDSA_SHA256)]),
            (Self::Rsa, DigestAlgorithm::Md5) => oids::RSA_MD5,
            (Self::Rsa, DigestAlgorithm::Sha1) => oids::RSA_SHA1,
            (Self::Rsa, DigestAlgorithm::Sha256) => oids::RSA_SHA256,
            (Self::Rsa, DigestAlgorithm::Sha384) => oids::RSA_SHA384,
            (Self::Rsa, DigestAlgorithm::Sha512) => oids::RSA_SHA512,
        };
        asn1::sequence(&[&asn1::oid(&oid), &asn1::null()])
    }
}

enum Inner {
    Rsa(Box<RsaKeyPair>, Vec<u8>),
    P256(Box<EcdsaKeyPair>),
}

/// A private key that signs.
pub struct SigningKey(Inner);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm())
    }
}

impl SigningKey {
    /// From PKCS#8 DER.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der) {
            return Ok(Self(Inner::P256(Box::new(pair))));
        }
        let pair = RsaKeyPair::from_pkcs8(der)
            .map_err(|_| Error::new(Code::KeyMissing, "not a PKCS#8 key of RSA (2048 bits or more) or P-256"))?;
        if pair.public_modulus_len() * 8 < RSA_MINIMUM_BITS {
            return Err(Error::new(Code::KeyMissing, "RSA key shorter than 2048 bits"));
        }
        Ok(Self(Inner::Rsa(Box::new(pair), der.to_vec())))
    }

    /// From PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`).
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self> {
        let (label, der) = der::SecretDocument::from_pem(pem.trim())
            .map_err(|e| Error::new(Code::KeyMissing, format!("not a PEM file: {e}")))?;
        if label != "PRIVATE KEY" {
            return Err(Error::new(Code::KeyMissing, format!("PEM of {label}, expected PRIVATE KEY"))
                .hint("convert it: openssl pkcs8 -topk8 -nocrypt -in key.pem"));
        }
        Self::from_pkcs8_der(der.as_bytes())
    }

    /// A new P-256 key, and its PKCS#8 DER to keep.
    pub fn generate_p256() -> Result<(Self, Vec<u8>)> {
        let failed = |_| Error::new(Code::Internal, "no P-256 key could be generated");
        let der = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(failed)?;
        let der = der.as_ref().to_vec();
        Ok((Self::from_pkcs8_der(&der)?, der))
    }

    /// What sort of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match &self.0 {
            Inner::Rsa(..) => KeyAlgorithm::Rsa,
            Inner::P256(_) => KeyAlgorithm::P256,
        }
    }

    /// DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> Result<Vec<u8>> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.0 {
            Inner::Rsa(pair, _) => pair.public_key().as_der(),
            Inner::P256(pair) => pair.public_key().as_der(),
        };
        der.map(|der| der.as_ref().to_vec()).map_err(|_| Error::new(Code::Internal, "public key not encodable"))
    }

    /// Digest this key signs with unless told otherwise.
    pub fn preferred_digest(&self) -> DigestAlgorithm {
        DigestAlgorithm::Sha256
    }

    /// Signs `message`, digested with `digest`. A P-256 key signs with SHA-256 only; SHA-1 exists to make test material that
    /// looks like the mail of past years.
    pub fn sign(&self, digest: DigestAlgorithm, message: &[u8]) -> Result<Vec<u8>> {
        let failed = || Error::new(Code::Internal, "the key could not sign");
        match &self.0 {
            Inner::P256(pair) if digest == DigestAlgorithm::Sha256 => {
                Ok(pair.sign(&SystemRandom::new(), message).map_err(|_| failed())?.as_ref().to_vec())
            }
            Inner::P256(_) => Err(Error::new(Code::Usage, "a P-256 key signs with SHA-256 only")),
            Inner::Rsa(..) if digest == DigestAlgorithm::Md5 => {
                Err(Error::new(Code::Usage, "nothing is signed with MD5"))
            }
            Inner::Rsa(_, pkcs8) if digest == DigestAlgorithm::Sha1 => {
                use rsa::pkcs8::DecodePrivateKey as _;
                let key = rsa::RsaPrivateKey::from_pkcs8_der(pkcs8).map_err(|_| failed())?;
                let prefix = [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
                let scheme = rsa::Pkcs1v15Sign { hash_len: Some(20), prefix: Box::new(prefix) };
                key.sign(scheme, &digest.of(message)).map_err(|_| failed())
            }
            Inner::Rsa(pair, _) => {
                let encoding = match digest {
                    DigestAlgorithm::Sha384 => &signature::RSA_PKCS1_SHA384,
                    DigestAlgorithm::Sha512 => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut value = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut value).map_err(|_| failed())?;
                Ok(value)
            }
        }
    }
}
