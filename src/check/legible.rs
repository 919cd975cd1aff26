//! Legibility: whether every document of a package can still be decoded by the reader of its format.
//!
//! It reads one copy that holds the documents as they are, the first that does: copies are the same bytes, and that they are is
//! for the integrity check to say. Invariant: a document that no reader decoded is never counted as checked; nothing here counts
//! as a look at integrity. Linee guida AgID 4.5 f (integrity **and legibility**, at most every five years).

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::sync::Arc;

use serde::Serialize;

use super::coverage::Seen;
use super::report::{Finding, Place};
use super::sealed::Sealed;
use crate::document::legible::{Decoded, MAX_DECODED, decode};
use crate::document::{Body, agid};
use crate::error::{AtPlace, Code, Error, Kind as Trouble, Result};
use crate::hash::Sha256;
use crate::id::{CheckId, DocumentId};
use crate::package::CONTENT;
use crate::package::member::Kind;
use crate::package::reader::Package;
use crate::vault::{Vault, VaultFiles};

/// The largest metadata file.
const MAX_DESCRIPTION: u64 = 64 << 20;
/// Documents of one package that are named; the others are counted.
const MAX_NAMED: usize = 100;

/// A sample instead of all documents: only where the manual of conservation that is in force says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// One document in so many, chosen anew by each check, and one of each package at least.
    pub one_in: u64,
    /// The clause of the manual that says so.
    pub clause: String,
    /// The manual: title and version.
    pub manual: String,
}

impl Sample {
    /// Whether a document is in the sample of a check.
    fn holds(&self, check: CheckId, document: DocumentId) -> bool {
        let digest = Sha256::of(&[check.0.as_bytes().as_slice(), document.0.as_bytes()].concat());
        let first: [u8; 8] = digest.0[..8].try_into().unwrap_or_default();
        u64::from_be_bytes(first).is_multiple_of(self.one_in.max(1))
    }
}

/// What was seen of one package.
pub(super) struct Looked {
    pub findings: Vec<Finding>,
    /// The vault whose copy was read, by its place among those given.
    pub vault: Option<usize>,
    pub seen: Seen,
    /// Documents that were decoded.
    pub documents: u64,
    /// Bytes of documents that were read.
    pub bytes: u64,
}

/// Looks at the documents of one package. `progress` is told how many bytes of them were read.
pub(super) fn look(
    vaults: &[&Arc<dyn Vault>],
    sealed: &Sealed,
    (check, sample): (CheckId, Option<&Sample>),
    progress: &mut dyn FnMut(u64),
) -> Looked {
    let mut failed = Vec::new();
    for (n, vault) in vaults.iter().enumerate() {
        let place =
            Place { package: Some(sealed.package.clone()), vault: Some(vault.name().to_owned()), ..Place::default() };
        let mut copy =
            Copy { place, check, sample, damaged: Vec::new(), more: 0, not: BTreeMap::new(), documents: 0, bytes: 0 };
        match copy.read(vault, sealed, progress) {
            Ok(()) => return copy.looked(n),
            Err(error) => failed.push(copy.failed(&error)),
        }
    }
    let bad = failed.iter().any(|finding| finding.outcome == super::Outcome::Bad);
    Looked {
        findings: failed,
        vault: (!vaults.is_empty()).then_some(0),
        seen: if bad { Seen::Bad } else { Seen::Unchecked },
        documents: 0,
        bytes: 0,
    }
}

/// One copy that is read.
struct Copy<'a> {
    place: Place,
    check: CheckId,
    sample: Option<&'a Sample>,
    damaged: Vec<Finding>,
    /// Damaged documents that are not named.
    more: u64,
    /// Documents that nobody here decodes: why, of which media type, how many.
    not: BTreeMap<(Code, String), u64>,
    documents: u64,
    bytes: u64,
}

impl Copy<'_> {
    /// Reads every document that is asked for; an error when this copy does not hold them as they are.
    fn read(&mut self, vault: &Arc<dyn Vault>, sealed: &Sealed, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let package = Package::open(Arc::new(VaultFiles::new(Arc::clone(vault), sealed.package.clone())))?;
        // A name decides between forms of the same bytes, as when it was deposited.
        let mut names = HashMap::new();
        package.each_member(&[Kind::Metadata], &mut |record, reader| {
            let mut bytes = Vec::new();
            reader.take(MAX_DESCRIPTION).read_to_end(&mut bytes).at(DocumentId(record.id))?;
            if let Ok(file) = agid::parse(&bytes) {
                names.insert(record.id, file.name);
            }
            Ok(())
        })?;
        let mut last =
            package.toc().iter().filter(|record| record.kind == Kind::Document).map(|record| record.id).last();
        package.each_member(&[Kind::Document], &mut |record, reader| {
            let id = DocumentId(record.id);
            let only = last.take_if(|last| *last == record.id && self.documents == 0 && self.not.is_empty()).is_some();
            if !only && self.sample.is_some_and(|sample| !sample.holds(self.check, id)) {
                return Ok(());
            }
            let mut bytes = Vec::new();
            reader.take(MAX_DECODED.saturating_add(1)).read_to_end(&mut bytes).at(id)?;
            self.bytes += bytes.len() as u64;
            progress(bytes.len() as u64);
            // The bytes are what the table of contents says only once all of them were read.
            if record.length <= MAX_DECODED && Sha256::of(&bytes) != record.sha256 {
                return Err(Error::new(Code::ContentAltered, "not the bytes that were sealed").at(id));
            }
            let name = names.get(&record.id).map_or("", String::as_str);
            match decode(&Body::from(bytes), name)? {
                Decoded::Legible => self.documents += 1,
                Decoded::Damaged(why) => self.damaged(id, &why),
                Decoded::Not(code, media_type) => *self.not.entry((code, media_type)).or_default() += 1,
            }
            Ok(())
        })
    }

    fn damaged(&mut self, id: DocumentId, why: &str) {
        self.documents += 1;
        if self.damaged.len() < MAX_NAMED {
            let place = self.place.in_file(CONTENT).of_document(id);
            self.damaged.push(Finding::new(Code::LegibleDamaged, place, why));
        } else {
            self.more += 1;
        }
    }

    fn looked(mut self, vault: usize) -> Looked {
        if self.more > 0 {
            let detail = format!("{} more documents", self.more);
            self.damaged.push(Finding::new(Code::LegibleDamaged, self.place.in_file(CONTENT), &detail));
        }
        let seen = match (self.damaged.is_empty(), self.not.is_empty()) {
            (false, _) => Seen::Bad,
            (true, false) => Seen::Partial,
            (true, true) => Seen::Good,
        };
        let mut findings = self.damaged;
        for ((code, media_type), count) in &self.not {
            let detail = format!("{count} documents of {media_type}");
            findings.push(Finding::new(*code, self.place.in_file(CONTENT), &detail));
        }
        Looked { findings, vault: Some(vault), seen, documents: self.documents, bytes: self.bytes }
    }

    /// What kept a copy from being read: damage of the package is damage; anything else, that it could not be looked at.
    fn failed(&self, error: &Error) -> Finding {
        let place = self.place.in_file(CONTENT);
        match error.code.kind() {
            Trouble::Damage | Trouble::Finding => Finding::of_error(error, place),
            _ if error.code == Code::FileMissing => Finding::new(Code::PackageFileMissing, place, &error.place),
            _ => Finding::new(Code::NotLookedAt, place, &format!("{}: {}", error.code.as_str(), error.detail)),
        }
    }
}
