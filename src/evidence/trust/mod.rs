//! Whom this archive believes, for each use, and what it has already judged by it.
//!
//! Invariant: only what a person configured ends a path; nothing that arrives with a document ever does. What was judged is
//! remembered ([`cache`]), so that the same provider's certificate is not judged again with every message.

pub mod cache;
pub mod directory;
pub mod list;
mod load;

pub use load::Sources;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use crate::error::{Code, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::revocation::Material;
use crate::evidence::x509::Certificate;
use crate::evidence::x509::path::{self, PathError, Rfc5280};
use cache::{Cache, Key};
use directory::Directory;
use list::{Service, TrustedList};

/// What a certificate is used for; each has its own anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A provider's signature on PEC messages.
    Pec,
    /// A person's or company's signature on a document.
    Signature,
    /// A time-stamp of a signature.
    TimeStamp,
}

/// What became of the search for a path.
#[derive(Debug, Clone)]
pub enum Chain {
    /// From the certificate to the anchor, both included.
    Path(Arc<[Certificate]>),
    /// Nothing is configured for this use.
    NoAnchors,
    /// Everything needed is there, and it ends at somebody who is not configured.
    Untrusted,
    /// An issuer is neither here nor configured.
    IssuerMissing,
    /// There is a path, and it breaks a rule.
    Broken(Code, String),
}

/// Anchors for each use, and the memory of what was judged.
#[derive(Debug, Default)]
pub struct Trust {
    pec: Anchors,
    signatures: Anchors,
    time_stamps: Anchors,
    /// `signatures`, and the services of the trusted lists.
    signers: Anchors,
    list: TrustedList,
    directory: Directory,
    revocation: Material,
    cache: Cache,
}

impl Trust {
    /// Nobody is believed.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Nobody is believed, for ever: for those who need a reference.
    pub fn nobody() -> &'static Self {
        static NOBODY: OnceLock<Trust> = OnceLock::new();
        NOBODY.get_or_init(Self::empty)
    }

    /// With these anchors, besides those it has, for one use.
    #[must_use]
    pub fn with(mut self, purpose: Purpose, anchors: Anchors) -> Self {
        let room = match purpose {
            Purpose::Pec => &mut self.pec,
            Purpose::Signature => &mut self.signatures,
            Purpose::TimeStamp => &mut self.time_stamps,
        };
        *room = std::mem::take(room).and(anchors.clone());
        if purpose == Purpose::Signature {
            self.signers = std::mem::take(&mut self.signers).and(anchors);
        }
        self.cache = Cache::default();
        self
    }

    /// With the services of trusted lists as anchors of signatures, each for as long as it was granted.
    pub fn with_list(mut self, list: TrustedList) -> Result<Self> {
        self.signers = std::mem::take(&mut self.signers).and(list.anchors(Service::QualifiedCertificates)?);
        self.list = self.list.and(list);
        self.cache = Cache::default();
        Ok(self)
    }

    /// With a directory of PEC providers.
    #[must_use]
    pub fn with_directory(mut self, directory: Directory) -> Self {
        self.directory = self.directory.and(directory);
        self
    }

    /// With these revocation lists and answers.
    #[must_use]
    pub fn with_revocation(mut self, material: Material) -> Self {
        self.revocation = material;
        self
    }

    /// Revocation lists and answers at hand.
    pub fn revocation(&self) -> &Material {
        &self.revocation
    }

    /// The directory of PEC providers; none when none is configured.
    pub fn directory(&self) -> Option<&Directory> {
        (!self.directory.is_empty()).then_some(&self.directory)
    }

    /// Whether a time-stamp was qualified at its time: a certificate of its path is that of a service granted then (EN 319 421
    /// chapter 8; eIDAS art. 42). `None` when no list of such services is configured: nobody says.
    pub fn stamp_is_qualified(&self, path: &[Certificate], at: Timestamp) -> Option<bool> {
        let kind = Service::QualifiedTimeStamps;
        self.list.knows(kind).then(|| path.iter().any(|certificate| self.list.granted(certificate, kind, at)))
    }

    /// Whether a trusted list says that the anchor of a path was granted at an instant.
    pub fn is_qualified(&self, path: &[Certificate], at: Timestamp) -> bool {
        path.last().is_some_and(|anchor| self.list.granted(anchor, Service::QualifiedCertificates, at))
    }

    /// The anchors of one use.
    pub fn anchors(&self, purpose: Purpose) -> &Anchors {
        match purpose {
            Purpose::Pec => &self.pec,
            Purpose::Signature => &self.signers,
            Purpose::TimeStamp => &self.time_stamps,
        }
    }

    /// From a certificate through those that came along to an anchor, at an instant (RFC 5280 section 6). What was good practice
    /// once (SHA-1, RSA of 1024 bits) is accepted here; the judge reports it as weak.
    pub fn chain(&self, certificate: &Certificate, bag: &[Certificate], purpose: Purpose, at: Timestamp) -> Chain {
        let chain = self.path(certificate, bag, purpose, at);
        if let Chain::Path(path) = &chain
            && purpose == Purpose::Signature
            && path.last().is_some_and(|anchor| !self.signatures.certificates().contains(anchor))
            && !self.is_qualified(path, at)
        {
            let why = "the service was not granted then in the trusted list";
            return Chain::Broken(Code::SignatureUntrusted, why.to_owned());
        }
        chain
    }

    fn path(&self, certificate: &Certificate, bag: &[Certificate], purpose: Purpose, at: Timestamp) -> Chain {
        let anchors = self.anchors(purpose);
        if anchors.is_empty() {
            return Chain::NoAnchors;
        }
        let key = Key::of(purpose, certificate, bag);
        if let Some(known) = self.cache.get(&key, at) {
            return known;
        }
        let judged = match path::find(certificate, bag, anchors, at, &Rfc5280 { legacy: true }) {
            Ok(path) => Chain::Path(path.into()),
            Err(PathError::Invalid(error)) => Chain::Broken(error.code, error.detail),
            Err(PathError::Untrusted) if ends_in_a_root(certificate, bag) => Chain::Untrusted,
            Err(PathError::Untrusted) => Chain::IssuerMissing,
        };
        self.cache.put(key, at, &judged);
        judged
    }
}

/// Whether the certificates at hand lead to a self-issued one. By name only: it decides the wording, never the verdict.
fn ends_in_a_root(certificate: &Certificate, bag: &[Certificate]) -> bool {
    let mut current = certificate;
    for _ in 0..path::MAX_DEPTH {
        if current.subject() == current.issuer() {
            return true;
        }
        match bag.iter().find(|candidate| candidate.subject() == current.issuer()) {
            Some(issuer) => current = issuer,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
