//! Digests: SHA-256 is what evidence, receipts and indexes speak; BLAKE3 is for quick checks of whole files.
//!
//! Invariant: a digest is a value of its own type, never a bare string; text form is lower-case hex. Any room may use it.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::error::{Code, Error, Result};

/// Text form, and that in JSON, of a type with `bytes()` and [`FromStr`]: lower-case hexadecimal digits.
macro_rules! hexadecimal {
    ($name:ty, $expected:literal) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&hex::encode(self.bytes()))
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let text = ::std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(|_| ::serde::de::Error::custom($expected))
            }
        }
    };
}
pub(crate) use hexadecimal;

macro_rules! digest {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            fn bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = Error;
            /// Lower-case digits only: each digest has one text, for us and for whoever compares texts.
            fn from_str(text: &str) -> Result<Self> {
                let wrong = |why: &str| Error::new(Code::Usage, format!("not 64 lower-case hexadecimal digits: {why}"));
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|e| wrong(&e.to_string()))?;
                if text.bytes().any(|digit| digit.is_ascii_uppercase()) {
                    return Err(wrong("upper case"));
                }
                Ok(Self(bytes))
            }
        }

        hexadecimal!($name, "expected 64 hexadecimal digits");
    };
}

digest!(Sha256, "A SHA-256 digest (FIPS 180-4).");
digest!(Blake3, "A BLAKE3 digest.");

impl Sha256 {
    /// Thirty-two zero bytes: the predecessor of the first of anything chained.
    pub const ZERO: Self = Self([0; 32]);

    /// Digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Digest of these bytes, one after the other.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl Blake3 {
    /// Digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// Length and both digests of the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Sha256,
    /// BLAKE3.
    pub blake3: Blake3,
}

impl Digests {
    /// Both digests of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Both digests of everything `reader` gives, in memory that does not grow with it.
    pub fn of_reader(reader: &mut dyn Read) -> io::Result<Self> {
        let mut hasher = Hasher::new();
        io::copy(reader, &mut hasher)?;
        Ok(hasher.finish())
    }
}

/// Computes length, SHA-256 and BLAKE3 on the way.
#[derive(Clone, Default)]
pub struct Hasher {
    bytes: u64,
    sha256: sha2::Sha256,
    blake3: blake3::Hasher,
}

impl Hasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        self.blake3.update(bytes);
    }

    /// Length so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Length and digests of all that was taken.
    pub fn finish(&self) -> Digests {
        Digests {
            bytes: self.bytes,
            sha256: Sha256(self.sha256.clone().finalize().into()),
            blake3: Blake3(*self.blake3.finalize().as_bytes()),
        }
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

/// Passes bytes through to `inner` and hashes them.
pub struct HashingWriter<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> HashingWriter<W> {
    /// Wraps a writer.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::new() }
    }

    /// The writer and the digests of all that went through.
    pub fn finish(self) -> (W, Digests) {
        let digests = self.hasher.finish();
        (self.inner, digests)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.hasher.bytes()
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let digests = Digests::of(b"abc");
        assert_eq!(digests.sha256.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digests.blake3.to_string(), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
        assert_eq!(digests.bytes, 3);
        assert_eq!(digests.sha256, Sha256::of_parts(&[b"a", b"bc"]));
    }

    #[test]
    fn text_form_round_trips_and_rejects_the_rest() {
        let digest = Sha256::of(b"x");
        assert_eq!(digest.to_string().parse::<Sha256>().unwrap(), digest);
        assert!("abc".parse::<Sha256>().is_err());
    }
}
