//! Digests of the algorithms that evidence may be made with: SHA-256, SHA-384, SHA-512 (FIPS 180-4).
//!
//! Documents outlive hash functions: evidence is renewed with another one when the first grows weak (RFC 4998 section 5.3),
//! so a digest here knows its algorithm. Invariant: what is weak or unknown has no value of these types; digests of
//! different algorithms are never equal, whatever their bytes.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::{Oid, asn1};
use crate::hash::{Sha256, hexadecimal};

/// A digest algorithm that evidence may be made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256: what the archive speaks everywhere else.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    fn general(self) -> DigestAlgorithm {
        match self {
            Self::Sha256 => DigestAlgorithm::Sha256,
            Self::Sha384 => DigestAlgorithm::Sha384,
            Self::Sha512 => DigestAlgorithm::Sha512,
        }
    }

    /// What people call it: `SHA-256`.
    pub fn name(self) -> &'static str {
        self.general().name()
    }

    /// Its object identifier.
    pub fn oid(self) -> Oid {
        self.general().oid()
    }

    /// Length of its value in octets: 32, 48 or 64, so that a length tells the algorithm.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm of this identifier. [`Code::EvidenceAlgorithm`] when evidence cannot be judged with it here.
    pub fn from_oid(oid: &Oid) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.oid() == *oid)
            .ok_or_else(|| Error::new(Code::EvidenceAlgorithm, format!("digest algorithm {oid}")))
    }

    /// The algorithm whose values have this length.
    pub fn of_length(octets: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.length() == octets)
    }

    /// `AlgorithmIdentifier` without parameters, DER (RFC 5754 section 2).
    pub fn identifier(self) -> Vec<u8> {
        asn1::sequence(&[&asn1::oid(&self.oid())])
    }

    /// Digest of these bytes.
    pub fn of(self, bytes: &[u8]) -> Digest {
        self.of_parts(&[bytes])
    }

    /// Digest of these bytes, one after the other.
    pub fn of_parts(self, parts: &[&[u8]]) -> Digest {
        let mut hasher = Hasher::new(self);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// From its name, as [`Algorithm::name`] gives it.
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or_else(|| Error::new(Code::EvidenceAlgorithm, format!("{text:.40}: SHA-256, SHA-384 or SHA-512")))
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("expected SHA-256, SHA-384 or SHA-512"))
    }
}

/// A digest and the algorithm that made it. Ordered by its octets (RFC 4998 section 4.2), which only means something among
/// digests of one algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zero after the length of the algorithm, so that comparing is comparing what counts.
    octets: [u8; 64],
}

impl Digest {
    /// From its octets, whose number tells the algorithm.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let algorithm = Algorithm::of_length(bytes.len())?;
        let mut octets = [0; 64];
        octets[..bytes.len()].copy_from_slice(bytes);
        Some(Self { algorithm, octets })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its octets.
    pub fn bytes(&self) -> &[u8] {
        &self.octets[..self.algorithm.length()]
    }

    /// As what the rest of the archive speaks, when it is one.
    pub fn sha256(&self) -> Option<Sha256> {
        self.bytes().try_into().ok().map(Sha256)
    }
}

impl From<Sha256> for Digest {
    fn from(digest: Sha256) -> Self {
        let mut octets = [0; 64];
        octets[..32].copy_from_slice(&digest.0);
        Self { algorithm: Algorithm::Sha256, octets }
    }
}

impl From<&Sha256> for Digest {
    fn from(digest: &Sha256) -> Self {
        Self::from(*digest)
    }
}

impl PartialEq<Sha256> for Digest {
    fn eq(&self, other: &Sha256) -> bool {
        self.bytes() == other.0
    }
}

hexadecimal!(Digest, "expected 64, 96 or 128 hexadecimal digits");

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.algorithm)
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// From 64, 96 or 128 hexadecimal digits, lower-case: each digest has one text.
    fn from_str(text: &str) -> Result<Self> {
        let plain = text.len() <= 128 && !text.bytes().any(|digit| digit.is_ascii_uppercase());
        let bytes = if plain { hex::decode(text).ok() } else { None };
        let digest = bytes.and_then(|bytes| Self::from_bytes(&bytes));
        digest.ok_or_else(|| Error::new(Code::Usage, "not 64, 96 or 128 lower-case hexadecimal digits"))
    }
}

/// Computes a digest on the way.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-384.
    Sha384(sha2::Sha384),
    /// SHA-512.
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Nothing hashed yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all that was taken.
    pub fn finish(self) -> Digest {
        let mut octets = [0; 64];
        let algorithm = match self {
            Self::Sha256(hasher) => {
                octets[..32].copy_from_slice(&hasher.finalize());
                Algorithm::Sha256
            }
            Self::Sha384(hasher) => {
                octets[..48].copy_from_slice(&hasher.finalize());
                Algorithm::Sha384
            }
            Self::Sha512(hasher) => {
                octets.copy_from_slice(&hasher.finalize());
                Algorithm::Sha512
            }
        };
        Digest { algorithm, octets }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 examples, the message "abc".
    #[test]
    fn known_digests_and_their_text() {
        for (algorithm, hex) in [
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Algorithm::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Algorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let digest = algorithm.of_parts(&[b"a", b"", b"bc"]);
            assert_eq!(digest.to_string(), hex);
            assert_eq!(hex.parse::<Digest>().unwrap(), digest);
            assert_eq!(digest.algorithm(), algorithm);
            assert_eq!(algorithm.name().parse::<Algorithm>().unwrap(), algorithm);
            assert_eq!(Algorithm::from_oid(&algorithm.oid()).unwrap(), algorithm);
            assert_eq!(algorithm.identifier()[0], 0x30);
        }
        assert_eq!(Digest::from(Sha256::of(b"abc")), Algorithm::Sha256.of(b"abc"));
        assert_eq!(Algorithm::Sha256.of(b"abc").sha256(), Some(Sha256::of(b"abc")));
        assert_eq!(Algorithm::Sha384.of(b"abc").sha256(), None);
    }

    #[test]
    fn what_is_weak_or_no_digest_has_no_value_here() {
        for weak in [DigestAlgorithm::Md5, DigestAlgorithm::Sha1] {
            assert_eq!(Algorithm::from_oid(&weak.oid()).unwrap_err().code, Code::EvidenceAlgorithm);
        }
        for text in ["", "abc", &"0".repeat(40), &"0".repeat(66), &"0".repeat(4096), &"g".repeat(64)] {
            assert!(text.parse::<Digest>().is_err());
        }
        assert!(Digest::from_bytes(&[0; 20]).is_none());
        assert!("SHA-1".parse::<Algorithm>().is_err());
    }
}
