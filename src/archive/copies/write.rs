//! The copies that a commit needs: made, durable and read back before the chain says so.
//!
//! Invariant: as many as custode.toml requires, in its order, passing over vaults that fail; the others lag and catch up, so that
//! a vault that is down, full, read-only or slow delays nothing beyond the required ones.

use std::path::Path;

use crate::archive::Archive;
use crate::error::{Code, Error, Result};
use crate::hash::Digests;
use crate::id::PackageRef;
use crate::package::FileFacts;
use crate::vault::{self, Vault};

/// Name and digests of a package's files, as vaults want them.
pub(in crate::archive) fn digests(files: &[FileFacts]) -> Vec<(String, Digests)> {
    let one = |file: &FileFacts| {
        let digests = Digests { bytes: file.length, sha256: file.sha256, blake3: file.blake3 };
        (file.name.clone(), digests)
    };
    files.iter().map(one).collect()
}

/// Reads files back from a vault: they are what was written, or `package-file-altered`.
pub(in crate::archive) fn must_hold(
    vault: &dyn Vault,
    package: &PackageRef,
    files: &[(String, Digests)],
) -> Result<()> {
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    for ((name, expected), (_, found)) in files.iter().zip(vault::read_back(vault, package, &names)?) {
        if *expected != found {
            let place = format!("{package}, vault {}, {name}", vault.name());
            return Err(Error::new(Code::PackageFileAltered, "what was read back is not what was written").at(place));
        }
    }
    Ok(())
}

impl Archive {
    /// Publishes a new package in as many vaults as are required; their ids. The first failure when they are not enough.
    pub(in crate::archive) fn publish_copies(
        &self,
        staging: &Path,
        package: &PackageRef,
        files: &[FileFacts],
    ) -> Result<Vec<String>> {
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let files = digests(files);
        self.required_copies(package, false, &|vault| {
            vault.put(staging, package, &names)?;
            must_hold(vault, package, &files)
        })
    }

    /// Makes a change in as many vaults as are required, in their order; their ids. With `whole`, only in vaults that lack
    /// nothing of the package so far.
    pub(in crate::archive) fn required_copies(
        &self,
        package: &PackageRef,
        whole: bool,
        make: &dyn Fn(&dyn Vault) -> Result<()>,
    ) -> Result<Vec<String>> {
        let required = self.config.copies.required as usize;
        let (mut made, mut failed) = (Vec::new(), None);
        for kept in &self.copies.kept {
            if made.len() == required {
                break;
            }
            let vault = kept.vault.as_ref();
            if whole && !self.copies.is_whole(package, vault) {
                continue;
            }
            match make(vault) {
                Ok(()) => made.push(vault.id().to_owned()),
                Err(error) => {
                    let (code, name) = (error.code.as_str(), vault.name());
                    tracing::warn!(code, vault = name, %package, place = %error.place, "a copy was not made: {}", error.detail);
                    metrics::counter!("custode_copies_failed_total", "vault" => name.to_owned()).increment(1);
                    if matches!(error.code, Code::VaultExists | Code::PackageFileAltered) {
                        self.copies.suspects.note(package, name, &error, self.clock.now());
                    }
                    failed.get_or_insert(error);
                }
            }
        }
        if made.len() == required {
            return Ok(made);
        }
        let none = || Error::new(Code::CopyBehind, "no vault has all of it").at(package);
        Err(failed.unwrap_or_else(none))
    }
}
