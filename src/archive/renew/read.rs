//! A package's evidence as the chain commits it, newest generation and all.

use serde_json::Value;

use crate::archive::Archive;
use crate::chain::Entry;
use crate::error::{Code, Error, Result};
use crate::evidence::ers::History;
use crate::hash::Sha256;
use crate::id::PackageRef;
use crate::package::FileFacts;
use crate::package::generation;
use crate::package::reader::Package;

/// The files of a package that the chain commits, and how often its evidence was renewed.
pub(in crate::archive) struct Committed {
    /// Those of its sealing and of every renewal.
    pub files: Vec<FileFacts>,
    /// The newest generation.
    pub generation: u32,
}

impl Committed {
    /// A file, when the chain names it.
    pub fn file(&self, name: &str) -> Option<&FileFacts> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Reads a file of the package and holds it against the chain.
    pub fn read(&self, reader: &Package, package: &PackageRef, name: &str, limit: u64) -> Result<Vec<u8>> {
        let bytes = reader.read_file(name, limit)?;
        if self.file(name).is_some_and(|file| file.sha256 == Sha256::of(&bytes)) {
            return Ok(bytes);
        }
        Err(Error::new(Code::PackageFileAltered, "not as the chain committed it").at(format!("{package}/{name}")))
    }
}

impl Archive {
    /// The entries that renewed a package's evidence, oldest first.
    pub(in crate::archive) fn renewal_entries(&self, package: &PackageRef) -> Result<Vec<Entry>> {
        self.renewals.of(package).into_iter().map(|seq| self.ledger.entry(seq)).collect()
    }

    /// What the chain commits of a package, renewals included.
    pub(in crate::archive) fn committed_files(&self, package: &PackageRef) -> Result<Committed> {
        let entry = self.package_entry(package)?;
        let files = entry.object.get("files").cloned().unwrap_or(Value::Null);
        let wrong = |seq| {
            Error::new(Code::ChainAltered, "an entry misses its fields").at(format!("chain/entries, entry {seq}"))
        };
        let mut files: Vec<FileFacts> = serde_json::from_value(files).map_err(|_| wrong(entry.seq))?;
        let renewals = self.renewals.of(package);
        let generation = renewals.len() as u32 + 1;
        for seq in renewals {
            let renewal = self.renewals.parsed(seq, || {
                serde_json::from_value(self.ledger.entry(seq)?.object.into()).map_err(|_| wrong(seq))
            })?;
            let renewed = renewal.packages.iter().find(|renewed| renewed.package == *package);
            files.extend_from_slice(&renewed.ok_or_else(|| wrong(seq))?.files);
        }
        Ok(Committed { files, generation })
    }

    /// All evidence of a package, each file held against the chain.
    pub(in crate::archive) fn history(&self, package: &PackageRef) -> Result<History> {
        let committed = self.committed_files(package)?;
        self.with_package(&self.package_entry(package)?, package, |reader| {
            generation::history(committed.generation, &|name, limit| committed.read(reader, package, name, limit))
        })
    }
}
