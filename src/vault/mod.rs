//! Where sealed packages live: folders of named, immutable files.
//!
//! Invariants: nothing published is ever overwritten or half visible; presence in a vault means nothing without the chain
//! entry (architecture, "Outgrowing one machine"); a vault that is not mounted is told from a file that is missing
//! (interface, verdicts: the one is unchecked, the other bad) by its `vault.id`.

mod copying;
mod identity;
pub mod local;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tests;

pub use copying::holds;
pub use identity::Identity;
pub use local::LocalVault;

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use crate::error::{AtPlace, Code, Error, Result};
use crate::hash::Digests;
use crate::id::{PackageRef, SeriesId};

/// Name of the file that says which vault this is, and that it is mounted.
pub const ID_FILE: &str = "vault.id";

/// An open file of a package.
pub trait ReadSeek: Read + Seek {}
impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// What a folder of the vault holds: what belongs there, and names of what does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What belongs there, ascending.
    pub items: Vec<T>,
    /// Names that nothing of ours has, ascending; leftovers of an interrupted `put` are among them.
    pub foreign: Vec<String>,
}

/// One thing found in a package's folder, whether it belongs there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Path inside the package (`evidence/0001.ers`); unreadable characters of a foreign name are replaced.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// Permission bits; 0444 where the store has none.
    pub mode: u32,
    /// A plain file under a name a package may have. Links, sockets and odd names are not.
    pub regular: bool,
}

/// Where bytes of a package are taken from: a vault, or for each file the one that has it right.
pub trait Source {
    /// What errors call it.
    fn name(&self) -> &str;

    /// As [`Vault::open`].
    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>>;
}

impl Source for &dyn Vault {
    fn name(&self) -> &str {
        Vault::name(*self)
    }

    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>> {
        Vault::open(*self, package, file)
    }
}

/// A place for packages. Writers of one vault are serialised by the implementation.
///
/// Common errors: `vault-missing` (not mounted; nothing was done), `vault/other` (another one is mounted there; nothing was
/// done), `disk-full`, `io`. Nobody but the caller retries, and every call may be made again after an error.
pub trait Vault: Send + Sync {
    /// What the operator calls it.
    fn name(&self) -> &str;

    /// The random id in its `vault.id`.
    fn id(&self) -> &str;

    /// Whether it is there and the one it should be.
    fn mounted(&self) -> Result<()>;

    /// Copies `files` from the folder `staging` and publishes them as the package, all at once.
    ///
    /// Precondition: the staged files are complete; names pass [`check_name`]. On return the package is durable, each
    /// file 0444; a crash before leaves nothing visible. When the package is there already: the same bytes for every file
    /// is success, anything else `vault-exists`, and what is there stays.
    fn put(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()>;

    /// Adds files to a published package (renewals, a repaired file that was missing); each is durable on return, in
    /// order. A file that is there with the same bytes is success, with others `vault-exists`.
    fn add(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()>;

    /// Copies files of a package from elsewhere: the whole package when there is no folder of it (published all at once, as
    /// [`Vault::put`] does), else those that are missing. Each is hashed on its way, and one that is not as asked for ends it
    /// with `package-file-altered`. A file that is there with other bytes is `vault-exists`, and stays.
    fn receive(&self, from: &dyn Source, package: &PackageRef, files: &[(String, Digests)]) -> Result<()>;

    /// Puts the right bytes, taken from elsewhere, in the place of a file that has others; durable on return, and at every
    /// moment the name has either the old bytes or the new. Whoever wants the old ones has kept them before.
    fn restore(&self, from: &dyn Source, package: &PackageRef, file: &str, digests: &Digests) -> Result<()>;

    /// Deletes files of a package (disposal, after its act is on the chain); durable on return, missing ones are fine.
    /// Folders that become empty go.
    fn delete(&self, package: &PackageRef, files: &[String]) -> Result<()>;

    /// Opens a file. `file-missing` only when the vault is mounted and the file is not there, or is not a plain file.
    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>>;

    /// Whether the package has a folder.
    fn exists(&self, package: &PackageRef) -> Result<bool>;

    /// The series in the vault.
    fn list_series(&self) -> Result<Listing<SeriesId>>;

    /// The packages of a series; none when the series is not there.
    fn list_packages(&self, series: &SeriesId) -> Result<Listing<PackageRef>>;

    /// Everything in a package's folder, by name ascending. `file-missing` when there is no such folder.
    fn list_files(&self, package: &PackageRef) -> Result<Vec<StoredFile>>;
}

/// One package of a vault, as a thing of its own: what readers of packages are handed.
#[derive(Clone)]
pub struct VaultFiles {
    vault: Arc<dyn Vault>,
    package: PackageRef,
}

impl VaultFiles {
    /// The package in this vault; whether it is there shows when it is opened.
    pub fn new(vault: Arc<dyn Vault>, package: PackageRef) -> Self {
        Self { vault, package }
    }

    /// As [`Vault::open`].
    pub fn open(&self, file: &str) -> Result<Box<dyn ReadSeek + Send>> {
        self.vault.open(&self.package, file)
    }

    /// As [`Vault::list_files`].
    pub fn list(&self) -> Result<Vec<StoredFile>> {
        self.vault.list_files(&self.package)
    }

    /// Which package.
    pub fn package(&self) -> &PackageRef {
        &self.package
    }
}

/// Reads a package's files back from the vault, in bounded memory: length and digests of each, in the order asked. This is
/// what "written and read back" means in sealing; compare with what was staged.
pub fn read_back(vault: &dyn Vault, package: &PackageRef, files: &[String]) -> Result<Vec<(String, Digests)>> {
    let mut read = Vec::with_capacity(files.len());
    for file in files {
        let mut open = vault.open(package, file)?;
        let digests = Digests::of_reader(&mut open).at(format_args!("{}:{package}/{file}", vault.name()))?;
        read.push((file.clone(), digests));
    }
    Ok(read)
}

/// Accepts `PIndex.xml` and `evidence/0001.ers`; refuses whatever could leave the folder, hide in it, or need quoting in a
/// shell twenty years from now.
pub fn check_name(file: &str) -> Result<()> {
    let part = |part: &str| {
        (1..=100).contains(&part.len())
            && !part.starts_with(['.', '-'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    if file.split('/').count() <= 2 && file.split('/').all(part) {
        return Ok(());
    }
    Err(Error::new(Code::Internal, "not a name a package's file may have").at(file.escape_debug()))
}
