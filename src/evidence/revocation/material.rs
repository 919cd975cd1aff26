//! Lists and answers at hand, each named by its digest.
//!
//! Invariant: what stands here is readable and nothing more; who signed it is asked each time it is used for a certificate, and the
//! answer remembered, because a list of some megabytes is as slow to verify as it is large.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Crl, OcspResponse, Told};
use crate::error::{Code, Error, Result};
use crate::evidence::cms::unwrap::pem_blocks;
use crate::evidence::x509::Certificate;
use crate::hash::Sha256;

/// Lists and answers looked through; more is not what a person configures.
const MAX_ITEMS: usize = 4096;
/// All of them together: what a process may hold in memory.
const MAX_BYTES: usize = 256 << 20;
/// Certificates whose answers are remembered; a provider's comes with every message.
const MAX_REMEMBERED: usize = 1024;

/// What sort of source it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A certificate revocation list (RFC 5280 section 5).
    List,
    /// An answer of an OCSP responder (RFC 6960).
    Answer,
}

impl Sort {
    /// How files of this sort are called.
    pub fn extension(self) -> &'static str {
        match self {
            Self::List => "crl",
            Self::Answer => "ocsp",
        }
    }
}

#[derive(Debug)]
enum Source {
    List(Crl),
    Answer(OcspResponse),
}

/// One list or answer.
#[derive(Debug)]
pub struct Item {
    sha256: Sha256,
    source: Source,
}

impl Item {
    /// Reads DER of either sort.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let source = match Crl::parse(der) {
            Ok(list) => Source::List(list),
            Err(_) => Source::Answer(OcspResponse::parse(der)?),
        };
        Ok(Self { sha256: Sha256::of(der), source })
    }

    /// Its name.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        match &self.source {
            Source::List(list) => list.der(),
            Source::Answer(answer) => answer.der(),
        }
    }

    /// What sort it is.
    pub fn sort(&self) -> Sort {
        match self.source {
            Source::List(_) => Sort::List,
            Source::Answer(_) => Sort::Answer,
        }
    }

    pub(super) fn look(&self, certificate: &Certificate, issuer: &Certificate) -> Option<Told> {
        match &self.source {
            Source::List(list) => list.look(certificate, issuer),
            Source::Answer(answer) => answer.look(certificate, issuer),
        }
    }
}

/// What each source said of a certificate: its place in the list of items.
type Said = Arc<[(usize, Told)]>;

/// Lists and answers at hand.
#[derive(Debug, Default)]
pub struct Material {
    items: Vec<Item>,
    bytes: usize,
    said: Mutex<HashMap<Sha256, Said>>,
}

impl Material {
    /// Adds a list (DER or PEM) or an answer (DER): whichever it is. What is there already is not added again.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.first() != Some(&0x30) {
            return pem_blocks(bytes, &["X509 CRL"])?.iter().try_for_each(|der| self.put(Item::parse(der)?));
        }
        self.put(Item::parse(bytes)?)
    }

    fn put(&mut self, item: Item) -> Result<()> {
        if self.find(&item.sha256).is_some() {
            return Ok(());
        }
        if self.items.len() >= MAX_ITEMS || self.bytes + item.der().len() > MAX_BYTES {
            let why = format!("more than {MAX_ITEMS} lists and answers of revocation, or more than {MAX_BYTES} bytes");
            return Err(Error::new(Code::ConfigInvalid, why));
        }
        self.bytes += item.der().len();
        self.items.push(item);
        self.said.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many lists and answers there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The item of this name.
    pub fn find(&self, sha256: &Sha256) -> Option<&Item> {
        self.items.iter().find(|item| item.sha256 == *sha256)
    }

    /// Everything said of a certificate by whoever may.
    pub(super) fn said(&self, certificate: &Certificate, issuer: &Certificate) -> Vec<(&Item, Told)> {
        if self.items.is_empty() {
            return Vec::new();
        }
        let key = Sha256::of_parts(&[certificate.der(), issuer.der()]);
        let known = self.said.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let said = known.unwrap_or_else(|| {
            // Not under the lock: it verifies signatures.
            let look = |(at, item): (usize, &Item)| Some((at, item.look(certificate, issuer)?));
            let said: Said = self.items.iter().enumerate().filter_map(look).collect();
            let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= MAX_REMEMBERED {
                all.clear();
            }
            all.insert(key, Arc::clone(&said));
            said
        });
        said.iter().filter_map(|(at, told)| Some((self.items.get(*at)?, *told))).collect()
    }
}
