//! The certificate a signer signs with, its chain, and what sort of key it certifies.
//!
//! Invariant: a [`Credential`] is fit to sign: RSA of 2048 bits or more, or P-256 (ETSI TS 119 312), of an end entity whose
//! keyUsage allows it. Whether it is valid now is asked at each signature.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::clock::iso_seconds;
use crate::durable;
use crate::error::{AtPath as _, Code, Error, Result};
use crate::evidence::algorithm;
use crate::evidence::anchors::Anchors;
use crate::evidence::asn1::{Reader, tag};
use crate::evidence::key::{KeyAlgorithm, RSA_MINIMUM_BITS};
use crate::evidence::oids;
use crate::evidence::x509::{Certificate, name};

/// Certificates of a chain kept with a signature; real chains have two or three.
const MAX_CHAIN: usize = 8;
/// Largest file of a certificate.
const MAX_FILE: u64 = 1 << 20;
/// Bits of keyUsage.
const DIGITAL_SIGNATURE: usize = 0;
const CONTENT_COMMITMENT: usize = 1;

/// A signer's certificate, its chain, and what sort of key it certifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The signer's own.
    pub certificate: Certificate,
    /// Those above it, as far as they are known.
    pub chain: Vec<Certificate>,
    /// What sort of key.
    pub algorithm: KeyAlgorithm,
}

impl Credential {
    /// From a certificate and whatever else may belong to its chain. [`Code::SignerKey`] when it cannot sign.
    pub fn new(certificate: Certificate, others: &[Certificate]) -> Result<Self> {
        let wrong = |what: &str| Error::new(Code::SignerKey, what).at(name::text(certificate.subject()));
        let unreadable = |e: Error| wrong(&e.detail);
        let algorithm = match algorithm::rsa_bits(certificate.spki()).map_err(unreadable)? {
            Some(bits) if bits < RSA_MINIMUM_BITS => return Err(wrong("its RSA key is shorter than 2048 bits")),
            Some(_) => KeyAlgorithm::Rsa,
            None if is_p256(certificate.spki()) => KeyAlgorithm::P256,
            None => return Err(wrong("its key is neither RSA nor ECDSA P-256")),
        };
        let allowed = |bit| certificate.key_usage_allows(bit).map_err(unreadable);
        if !allowed(CONTENT_COMMITMENT)? && !allowed(DIGITAL_SIGNATURE)? {
            return Err(wrong("its keyUsage does not allow signing"));
        }
        if certificate.basic_constraints().map_err(unreadable)?.is_some_and(|constraints| constraints.ca) {
            return Err(wrong("the certificate of an authority"));
        }
        let mut chain: Vec<Certificate> = Vec::new();
        for other in others.iter().filter(|other| **other != certificate) {
            if chain.len() < MAX_CHAIN && !chain.contains(other) {
                chain.push(other.clone());
            }
        }
        Ok(Self { chain, algorithm, certificate })
    }

    /// The same with more certificates of its chain.
    pub fn with_chain(&self, more: &[Certificate]) -> Result<Self> {
        Self::new(self.certificate.clone(), &[&self.chain[..], more].concat())
    }

    /// [`Code::SignerExpired`] when the certificate is not valid at this instant.
    pub fn must_be_valid(&self, at: Timestamp) -> Result<()> {
        let certificate = &self.certificate;
        if certificate.valid_at(at) {
            return Ok(());
        }
        let (from, to) = (iso_seconds(certificate.not_before), iso_seconds(certificate.not_after));
        Err(Error::new(Code::SignerExpired, format!("valid from {from} to {to}")).at(self.subject()))
    }

    /// Who holds it, as RFC 4514 writes names.
    pub fn subject(&self) -> String {
        name::text(self.certificate.subject())
    }
}

fn is_p256(spki: &[u8]) -> bool {
    let curve = || -> Result<bool> {
        let mut identifier = Reader::only(spki, tag::SEQUENCE)?.inside().expect(tag::SEQUENCE)?.inside();
        Ok(identifier.next()?.oid()? == oids::EC_PUBLIC_KEY && identifier.next()?.oid()? == oids::P256)
    };
    curve().unwrap_or(false)
}

/// The certificates in files that custode.toml names (PEM or DER).
pub fn certificates(paths: &[PathBuf]) -> Result<Vec<Certificate>> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(Anchors::parse(&small_file(path)?).map_err(|e| not_certificates(&e, path))?.certificates().to_vec());
    }
    Ok(all)
}

fn not_certificates(error: &Error, path: &Path) -> Error {
    Error::new(Code::ConfigInvalid, format!("not a file of certificates: {}", error.detail)).at(path.display())
}

/// A file that holds a key: as below, and nobody else may read it.
pub(super) fn key_file(path: &Path) -> Result<Vec<u8>> {
    let bytes = small_file(path)?;
    durable::must_be_secret(&durable::open_linked(path)?, path)?;
    Ok(bytes)
}

/// A file of the signer's: small, and not one that others could have put there.
fn small_file(path: &Path) -> Result<Vec<u8>> {
    let file = durable::open_linked(path)?;
    if !durable::only_ours(&file, path)? {
        return Err(Error::new(Code::ConfigWritable, "its group, others, or a stranger").at(path.display()));
    }
    if file.metadata().at_path(path)?.len() > MAX_FILE {
        return Err(Error::new(Code::ConfigInvalid, "too large for a file of certificates").at(path.display()));
    }
    durable::read_linked(path)
}
