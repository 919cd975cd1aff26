//! What a signature covers: bytes in memory, or the digests of bytes that went by.
//!
//! A message of 100 MB is hashed while it streams; its signature comes after it. Whoever reads it computes the digests in use
//! ([`Digester`]) and judges the signature with them.

use std::borrow::Cow;

use aws_lc_rs::digest::Context;
use md5::Digest as _;

use crate::evidence::algorithm::DigestAlgorithm;
use crate::hash::Sha256;

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The bytes.
    Bytes(&'a [u8]),
    /// Their digests only.
    Digests(&'a DigestSet),
}

impl Content<'_> {
    /// The digest with this algorithm; none when it was not computed.
    pub fn digest(&self, algorithm: DigestAlgorithm) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(bytes) => Some(Cow::Owned(algorithm.of(bytes))),
            Self::Digests(set) => set.get(algorithm).map(Cow::Borrowed),
        }
    }
}

/// Digests of the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestSet(Vec<(DigestAlgorithm, Vec<u8>)>);

impl DigestSet {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8], algorithms: impl IntoIterator<Item = DigestAlgorithm>) -> Self {
        let mut set = Self::default();
        for algorithm in algorithms {
            if set.get(algorithm).is_none() {
                set.0.push((algorithm, algorithm.of(bytes)));
            }
        }
        set
    }

    /// The SHA-256 of bytes that somebody else has read.
    pub fn sha256(digest: Sha256) -> Self {
        Self(vec![(DigestAlgorithm::Sha256, digest.0.to_vec())])
    }

    /// One of them.
    pub fn get(&self, algorithm: DigestAlgorithm) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == algorithm).map(|(_, value)| value.as_slice())
    }
}

/// Computes a [`DigestSet`] of bytes that go by.
pub struct Digester(Vec<(DigestAlgorithm, Running)>);

/// A digest under way.
enum Running {
    Known(Context),
    Md5(md5::Md5),
}

impl Digester {
    /// With these algorithms: those that stand in mail are SHA-1 and SHA-256.
    pub fn new(algorithms: &[DigestAlgorithm]) -> Self {
        let running = |algorithm: &DigestAlgorithm| match algorithm.implementation() {
            Some(known) => Running::Known(Context::new(known)),
            None => Running::Md5(md5::Md5::new()),
        };
        Self(algorithms.iter().map(|algorithm| (*algorithm, running(algorithm))).collect())
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, running) in &mut self.0 {
            match running {
                Running::Known(context) => context.update(bytes),
                Running::Md5(context) => context.update(bytes),
            }
        }
    }

    /// No more bytes.
    pub fn finish(self) -> DigestSet {
        let value = |running| match running {
            Running::Known(context) => context.finish().as_ref().to_vec(),
            Running::Md5(context) => context.finalize().to_vec(),
        };
        DigestSet(self.0.into_iter().map(|(algorithm, running)| (algorithm, value(running))).collect())
    }
}

impl std::fmt::Debug for Digester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(algorithm, _)| algorithm)).finish()
    }
}
