//! The faulty twin of a vault, for tests: folders in memory, and errors on order.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Mutex, MutexGuard};

use super::*;

/// What goes wrong next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not mounted, until [`MemoryVault::heal`].
    Missing,
    /// The next `put` or `add` fails after it wrote its files and before it published them.
    BeforePublish,
    /// The next `put` or `add` publishes and then fails: the caller cannot know.
    AfterPublish,
    /// What is read differs in one byte from what was written, until [`MemoryVault::heal`].
    Rot,
}

type Folder = BTreeMap<String, Vec<u8>>;

/// A vault that lives as long as the test.
#[derive(Default)]
pub(crate) struct MemoryVault {
    packages: Mutex<BTreeMap<PackageRef, Folder>>,
    fault: Mutex<Option<Fault>>,
}

impl MemoryVault {
    /// Orders a fault.
    pub fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    /// All is well again.
    pub fn heal(&self) {
        *self.fault.lock().unwrap() = None;
    }

    fn at_hand(&self) -> Result<MutexGuard<'_, BTreeMap<PackageRef, Folder>>> {
        if *self.fault.lock().unwrap() == Some(Fault::Missing) {
            return Err(Error::new(Code::VaultMissing, "ordered"));
        }
        Ok(self.packages.lock().unwrap())
    }

    fn strike(&self, at: Fault) -> Result<()> {
        let mut fault = self.fault.lock().unwrap();
        if *fault == Some(at) {
            *fault = None;
            return Err(Error::new(Code::Io, "ordered"));
        }
        Ok(())
    }

    fn publish(&self, staging: &Path, package: &PackageRef, files: &[String], whole: bool) -> Result<()> {
        let mut packages = self.at_hand()?;
        let mut staged = Folder::new();
        for file in files {
            check_name(file)?;
            let path = staging.join(file);
            staged.insert(file.clone(), std::fs::read(&path).at(path.display())?);
        }
        let there = packages.get(package);
        if !whole && there.is_none() {
            return Err(Error::new(Code::FileMissing, "").at(package));
        }
        for (file, bytes) in &staged {
            let found = there.and_then(|folder| folder.get(file));
            if found.map_or(whole && there.is_some(), |found| found != bytes) {
                return Err(Error::new(Code::VaultExists, "").at(file));
            }
        }
        self.strike(Fault::BeforePublish)?;
        packages.entry(package.clone()).or_default().extend(staged);
        self.strike(Fault::AfterPublish)
    }
}

impl Vault for MemoryVault {
    fn name(&self) -> &str {
        "memory"
    }

    fn id(&self) -> &str {
        "00000000000000000000000000000000"
    }

    fn mounted(&self) -> Result<()> {
        self.at_hand().map(drop)
    }

    fn put(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()> {
        self.publish(staging, package, files, true)
    }

    fn add(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()> {
        self.publish(staging, package, files, false)
    }

    fn receive(&self, from: &dyn Source, package: &PackageRef, files: &[(String, Digests)]) -> Result<()> {
        let mut staged = Folder::new();
        for (file, digests) in files {
            staged.insert(file.clone(), right(from, package, file, digests)?);
        }
        let mut packages = self.at_hand()?;
        let folder = packages.entry(package.clone()).or_default();
        if let Some((file, _)) = staged.iter().find(|(file, bytes)| folder.get(*file).is_some_and(|b| b != *bytes)) {
            return Err(Error::new(Code::VaultExists, "").at(file));
        }
        folder.extend(staged);
        Ok(())
    }

    fn restore(&self, from: &dyn Source, package: &PackageRef, file: &str, digests: &Digests) -> Result<()> {
        let bytes = right(from, package, file, digests)?;
        let mut packages = self.at_hand()?;
        let folder = packages.get_mut(package).ok_or_else(|| Error::new(Code::FileMissing, "").at(package))?;
        folder.insert(file.to_owned(), bytes);
        Ok(())
    }

    fn delete(&self, package: &PackageRef, files: &[String]) -> Result<()> {
        files.iter().try_for_each(|file| check_name(file))?;
        let mut packages = self.at_hand()?;
        if let Some(folder) = packages.get_mut(package) {
            folder.retain(|name, _| !files.contains(name));
            if folder.is_empty() {
                packages.remove(package);
            }
        }
        Ok(())
    }

    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>> {
        check_name(file)?;
        let packages = self.at_hand()?;
        let mut bytes = packages
            .get(package)
            .and_then(|folder| folder.get(file).cloned())
            .ok_or_else(|| Error::new(Code::FileMissing, "").at(format_args!("{package}/{file}")))?;
        if *self.fault.lock().unwrap() == Some(Fault::Rot)
            && let Some(byte) = bytes.first_mut()
        {
            *byte ^= 1;
        }
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn exists(&self, package: &PackageRef) -> Result<bool> {
        Ok(self.at_hand()?.contains_key(package))
    }

    fn list_series(&self) -> Result<Listing<SeriesId>> {
        let mut items: Vec<_> = self.at_hand()?.keys().map(|package| package.series.clone()).collect();
        items.dedup();
        Ok(Listing { items, foreign: Vec::new() })
    }

    fn list_packages(&self, series: &SeriesId) -> Result<Listing<PackageRef>> {
        let packages = self.at_hand()?;
        let items = packages.keys().filter(|package| package.series == *series).cloned().collect();
        Ok(Listing { items, foreign: Vec::new() })
    }

    fn list_files(&self, package: &PackageRef) -> Result<Vec<StoredFile>> {
        let packages = self.at_hand()?;
        let folder = packages.get(package).ok_or_else(|| Error::new(Code::FileMissing, "").at(package))?;
        let stored = |(name, bytes): (&String, &Vec<u8>)| StoredFile {
            name: name.clone(),
            bytes: bytes.len() as u64,
            mode: 0o444,
            regular: true,
        };
        Ok(folder.iter().map(stored).collect())
    }
}

/// A file of another vault, when it has the bytes asked for.
fn right(from: &dyn Source, package: &PackageRef, file: &str, digests: &Digests) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.open(package, file)?.read_to_end(&mut bytes).at(file)?;
    match Digests::of(&bytes) == *digests {
        true => Ok(bytes),
        false => Err(Error::new(Code::PackageFileAltered, "").at(file)),
    }
}
