//! Reading from whichever copy is good.
//!
//! Invariant: what is read is held against the chain whichever vault it comes from; a copy that is bad, missing or away is
//! passed over, noted and alarmed, never silently. Only when no copy serves does the reader hear of it.

use std::io::Read;
use std::sync::Arc;

use super::stream::{Fallback, Next};
use crate::archive::Archive;
use crate::archive::read::committed_file;
use crate::archive::verified::Verified;
use crate::chain::Entry;
use crate::error::{Code, Error, Kind as Sort, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, PackageRef};
use crate::package::member::Kind;
use crate::package::reader::{Package, content_error};
use crate::package::{CONTENT, FileFacts, TOC};
use crate::vault::{Vault, VaultFiles, holds};

/// Documents up to this size are verified in memory before they are given: most mail is smaller, and some fifty streams at once
/// take some tens of megabytes.
const IN_MEMORY: u64 = 1 << 20;

/// What a document must be, and its bytes.
type Opened = ((u64, Sha256), Box<dyn Read + Send>);

/// A package in one vault, with the table of contents that its entry names: whoever can write to the vault can make content and
/// table agree, and cannot sign the chain.
pub(super) fn open_in(vault: &Arc<dyn Vault>, entry: &Entry, package: &PackageRef) -> Result<Package> {
    let reader = Package::open(Arc::new(VaultFiles::new(Arc::clone(vault), package.clone())))?;
    committed_file(entry, package, TOC, reader.toc().as_bytes())?;
    Ok(reader)
}

/// Whether an error says something of the copy, so that another one may serve. What a good table of contents does not name is in
/// no copy.
pub(super) fn is_of_the_copy(error: &Error) -> bool {
    matches!(error.code.kind(), Sort::Damage | Sort::Io)
        || matches!(error.code, Code::FileMissing | Code::VaultMissing | Code::VaultOther)
}

impl Archive {
    /// The vaults that a package may be read from, the likeliest first: those that the chain says have all of it, then the others
    /// it names. Copies known to be bad come last.
    pub(in crate::archive) fn readable(&self, package: &PackageRef) -> Vec<Arc<dyn Vault>> {
        let rank = |vault: &Arc<dyn Vault>| {
            let bad = self.copies.suspects.holds(package, vault.name());
            (bad, !self.copies.is_whole(package, vault.as_ref()))
        };
        let mut all: Vec<Arc<dyn Vault>> = self.copies.kept.iter().map(|kept| Arc::clone(&kept.vault)).collect();
        all.sort_by_cached_key(rank);
        all
    }

    /// Reads from the first copy that serves. `read` may be called again with another one.
    pub(in crate::archive) fn with_package<T>(
        &self,
        entry: &Entry,
        package: &PackageRef,
        read: impl Fn(&Package) -> Result<T>,
    ) -> Result<T> {
        let mut failed = None;
        for vault in self.readable(package) {
            match open_in(&vault, entry, package).and_then(|reader| read(&reader)) {
                Err(error) if is_of_the_copy(&error) => self.passed_over(package, vault.as_ref(), error, &mut failed),
                outcome => return outcome,
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::PackageMissing, "there is no vault").at(package)))
    }

    /// Notes a copy that did not serve. The first error is the one the reader hears when none does.
    fn passed_over(&self, package: &PackageRef, vault: &dyn Vault, error: Error, failed: &mut Option<Error>) {
        // With one copy there is no other to fall back to: the error itself says it.
        if self.copies.kept.len() > 1 {
            match error.code {
                // The vault is away, which says nothing of the copy.
                Code::VaultMissing | Code::VaultOther => {
                    let away = self.copies.away(vault, self.clock.now());
                    tracing::warn!(vault = vault.name(), %package, away = away.is_some(), "read from another vault");
                }
                // A copy that lags is expected to lack things.
                _ if !self.copies.is_whole(package, vault) => {}
                _ => self.copies.suspects.note(package, vault.name(), &error, self.clock.now()),
            }
        }
        failed.get_or_insert(error);
    }

    /// The package's reader, from the first copy that opens.
    pub(in crate::archive) fn open_package(&self, package: &PackageRef) -> Result<Package> {
        let entry = self.package_entry(package)?;
        let mut failed = None;
        for vault in self.readable(package) {
            match open_in(&vault, &entry, package) {
                Err(error) if is_of_the_copy(&error) => self.passed_over(package, vault.as_ref(), error, &mut failed),
                outcome => return outcome,
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::PackageMissing, "there is no vault").at(package)))
    }

    /// The bytes of a sealed document, from one copy as far as it is good, then from the next; and what they must be.
    pub(in crate::archive) fn stream_document(
        &self,
        entry: &Entry,
        package: &PackageRef,
        id: DocumentId,
    ) -> Result<Opened> {
        let mut failed = None;
        let vaults = self.readable(package);
        for (n, vault) in vaults.iter().enumerate() {
            // With one copy its last bytes are held back until all are verified. With several the whole is verified before the
            // first byte is given, since what was given of a bad one could not be taken back.
            let open = if vaults.len() == 1 { open_whole } else { open_verified };
            match open(vault, entry, package, id) {
                Ok((facts, first)) => {
                    let rest = vaults[n + 1..].to_vec();
                    if rest.is_empty() {
                        return Ok((facts, first));
                    }
                    let next = self.others(entry, package, id, Arc::clone(vault), rest);
                    return Ok((facts, Box::new(Fallback::new(first, next))));
                }
                Err(error) if is_of_the_copy(&error) => self.passed_over(package, vault.as_ref(), error, &mut failed),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::PackageMissing, "there is no vault").at(package)))
    }

    /// Gives the other copies of a document, one after the other, noting the one that failed before.
    fn others(
        &self,
        entry: &Entry,
        package: &PackageRef,
        id: DocumentId,
        mut used: Arc<dyn Vault>,
        rest: Vec<Arc<dyn Vault>>,
    ) -> Next {
        let (suspects, clock) = (Arc::clone(&self.copies.suspects), Arc::clone(&self.clock));
        let (entry, package, mut rest) = (entry.clone(), package.clone(), rest.into_iter());
        Box::new(move |error| {
            let told = Error::new(Code::ContentAltered, error.to_string()).at(CONTENT);
            suspects.note(&package, used.name(), &told, clock.now());
            used = rest.next()?;
            let open = open_whole(&used, &entry, &package, id);
            Some(open.map(|(_, open)| open).map_err(std::io::Error::other))
        })
    }

    /// Reads every file of a package in every vault but for those known to be bad, and notes the copies that are; whether any
    /// was found and another one is good. For readers that cannot begin again by themselves.
    pub(in crate::archive) fn find_bad_copies(&self, package: &PackageRef) -> Result<bool> {
        let files = self.committed_files(package)?.files;
        let (mut found, mut good) = (false, false);
        for kept in &self.copies.kept {
            let vault = kept.vault.as_ref();
            if self.copies.suspects.holds(package, vault.name()) || !self.copies.is_whole(package, vault) {
                continue;
            }
            match files.iter().try_for_each(|file| must_be(vault, package, file)) {
                Ok(()) => good = true,
                Err(error) => {
                    self.copies.suspects.note(package, vault.name(), &error, self.clock.now());
                    found = true;
                }
            }
        }
        Ok(found && good)
    }
}

/// As [`open_whole`], of a copy in which the document was found to be right: a small one is kept in memory, a large one read
/// twice.
fn open_verified(vault: &Arc<dyn Vault>, entry: &Entry, package: &PackageRef, id: DocumentId) -> Result<Opened> {
    let (facts, mut whole) = open_whole(vault, entry, package, id)?;
    let failed = |e| content_error(id.0, e);
    if facts.0 <= IN_MEMORY {
        let mut bytes = Vec::with_capacity(usize::try_from(facts.0).unwrap_or_default());
        whole.read_to_end(&mut bytes).map_err(failed)?;
        return Ok((facts, Box::new(std::io::Cursor::new(bytes))));
    }
    std::io::copy(&mut whole, &mut std::io::sink()).map_err(failed)?;
    open_whole(vault, entry, package, id)
}

/// A document in one copy, and what it must be; its last bytes are given only when all of them are right.
fn open_whole(vault: &Arc<dyn Vault>, entry: &Entry, package: &PackageRef, id: DocumentId) -> Result<Opened> {
    let reader = open_in(vault, entry, package)?;
    let (length, sha256) = member_facts(&reader, id)?;
    let member = reader.open_member(Kind::Document, id.0, None)?;
    Ok(((length, sha256), Box::new(Verified::new(member, length, sha256))))
}

/// A file of a copy, held against the chain.
pub(super) fn must_be(vault: &dyn Vault, package: &PackageRef, file: &FileFacts) -> Result<()> {
    let digests = crate::hash::Digests { bytes: file.length, sha256: file.sha256, blake3: file.blake3 };
    match holds(vault, package, &file.name, &digests)? {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new(Code::PackageFileAltered, "not as the chain committed it").at(&file.name)),
        None => Err(Error::new(Code::PackageFileMissing, "").at(&file.name)),
    }
}

/// What the chain says a document is, by the table of contents that its package's entry names.
pub(in crate::archive) fn member_facts(reader: &Package, id: DocumentId) -> Result<(u64, Sha256)> {
    reader.find(Kind::Document, id.0).map(|member| (member.length, member.sha256))
}
