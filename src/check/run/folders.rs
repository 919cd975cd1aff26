//! The folders of packages in every vault: what is there that no entry names, and what is not there that one does.
//!
//! Invariant: a folder is asked about again before it counts as missing, since packages are published while this runs; a vault
//! that is not there is named once and nothing in it is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Run;
use crate::check::coverage::Seen;
use crate::check::report::{Finding, Place};
use crate::check::sealed::OnChain;
use crate::error::{AtPath, Code, Result};
use crate::id::PackageRef;

impl Run<'_> {
    /// Folders of packages in every vault that is there, and what is none; vaults that are not there are named.
    pub(super) fn folders(&mut self) -> BTreeMap<usize, BTreeSet<PackageRef>> {
        // What is being sealed is published before its commit.
        let staged = staged(self.subject.root).unwrap_or_else(|error| {
            self.findings.push(Finding::of_error(&error, Place::file("staging")));
            BTreeSet::new()
        });
        let mut all = BTreeMap::new();
        for (n, vault) in self.subject.vaults.iter().enumerate() {
            let name = vault.name().to_owned();
            let place = |file: String| Place { vault: Some(name.clone()), ..Place::file(file) };
            if let Err(error) = vault.mounted() {
                // Said once; its copies are not looked at one by one.
                self.findings.push(Finding::of_error(&error, place("packages".to_owned())));
                continue;
            }
            self.there.push(n);
            if !self.scope.is_all() {
                continue;
            }
            let mut found = BTreeSet::new();
            let series = match vault.list_series() {
                Ok(listing) => listing,
                Err(error) => {
                    self.findings.push(Finding::of_error(&error, place("packages".to_owned())));
                    continue;
                }
            };
            let mut foreign: Vec<String> = series.foreign.iter().map(|name| format!("packages/{name}")).collect();
            // The folder that a disk's own check puts lost pieces into is the disk's.
            foreign.retain(|name| name != "packages/lost+found");
            for series in &series.items {
                match vault.list_packages(series) {
                    Ok(listing) => {
                        // A hidden folder is a package being copied, or one whose copy was interrupted: not published.
                        let names =
                            listing.foreign.iter().filter(|name| !(name.starts_with('.') && name.ends_with(".making")));
                        foreign.extend(names.map(|name| format!("packages/{series}/{name}")));
                        found.extend(listing.items);
                    }
                    Err(error) => self.findings.push(Finding::of_error(&error, place(format!("packages/{series}")))),
                }
            }
            self.findings.extend(foreign.into_iter().map(|name| Finding::new(Code::PackageForeign, place(name), "")));
            found.retain(|package: &PackageRef| !staged.contains(&format!("{}-{}", package.series, package.number)));
            all.insert(n, found);
        }
        all
    }

    /// Packages that were not looked at and whose folder is gone: that much a list of folders says of all of them.
    pub(super) fn absent(&mut self, folders: &BTreeMap<usize, BTreeSet<PackageRef>>, on_chain: &OnChain) {
        for (n, folders) in folders {
            let vault = &self.subject.vaults[*n];
            for sealed in &on_chain.packages {
                let expected = on_chain.holdings.through(&sealed.package, vault.id()).is_some();
                if !expected || folders.contains(&sealed.package) || self.taken.contains(&(sealed.seq, *n)) {
                    continue;
                }
                // It may have been published since the folders were listed.
                if !matches!(vault.exists(&sealed.package), Ok(false)) || vault.mounted().is_err() {
                    continue;
                }
                let name = vault.name().to_owned();
                let place =
                    Place { package: Some(sealed.package.clone()), vault: Some(name.clone()), ..Place::default() };
                self.findings.push(Finding::new(Code::PackageMissing, place, ""));
                self.taken.insert((sealed.seq, *n));
                let seen = [(vault.id().to_owned(), Seen::Bad)];
                self.gathering.add(&sealed.package, self.started_at, 0, &seen, Some(Code::PackageMissing));
                self.bad_copies.push((sealed.package.clone(), name));
            }
        }
    }

    pub(super) fn strangers(&mut self, folders: BTreeMap<usize, BTreeSet<PackageRef>>, on_chain: &OnChain) {
        for (n, mut folders) in folders {
            for sealed in &on_chain.packages {
                folders.remove(&sealed.package);
            }
            let vault = self.subject.vaults[n].name();
            for package in folders {
                let place = Place { package: Some(package), vault: Some(vault.to_owned()), ..Place::default() };
                self.findings.push(Finding::new(Code::PackageUnknown, place, ""));
            }
        }
    }
}

/// Names in `staging/`: the packages being made.
fn staged(root: &Path) -> Result<BTreeSet<String>> {
    let folder = root.join("staging");
    let entries = match std::fs::read_dir(&folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.at_path(&folder)?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry.at_path(&folder)?;
        if entry.path().join("plan.json").is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
